"""What an RTP session tells its owner."""

from dataclasses import dataclass

from .parameters import Address


@dataclass(frozen=True, slots=True)
class FirstPacketReceived:
    """Voice has begun to arrive."""

    source: Address
    codec: str
    sample_rate: int


@dataclass(frozen=True, slots=True)
class DigitReceived:
    """The far end pressed a key; told once per key, when it is let go. Duration in ms.

    `inband` tells that it was a tone in the voice, not a telephone event (RFC 4733).
    """

    digit: str
    duration_ms: int
    inband: bool = False


@dataclass(frozen=True, slots=True)
class DigitsSent:
    """The last of the queued digits has been sent completely."""


@dataclass(frozen=True, slots=True)
class MediaTimedOut:
    """Voice was expected and nothing came for this many seconds; told once until voice comes again."""

    silent_for: float


@dataclass(frozen=True, slots=True)
class MediaResumed:
    """Voice comes again after `MediaTimedOut`."""


@dataclass(frozen=True, slots=True)
class RemoteMoved:
    """The far end is now at another address than before; voice is sent there from now on."""

    source: Address


@dataclass(frozen=True, slots=True)
class SsrcChanged:
    """The far end has a new synchronization source."""

    old: int
    new: int


@dataclass(frozen=True, slots=True)
class SsrcCollision:
    """The far end used our own synchronization source, so we took a new one (RFC 3550 section 8.2)."""

    old: int
    new: int


@dataclass(frozen=True, slots=True)
class ReceiveFormatChanged:
    """The far end changed its codec; `play_out` gives sound of this sample rate (Hz) from now on."""

    codec: str
    sample_rate: int


@dataclass(frozen=True, slots=True)
class RemoteEnded:
    """The far end said goodbye in RTCP (RFC 3550 section 6.6). The call itself is ended by signalling alone."""

    reason: str


type RtpEvent = (
    FirstPacketReceived
    | DigitReceived
    | DigitsSent
    | MediaTimedOut
    | MediaResumed
    | RemoteMoved
    | SsrcChanged
    | SsrcCollision
    | ReceiveFormatChanged
    | RemoteEnded
)
