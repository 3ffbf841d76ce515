"""Which audio line of an offer is answered, with which codecs and key (RFC 3264 section 6, RFC 4568 section 5.1.2)."""

import re
from collections.abc import Iterable

from .account import Srtp
from .audio_line import (
    WARNING_ADDRESS_FORMAT,
    WARNING_FORMAT,
    WARNING_MEDIA_TYPE,
    WARNING_TRANSPORT_PROTOCOL,
    RemoteAudio,
    read_audio,
)
from .codecs import CODECS, FIRST_DYNAMIC_PAYLOAD_TYPE, Codec
from .errors import NegotiationError
from .key_rules import NO_KEYS, PROFILES, KeyRules
from .sdes import Crypto
from .sdp import SessionDescription, address_type, parse_sdp

# One audio line as nearly every telephone writes it, at a plain unicast address: address, port, formats, attributes.
_plain_offer = re.compile(
    rb"v=0\r?\n(?:[abeikoprstuz]=[^\r\n]*+\r?\n)*+"
    rb"c=IN IP4 (?:[1-9][0-9]?|1[0-9][0-9]|2[01][0-9]|22[0-3])(?:\.(?:[1-9]?[0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])){3}"
    rb"\r?\n(?:[abkrtz]=[^\r\n]*+\r?\n)*+"
    rb"m=audio (?:[1-9][0-9]{0,3}|[1-5][0-9]{4}) RTP/AVP((?: [0-9]{1,3}){1,64}+)\r?"
    rb"(\n(?:(?!a=rtpmap)[abik]=[^\r\n]*+\r?\n|a=rtpmap:(?:0|[1-9][0-9]{0,2}) [A-Za-z0-9/.-]++\r?\n)*+)"
).fullmatch
_LONGEST_PLAIN_OFFER = 4096
# Of every payload type that needs no rtpmap: how a list of formats has it, and how its rtpmap begins and reads.
_PLAIN_FORMATS = {
    codec.payload_type: (
        codec,
        b" %d " % codec.payload_type,
        b"\na=rtpmap:%d " % codec.payload_type,
        b"\na=rtpmap:%s\r" % codec.rtpmap.encode(),
    )
    for codec in CODECS.values()
    if codec.payload_type < FIRST_DYNAMIC_PAYLOAD_TYPE
}
_NO_FORMAT = (None, b"", b"", b"")


def check_offer(body: bytes, codecs: Iterable[Codec], local_address: str, rules: KeyRules = NO_KEYS) -> None:
    """Tell early, before a port is open, whether an offer could be answered; raises SdpError or NegotiationError.

    A look is enough where all is plainly well; in doubt the offer is read as the answer will read it.
    """
    codecs = tuple(codecs)
    if rules.srtp is Srtp.REQUIRED or ":" in local_address or not _plainly_fits(body, codecs):
        choose_line(parse_sdp(body), codecs, None, rules, local_address)


def _plainly_fits(body: bytes, codecs: tuple[Codec, ...]) -> bool:
    found = _plain_offer(body) if len(body) <= _LONGEST_PLAIN_OFFER else None
    if found is None:
        return False
    formats, attributes = found[1] + b" ", found[2]
    for ours in codecs:
        codec, number, mapped, meaning = _PLAIN_FORMATS.get(ours.payload_type, _NO_FORMAT)
        if codec is ours and number in formats:
            place = attributes.find(mapped)
            if place < 0 or attributes.startswith(meaning, place):
                return True
    return False


def choose_line(
    session: SessionDescription, codecs: Iterable[Codec], current: int | None, rules: KeyRules, local_address: str
) -> tuple[int, RemoteAudio, list[tuple[Codec, Codec]], Crypto | None]:
    """Return index and meaning of the audio line to answer, and its key.

    It is the line in use if that fits, else the first that is encrypted, else the first; all of these are of the IP
    version of our own address.
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
            common = common_codecs(remote, codecs)
        except NegotiationError as error:
            refusal = error
            continue
        if address_type(remote.address) == address_type(local_address):
            return index, remote, common, key
        refusal = NegotiationError("the offer is of another IP version", WARNING_ADDRESS_FORMAT)
    raise refusal


def common_codecs(remote: RemoteAudio, codecs: Iterable[Codec]) -> list[tuple[Codec, Codec]]:
    """Return pairs of their codec and ours that are the same, in our order of priority."""
    theirs = {codec.identity: codec for codec in reversed(remote.codecs)}
    pairs = [(theirs[ours.identity], ours) for ours in codecs if ours.identity in theirs]
    if not pairs:
        raise NegotiationError("no codec in common", WARNING_FORMAT)
    return pairs
