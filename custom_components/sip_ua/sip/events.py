"""What the signalling core tells its user: frozen events and snapshots, one per thing that happened.

Times (`at`, `*_at`) are readings of the monotonic clock that the caller passes in, in seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from .offer_answer import NegotiatedMedia


class RegistrationState(StrEnum):
    """States of the registration with the registrar."""

    UNREGISTERED = "unregistered"
    REGISTERING = "registering"
    REGISTERED = "registered"
    REFUSED = "refused"
    FAILED = "failed"
    UNREGISTERING = "unregistering"


class RegistrationFailure(StrEnum):
    """Why a registration is not there, as a person would tell it apart."""

    NAME_NOT_FOUND = "name_not_found"
    NO_ROUTE = "no_route"
    NO_ANSWER = "no_answer"
    CONNECTION_REFUSED = "connection_refused"
    LOGIN_REFUSED = "login_refused"
    NUMBER_UNKNOWN = "number_unknown"
    WRONG_DOMAIN = "wrong_domain"
    REDIRECTED = "redirected"
    CERTIFICATE = "certificate"
    CERTIFICATE_NAME = "certificate_name"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_CHANGED = "certificate_changed"
    TLS_VERSION = "tls_version"
    LOCAL_PORT_IN_USE = "local_port_in_use"
    NO_DIGEST_ALGORITHM = "no_digest_algorithm"
    SERVER_BUSY = "server_busy"
    SERVER_ERROR = "server_error"


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What a certificate says of itself, "" or nothing where it does not say; dates are like 2030-12-31."""

    subject: str = ""
    issuer: str = ""
    names: tuple[str, ...] = ()
    not_before: str = ""
    not_after: str = ""
    fingerprint: str = ""


