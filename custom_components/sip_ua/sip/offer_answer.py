"""Agreement on the voice of one dialog by offers and answers (RFC 3264, RFC 6337, RFC 8643).

One `OfferAnswer` lives as long as the dialog. It writes our offers and answers, reads theirs, and keeps what
must stay the same from one description to the next: number and order of the media lines, the meaning of
dynamic payload types, and the version that grows only when a description differs from the last one written.
"""

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace

from .account import Srtp
from .audio_line import (
    WARNING_ADDRESS_FORMAT,
    WARNING_ATTRIBUTE,
    WARNING_MEDIA_TYPE,
    WARNING_TRANSPORT_PROTOCOL,
    MediaDirection,
    RemoteAudio,
    read_audio,
)
from .codecs import (
    CODECS,
    COMFORT_NOISE,
    FIRST_DYNAMIC_PAYLOAD_TYPE,
    LAST_PAYLOAD_TYPE,
    STEPS_OF_PTIME,
    TELEPHONE_EVENT_PAYLOAD_TYPE,
    Codec,
    CodecIdentity,
    codecs_named,
    is_sent_without_silence,
    telephone_event,
)
from .errors import LocalProtocolError, NegotiationError
from .key_rules import NO_KEYS, PLAIN_PROFILE, PROFILES, KeyRules, LocalKeys
from .offer_choice import choose_line, common_codecs
from .sdes import Crypto, MediaSecurity
from .sdp import (
    CRYPTO,
    Attribute,
    Connection,
    MediaDescription,
    Origin,
    SessionDescription,
    address_type,
    decimal,
    parse_sdp,
)

__all__ = [
    "CODECS",
    "Codec",
    "LocalMedia",
    "MediaDirection",
    "NegotiatedMedia",
    "OfferAnswer",
    "codecs_named",
]

DEFAULT_PTIME = 20
SHORTEST_PTIME = 10
LONGEST_PTIME = 60

COMMON_EVENT_RATE = 8000
"""Clock rate of the events of far ends that have no other, whatever the voice's (RFC 4733 section 2.1 forbids it)."""

_UNKNOWN: CodecIdentity = ("", 0, 0)

type _KeyPair = tuple[Crypto, Crypto]
"""Our key and theirs."""


@dataclass(frozen=True, slots=True)
class LocalMedia:
    """Our end of the voice as the peer is to use it.

    Numeric address and RTP port, codecs in order of priority, packet time in ms. `rtcp_port` is given where it is
    not the port after `port`, as behind a NAT (RFC 3605). With `discontinuous` we would rather send no silence.
    """

    address: str
    port: int
    codecs: tuple[Codec, ...]
    dtmf: bool = True
    ptime: int = DEFAULT_PTIME
    rtcp_port: int | None = None
    discontinuous: bool = False


@dataclass(frozen=True, slots=True)
class NegotiatedMedia:
    """What both ends agreed on.

    `codec` is the one to send, under the payload type the peer wants; `receive` are the payload types that the
    peer may use towards us. `direction` is ours. Nothing, not even RTCP, may be sent to the addresses 0.0.0.0
    and ::. `held` tells that the peer wants no voice from us for the time being. `ptime` is in milliseconds.
    `security` is None where the voice is not encrypted. In silence nothing but comfort noise is sent where that has a
    payload type to be sent under, and next to nothing where the voice is `discontinuous` by its codec.
    """

    remote_address: str
    remote_port: int
    remote_rtcp: tuple[str, int]
    codec: Codec
    receive: tuple[tuple[int, Codec], ...]
    dtmf_send: int | None
    dtmf_receive: int | None
    dtmf_clock_rate: int
    direction: MediaDirection
    ptime: int = DEFAULT_PTIME
    held: bool = False
    security: MediaSecurity | None = None
    comfort_noise_send: int | None = None
    comfort_noise_receive: int | None = COMFORT_NOISE.payload_type
    discontinuous: bool = False


@dataclass(frozen=True, slots=True)
class _Offer:
    """An offer of ours that waits for its answer: what we want, and what of that was offered."""

    wanted: MediaDirection
    direction: MediaDirection
    codecs: tuple[Codec, ...]
    events: tuple[Codec, ...]
    noise: tuple[Codec, ...]


