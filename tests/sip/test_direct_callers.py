"""Calls past the server that an account has: who may, under which name, and what such a caller may not do."""

import pytest

from custom_components.sip_ua.sip.account import Account, ReferPolicy, ServerAddress, Transport
from custom_components.sip_ua.sip.address import Address
from custom_components.sip_ua.sip.events import (
    CallEnded,
    IncomingCall,
    MediaChanged,
    Party,
    TransferRefused,
    TransferRequested,
    VoiceReleased,
)
from custom_components.sip_ua.sip.party import ANONYMOUS, at_address

from .agents import BOB, AgentEnd, direct_account, join
from .link import Link
from .registrar import NAME, SERVER, Registrar
from .responder import SDP, Responder
from .test_reliable import ok_to_all

DOOR = Address(Transport.UDP, "192.0.2.50", 5060)
OTHER = Address(Transport.UDP, "192.0.2.51", 5060)


class House:
    """Bob, who is registered, and what calls him past the server."""

    def __init__(self, **changes: object) -> None:
        self.link = Link()
        Registrar(self.link)
        fields = {"number": "620", "domain": NAME, "password": "secret", "server": ServerAddress(NAME)}
        self.bob: AgentEnd = join(self.link, Account(**(fields | changes)), BOB)  # type: ignore[arg-type]
        self.bob.names[NAME] = [SERVER]
        self.bob.command("register")
        self.link.run_for(1)
        self.ends = {end: Responder(self.link, end, ok_to_all) for end in (DOOR, OTHER)}

    def send(
        self, source: Address, method: str, cseq: int = 1, *headers: str, tag: str = "", user: str = "613"
    ) -> None:
        body = SDP.format(port=4000) if method == "INVITE" else ""
        lines = [
            f"{method} sip:620@{BOB.host} SIP/2.0",
            f"Via: SIP/2.0/UDP {source.host}:5060;branch=z9hG4bK{method}{cseq}",
            "Max-Forwards: 70",
            f"From: <sip:{user}@{NAME}>;tag=a",
            f"To: <sip:620@{NAME}>{f';tag={tag}' if tag else ''}",
            "Call-ID: c",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:door@{source.host}>",
            *headers,
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        if source == SERVER:
            self.bob.deliver(("\r\n".join([*lines, "", ""]) + body).encode(), source, self.link.now)
            self.bob.react(self.link.now)
        else:
            self.ends[source].send(BOB, ("\r\n".join([*lines, "", ""]) + body).encode())
        self.link.run_for(0.1)

    def take(self, source: Address, *headers: str) -> str:
        """Answer a call, and return our tag; nobody has acknowledged it yet."""
        self.send(source, "INVITE", 1, *headers)
        self.bob.command("answer", self.bob.incoming.id, self.bob.media)
        self.link.run_for(0.1)
        return self.said("200", "To").split("tag=")[1]

    def said(self, code: str, header: str) -> str:
        """Return a header field of our first answer to the INVITE that has this code."""
        answer = next(one.data for one in self.link.sent(code, BOB) if b"1 INVITE" in one.data).decode()
        return answer.split(f"\r\n{header}: ")[1].split("\r\n")[0]

    def talk(self, source: Address) -> str:
        """Answer a call, and return our tag."""
        tag = self.take(source)
        self.send(source, "ACK", 1, tag=tag)
        return tag

    @property
    def voice(self) -> list[bool]:
        """Return of every change of the voice whether ours is withheld."""
        return [
            isinstance(event, MediaChanged) and event.withheld
            for event in self.bob.told
            if isinstance(event, VoiceReleased) or (isinstance(event, MediaChanged) and event.media is not None)
        ]

    @property
    def callers(self) -> list[tuple[str, str, bool]]:
        return [
            (event.call.remote.number, event.call.remote.uri, event.call.past_server)
            for event in self.bob.events(IncomingCall)
        ]


def test_without_leave_nobody_calls_past_the_server() -> None:
    house = House()
    house.send(DOOR, "INVITE")
    assert (house.callers, house.link.labels(BOB)[2:]) == ([], [])
    assert house.bob.agent.counters.strangers == 1


def test_whom_the_owner_knows_by_address_may_and_nobody_else() -> None:
    house = House(direct_hosts=frozenset({DOOR.host}))
    house.send(OTHER, "INVITE")
    assert house.callers == []
    assert house.bob.agent.expects(DOOR.host)
    assert not house.bob.agent.expects(OTHER.host)
    house.send(DOOR, "INVITE")
    assert house.callers == [(f"613@{DOOR.host}", f"sip:613@{DOOR.host}", True)]


def test_with_leave_everybody_may_and_is_no_number_of_the_server() -> None:
    house = House(allow_direct_calls=True)
    house.send(OTHER, "INVITE", user="112")
    assert house.callers == [(f"112@{OTHER.host}", f"sip:112@{OTHER.host}", True)]


def test_a_call_of_the_server_is_what_it_was() -> None:
    house = House(allow_direct_calls=True)
    house.send(SERVER, "INVITE")
    assert house.callers == [("613", f"sip:613@{NAME}", False)]


@pytest.mark.parametrize(("source", "followed"), [(DOOR, False), (SERVER, True)])
def test_who_called_past_the_server_cannot_make_us_call_others(source: Address, *, followed: bool) -> None:
    house = House(allow_direct_calls=True, refer_policy=ReferPolicy.ANYWHERE)
    tag = house.talk(source)
    house.send(source, "REFER", 2, f"Refer-To: <sip:0900123@{NAME}>", tag=tag)
    assert bool(house.bob.events(TransferRequested)) is followed
    assert bool(house.bob.events(TransferRefused)) is not followed


@pytest.mark.parametrize(
    ("caller", "host", "known_as"),
    [
        (
            Party("Door", "door", "sip:door@fritz.box"),
            "192.0.2.5",
            Party("Door", "door@192.0.2.5", "sip:door@192.0.2.5"),
        ),
        (Party("", "", "sip:fritz.box"), "192.0.2.5", Party("", "192.0.2.5", "sip:192.0.2.5")),
        (Party("", "1", "sip:1@x"), "fe80::1", Party("", "1@[fe80::1]", "sip:1@[fe80::1]")),
        (ANONYMOUS, "192.0.2.5", ANONYMOUS),
        (Party("Liar", "", ANONYMOUS.uri), "192.0.2.5", Party("Liar", "", ANONYMOUS.uri)),
        (Party("", "Anonymous", "sip:Anonymous@x"), "192.0.2.5", Party("", "", ANONYMOUS.uri)),
    ],
)
def test_a_caller_is_known_by_the_address_that_the_call_came_from(caller: Party, host: str, known_as: Party) -> None:
    assert at_address(caller, host) == known_as


def test_our_voice_waits_until_a_caller_past_the_server_has_acknowledged_our_answer() -> None:
    house = House(allow_direct_calls=True)
    tag = house.take(DOOR)
    assert house.voice == [True]
    # Who has not got our answer does not know the tag in it.
    house.send(DOOR, "ACK", 1, tag="guessed")
    assert house.voice == [True]
    house.send(DOOR, "ACK", 1, tag=tag)
    assert house.voice == [True, False]
    house.send(DOOR, "ACK", 1, tag=tag)
    assert house.voice == [True, False]


def test_our_voice_never_leaves_where_nobody_acknowledges_our_answer() -> None:
    house = House(allow_direct_calls=True)
    house.take(DOOR)
    house.link.run_for(60)
    assert house.voice == [True]
    assert len(house.bob.events(CallEnded)) == 1


def test_our_voice_goes_to_the_server_at_once() -> None:
    house = House(allow_direct_calls=True)
    house.take(SERVER)
    assert house.voice == [False]


def test_an_acknowledged_answer_before_the_last_one_proves_a_caller_as_well() -> None:
    house = House(allow_direct_calls=True)
    house.send(DOOR, "INVITE", 1, "Supported: 100rel")
    house.bob.command("progress", house.bob.incoming.id, house.bob.media)
    house.link.run_for(0.1)
    assert house.voice == [True]
    tag = house.said("183", "To").split("tag=")[1]
    house.send(DOOR, "PRACK", 2, f"RAck: {house.said('183', 'RSeq')} 1 INVITE", tag=tag)
    assert house.voice == [True, False]


def test_our_voice_waits_for_the_acknowledgement_where_there_is_no_server_at_all() -> None:
    house = House()
    house.link = Link()
    house.ends = {DOOR: Responder(house.link, DOOR, ok_to_all)}
    house.bob = join(house.link, direct_account("620", allow_direct_calls=True), BOB)
    tag = house.take(DOOR)
    assert house.voice == [True]
    house.send(DOOR, "ACK", 1, tag=tag)
    assert house.voice == [True, False]