class CallDirection(StrEnum):
    """Who placed the call."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"


class CallState(StrEnum):
    """States of one call; an account without calls is idle."""

    DIALING = "dialing"
    ALERTING = "alerting"
    EARLY = "early"
    RINGING = "ringing"
    TALKING = "talking"
    HELD = "held"
    REMOTE_HELD = "remote_held"
    ENDED = "ended"


class CallOutcome(StrEnum):
    """How a call ended, in the words of a person."""

    ANSWERED = "answered"
    BUSY = "busy"
    NO_ANSWER = "no_answer"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    MISSED = "missed"
    UNREACHABLE = "unreachable"
    FAILED = "failed"


class EndedBy(StrEnum):
    """Which side ended a call."""

    LOCAL = "local"
    REMOTE = "remote"
    NETWORK = "network"


# Fields are Final for the type checker instead of frozen at run time, as these two are made while somebody waits for
# the telephone to ring, and a frozen one takes four times as long to make.
@dataclass(slots=True, unsafe_hash=True)
class Party:
    """A person at the other end: display name, number (user part of the URI) and URI.

    The number of who calls past the server that an account has is an address: it is no number of that server.
    """

    name: Final[str]
    number: Final[str]
    uri: Final[str]


@dataclass(slots=True, unsafe_hash=True)
class CallSnapshot:
    """All that is known of a call at one moment.

    `id` is ours and lives as long as the call; `sip_call_id` is the Call-ID header field (RFC 3261 section 8.1.1.4).
    `encrypted` tells whether the voice is, or was when the call ended (RFC 3711). `past_server` is a call that did
    not come by the server that the account has: nobody but the network says where it comes from.
    """

    id: Final[str]
    sip_call_id: Final[str]
    direction: Final[CallDirection]
    state: Final[CallState]
    remote: Final[Party]
    called: Final[str]
    started_at: Final[float]
    ringing_at: Final[float | None] = None
    answered_at: Final[float | None] = None
    ended_at: Final[float | None] = None
    outcome: Final[CallOutcome | None] = None
    code: Final[int] = 0
    reason: Final[str] = ""
    ended_by: Final[EndedBy | None] = None
    answered_by: Final[Party | None] = None
    encrypted: Final[bool] = False
    past_server: Final[bool] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationChanged:
    """The registration changed or was renewed (RFC 3261 section 10).

    `code` and `reason` are the last answer's, 0 and "" where none came. `detail` says in English, for logs, what was
    tried and what came of it; `place` is where, in words of no language, and `certificate` the one that was not
    accepted. `next_attempt_at` is when the next REGISTER goes out by itself at the latest, None
    where nothing more is tried (`REFUSED` waits for a new login). A registration that is only confirmed before that is
    not told: it lasts longer than was said.
    """

    at: float
    state: RegistrationState
    expires_at: float | None = None
    next_attempt_at: float | None = None
    code: int = 0
    reason: str = ""
    failure: RegistrationFailure | None = None
    failures: int = 0
    detail: str = ""
    place: str = ""
    certificate: CertificateFacts | None = None


@dataclass(frozen=True, slots=True)
class CallEvent:
    """Base of every event of one call; `call` is the state after the event."""

    at: float
    call: CallSnapshot


@dataclass(frozen=True, slots=True)
class IncomingCall(CallEvent):
    """A new INVITE rings here; `read_headers(event)` reads chosen header fields of it, once somebody wants them.

    Whether the caller wants to be known, it takes from `call`, as the INVITE made that.
    """

    read_headers: Callable[[IncomingCall], tuple[tuple[str, str], ...]] = field(repr=False, compare=False)

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Chosen header fields of the INVITE (name, value)."""
        return self.read_headers(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStateChanged(CallEvent):
    """A call entered another state (also the first one of an outgoing call)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded(CallEvent):
    """A call is over; outcome, code, reason and who ended it stand in `call`."""


class WatchedState(StrEnum):
    """What a watched line does, as the lamp beside a speed dial shows it; `TALKING` is any use, also dialling."""

    IDLE = "idle"
    RINGING = "ringing"
    TALKING = "talking"
    UNKNOWN = "unknown"


class LadderStep(StrEnum):
    """The steps of the call progression that people are shown."""

    INVITE = "invite"
    CHALLENGE = "challenge"
    TRYING = "trying"
    RINGING = "ringing"
    PROGRESS = "progress"
    OK = "ok"
    ACK = "ack"
    CANCEL = "cancel"
    BYE = "bye"
    BYE_OK = "bye_ok"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStep(CallEvent):
    """One step of the call progression; `sent` tells our messages from theirs; `code` 0 for requests."""

    step: LadderStep
    sent: bool
    code: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaChanged(CallEvent):
    """Offer and answer agreed on the voice of a call (RFC 3264); `media` None when it stopped.

    While it is `withheld` nothing of ours may be sent: only `VoiceReleased` tells that it may.
    """

    media: NegotiatedMedia | None
    withheld: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceReleased(CallEvent):
    """The caller has acknowledged an answer of ours, so that it is where it seemed to be: our voice may leave."""


class DigitMethod(StrEnum):
    """How a DTMF digit travelled."""

    RFC4733 = "rfc4733"
    INFO = "info"
    INBAND = "inband"


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitReceived(CallEvent):
    """The far end pressed a key; `duration` in milliseconds."""

    digit: str
    duration: int
    method: DigitMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitsRefused(CallEvent):
    """The far end does not take digits as messages: these were not pressed. `code` is 0 where no answer came."""

    digits: str
    code: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesWaiting:
    """The voice mail box told of other messages than before (RFC 3842).

    `new`, `old` and the urgent ones among them are None where the mail box does not count. `account` is the mail
    box's address, "" where not said.
    """

    at: float
    waiting: bool
    new: int | None = None
    old: int | None = None
    new_urgent: int | None = None
    old_urgent: int | None = None
    account: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedStateChanged:
    """A line that is watched does something else than before (RFC 4235, RFC 3863).

    `id` is that of the watch, `uri` what it was asked to watch.
    """

    at: float
    id: str
    uri: str
    state: WatchedState


class TransferState(StrEnum):
    """How far a transfer of ours is; the last three are final.

    `UNKNOWN`: the far end accepted, but does not tell the result. Then the call goes on until somebody hangs up.
    """

    ACCEPTED = "accepted"
    PROGRESS = "progress"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferProgress(CallEvent):
    """News of a transfer that we asked for (RFC 3515); it may outlast the call.

    `target` is what was to be called. `code` and `reason` are the target's answer as the far end tells it, or the
    refusal of the far end itself; 0 and "" where there is none.
    """

    state: TransferState
    target: str
    code: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRequested(CallEvent):
    """The far end transfers us, and the owner's rule allows it: `follow_transfer` is to be called, soon.

    `target` is a URI that can be dialled.
    """

    transfer_id: str
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferRefused(CallEvent):
    """The far end wanted to transfer us to `target`, in vain.

    `reason` says why the call could not be placed, "" where the owner's rule forbids the target.
    """

    target: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallReplaced(CallEvent):
    """Somebody else took the place of the far end; the call keeps its id. `previous` was there before.

    Told by an INVITE with Replaces (RFC 3891), or by our server during the call (RFC 5876).
    """

    previous: Party


type Event = RegistrationChanged | CallEvent | MessagesWaiting | WatchedStateChanged
