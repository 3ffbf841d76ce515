"""What people are told of in Repairs: once, with what to do about it, and for as long as it holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir
from homeassistant.helpers.event import async_call_later

from .const import DOMAIN
from .failure_words import NOTHING, answer_of, cause_of, certificate_words, tried_at
from .settings import is_unchecked
from .sip.account import Account, NatMode, Srtp
from .sip.events import CallSnapshot, EndedBy, RegistrationChanged, RegistrationFailure, RegistrationState

LEARN_MORE: Final = "https://github.com/sip-ua/sip_ua/blob/main/docs/repairs.md"
UNREACHABLE_AFTER: Final = 15 * 60.0
EXPIRES_SOON: Final = timedelta(days=7)
VOICE_EXPECTED: Final = 100
"""Packets sent, which are two seconds of voice, after which something should have come back."""

ANSWERING_FAILED: Final = "answering_failed"
ASSIST_UNUSABLE: Final = "assist_unusable"
CERTIFICATE_EXPIRES: Final = "certificate_expires"
CERTIFICATE_NOT_TRUSTED: Final = "certificate_not_trusted"
CERTIFICATE_UNCHECKED: Final = "certificate_unchecked"
CERTIFICATE_WRONG: Final = "certificate_wrong"
LOCAL_PORT_IN_USE: Final = "local_port_in_use"
ONE_WAY_AUDIO: Final = "one_way_audio"
SERVER_UNREACHABLE: Final = "server_unreachable"
SRTP_REFUSED: Final = "srtp_refused"

_REFUSES_VOICE: Final = frozenset({488, 606})
_PINNABLE: Final = frozenset({RegistrationFailure.CERTIFICATE, RegistrationFailure.CERTIFICATE_CHANGED})
_NOT_PINNABLE: Final = frozenset({RegistrationFailure.CERTIFICATE_NAME, RegistrationFailure.CERTIFICATE_EXPIRED})
_UNREACHABLE: Final = frozenset(
    {
        RegistrationFailure.NAME_NOT_FOUND,
        RegistrationFailure.NO_ROUTE,
        RegistrationFailure.NO_ANSWER,
        RegistrationFailure.CONNECTION_REFUSED,
        RegistrationFailure.TLS_VERSION,
        RegistrationFailure.REDIRECTED,
        RegistrationFailure.SERVER_BUSY,
        RegistrationFailure.SERVER_ERROR,
    }
)


@dataclass(frozen=True, slots=True)
class Kind:
    """An issue: whether a click mends it, whether it stands after a restart, and how bad it is."""

    fixable: bool = False
    stands: bool = False
    severity: ir.IssueSeverity = ir.IssueSeverity.WARNING


KINDS: Final[Mapping[str, Kind]] = {
    ANSWERING_FAILED: Kind(),
    ASSIST_UNUSABLE: Kind(),
    CERTIFICATE_EXPIRES: Kind(),
    CERTIFICATE_NOT_TRUSTED: Kind(fixable=True, severity=ir.IssueSeverity.ERROR),
    CERTIFICATE_UNCHECKED: Kind(),
    CERTIFICATE_WRONG: Kind(severity=ir.IssueSeverity.ERROR),
    LOCAL_PORT_IN_USE: Kind(fixable=True, stands=True, severity=ir.IssueSeverity.ERROR),
    ONE_WAY_AUDIO: Kind(fixable=True, stands=True),
    SERVER_UNREACHABLE: Kind(severity=ir.IssueSeverity.ERROR),
    SRTP_REFUSED: Kind(fixable=True, stands=True),
}


@callback
def async_raise(hass: HomeAssistant, entry: ConfigEntry, key: str, **told: str) -> None:
    """Show an issue of an account; `told` is what its text names."""
    kind = KINDS[key]
    ir.async_create_issue(
        hass,
        DOMAIN,
        _id(entry, key),
        data={"entry_id": entry.entry_id, "kind": key, **told},
        is_fixable=kind.fixable,
        is_persistent=kind.stands,
        learn_more_url=f"{LEARN_MORE}#{key.replace('_', '-')}",
        severity=kind.severity,
        translation_key=key,
        translation_placeholders={"account": entry.title, **told},
    )


@callback
def async_heal(hass: HomeAssistant, entry: ConfigEntry, *keys: str) -> None:
    """Take issues of an account away; those that are not there are none."""
    for key in keys:
        ir.async_delete_issue(hass, DOMAIN, _id(entry, key))


def _id(entry: ConfigEntry, key: str) -> str:
    return f"{key}_{entry.entry_id}"


class Reminders:
    """Follows what an account's phone tells, and raises and heals its issues."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, account: Account) -> None:
        """Begin with what the settings tell; `async_close` must follow."""
        self._hass = hass
        self._entry = entry
        self._account = account
        self._failure: RegistrationChanged | None = None
        self._cancel: CALLBACK_TYPE | None = None

    @callback
    def async_start(self) -> None:
        """Say what holds while the account is loaded, and heal what other settings have mended."""
        self._heal(LOCAL_PORT_IN_USE)
        if is_unchecked(self._entry.data):
            self._raise(CERTIFICATE_UNCHECKED)
        if self._account.network.nat in {NatMode.STUN, NatMode.MANUAL}:
            self._heal(ONE_WAY_AUDIO)
        if self._account.srtp is not Srtp.REQUIRED:
            self._heal(SRTP_REFUSED)

    @callback
    def async_close(self) -> None:
        """Take away what is true only while the account is loaded."""
        self._stop_waiting()
        self._heal(*(key for key, kind in KINDS.items() if not kind.stands))

    @callback
    def follow_registration(self, status: RegistrationChanged) -> None:
        """Raise what keeps the account from its server, the silence of the server only after a while."""
        if status.state is RegistrationState.REGISTERED:
            self._stop_waiting()
            self._heal(SERVER_UNREACHABLE, CERTIFICATE_NOT_TRUSTED, CERTIFICATE_WRONG)
        elif status.failure in _UNREACHABLE:
            self._failure = status
            if self._cancel is None:
                self._cancel = async_call_later(self._hass, UNREACHABLE_AFTER, self._is_unreachable)
        elif status.failure is not None:
            self._stop_waiting()
            self._heal(SERVER_UNREACHABLE)
            self._follow_certificate(status)

    @callback
    def _follow_certificate(self, status: RegistrationChanged) -> None:
        words = certificate_words(status)
        if status.failure in _PINNABLE and words["fingerprint"] != NOTHING:
            self._raise(CERTIFICATE_NOT_TRUSTED, place=tried_at(status), **words)
        elif status.failure in _PINNABLE | _NOT_PINNABLE:
            self._raise(CERTIFICATE_WRONG, cause=cause_of(self._hass, status), place=tried_at(status), **words)

    @callback
    def _is_unreachable(self, _now: datetime) -> None:
        status = self._failure
        if status is not None:
            cause = cause_of(self._hass, status)
            self._raise(SERVER_UNREACHABLE, place=tried_at(status), cause=cause, answer=answer_of(status))

    @callback
    def _stop_waiting(self) -> None:
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    @callback
    def follow_certificate_dates(self, dates: tuple[datetime, datetime], now: datetime) -> None:
        """Remind of a certificate that ends soon: a week before, for a short-lived one in its last quarter."""
        begins, ends = dates
        if ends - now < min(EXPIRES_SOON, (ends - begins) / 4):
            self._raise(CERTIFICATE_EXPIRES, day=ends.date().isoformat())
        else:
            self._heal(CERTIFICATE_EXPIRES)

    @callback
    def follow_call(self, call: CallSnapshot) -> None:
        """Tell of voice that had to be encrypted, and was refused for that."""
        if self._account.srtp is not Srtp.REQUIRED:
            return
        if call.answered_at is not None:
            if call.encrypted:
                self._heal(SRTP_REFUSED)
        elif call.code in _REFUSES_VOICE and call.ended_by is not EndedBy.NETWORK:
            self._raise(SRTP_REFUSED, code=str(call.code))

    @callback
    def follow_voice(self, call: CallSnapshot, figures: Mapping[str, Any], *, behind_nat: bool) -> None:
        """Tell of a call in which we spoke and heard nothing, where a NAT is the likely cause."""
        if call.answered_at is None:
            return
        if figures["packets_received"]:
            self._heal(ONE_WAY_AUDIO)
        elif (
            behind_nat
            and figures["packets_sent"] >= VOICE_EXPECTED
            and self._account.network.nat not in {NatMode.STUN, NatMode.MANUAL}
        ):
            self._raise(ONE_WAY_AUDIO)

    def _raise(self, key: str, **told: str) -> None:
        async_raise(self._hass, self._entry, key, **told)

    def _heal(self, *keys: str) -> None:
        async_heal(self._hass, self._entry, *keys)
