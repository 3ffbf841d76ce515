"""The telephone as a whole: two of them on loopback that share the media engine, as the accounts of one machine do."""

import asyncio
import errno
import gc
import logging
import socket
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import pytest

from custom_components.sip_ua.net.audio import BytesSource, RawPcm, SilenceSource, ToneSource
from custom_components.sip_ua.net.av_codecs import ALL_CODECS
from custom_components.sip_ua.net.errors import AudioError, MachineFault
from custom_components.sip_ua.net.hearing import Hearing
from custom_components.sip_ua.net.loudness import StreamLoudness
from custom_components.sip_ua.net.media import MediaEngine, MediaStream
from custom_components.sip_ua.net.media_socket import MediaSocket
from custom_components.sip_ua.net.media_stream import MAX_SOUNDS
from custom_components.sip_ua.net.phone import (
    CallStatistics,
    Phone,
    PhoneEvent,
    PlaybackFinished,
    PlaybackStarted,
    check_target,
)
from custom_components.sip_ua.net.play_order import Placement, PlayOrder
from custom_components.sip_ua.net.registration_check import check_registration
from custom_components.sip_ua.net.resolver import Resolver
from custom_components.sip_ua.net.transport import Transports
from custom_components.sip_ua.rtp.packet import parse_packet
from custom_components.sip_ua.rtp.tones import ToneSender
from custom_components.sip_ua.sip import overload
from custom_components.sip_ua.sip.account import (
    Account,
    DtmfMethod,
    NetworkSettings,
    ReliableProvisional,
    ServerAddress,
    Transport,
)
from custom_components.sip_ua.sip.address import Address
from custom_components.sip_ua.sip.admission import STRANGER_CALL_BURST
from custom_components.sip_ua.sip.errors import LocalFault, LocalProtocolError, SipError
from custom_components.sip_ua.sip.events import (
    CallEnded,
    CallEvent,
    CallOutcome,
    CallState,
    CallStateChanged,
    DigitMethod,
    DigitReceived,
    EndedBy,
    IncomingCall,
    MediaChanged,
    RegistrationFailure,
)
from custom_components.sip_ua.sip.message import Request, Response, parse_message
from custom_components.sip_ua.sip.sdp import parse_sdp
from custom_components.sip_ua.sip.transaction import Timers
from custom_components.sip_ua.sip.uri import SipUri
from tests.interop.peers import free_ports

from .media_support import frequency_of, level_of, open_stream
from .transport_support import ACCOUNT, HOME, eventually

# Nobody waits long for a goodbye that is not answered: T2 is what an unanswered BYE is given.
TIMERS = Timers(t1=0.1, t2=0.8)


@dataclass
class End:
    """A telephone without a server, and all that it told."""

    account: Account
    phone: Phone = field(init=False)
    told: list[PhoneEvent] = field(default_factory=list)
    on_event: Callable[[PhoneEvent], None] | None = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def uri(self) -> str:
        return f"sip:12@{HOME}:{self.account.network.local_port}"

    def hear(self, event: PhoneEvent) -> None:
        self.told.append(event)
        if self.on_event is not None:
            self.on_event(event)

    def answer_all(self) -> None:
        def answer(event: PhoneEvent) -> None:
            if isinstance(event, IncomingCall):
                self.tasks.append(asyncio.create_task(self.phone.answer(event.call.id, source=ToneSource(440.0))))

        self.on_event = answer

    def heard[Told: PhoneEvent](self, kind: type[Told]) -> list[Told]:
        return [event for event in self.told if isinstance(event, kind)]


class Start(Protocol):
    """Starts a telephone whose account differs from the usual one in these fields."""

    async def __call__(self, **changes: object) -> End: ...


@pytest.fixture
async def start(engine: MediaEngine, resolver: Resolver) -> AsyncIterator[Start]:
    """Give a function that starts telephones, which are stopped after the test."""
    ends: list[End] = []

    async def start_one(**changes: object) -> End:
        network = NetworkSettings(bind_address=HOME, local_port=free_ports())
        end = End(replace(ACCOUNT, server=None, domain="home.example", allow_direct_calls=True, network=network))
        end.account = replace(end.account, **changes)  # type: ignore[arg-type]
        end.phone = Phone(end.account, engine, end.hear, resolver=resolver, timers=TIMERS)
        ends.append(end)
        await end.phone.start()
        return end

    yield start_one
    for end in ends:
        await end.phone.stop()


async def talk(alice: End, bob: End) -> str:
    """Let Alice call Bob and return her id of the call once both talk."""
    bob.answer_all()
    call_id = await alice.phone.dial(bob.uri, source=ToneSource(300.0))
    await eventually(lambda: is_talking(alice) and is_talking(bob))
    return call_id


