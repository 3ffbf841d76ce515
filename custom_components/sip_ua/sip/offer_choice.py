"""Which audio line of an offer is answered, with which codecs and key (RFC 3264 section 6, RFC 4568 section 5.1.2)."""

from collections.abc import Iterable

from .account import Srtp
from .audio_line import (
    WARNING_FORMAT,
    WARNING_MEDIA_TYPE,
    WARNING_TRANSPORT_PROTOCOL,
    RemoteAudio,
    read_audio,
)
from .codecs import FIRST_DYNAMIC_PAYLOAD_TYPE, Codec
from .errors import NegotiationError
from .key_rules import NO_KEYS, PROFILES, KeyRules
from .sdes import Crypto
from .sdp import SessionDescription, parse_sdp


def check_offer(body: bytes, codecs: Iterable[Codec], rules: KeyRules = NO_KEYS) -> None:
    """Tell early, before a port is open, whether an offer could be answered; raises SdpError or NegotiationError.

    A look at the only audio line is enough where it names one of our static payload types; the answer reads it all.
    """
    codecs = tuple(codecs)
    if rules.srtp is Srtp.REQUIRED or not _plainly_fits(body, codecs):
        choose_line(parse_sdp(body), codecs, None, rules)


def _plainly_fits(body: bytes, codecs: tuple[Codec, ...]) -> bool:
    lines = body.split(b"\nm=", 2)
    fields = lines[1].partition(b"\n")[0].split() if len(lines) == 2 else []
    if len(fields) < 4 or fields[0] != b"audio" or fields[2] != b"RTP/AVP" or not fields[1].isdigit():
        return False
    static = {b"%d" % codec.payload_type for codec in codecs if codec.payload_type < FIRST_DYNAMIC_PAYLOAD_TYPE}
    return fields[1].strip(b"0") != b"" and not static.isdisjoint(fields[3:])


def choose_line(
    session: SessionDescription, codecs: Iterable[Codec], current: int | None, rules: KeyRules
) -> tuple[int, RemoteAudio, list[tuple[Codec, Codec]], Crypto | None]:
    """Return index and meaning of the audio line to answer, and its key.

    It is the line in use if that fits, else the first that is encrypted, else the first.
    """
    codecs = tuple(codecs)
    offered = [index for index, line in enumerate(session.media) if line.media == "audio" and line.port]
    if not offered:
        raise NegotiationError("no audio is offered", WARNING_MEDIA_TYPE)
    spoken = [index for index in offered if session.media[index].protocol.upper() in PROFILES]
    refusal = NegotiationError("no transport protocol of the offer is available", WARNING_TRANSPORT_PROTOCOL)
    for index in sorted(spoken, key=lambda index: (index != current, not rules.usable(session.media[index]))):
        line = session.media[index]
        try:
            key = rules.choose(line)
            remote = read_audio(session, line)
            return index, remote, common_codecs(remote, codecs), key
        except NegotiationError as error:
            refusal = error
    raise refusal


def common_codecs(remote: RemoteAudio, codecs: Iterable[Codec]) -> list[tuple[Codec, Codec]]:
    """Return pairs of their codec and ours that are the same, in our order of priority."""
    theirs = {codec.identity: codec for codec in reversed(remote.codecs)}
    pairs = [(theirs[ours.identity], ours) for ours in codecs if ours.identity in theirs]
    if not pairs:
        raise NegotiationError("no codec in common", WARNING_FORMAT)
    return pairs