class OfferAnswer:
    """Offers and answers of one dialog, one exchange at a time (RFC 3264 sections 5 to 8)."""

    def __init__(self, local: LocalMedia, session_id: int, rules: KeyRules = NO_KEYS) -> None:
        """Begin without any description; `session_id` goes into the `o=` line of all of ours.

        `rules` say of every later description whether voice is encrypted; they may be changed at any time.
        """
        self.current: NegotiatedMedia | None = None
        self.rules = rules
        self._keys = LocalKeys()
        self._profile = PLAIN_PROFILE
        self._local = local
        self._session_id = session_id
        self._version = 0
        self._written: SessionDescription | None = None
        self._direction = MediaDirection.SENDRECV
        self._offer: _Offer | None = None
        self._lines: tuple[MediaDescription, ...] = ()
        self._index: int | None = None
        self._meanings: dict[int, CodecIdentity] = {}

    @property
    def has_local_offer(self) -> bool:
        """Whether an offer of ours waits for its answer."""
        return self._offer is not None

    @property
    def direction(self) -> MediaDirection:
        """What we want, as last agreed: `sendonly` while we hold the call, whether or not the peer holds it, too."""
        return self._direction

    @property
    def local(self) -> LocalMedia:
        """Our end as the next description will give it."""
        return self._local

    def replace_local(self, local: LocalMedia) -> None:
        """Change our end (another address or port); the next description carries it."""
        self._local = local

    def fork(self) -> OfferAnswer:
        """Return a copy for another dialog that answers the same offer (RFC 3261 section 12.1, forked INVITE)."""
        # All that is held is immutable or replaced as a whole, never changed in place.
        return copy(self)

    def create_offer(self, direction: MediaDirection | None = None, rules: KeyRules | None = None) -> bytes:
        """Write an offer of what we want by now in full, or of the wanted `direction`; `rules` None keeps the old ones.

        Of a `direction`, nothing is offered to send to a peer that holds us: hold becomes `inactive`, resume `recvonly`
        (RFC 3264 section 8.4). Who asks for an offer gets it in full, for that may be how it comes back.
        Raises LocalProtocolError while another offer of ours waits for its answer, and NegotiationError where voice
        must be encrypted and no key may be named.
        """
        if self._offer is not None:
            raise LocalProtocolError("an offer waits for its answer")
        rules = rules or self.rules
        rules.check()
        self.rules = rules
        wanted = direction or self._direction
        held = direction is not None and self.current is not None and self.current.held
        direction = MediaDirection.of(sends=wanted.sends and not held, receives=wanted.receives)
        codecs = tuple(self._numbered(codec) for codec in self._local.codecs)
        events = tuple(
            self._numbered(telephone_event(rate, TELEPHONE_EVENT_PAYLOAD_TYPE))
            for rate in (dict.fromkeys(codec.clock_rate for codec in codecs) if self._local.dtmf else ())
        )
        # Some codec has to have the clock of the noise.
        quiet = self._local.discontinuous and any(codec.clock_rate == COMFORT_NOISE.clock_rate for codec in codecs)
        noise = (self._numbered(COMFORT_NOISE),) if quiet else ()
        self._offer = _Offer(wanted, direction, codecs, events, noise)
        self._keys = self._keys.offer(rules, self._place)
        # What is encrypted by a profile of its own stays so: whoever asked for that may refuse another one.
        profile = self._profile if self._keys.used is not None and self._keys.lines else rules.profile
        audio = self._audio((*codecs, *events, *noise), direction, self._local.ptime, profile, self._keys.lines)
        return self._write(audio, 0 if self._index is None else self._index)

    def rollback(self) -> None:
        """Forget an offer that was refused or never answered; what was agreed before stands (RFC 3264 section 8)."""
        self._offer = None

    def receive_answer(self, body: bytes) -> NegotiatedMedia:
        """Take in the answer to our offer.

        Raises SdpError or NegotiationError, the offer being forgotten then, and LocalProtocolError without an offer.
        """
        offer = self._offer
        if offer is None:
            raise LocalProtocolError("no offer waits for an answer")
        self._offer = None
        session = parse_sdp(body)
        index = 0 if self._index is None else self._index
        if len(session.media) <= index or session.media[index].media != "audio":
            raise NegotiationError("the answer has no audio line", WARNING_MEDIA_TYPE)
        line = session.media[index]
        if not line.port:
            raise NegotiationError("the answer refuses audio", WARNING_MEDIA_TYPE)
        if line.protocol.upper() not in PROFILES:
            raise NegotiationError("the answer changes the transport protocol", WARNING_TRANSPORT_PROTOCOL)
        keys = self._answered_keys(line)
        remote = read_audio(session, line)
        chosen = common_codecs(remote, offer.codecs)
        accepted = {theirs.identity for theirs, _ours in chosen}
        receive = {codec.payload_type: codec for codec in offer.codecs if codec.identity in accepted}
        for theirs, ours in chosen:
            # RFC 3264 section 6.1 lets the answer number a codec anew; a peer may then send under either number.
            if all(theirs.payload_type != codec.payload_type for codec in (*offer.codecs, *offer.events)):
                receive[theirs.payload_type] = replace(ours, payload_type=theirs.payload_type)
        self._index = index
        self._profile = line.protocol.upper()
        media = self._agree(remote, chosen, receive, (*offer.events, *offer.noise), offer.direction, keys)
        self._direction = offer.wanted
        return media

    def _answered_keys(self, line: MediaDescription) -> _KeyPair | None:
        """Return our key and theirs where an answer encrypts the voice (RFC 4568 section 5.1.3)."""
        if not self._keys.lines:
            if line.protocol.upper() != PLAIN_PROFILE:
                raise NegotiationError("the answer changes the transport protocol", WARNING_TRANSPORT_PROTOCOL)
            return None
        for theirs in self.rules.usable(line):
            ours = self._keys.find(theirs)
            if ours is not None:
                return ours, theirs
        if line.has(CRYPTO) or line.protocol.upper() != PLAIN_PROFILE:
            raise NegotiationError("the answer takes none of our keys", WARNING_ATTRIBUTE)
        if self.rules.srtp is Srtp.REQUIRED:
            raise NegotiationError("the voice must be encrypted", WARNING_TRANSPORT_PROTOCOL)
        return None

    def receive_offer(self, body: bytes, rules: KeyRules | None = None) -> tuple[bytes, NegotiatedMedia]:
        """Take in an offer and write the answer to it, by `rules` where the way that it came has its own.

        Raises SdpError or NegotiationError where it is to be refused by 488, all staying as it was, and
        LocalProtocolError while an offer of ours waits (the request is to be refused by 491, RFC 3261 section 14.2).
        """
        if self._offer is not None:
            raise LocalProtocolError("an offer of ours waits for its answer")
        session = parse_sdp(body)
        rules = rules or self.rules
        index, remote, chosen, key = choose_line(session, self._local.codecs, self._index, rules, self._local.address)
        line = session.media[index]
        self.rules = rules
        self._learn(line, remote)
        theirs = chosen[0][0]
        offered = {event.clock_rate: event for event in reversed(remote.events) if self._local.dtmf}
        event = offered.get(theirs.clock_rate) or offered.get(COMMON_EVENT_RATE)
        events = () if event is None else (telephone_event(event.clock_rate, event.payload_type),)
        quiet = _found(COMFORT_NOISE, remote.codecs) if self._local.discontinuous else None
        noise = () if quiet is None or theirs.clock_rate != quiet.clock_rate else (quiet,)
        receive = {codec.payload_type: replace(ours, payload_type=codec.payload_type) for codec, ours in chosen}
        self._index = index
        self._lines = session.media
        self._profile = line.protocol.upper()
        keys: _KeyPair | None = None
        if key is not None:
            self._keys, ours = self._keys.answer(rules, self._place, key)
            keys = ours, key
        media = self._agree(remote, chosen, receive, (*events, *noise), self._direction, keys)
        # One codec is answered, so that both ends know for certain which one the call uses.
        formats = (receive[theirs.payload_type], *events, *noise)
        audio = self._audio(formats, media.direction, media.ptime, line.protocol, () if keys is None else keys[:1])
        return self._write(audio, index), media

    def _agree(
        self,
        remote: RemoteAudio,
        chosen: Sequence[tuple[Codec, Codec]],
        receive: dict[int, Codec],
        our_extras: tuple[Codec, ...],
        direction: MediaDirection,
        keys: _KeyPair | None,
    ) -> NegotiatedMedia:
        """Keep and return what follows from both ends; `chosen` pairs their codecs with ours, best first.

        `our_extras` are what goes beside the voice: events and comfort noise.
        """
        if address_type(remote.address) != address_type(self._local.address):
            raise NegotiationError("the answer is of another IP version", WARNING_ADDRESS_FORMAT)
        theirs, ours = chosen[0]
        sent = {event.clock_rate: event.payload_type for event in reversed(remote.events)}
        noise = [extra for extra in our_extras if extra.identity == COMFORT_NOISE.identity]
        received = {extra.clock_rate: extra.payload_type for extra in reversed(our_extras) if extra not in noise}
        quiet = _found(COMFORT_NOISE, remote.codecs) if noise and ours.clock_rate == COMFORT_NOISE.clock_rate else None
        rates = [rate for rate in (ours.clock_rate, COMMON_EVENT_RATE) if rate in sent and rate in received]
        event_rate = rates[0] if rates else ours.clock_rate
        self._keys = self._keys.settled(None if keys is None else keys[0])
        self.current = NegotiatedMedia(
            remote_address=remote.address,
            remote_port=remote.port,
            remote_rtcp=remote.rtcp,
            codec=replace(ours, payload_type=theirs.payload_type, fmtp=theirs.fmtp),
            receive=tuple(receive.items()),
            dtmf_send=sent[event_rate] if rates else None,
            dtmf_receive=received[event_rate] if rates else None,
            dtmf_clock_rate=event_rate,
            direction=direction.limited_to(remote.direction.mirrored),
            ptime=_ptime(self._local.ptime, remote, ours),
            held=remote.holds,
            security=None if keys is None else _security(*keys),
            comfort_noise_send=None if quiet is None else quiet.payload_type,
            comfort_noise_receive=(COMFORT_NOISE if quiet is None else noise[0]).payload_type,
            discontinuous=self._local.discontinuous and is_sent_without_silence(theirs),
        )
        return self.current

    def _numbered(self, codec: Codec) -> Codec:
        """Return a codec under a number that means nothing else in this session (RFC 3264 section 8.3.2)."""
        for number, identity in reversed(self._meanings.items()):
            if identity == codec.identity:
                return replace(codec, payload_type=number)
        dynamic = range(FIRST_DYNAMIC_PAYLOAD_TYPE, LAST_PAYLOAD_TYPE + 1)
        for number in (codec.payload_type, *dynamic):
            if number not in self._meanings:
                self._meanings = {**self._meanings, number: codec.identity}
                return replace(codec, payload_type=number)
        raise LocalProtocolError("no payload type is free")

    def _learn(self, line: MediaDescription, remote: RemoteAudio) -> None:
        """Keep what the peer's offer says each payload type means."""
        learned: dict[int, CodecIdentity] = {
            codec.payload_type: codec.identity for codec in (*remote.codecs, *remote.events)
        }
        for text in line.formats:
            number = decimal(text, LAST_PAYLOAD_TYPE)
            if number is not None:
                learned.setdefault(number, _UNKNOWN)
        kept = {number: identity for number, identity in self._meanings.items() if number not in learned}
        self._meanings = {**kept, **learned}

    @property
    def _place(self) -> tuple[str, int]:
        """Where we are, which a key belongs to (RFC 4568 section 7.1.4)."""
        return self._local.address, self._local.port

    def _audio(
        self,
        formats: Sequence[Codec],
        direction: MediaDirection,
        ptime: int,
        protocol: str,
        keys: Iterable[Crypto],
    ) -> MediaDescription:
        """Return our audio line."""
        attributes = [Attribute("rtpmap", codec.rtpmap) for codec in formats]
        attributes += [Attribute("fmtp", f"{codec.payload_type} {codec.fmtp}") for codec in formats if codec.fmtp]
        attributes += [Attribute("ptime", str(ptime)), Attribute(direction.value)]
        attributes += [Attribute(CRYPTO, key.value) for key in keys]
        if self._local.rtcp_port is not None:
            attributes.append(Attribute("rtcp", str(self._local.rtcp_port)))
        return MediaDescription(
            media="audio",
            port=self._local.port,
            protocol=protocol,
            formats=tuple(str(codec.payload_type) for codec in formats),
            attributes=tuple(attributes),
        )

    def _write(self, audio: MediaDescription, index: int) -> bytes:
        """Return a description with our audio line at its place, every other line refused by port 0."""
        address = self._local.address
        kind = address_type(address)
        refused = [_refused(line) for line in self._lines]
        lines = (*refused[:index], audio, *refused[index + 1 :])
        description = SessionDescription(connection=Connection(kind, address), media=lines)
        if description != self._written:
            self._written = description
            self._version += 1
        self._lines = lines
        origin = Origin("-", str(self._session_id), str(self._version), kind, address)
        return replace(description, origin=origin).to_bytes()


def _refused(line: MediaDescription) -> MediaDescription:
    """Return the line that refuses a stream in its own protocol and formats (RFC 3264 section 6)."""
    return MediaDescription(line.media, 0, line.protocol, line.formats or ("0",))


def _found(codec: Codec, offered: Iterable[Codec]) -> Codec | None:
    """Return what is offered of a codec, under its number there."""
    return next((one for one in offered if one.identity == codec.identity), None)


def _security(ours: Crypto, theirs: Crypto) -> MediaSecurity:
    """Return what the sockets are to do with two keys."""
    return MediaSecurity(ours.suite, local_key=ours.key, remote_key=theirs.key, remote_mki=theirs.mki)


def _ptime(local: int, remote: RemoteAudio, codec: Codec) -> int:
    """Return the packet time to send with: what the peer prefers, in the codec's steps within our bounds."""
    wished = remote.ptime or local
    if remote.maxptime is not None:
        wished = min(wished, remote.maxptime)
    steps = STEPS_OF_PTIME.get(codec.identity) or range(SHORTEST_PTIME, LONGEST_PTIME + 1, SHORTEST_PTIME)
    return max((step for step in steps if step <= wished), default=SHORTEST_PTIME)