def is_talking(end: End) -> bool:
    return any(call.state is CallState.TALKING for call in end.phone.calls.values())


async def test_a_telephone_that_is_stopped_in_a_call_leaves_no_voice_and_tells_its_figures(
    start: Start, engine: MediaEngine
) -> None:
    alice, bob = await start(), await start()
    call_id = await talk(alice, bob)
    await asyncio.sleep(0.1)
    await alice.phone.stop()
    await eventually(lambda: bob.heard(CallStatistics))
    assert engine.streams == 0
    assert [event.call_id for event in alice.heard(CallStatistics)] == [call_id]
    figures = alice.heard(CallStatistics)[0].statistics
    assert figures is not None
    assert figures.packets_sent > 0
    assert [event.call.outcome for event in alice.heard(CallEnded)] == [CallOutcome.ANSWERED]


async def test_a_stream_whose_closing_is_cancelled_is_forgotten(engine: MediaEngine) -> None:
    stream = await open_stream(engine)
    closing = asyncio.create_task(stream.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert engine.streams == 0


async def test_no_voice_follows_our_goodbye_even_where_nobody_answers_it(start: Start) -> None:
    alice, bob = await start(), await start()
    call_id = await talk(alice, bob)
    while not await packets_heard(bob):  # noqa: ASYNC110 - nobody tells it
        await asyncio.sleep(0.02)
    deafen(bob)
    await alice.phone.hangup(call_id)
    await asyncio.sleep(0.1)
    before = await packets_heard(bob)
    await asyncio.sleep(0.3)
    assert await packets_heard(bob) == before
    assert call_id in alice.phone.calls
    assert not alice.heard(CallStatistics)
    await eventually(lambda: alice.heard(CallStatistics))
    assert isinstance(alice.told[-2], CallEnded)
    assert alice.heard(CallStatistics)[0].statistics is not None


async def packets_heard(end: End) -> int:
    figures = await end.phone.statistics(next(iter(end.phone.calls)))
    assert figures is not None
    return figures.packets_received


async def test_a_call_that_comes_while_the_telephone_is_stopped_is_refused(start: Start) -> None:
    alice, bob, carol = await start(), await start(), await start()
    await talk(alice, bob)
    deafen(alice)
    stopping = asyncio.create_task(bob.phone.stop())
    await eventually(lambda: any(isinstance(event, MediaChanged) and event.media is None for event in bob.told))
    await carol.phone.dial(bob.uri)
    await eventually(lambda: carol.heard(CallEnded))
    ended = carol.heard(CallEnded)[0].call
    assert (ended.code, ended.outcome) == (480, CallOutcome.NO_ANSWER)
    assert len(bob.heard(IncomingCall)) == 1
    await stopping


async def test_a_caller_hears_that_it_rings_while_others_are_still_told(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await start(), await start()
    sent: list[bytes] = []
    send = Transports.send

    def note(transports: Transports, address: Address, data: bytes) -> None:
        sent.append(data)
        send(transports, address, data)

    monkeypatch.setattr(Transports, "send", note)
    rang: list[list[bytes]] = []

    def ring(event: PhoneEvent) -> None:
        if isinstance(event, IncomingCall):
            before = len(sent)
            bob.phone.send_now()
            rang.append(sent[before:])

    bob.on_event = ring
    await alice.phone.dial(bob.uri)
    await eventually(lambda: any(call.state is CallState.ALERTING for call in alice.phone.calls.values()))
    [[ringing]] = rang
    assert ringing.startswith(b"SIP/2.0 180 ")
    assert [data.startswith(b"SIP/2.0 180 ") for data in sent].count(True) == 1


async def test_a_call_is_on_the_wire_before_others_are_told_and_one_that_comes_is_told_before_it_is_answered(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    send = Transports.send

    def note(self: Transports, address: Address, data: bytes) -> None:
        order.append(data.split(b"\r\n", 1)[0].decode())
        send(self, address, data)

    alice, bob = await start(), await start()
    alice.on_event = lambda event: order.append(f"Alice: {type(event).__name__}")
    bob.on_event = lambda event: order.append(f"Bob: {type(event).__name__}")
    monkeypatch.setattr(Transports, "send", note)
    await alice.phone.dial(bob.uri)
    await eventually(lambda: "SIP/2.0 180 Ringing" in order)

    assert order[0].startswith("INVITE ")
    assert order[1].startswith("Alice: ")
    assert order.index("Bob: IncomingCall") < order.index("SIP/2.0 180 Ringing")


@pytest.mark.parametrize("while_stopping", [True, False])
async def test_nobody_is_called_from_a_telephone_that_is_stopped(
    start: Start, engine: MediaEngine, *, while_stopping: bool
) -> None:
    alice, bob = await start(), await start()
    if while_stopping:
        await talk(alice, bob)
        deafen(bob)
    stopping = asyncio.create_task(alice.phone.stop())
    await asyncio.sleep(0)
    for _ in range(1 if while_stopping else 2):
        with pytest.raises(LocalProtocolError, match="switched off"):
            await alice.phone.dial(bob.uri)
        await stopping
    assert not alice.phone.calls
    await bob.phone.stop()
    assert engine.streams == 0


async def test_a_call_that_is_being_dialled_when_the_telephone_stops_begins_no_more(
    start: Start, engine: MediaEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await start(), await start()
    opening, go_on = asyncio.Event(), asyncio.Event()
    really_open = engine.open

    async def open_slowly(**how: Any) -> MediaStream:
        opening.set()
        await go_on.wait()
        return await really_open(**how)

    monkeypatch.setattr(engine, "open", open_slowly)
    dialling = asyncio.create_task(alice.phone.dial(bob.uri))
    await opening.wait()
    stopping = asyncio.create_task(alice.phone.stop())
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(LocalProtocolError, match="switched off"):
        await dialling
    await stopping
    assert engine.streams == 0
    assert not alice.heard(CallEnded)


@pytest.mark.parametrize(
    ("trouble", "fault"),
    [
        (OSError(errno.EADDRNOTAVAIL, "cannot assign"), MachineFault.NO_ADDRESS),
        (OSError(errno.EMFILE, "too many open files"), MachineFault.VOICES_STUCK),
    ],
)
async def test_a_voice_for_which_nothing_can_be_bound_is_an_error_that_says_why(
    start: Start, engine: MediaEngine, monkeypatch: pytest.MonkeyPatch, trouble: OSError, fault: MachineFault
) -> None:
    async def open_in_vain(**_how: Any) -> MediaStream:
        raise trouble

    alice, bob = await start(), await start()
    monkeypatch.setattr(engine, "open", open_in_vain)
    with pytest.raises(SipError) as raised:
        await alice.phone.dial(bob.uri)
    assert raised.value.fault is fault
    assert not alice.phone.calls


@pytest.mark.parametrize(
    ("target", "registers", "fault", "details"),
    [
        ("door@", False, LocalFault.NOT_DIALABLE, {"number": "door@"}),
        ("http://door", False, LocalFault.NOT_DIALABLE, {"number": "http://door"}),
        ("tel:", True, LocalFault.NOT_DIALABLE, {"number": "tel:"}),
        (" ", False, LocalFault.NOT_DIALABLE, {"number": "-"}),
        ("\x07" + "9" * 300, False, LocalFault.NOT_DIALABLE, {"number": "9" * 64}),
        ("0900 12", False, LocalFault.NEEDS_SERVER, {"number": "090012"}),
        ("tel:+4930123", False, LocalFault.NEEDS_SERVER, {"number": "tel:+4930123"}),
        ("sips:door@example.org", True, LocalFault.NEEDS_TLS, {"number": "sips:door@example.org"}),
    ],
)
def test_what_cannot_be_dialled_says_why_and_names_it(
    target: str, registers: bool, fault: LocalFault, details: dict[str, str]
) -> None:
    server = ServerAddress("192.0.2.1") if registers else None
    with pytest.raises(LocalProtocolError) as raised:
        check_target(replace(ACCOUNT, server=server, transport=Transport.UDP), target)
    assert (raised.value.fault, raised.value.details) == (fault, details)


async def test_a_caller_is_sent_elsewhere_while_it_rings(start: Start) -> None:
    alice, bob, carol = await start(), await start(), await start()
    await alice.phone.dial(bob.uri)
    await eventually(lambda: bob.heard(IncomingCall))
    (call_id,) = bob.phone.calls
    bob.phone.redirect(call_id, carol.uri)
    await eventually(lambda: bob.heard(CallEnded) and alice.heard(CallEnded))
    (ended,) = bob.heard(CallEnded)
    assert (ended.call.code, ended.call.outcome) == (302, CallOutcome.DECLINED)
    with pytest.raises(LocalProtocolError):
        bob.phone.redirect(call_id, carol.uri)


async def test_a_telephone_can_be_started_again(start: Start) -> None:
    alice, bob = await start(), await start()
    await bob.phone.stop()
    await bob.phone.start()
    await talk(alice, bob)


def deafen(end: End) -> None:
    """Let a telephone hear nothing more, as one whose network is gone."""
    end.phone._agent.receive = lambda *_: None  # type: ignore[method-assign]  # noqa: SLF001


@pytest.mark.parametrize(
    ("target", "reason", "code"),
    [
        ("sip:bob@[2001:db8::1]", "this machine has no way to 2001:db8::1", 503),
        ("sip:bob@nobody.example", "no answer from the name server", 502),
    ],
)
async def test_a_call_that_can_go_nowhere_begins_and_ends_as_unreachable(
    start: Start, engine: MediaEngine, target: str, reason: str, code: int
) -> None:
    alice = await start()
    call_id = await alice.phone.dial(target, source=ToneSource(300.0))
    assert [type(event) for event in alice.told if isinstance(event, CallEvent)] == [CallStateChanged, CallEnded]
    call = alice.heard(CallEnded)[0].call
    assert (call.id, call.outcome, call.code, call.ended_by) == (
        call_id,
        CallOutcome.UNREACHABLE,
        code,
        EndedBy.NETWORK,
    )
    assert reason in call.reason
    assert not alice.phone.calls
    assert engine.streams == 0


async def test_a_server_to_which_no_network_leads_is_told_from_one_that_does_not_answer() -> None:
    account = replace(ACCOUNT, server=ServerAddress("2001:db8::1"), network=NetworkSettings(bind_address=HOME))
    result = await check_registration(account)
    assert result.failure is RegistrationFailure.NO_ROUTE
    assert result.detail == "this machine has no way to 2001:db8::1"
    assert result.place == "2001:db8::1"


async def test_only_the_server_of_an_account_may_connect_to_it(engine: MediaEngine, resolver: Resolver) -> None:
    server = "127.0.0.9"
    network = NetworkSettings(bind_address=HOME, local_port=free_ports())
    end = End(replace(ACCOUNT, server=ServerAddress(server, free_ports()), network=network))
    end.phone = Phone(end.account, engine, end.hear, resolver=resolver, timers=TIMERS)
    await end.phone.start()
    await eventually(lambda: end.phone._agent.is_server(server))  # noqa: SLF001
    welcome, writer = await asyncio.open_connection(HOME, network.local_port, local_addr=(server, 0))
    refused, stranger = await asyncio.open_connection(HOME, network.local_port)
    assert await asyncio.wait_for(refused.read(), 5) == b""
    writer.write(b"\r\n\r\n")
    assert await asyncio.wait_for(welcome.readexactly(2), 5) == b"\r\n"
    for connection in (writer, stranger):
        connection.close()
    await end.phone.stop()


async def test_a_caller_whose_connection_ended_while_it_rang_gets_our_answer_where_it_listens(start: Start) -> None:
    bob = await start(transport=Transport.TCP)
    answered = asyncio.get_running_loop().create_future()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answered.set_result(await reader.readline())
        writer.close()

    server = await asyncio.start_server(listen, HOME, 0)
    sent_by = f"TCP {HOME}:{server.sockets[0].getsockname()[1]}"
    reader, writer = await asyncio.open_connection(HOME, bob.account.network.local_port)
    writer.write(invite(1, bob.uri.removeprefix("sip:12@")).replace(b"UDP 127.0.0.1:9", sent_by.encode()))
    assert await asyncio.wait_for(reader.readline(), 5) == b"SIP/2.0 180 Ringing\r\n"
    writer.close()
    connections = bob.phone._driver.transports._connections  # noqa: SLF001
    await eventually(lambda: not connections)
    (call,) = bob.heard(IncomingCall)
    await bob.phone.answer(call.call.id, source=ToneSource(440.0))
    assert await asyncio.wait_for(answered, 5) == b"SIP/2.0 200 OK\r\n"
    server.close()


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        (DtmfMethod.AUTO, DtmfMethod.AUTO, DigitMethod.RFC4733),
        (DtmfMethod.RFC4733, DtmfMethod.AUTO, DigitMethod.RFC4733),
        (DtmfMethod.INFO, DtmfMethod.AUTO, DigitMethod.INFO),
        (DtmfMethod.AUTO, DtmfMethod.INBAND, DigitMethod.INFO),
        (DtmfMethod.INBAND, DtmfMethod.AUTO, DigitMethod.INBAND),
        (DtmfMethod.INBAND, DtmfMethod.INBAND, DigitMethod.INBAND),
    ],
)
async def test_keys_travel_as_the_accounts_of_both_ends_allow(
    start: Start, ours: DtmfMethod, theirs: DtmfMethod, expected: DigitMethod
) -> None:
    alice, bob = await start(dtmf=ours), await start(dtmf=theirs)
    call_id = await talk(alice, bob)
    alice.phone.send_digits(call_id, "19#", duration_ms=80, gap_ms=60)
    await eventually(lambda: len(bob.heard(DigitReceived)) == 3)
    assert "".join(digit.digit for digit in bob.heard(DigitReceived)) == "19#"
    assert {digit.method for digit in bob.heard(DigitReceived)} == {expected}


async def test_events_are_not_sent_where_they_were_not_agreed_on(start: Start) -> None:
    alice, bob = await start(dtmf=DtmfMethod.RFC4733), await start(dtmf=DtmfMethod.INBAND)
    call_id = await talk(alice, bob)
    with pytest.raises(LocalProtocolError, match="telephone events"):
        alice.phone.send_digits(call_id, "1")


async def test_digits_that_are_refused_as_messages_are_played_as_tones(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await start(), await start(dtmf=DtmfMethod.INBAND)
    call_id = await talk(alice, bob)
    monkeypatch.setattr("custom_components.sip_ua.sip.inbound.ALLOWED_METHODS", ("INVITE", "ACK", "BYE"))
    alice.phone.send_digits(call_id, "42", duration_ms=80, gap_ms=60)
    await eventually(lambda: len(bob.heard(DigitReceived)) == 2)
    assert [(digit.digit, digit.method) for digit in bob.heard(DigitReceived)] == [
        ("4", DigitMethod.INBAND),
        ("2", DigitMethod.INBAND),
    ]
    assert bob.heard(DigitReceived)[0].duration >= 100
    alice.phone.send_digits(call_id, "7", duration_ms=80, gap_ms=60)
    await eventually(lambda: len(bob.heard(DigitReceived)) == 3)


async def test_a_key_that_comes_as_a_message_and_as_a_tone_is_told_once(start: Start) -> None:
    alice, bob = await start(dtmf=DtmfMethod.INFO), await start(dtmf=DtmfMethod.INBAND)
    call_id = await talk(alice, bob)
    keys = ToneSender()
    keys.queue("5", 160, 100)
    tone = BytesSource(keys.frame(2080, 8000), RawPcm(8000))
    for digit in "55":
        alice.phone.send_digits(call_id, digit)
        alice.phone.play(call_id, tone)
        await asyncio.sleep(0.5)
    await eventually(lambda: len(bob.heard(DigitReceived)) >= 2)
    await asyncio.sleep(0.3)
    assert [digit.digit for digit in bob.heard(DigitReceived)] == ["5", "5"]


async def test_who_has_heard_enough_is_forgotten_while_the_call_goes_on(start: Start) -> None:
    alice, bob = await start(), await start()
    call_id = await talk(alice, bob)

    async def hear_a_little() -> weakref.ref[Hearing]:
        hearing = await alice.phone.hear(call_id, 16_000)
        hearing.close()
        return weakref.ref(hearing)

    heard = [await hear_a_little() for _ in range(10)]
    gc.collect()
    assert sum(one() is not None for one in heard) == 1
    assert is_talking(alice)


async def test_a_telephone_hears_a_call_to_its_end_and_none_that_is_not_there(start: Start) -> None:
    alice, bob = await start(), await start()
    with pytest.raises(LocalProtocolError):
        await alice.phone.hear("nobody", 16_000)
    call_id = await talk(alice, bob)
    hearing = await alice.phone.hear(call_id, 16_000)
    await asyncio.sleep(0.4)
    await bob.phone.hangup(next(iter(bob.phone.calls)))
    async with asyncio.timeout(5):
        heard = b"".join([pcm async for pcm in hearing])
    assert frequency_of(heard[6400:12800], 16_000) == pytest.approx(440, rel=0.02)
    with pytest.raises(LocalProtocolError):
        await alice.phone.hear(call_id, 16_000)


async def test_codecs_that_this_machine_has_not_are_not_offered(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    working = frozenset({"PCMA", "PCMU"})
    monkeypatch.setattr("custom_components.sip_ua.net.media.working_codecs", lambda: working)
    alice, bob = await start(codecs=("OPUS", "G722", "PCMU")), await start(codecs=("OPUS",))
    await eventually(lambda: "Of the codecs OPUS only these work here: none" in caplog.text)
    await talk(alice, bob)
    agreed = [event.media.codec.name for event in alice.heard(MediaChanged) if event.media is not None]
    assert agreed == ["PCMU"]
    assert "Of the codecs OPUS, G722, PCMU only these work here: PCMU" in caplog.text


async def test_telephones_choose_the_best_codec_that_both_have(start: Start) -> None:
    alice, bob = await start(codecs=("OPUS", "G722", "PCMA")), await start(codecs=("PCMA", "G722"))
    await talk(alice, bob)
    (agreed,) = [event.media for event in alice.heard(MediaChanged) if event.media is not None]
    assert agreed.codec.name == "PCMA"


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
async def test_a_telephone_that_listens_at_every_address_names_the_one_that_it_is_reached_at(
    start: Start, monkeypatch: pytest.MonkeyPatch, transport: Transport
) -> None:
    sent: list[Request | Response] = []
    send = Transports.send

    def spy(self: Transports, address: Address, data: bytes) -> None:
        if data.strip():
            sent.append(parse_message(data))
        send(self, address, data)

    monkeypatch.setattr(Transports, "send", spy)
    alice, bob = [await start(network=NetworkSettings(local_port=free_ports())) for _ in range(2)]
    bob.answer_all()
    call_id = await alice.phone.dial(f"{bob.uri};transport={transport}")
    await eventually(lambda: is_talking(alice) and is_talking(bob))
    await alice.phone.hold(call_id)
    await eventually(lambda: any(call.state is CallState.REMOTE_HELD for call in bob.phone.calls.values()))
    await bob.phone.hangup(next(iter(bob.phone.calls)))
    await eventually(lambda: alice.heard(CallEnded))
    ports = {end.account.network.local_port for end in (alice, bob)}
    assert {message.cseq.method for message in sent} == {"INVITE", "ACK", "BYE"}
    for message in sent:
        assert message.via.transport == transport.via
        assert message.via.host == HOME
        for contact in message.contacts:
            assert isinstance(contact.uri, SipUri)
            assert contact.uri.host == HOME
            assert contact.uri.port in ports
        if message.body:
            description = parse_sdp(message.body)
            named = [description.origin, description.connection, *(line.connection for line in description.media)]
            assert {place.address for place in named if place} == {HOME}
    # Offer and answer of the call, and of the hold.
    assert len([message for message in sent if message.body]) >= 4
    assert {message.via.port for message in sent} == ports


async def test_calls_that_are_refused_for_too_much_to_do_are_told_once(
    start: Start, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = STRANGER_CALL_BURST
    for name, value in {"LATE": 0.1, "PATIENCE": 0.0, "STEP": 0.001, "MORE": 0.9}.items():
        monkeypatch.setattr(overload, name, value)
    bob = await start()
    with caplog.at_level(logging.WARNING), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        port = bob.account.network.local_port
        for number in range(calls):
            caller.sendto(invite(number, f"{HOME}:{port}"), (HOME, port))
        hold_up(0.3)
        await eventually(lambda: len(bob.heard(IncomingCall)) + bob.phone.counters.overloads == calls)
    assert 0 < len(bob.heard(IncomingCall)) < calls
    assert [record.getMessage() for record in caplog.records if record.name.startswith("custom_components")] == [
        "home.example: too much to do, new calls are refused for the moment"
    ]


def hold_up(seconds: float) -> None:
    """Keep the event loop from turning."""
    time.sleep(seconds)


def invite(number: int, target: str) -> bytes:
    lines = (
        f"INVITE sip:bob@{target} SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK{number};rport",
        "Max-Forwards: 70",
        "From: <sip:caller@caller.example>;tag=c",
        f"To: <sip:bob@{target}>",
        f"Call-ID: {number}",
        "CSeq: 1 INVITE",
        "Contact: <sip:caller@127.0.0.1:9>",
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()


async def test_what_is_said_while_it_rings_is_heard_in_order_from_the_answer_on(start: Start) -> None:
    alice, bob = await start(), await start()
    call_id = await alice.phone.dial(bob.uri)
    await eventually(lambda: bob.heard(IncomingCall))

    def play(placement: Placement = Placement.ADD) -> int:
        order = PlayOrder(placement=placement, at_answer=True)
        return alice.phone.play(call_id, ToneSource(300.0, duration=0.06), order)

    gone, second = play(), play(Placement.REPLACE)
    first, never = play(Placement.INTERRUPT), play()
    alice.phone.stop_playback(call_id, never)
    alice.phone.set_volume(call_id, second, -20.0)
    with pytest.raises(LocalProtocolError):
        alice.phone.play(call_id, ToneSource(300.0))
    assert [(end.playback_id, end.stopped) for end in alice.heard(PlaybackFinished)] == [(gone, True), (never, True)]

    bob.tasks.append(asyncio.create_task(bob.phone.answer(bob.heard(IncomingCall)[0].call.id)))
    await eventually(lambda: len(alice.heard(PlaybackFinished)) == 4)
    assert [event.playback_id for event in alice.heard(PlaybackStarted)] == [first, second]
    assert [(end.playback_id, end.stopped) for end in alice.heard(PlaybackFinished)[2:]] == [
        (first, False),
        (second, False),
    ]


async def test_sounds_that_wait_for_an_answer_are_bounded_and_go_with_their_call(
    start: Start, engine: MediaEngine
) -> None:
    alice, bob = await start(), await start()
    call_id = await alice.phone.dial(bob.uri)
    for _ in range(MAX_SOUNDS):
        alice.phone.play(call_id, SilenceSource(60.0), PlayOrder(at_answer=True))
    with pytest.raises(AudioError, match="more than"):
        alice.phone.play(call_id, SilenceSource(60.0), PlayOrder(at_answer=True))
    await alice.phone.hangup(call_id)
    await eventually(lambda: engine.streams == 0)
    await eventually(lambda: not [thread for thread in threading.enumerate() if "audio" in thread.name])
    with pytest.raises(LocalProtocolError):
        alice.phone.stop_playback(call_id)


@pytest.mark.parametrize("codecs", [("G722", "PCMA"), ("PCMA",)])
@pytest.mark.parametrize("said", ["at dial", "while it rings"])
async def test_the_first_packet_after_the_answer_carries_what_was_known_before(
    start: Start, monkeypatch: pytest.MonkeyPatch, codecs: tuple[str, ...], said: str
) -> None:
    sent: dict[MediaSocket, list[bytes]] = {}
    send = MediaSocket.send

    def note(endpoint: MediaSocket, data: bytes, address: tuple[str, int]) -> None:
        sent.setdefault(endpoint, []).append(data)
        send(endpoint, data, address)

    monkeypatch.setattr(MediaSocket, "send", note)
    alice, bob = await start(codecs=("G722", "PCMA")), await start(codecs=codecs)
    tone = ToneSource(440.0)
    call_id = await alice.phone.dial(bob.uri, source=tone if said == "at dial" else None)
    await eventually(lambda: bob.heard(IncomingCall))
    if said == "while it rings":
        alice.phone.play(call_id, tone, PlayOrder(at_answer=True))
    await asyncio.sleep(0.5)
    bob.tasks.append(asyncio.create_task(bob.phone.answer(bob.heard(IncomingCall)[0].call.id)))
    await eventually(lambda: alice.heard(PlaybackStarted))
    await eventually(lambda: len(sent) == 2)
    firsts = [parse_packet(packets[0]) for packets in list(sent.values())]
    # Bob says nothing, Alice does from the beginning.
    codec = ALL_CODECS[codecs[0]]
    levels = sorted(level_of(codec.create().decode(packet.payload)) for packet in firsts)
    assert levels[0] < -60
    assert levels[1] == pytest.approx(-20, abs=3)
    assert all(packet.marker for packet in firsts)


async def test_the_voice_follows_the_volumes_the_silence_and_the_marks_of_the_account(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[dict[str, Any]] = []
    open_one = MediaEngine.open

    async def note(engine: MediaEngine, **how: Any) -> MediaStream:
        opened.append(how)
        return await open_one(engine, **how)

    monkeypatch.setattr(MediaEngine, "open", note)
    network = NetworkSettings(bind_address=HOME, local_port=free_ports(), sip_dscp=10, rtp_dscp=12)
    alice = await start(voice_activity_detection=True, speaking_volume=3, listening_volume=-4, network=network)
    bob = await start(voice_activity_detection=True)
    await talk(alice, bob)
    hers = next(how for how in opened if how["dscp"] == 12)
    assert hers["loudness"] == StreamLoudness(3, -4)
    (agreed,) = [event.media for event in bob.heard(MediaChanged) if event.media is not None]
    assert (agreed.comfort_noise_send, agreed.comfort_noise_receive) == (13, 13)


# What callers hear before the answer


async def ring(alice: End, bob: End, **how: Any) -> str:
    """Let Alice call Bob and return his id of the call, which rings."""
    await alice.phone.dial(bob.uri, **how)
    await eventually(lambda: bob.heard(IncomingCall))
    return bob.heard(IncomingCall)[-1].call.id


async def test_a_caller_hears_our_sound_until_somebody_answers_and_then_what_is_said(
    start: Start, engine: MediaEngine
) -> None:
    alice, bob = await start(), await start()
    incoming = await ring(alice, bob)
    await bob.phone.play_early(incoming, ToneSource(1000.0, duration=0.1))
    await eventually(lambda: any(call.state is CallState.EARLY for call in alice.phone.calls.values()))
    (outgoing,) = alice.phone.calls
    heard: list[bytes] = []
    alice.phone._voices.connected(outgoing).stream.listen(lambda voice: heard.append(voice.pcm))  # noqa: SLF001 - as Assist
    await asyncio.sleep(0.6)
    early = b"".join(heard)
    assert frequency_of(early[-8000:], 16000) == pytest.approx(1000, rel=0.05), "again and again"
    assert bob.phone.calls[incoming].state is CallState.RINGING
    heard.clear()

    await bob.phone.answer(incoming, source=ToneSource(300.0))
    await eventually(lambda: is_talking(alice) and is_talking(bob))
    await asyncio.sleep(0.5)
    assert frequency_of(b"".join(heard)[-8000:], 16000) == pytest.approx(300, rel=0.05)
    assert len(bob.heard(PlaybackStarted)) == 1, "what callers hear before the answer is nobody's playback"
    assert bob.heard(PlaybackFinished) == []
    with pytest.raises(LocalProtocolError):
        await bob.phone.answer(incoming)
    assert engine.streams == 2


async def test_a_call_that_is_given_up_frees_what_its_caller_heard(start: Start, engine: MediaEngine) -> None:
    alice, bob = await start(), await start()
    incoming = await ring(alice, bob)
    await bob.phone.play_early(incoming, ToneSource(1000.0))
    with pytest.raises(LocalProtocolError):
        await bob.phone.play_early(incoming, ToneSource(1000.0))
    await alice.phone.hangup(next(iter(alice.phone.calls)))
    await eventually(lambda: engine.streams == 0)
    assert [end.call.outcome for end in bob.heard(CallEnded)] == [CallOutcome.MISSED]
    with pytest.raises(LocalProtocolError):
        await bob.phone.play_early(incoming, ToneSource(1000.0))


async def test_a_caller_who_has_heard_our_sound_can_still_be_sent_elsewhere(start: Start, engine: MediaEngine) -> None:
    alice, bob, carol = await start(), await start(), await start()
    incoming = await ring(alice, bob)
    await bob.phone.play_early(incoming, ToneSource(1000.0))
    bob.phone.redirect(incoming, carol.uri)
    await eventually(lambda: alice.heard(CallEnded))
    await eventually(lambda: engine.streams == 0)
    assert bob.heard(CallEnded)[0].call.outcome is CallOutcome.DECLINED


async def test_whoever_answers_meanwhile_is_not_disturbed_by_what_was_to_be_heard_before(
    start: Start, engine: MediaEngine
) -> None:
    alice, bob = await start(), await start()
    incoming = await ring(alice, bob)
    early = asyncio.create_task(bob.phone.play_early(incoming, ToneSource(1000.0)))
    answer = asyncio.create_task(bob.phone.answer(incoming))
    results = await asyncio.gather(early, answer, return_exceptions=True)
    assert results[1] is None
    await eventually(lambda: is_talking(alice) and is_talking(bob))
    assert engine.streams == 2
    assert all(call.answered_at for call in bob.phone.calls.values())


async def test_a_sound_that_cannot_be_played_leaves_the_call_ringing(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    alice, bob = await start(), await start()
    incoming = await ring(alice, bob)
    await bob.phone.play_early(incoming, BytesSource(b"this is no sound"))
    await eventually(lambda: "before the answer cannot be played" in caplog.text)
    assert bob.phone.calls[incoming].state is CallState.RINGING
    await bob.phone.answer(incoming)
    await eventually(lambda: is_talking(alice) and is_talking(bob))


async def test_a_caller_that_wants_every_ring_acknowledged_hears_our_sound_too(start: Start) -> None:
    alice = await start(reliable_provisional=ReliableProvisional.REQUIRED)
    bob = await start(reliable_provisional=ReliableProvisional.REQUIRED)
    incoming = await ring(alice, bob)
    await bob.phone.play_early(incoming, ToneSource(1000.0))
    await eventually(lambda: any(call.state is CallState.EARLY for call in alice.phone.calls.values()))
    await bob.phone.answer(incoming)
    await eventually(lambda: is_talking(alice) and is_talking(bob))


async def test_a_telephone_that_is_full_of_sounds_says_why_a_caller_hears_none(
    start: Start, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_how: object) -> int:
        raise AudioError("too many sounds are being decoded")

    monkeypatch.setattr(MediaStream, "play", refuse)
    alice, bob = await start(), await start()
    await bob.phone.play_early(await ring(alice, bob), ToneSource(1000.0))
    assert "too many sounds are being decoded" in caplog.text
