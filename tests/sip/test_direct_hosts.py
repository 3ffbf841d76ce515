"""Beside a server: some hosts are called past it, and may call past it, as the owner has listed them."""

import pytest

from custom_components.sip_ua.sip.account import ServerAddress, Transport
from custom_components.sip_ua.sip.address import Address
from custom_components.sip_ua.sip.events import CallState, IncomingCall

from .agents import BOB, direct_account, join
from .homes import Home, account
from .registrar import NAME, SERVER

CAROL = Address(Transport.UDP, "192.0.2.3", 5060)
BOB_URI = f"sip:bob@{BOB.host}"
ALICE_URI = "sip:alice@192.0.2.1"


@pytest.fixture(name="home", params=["server", "outbound proxy"])
def home_fixture(request: pytest.FixtureRequest) -> Home:
    """Return a registered telephone whose owner has listed Bob."""
    proxy = ServerAddress(NAME) if request.param == "outbound proxy" else None
    home = Home(account(direct_hosts=frozenset({BOB.host}), outbound_proxy=proxy))
    home.start()
    return home


def heard_by(home: Home, address: Address) -> list[str]:
    """Return what was sent to an address."""
    return [passage.data.decode() for passage in home.link.transcript if passage.destination == address]


def test_who_is_listed_is_called_past_the_server(home: Home) -> None:
    bob = join(home.link, direct_account("bob"), BOB, seed=2)
    before = len(heard_by(home, SERVER))
    call_id = home.alice.dial(BOB_URI)
    home.link.run_for(1)
    bob.command("answer", bob.incoming.id, bob.media)
    home.link.run_for(1)
    call = home.alice.agent.call(call_id)
    assert call is not None
    assert call.state is CallState.TALKING
    assert "Route:" not in "".join(heard_by(home, BOB))
    home.alice.command("hangup", call_id)
    home.link.run_for(1)
    assert bob.ended.id == bob.incoming.id
    assert len(heard_by(home, SERVER)) == before


@pytest.mark.parametrize("target", ["611", f"sip:bob@{CAROL.host}", f"sip:bob@{NAME}", "tel:+49301234"])
def test_everybody_else_is_called_through_the_server(home: Home, target: str) -> None:
    assert home.alice.agent.first_hop(target).host == NAME


def test_who_is_listed_may_call_past_the_server_and_a_stranger_may_not(home: Home) -> None:
    alice = home.alice
    carol = join(home.link, direct_account("carol"), CAROL, seed=3)
    carol.dial(ALICE_URI)
    home.link.run_for(1)
    assert alice.events(IncomingCall) == []
    assert not alice.agent.expects(CAROL.host)
    bob = join(home.link, direct_account("bob"), BOB, seed=2)
    assert alice.agent.expects(BOB.host)
    bob.dial(ALICE_URI)
    home.link.run_for(1)
    assert alice.incoming.remote.uri == "sip:bob@192.0.2.2"
    alice.command("answer", alice.incoming.id, alice.media)
    home.link.run_for(1)
    bob.command("hangup", next(iter(bob.agent.calls)))
    home.link.run_for(1)
    assert alice.ended.id == alice.incoming.id


def test_who_is_listed_gets_no_login(home: Home) -> None:
    home.alice.dial(BOB_URI)
    home.link.run_for(0.01)
    (invite,) = (message for message in heard_by(home, BOB) if message.startswith("INVITE"))
    head = invite.partition("\r\nVia: ")[2].partition("\r\n")[0]
    names = ("From: ", "To: ", "Call-ID: ", "CSeq: ")
    told = "".join(f"{line}\r\n" for line in invite.split("\r\n") if line.startswith(names))
    answer = f"SIP/2.0 401 Unauthorized\r\nVia: {head}\r\n{told}".replace(f"To: <{BOB_URI}>", f"To: <{BOB_URI}>;tag=x")
    challenge = 'WWW-Authenticate: Digest realm="r", nonce="n", algorithm=MD5\r\n'
    home.alice.deliver(f"{answer}{challenge}Content-Length: 0\r\n\r\n".encode(), BOB, home.link.now)
    home.alice.react(home.link.now)
    home.link.run_for(2)
    assert home.alice.ended.code == 401
    assert "Authorization" not in "".join(heard_by(home, BOB))


def test_a_line_of_who_is_listed_is_watched_past_the_server(home: Home) -> None:
    before = len(heard_by(home, SERVER))
    home.alice.command("watch", BOB_URI)
    home.link.run_for(1)
    assert heard_by(home, BOB)[0].startswith(f"SUBSCRIBE {BOB_URI} SIP/2.0")
    assert "Route:" not in heard_by(home, BOB)[0]
    assert len(heard_by(home, SERVER)) == before
    assert home.alice.agent.servers == frozenset({SERVER.host})
