"""Automation triggers: what happens to calls, a code that is pressed, the voice mail box, and the registration."""

import logging
import re
import time
from abc import abstractmethod
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, ClassVar, cast, override

import voluptuous as vol
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, CONF_OPTIONS
from homeassistant.core import CALLBACK_TYPE, Event, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.trigger import Trigger, TriggerActionRunner, TriggerConfig, TriggerNotTriggeredReporter
from homeassistant.helpers.typing import ConfigType

from .call_filter import ACCOUNT_FIELDS, CALL_FIELDS, CALL_IDENTITIES, CALLER_FIELDS, CallFilter
from .const import (
    ATTR_CALL_ID,
    CONF_ATTEMPTS,
    CONF_DTMF_CODE,
    CONF_OUTCOME,
    DOMAIN,
    DTMF_KEYS,
    EVENT_CALL,
    EVENT_MESSAGES,
    EVENT_REGISTRATION,
    LAST_DIGIT,
    NEW_MESSAGE,
    CallEventType,
)
from .coordinator import SipUaConfigEntry
from .guesses import Guesses
from .sip.events import CallOutcome, RegistrationState

_LOGGER = logging.getLogger(__name__)

MAX_CODE = 32
MAX_ATTEMPTS = 100
DEFAULT_ATTEMPTS = 5
SHORTEST_SECRET = 3
"""Keys of a code from which on it is taken for a secret; a shorter one is a command, and pressed at will."""

MAX_CALLS_LISTENED_TO = 64
_is_code = re.compile(rf"[{DTMF_KEYS}]{{1,{MAX_CODE}}}").fullmatch
_LOST = frozenset({RegistrationState.FAILED, RegistrationState.REFUSED})

type Data = Mapping[str, Any]


def _code(value: object) -> str:
    """Return a code of keys; one digit may be a number, for YAML reads 0123 without quotes as 83."""
    code = value.strip().upper() if isinstance(value, str) else ""
    if type(value) is int and 0 <= value <= LAST_DIGIT:
        code = str(value)
    if not _is_code(code):
        raise vol.Invalid(f"a code of up to {MAX_CODE} keys, each of 0-9, *, # or A-D, in quotes")
    return code


class SipUaTrigger(Trigger):
    """A trigger that listens to one bus event of this integration."""

    event: ClassVar[str]
    fields: ClassVar[dict[vol.Marker, Any]]

    @override
    @classmethod
    async def async_validate_config(cls, hass: HomeAssistant, config: ConfigType) -> ConfigType:
        """Check what the person chose."""
        return cast("ConfigType", vol.Schema({vol.Optional(CONF_OPTIONS, default=dict): cls.fields})(config))

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Take the choice."""
        super().__init__(hass, config)
        self.options: Data = config.options or {}
        self._account: str | None = self.options.get(ATTR_CONFIG_ENTRY_ID)

    @override
    async def async_attach_runner(
        self, run_action: TriggerActionRunner, did_not_trigger: TriggerNotTriggeredReporter | None = None
    ) -> CALLBACK_TYPE:
        """Run the action at every event that fits."""

        @callback
        def handle(event: Event) -> None:
            # People fire events by hand, too, with less in them.
            data = event.data
            if self._account in {None, data.get(ATTR_CONFIG_ENTRY_ID)} and self.fits(data):
                _ = run_action(dict(data), self.describe(data), event.context)

        return self._hass.bus.async_listen(self.event, handle)

    @abstractmethod
    def fits(self, data: Data) -> bool:
        """Return whether an event of the chosen account is what the person waits for."""

    @abstractmethod
    def describe(self, data: Data) -> str:
        """Return what the trace says."""


class CallTrigger(SipUaTrigger):
    """Something happens to a call."""

    event = EVENT_CALL
    fields = CALL_FIELDS
    identities: ClassVar[tuple[str, ...]] = CALL_IDENTITIES
    kind: ClassVar[CallEventType]
    words: ClassVar[str]

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Take the choice."""
        super().__init__(hass, config)
        self._calls = CallFilter(hass, self.options, self.identities)

    @override
    def fits(self, data: Data) -> bool:
        """Return whether it is the event, the direction and the other side that were chosen."""
        return data.get("type") == self.kind and self._calls.fits(data.get(ATTR_CONFIG_ENTRY_ID), data)

    @override
    def describe(self, data: Data) -> str:
        """Return what happened, and with whom."""
        return f"call with {data.get('name') or data.get('number') or 'somebody'} {self.words}"


class Ringing(CallTrigger):
    """Somebody calls."""

    fields = CALLER_FIELDS
    kind = CallEventType.INCOMING
    words = "rings"


class Answered(CallTrigger):
    """A call begins to be a talk."""

    kind = CallEventType.ANSWERED
    words = "is answered"


class Missed(CallTrigger):
    """Somebody called, and nobody answered."""

    fields = CALLER_FIELDS
    kind = CallEventType.MISSED
    words = "was missed"


class Ended(CallTrigger):
    """A call is over."""

    fields = CALL_FIELDS | {
        vol.Optional(CONF_OUTCOME, default=list): vol.All(
            cv.ensure_list, [vol.All(cv.string, vol.In(list(CallOutcome)))]
        )
    }
    kind = CallEventType.ENDED
    words = "is over"

    @override
    def fits(self, data: Data) -> bool:
        """Return whether the call ended as was chosen, too."""
        outcomes = self.options[CONF_OUTCOME]
        return super().fits(data) and (not outcomes or data.get("outcome") in outcomes)


