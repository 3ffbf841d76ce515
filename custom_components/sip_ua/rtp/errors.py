"""The one tree of errors of the media room; nothing else leaves it."""


class RtpError(Exception):
    """Base of every error raised by `rtp`."""


class RtpUsageError(RtpError):
    """Our side asked for something impossible: an unknown codec, a digit that is none, a frame of odd length."""


class PacketError(RtpError):
    """Bytes that are no RTP or RTCP packet, or whose inside contradicts itself (RFC 3550 sections 5.1 and 6)."""
