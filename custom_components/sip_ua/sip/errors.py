"""The one tree of errors of the signalling room; nothing else leaves it.

Local misuse, what a peer sent, a refused login, a time-out and a refused call are different branches,
so that a caller can tell "we did something wrong" from "they did".
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, override

if TYPE_CHECKING:
    from .message import Request


class SipError(Exception):
    """Base of every error raised by `sip`; its text is English and for logs.

    `fault` says what people are to be told, None where that is nothing that they could put right.
    """

    fault: StrEnum | None = None

    @property
    def details(self) -> Mapping[str, str]:
        """Return what the text for people names, such as a number."""
        return {}


class LocalFault(StrEnum):
    """Why the present state does not allow what somebody asked for; what has the same remedy is one.

    Of `NOT_DIALABLE`, `NEEDS_SERVER` and `NEEDS_TLS` the details hold the `number`, of `WRONG_DIGITS` the `limit`.
    `INTERNAL` is a mistake of this program, which nobody else can put right.
    """

    NOT_DIALABLE = "not_dialable"
    NEEDS_SERVER = "needs_server"
    NEEDS_TLS = "needs_tls"
    SWITCHED_OFF = "switched_off"
    TOO_MANY_CALLS = "too_many_calls"
    CALL_OVER = "call_over"
    NOT_RINGING = "not_ringing"
    NOT_CONNECTED = "not_connected"
    TRANSFER_UNDER_WAY = "transfer_under_way"
    NO_TRANSFER = "no_transfer"
    WRONG_DIGITS = "wrong_digits"
    TOO_MANY_DIGITS = "too_many_digits"
    NO_DIGITS = "no_digits"
    """The other side takes none."""
    INTERNAL = "internal"


class LocalProtocolError(SipError):
    """Our side asked for something the present state does not allow."""

    def __init__(self, message: str, fault: LocalFault = LocalFault.INTERNAL, **details: str) -> None:
        """Keep the kind of fault beside the text, and what people are to be told with it."""
        super().__init__(message)
        self.fault: LocalFault = fault
        self._details = details

    @property
    @override
    def details(self) -> Mapping[str, str]:
        return self._details


class RemoteProtocolError(SipError):
    """A peer sent something that the standards do not allow.

    `status` is the SIP status code that answers it where an answer is due.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        """Keep the text for people and the status code for the peer."""
        super().__init__(message)
        self.status = status


class MessageError(RemoteProtocolError):
    """Bytes that are no SIP message (RFC 3261 section 7).

    `request` is what could be read of a request, where that is enough to answer it.
    """

    request: Request | None = None


class SdpError(RemoteProtocolError):
    """A body that is no session description (RFC 8866)."""

    def __init__(self, message: str) -> None:
        """Keep the text; 488 answers a session description that cannot be read."""
        super().__init__(message, 488)


class EventBodyError(RemoteProtocolError):
    """A body of a NOTIFY that is not what its event package sends (RFC 6665 section 4.1.3)."""


class NegotiationError(RemoteProtocolError):
    """An offer or answer in which nothing fits (RFC 3264); answered by 488 with a Warning.

    `warning` is an RFC 3261 section 20.43 warn-code, such as 304 (media type) or 305 (format).
    """

    def __init__(self, message: str, warning: int = 305) -> None:
        """Keep the warn-code beside the text."""
        super().__init__(message, 488)
        self.warning = warning


class AuthenticationFailure(StrEnum):
    """Why a challenge could not be answered."""

    NO_CREDENTIALS = "no_credentials"
    UNSUPPORTED_ALGORITHM = "unsupported_algorithm"
    REFUSED = "refused"
    FOREIGN = "foreign"
    """Somebody else than a server of ours asks."""
    MALFORMED = "malformed"


class AuthenticationError(SipError):
    """A login that failed; the text never holds a secret (RFC 7616)."""

    def __init__(self, failure: AuthenticationFailure, message: str) -> None:
        """Keep the kind of failure beside the text."""
        super().__init__(message)
        self.failure = failure


class SipTimeoutError(SipError):
    """No final answer came in time (timers B, F or H of RFC 3261)."""


class RefusedError(SipError):
    """A request was refused with a final answer of 300 or above."""

    def __init__(self, status: int, reason: str) -> None:
        """Keep status code and reason phrase as the peer sent them."""
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason

    @override
    def __repr__(self) -> str:
        """Name the answer."""
        return f"RefusedError({self.status}, {self.reason!r})"