class CodeEntered(CallTrigger):
    """The other side presses the keys of a code, one after another.

    Its name does not say who it is: every caller writes into it what he likes. Who presses as many keys as the allowed
    attempts have, without the code among them, is not listened to any more in that call, and for a pause in others.
    """

    identities = ("number", "uri")
    fields = CALL_FIELDS | {
        vol.Required(CONF_DTMF_CODE): _code,
        vol.Optional(CONF_ATTEMPTS): vol.All(vol.Coerce(int), vol.Range(min=1, max=MAX_ATTEMPTS)),
    }
    kind = CallEventType.DTMF
    words = "has pressed the code"

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Start with nothing pressed."""
        super().__init__(hass, config)
        self._code: str = self.options[CONF_DTMF_CODE]
        self._pressed: OrderedDict[str | None, str | None] = OrderedDict()
        attempts = self.options.get(CONF_ATTEMPTS, DEFAULT_ATTEMPTS if len(self._code) >= SHORTEST_SECRET else None)
        self._guesses = None if attempts is None else Guesses(attempts * len(self._code))

    @override
    def fits(self, data: Data) -> bool:
        """Return whether the last keys of the call are the code; the next code begins anew."""
        call_id = data.get(ATTR_CALL_ID)
        if data.get("type") == CallEventType.ENDED:
            self._pressed.pop(call_id, None)
            return False
        if not super().fits(data):
            return False
        caller = str(data.get("number") or data.get("uri") or "")
        pressed = self._pressed.pop(call_id, "")
        if pressed is None or self._is_barred(caller):
            self._keep(call_id, pressed)
            return False
        pressed = (pressed + str(data.get("digit", "")))[-len(self._code) :]
        if pressed == self._code:
            if self._guesses is not None:
                self._guesses.right(caller)
            return True
        self._keep(call_id, None if self._was_one_too_many(caller) else pressed)
        return False

    def _keep(self, call_id: str | None, pressed: str | None) -> None:
        """Keep the last keys of a call, None for one that is not listened to any more."""
        self._pressed[call_id] = pressed
        if len(self._pressed) > MAX_CALLS_LISTENED_TO:
            self._pressed.popitem(last=False)

    def _is_barred(self, caller: str) -> bool:
        return self._guesses is not None and self._guesses.is_barred(caller, time.monotonic())

    def _was_one_too_many(self, caller: str) -> bool:
        """Count a key that did not complete the code."""
        if self._guesses is None or not self._guesses.wrong(caller, time.monotonic()):
            return False
        _LOGGER.warning("Too many wrong codes were pressed by %s; codes do not count for a while", caller or "somebody")
        return True


class RegistrationTrigger(SipUaTrigger):
    """The registration of an account is lost or is there again."""

    event = EVENT_REGISTRATION
    fields = ACCOUNT_FIELDS
    restored: ClassVar[bool]
    words: ClassVar[str]

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Start with nothing known."""
        super().__init__(hass, config)
        self._lost: set[str | None] = set()

    @override
    async def async_attach_runner(
        self, run_action: TriggerActionRunner, did_not_trigger: TriggerNotTriggeredReporter | None = None
    ) -> CALLBACK_TYPE:
        """Begin with what is lost already: that is no news, and its return will be."""
        entries: list[SipUaConfigEntry] = self._hass.config_entries.async_loaded_entries(DOMAIN)
        self._lost = {entry.entry_id for entry in entries if entry.runtime_data.registration.state in _LOST}
        return await super().async_attach_runner(run_action, did_not_trigger)

    @override
    def fits(self, data: Data) -> bool:
        """Return whether this is the first news of the loss, or of its end."""
        entry_id, state = data.get(ATTR_CONFIG_ENTRY_ID), data.get("state")
        was_lost = entry_id in self._lost
        if state in _LOST:
            self._lost.add(entry_id)
            return not self.restored and not was_lost
        if state == RegistrationState.REGISTERED:
            self._lost.discard(entry_id)
            return self.restored and was_lost
        return False

    @override
    def describe(self, data: Data) -> str:
        """Return which account it is."""
        return f"{data.get('account')} {self.words}"


class RegistrationLost(RegistrationTrigger):
    """Nobody can call any more."""

    restored = False
    words = "is not registered"


class RegistrationRestored(RegistrationTrigger):
    """Calls are possible again."""

    restored = True
    words = "is registered again"


class MessageWaiting(SipUaTrigger):
    """Somebody left a message in the voice mail box."""

    event = EVENT_MESSAGES
    fields = ACCOUNT_FIELDS

    @override
    def fits(self, data: Data) -> bool:
        """Return whether a message came in; one that was heard or deleted is none."""
        return data.get("type") == NEW_MESSAGE

    @override
    def describe(self, data: Data) -> str:
        """Return whose mail box it is, and how many new messages it has where it counts."""
        new = data.get("new")
        return f"{data.get('account')} has {'a new message' if new is None else f'{new} new in the mail box'}"


TRIGGERS: dict[str, type[Trigger]] = {
    "call_ringing": Ringing,
    "call_answered": Answered,
    "call_missed": Missed,
    "call_ended": Ended,
    "code_entered": CodeEntered,
    "message_waiting": MessageWaiting,
    "registration_lost": RegistrationLost,
    "registration_restored": RegistrationRestored,
}


async def async_get_triggers(_hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return the triggers of this integration."""
    return TRIGGERS
