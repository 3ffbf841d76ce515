"""What an RTP session is told: its configuration and the outcome of offer and answer, in terms of RTP alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from ipaddress import ip_address
from typing import Self

from .codecs import G711, CodecType
from .errors import RtpUsageError

type Address = tuple[str, int]
"""Numeric host and port."""

type Outgoing = tuple[bytes, Address]
"""One datagram and where it goes."""

type Entropy = Callable[[int], bytes]
"""Gives that many random bytes."""


class Direction(StrEnum):
    """Which way voice flows, seen from us (RFC 3264 section 5.1)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        """Whether we send voice."""
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        """Whether we expect voice."""
        return self in (Direction.SENDRECV, Direction.RECVONLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpConfig:
    """Settings that hold for the whole session. Delays and intervals are in seconds.

    `codecs` maps the encoding name (RFC 3551, upper case) to the codec. `minimum_delay` and `maximum_delay`
    bound what the jitter buffer may add. `media_timeout` is the silence after which `MediaTimedOut` is told;
    0 turns that off. `follow_source` allows voice to come from another address than the named one (a far end
    behind NAT).
    """

    codecs: Mapping[str, CodecType] = field(default_factory=lambda: G711)
    minimum_delay: float = 0.02
    maximum_delay: float = 0.3
    media_timeout: float = 30.0
    rtcp_interval: float = 5.0
    follow_source: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaParameters:
    """One negotiated voice stream.

    `remote_rtp` and `remote_rtcp` are what the far end named; `codec` and `payload_type` are used for sending
    under the far end's format parameters `fmtp`, `receive` lists every payload type that may come and its codec
    name. The payload types of telephone-event (RFC 4733) and comfort noise (RFC 3389) are None where not negotiated.
    With `discontinuous`, silence is not sent though no noise tells of it, as the codec allows (RFC 7587 section 3.1.3).
    `hear_tones` has DTMF digits looked for in the voice itself. While it is `withheld` nothing is sent, not even RTCP.
    `ptime` is in ms.
    """

    remote_rtp: Address
    remote_rtcp: Address | None = None
    codec: str
    payload_type: int
    fmtp: str = ""
    receive: tuple[tuple[int, str], ...]
    dtmf_send: int | None = None
    dtmf_receive: int | None = None
    dtmf_clock_rate: int = 8000
    hear_tones: bool = False
    comfort_noise_send: int | None = None
    comfort_noise_receive: int | None = 13
    discontinuous: bool = False
    ptime: int = 20
    direction: Direction = Direction.SENDRECV
    withheld: bool = False

    def canonical(self) -> Self:
        """Give the same with addresses written as sockets report them; raises `RtpUsageError` for names."""
        rtcp = None if self.remote_rtcp is None else _canonical(self.remote_rtcp)
        return replace(self, remote_rtp=_canonical(self.remote_rtp), remote_rtcp=rtcp)

    @property
    def rtcp_address(self) -> Address:
        """Where RTCP goes: as told, or the port behind that of RTP (RFC 3550 section 11)."""
        host, port = self.remote_rtp
        return self.remote_rtcp or (host, port + 1)

    @property
    def unreachable(self) -> bool:
        """Whether the far end named no address at all, as one on hold does (RFC 3264 section 8.4)."""
        host, port = self.remote_rtp
        return port == 0 or ip_address(host).is_unspecified


def _canonical(address: Address) -> Address:
    host, port = address
    try:
        return str(ip_address(host)), port
    except ValueError:
        raise RtpUsageError(f"not a numeric address: {host}") from None
