"""Where a login may go: to our servers, and without a server to whom a person called (RFC 3261 sections 22, 26.1)."""

from dataclasses import replace

import pytest

from custom_components.sip_ua.sip.account import ReferPolicy, Transport
from custom_components.sip_ua.sip.address import Address, Hop, HostPort
from custom_components.sip_ua.sip.core import Core
from custom_components.sip_ua.sip.events import CallState, IncomingCall, RegistrationState
from custom_components.sip_ua.sip.message import Request
from custom_components.sip_ua.sip.transaction import Timers

from .agents import ALICE, BOB, AgentEnd, direct_account, entropy, join
from .homes import Home, account
from .link import Link
from .registrar import NAME, SERVER
from .responder import Responder, answer
from .trio import following

STRANGER = BOB
CHALLENGE = 'Digest realm="attacker", nonce="chosen", algorithm=MD5'
LOGINS = ("Authorization", "Proxy-Authorization")


def challenging(request: Request) -> list[bytes]:
    """Ask for a login with whatever comes."""
    return [] if request.method == "ACK" else [answer(request, 407, "x", Proxy_Authenticate=CHALLENGE)]


def taking_calls(request: Request) -> list[bytes]:
    """Take a call, and ask for a login with everything else."""
    return [answer(request, 200, "x", port=4001)] if request.method == "INVITE" else challenging(request)


def asking_first(request: Request) -> list[bytes]:
    """Ask for a login before anything is done."""
    if request.method == "ACK":
        return []
    if "Proxy-Authorization" not in request.headers:
        return challenging(request)
    return [answer(request, 200, "x", port=4001 if request.method == "INVITE" else 0)]


def logins(requests: list[Request]) -> list[str]:
    return [value for request in requests for name in LOGINS for value in request.headers.get_all(name)]


def take_and_hang_up(ours: AgentEnd, stranger: Responder, link: Link, claimed: str) -> None:
    """Let a stranger call us, and hang up on him."""
    stranger.send(
        ours.address,
        (
            f"INVITE sip:us@{ours.address.host} SIP/2.0\r\nVia: SIP/2.0/UDP {STRANGER.host}:5060;branch=z9hG4bKs\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:stranger@{claimed}>;tag=s\r\nTo: <sip:us@{ours.address.host}>\r\n"
            f"Call-ID: s\r\nCSeq: 1 INVITE\r\nContact: <sip:stranger@{STRANGER.host}>\r\nContent-Length: 0\r\n\r\n"
        ).encode(),
    )
    link.run_until(lambda: bool(ours.events(IncomingCall)), within=2)
    ours.command("answer", ours.incoming.id, ours.media)
    link.run_for(1)
    ours.command("hangup", ours.incoming.id)
    link.run_for(40)


@pytest.mark.parametrize("claimed", [STRANGER.host, NAME])
def test_a_stranger_who_calls_us_gets_no_login_in_answer_to_his_challenge(claimed: str) -> None:
    home = Home(account(allow_direct_calls=True))
    home.start()
    assert home.state is RegistrationState.REGISTERED
    assert logins([request for _, request in home.server.registers()]), "the registrar gets its login"
    stranger = Responder(home.link, STRANGER, challenging)
    take_and_hang_up(home.alice, stranger, home.link, claimed)
    assert stranger.methods().count("BYE") == 1
    assert not logins(stranger.asked)


def test_without_a_server_a_stranger_who_calls_us_gets_no_login() -> None:
    link = Link()
    ours = join(link, direct_account("alice", password="secret"), ALICE)
    stranger = Responder(link, STRANGER, challenging)
    take_and_hang_up(ours, stranger, link, STRANGER.host)
    assert stranger.methods().count("BYE") == 1
    assert not logins(stranger.asked)


def test_without_a_server_whom_a_person_calls_may_ask_for_the_login() -> None:
    link = Link()
    ours = join(link, direct_account("alice", password="secret"), ALICE)
    far = Responder(link, STRANGER, asking_first)
    call_id = ours.dial(f"sip:bob@{STRANGER.host}")
    link.run_for(2)
    assert ours.agent.calls[call_id].state is CallState.TALKING
    ours.command("hangup", call_id)
    link.run_for(2)
    told = [(request.method, request.cseq.number, bool(logins([request]))) for request in far.asked]
    assert sorted(told) == [
        ("ACK", 1, False),
        ("ACK", 2, True),
        ("BYE", 3, True),
        ("INVITE", 1, False),
        ("INVITE", 2, True),
    ]


def test_without_a_server_whom_we_are_transferred_to_gets_no_login() -> None:
    link = Link()
    ours = join(link, direct_account("alice", password="secret", refer_policy=ReferPolicy.ANYWHERE), ALICE)
    trusted = Responder(link, Address(STRANGER.transport, "192.0.2.9", 5060), taking_calls)
    stranger = Responder(link, STRANGER, challenging)
    ours.on_event = following
    ours.dial("sip:trusted@192.0.2.9")
    link.run_for(2)
    invite = trusted.asked[0]
    refer = Request("REFER", f"sip:alice@{ALICE.host}", invite.headers.copy())
    for name, value in {
        "Via": "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKr",
        "From": f"{invite.headers.get('To')};tag=x",
        "To": invite.headers.get("From") or "",
        "CSeq": "1 REFER",
        "Refer-To": f"<sip:stranger@{STRANGER.host}>",
        "Contact": "<sip:trusted@192.0.2.9>",
    }.items():
        refer.headers.set(name, value)
    trusted.send(ALICE, refer.to_bytes())
    link.run_for(5)
    assert stranger.methods().count("INVITE") == 1
    assert not logins(stranger.asked)


def test_what_goes_past_our_server_carries_no_login() -> None:
    link = Link()
    ours = join(link, account(), ALICE)
    ours.names[NAME] = [SERVER]
    server = Responder(link, SERVER, asking_first)
    phone = Responder(link, STRANGER, challenging)
    call_id = ours.dial(f"sip:bob@{NAME}")
    link.run_for(2)
    ours.command("hangup", call_id)
    link.run_for(40)
    assert [bool(logins([request])) for request in server.asked if request.method == "INVITE"] == [False, True]
    assert phone.methods() == ["ACK", "BYE"]
    assert not logins(phone.asked)


@pytest.mark.parametrize("transport", Transport)
def test_a_server_that_is_spoken_to_by_tls_gets_its_login_by_tls_only(transport: Transport) -> None:
    core = Core(account(transport=Transport.TLS), entropy(1), Timers())
    server = core.server_hop()
    assert server is not None
    here = HostPort(ALICE.host, 5060)
    core.note_servers(server, (Hop(replace(SERVER, transport=Transport.TLS), here),))
    assert core.may_log_in(Hop(replace(SERVER, transport=transport), here)) is (transport is Transport.TLS)
