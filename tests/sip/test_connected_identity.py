"""Who is at the other end, as the exchange tells during a call (RFC 3325, RFC 5876)."""

from dataclasses import replace

import pytest

from custom_components.sip_ua.sip.account import Account, ServerAddress
from custom_components.sip_ua.sip.address import Address
from custom_components.sip_ua.sip.events import CallReplaced, CallState, Party

from .agents import ALICE, BOB, AgentEnd, direct_account, join
from .link import Link
from .registrar import NAME, SERVER, Registrar
from .responder import SDP

CAROL = 'P-Asserted-Identity: "Carol" <sip:carol@sip.example>'
ALICE_AGAIN = "P-Asserted-Identity: <sip:alice@elsewhere.example>"


ACCOUNT = Account(number="bob", domain=NAME, password="secret", server=ServerAddress(NAME))


class Talking:
    """Bob in a call of Alice, through his server or straight from her, whose later messages are written by hand."""

    def __init__(self, *, registered: bool = True, source: Address | None = None) -> None:
        self.link = Link()
        Registrar(self.link)
        account = replace(ACCOUNT, allow_direct_calls=source is not None)
        self.bob = join(self.link, account if registered else direct_account("bob"), BOB)
        self.bob.names[NAME] = [SERVER]
        self.bob.command("register")
        self.link.run_for(1)
        self._source = source or (SERVER if registered else ALICE)
        self._tag = ""
        self.send("INVITE", 1, body=SDP.format(port=4000))
        self.call_id = self.bob.incoming.id
        self.bob.command("answer", self.call_id, self.bob.media)
        self.link.run_for(0.1)
        accepted = next(one.data for one in self.link.sent("200", BOB) if b"1 INVITE" in one.data).decode()
        self._tag = accepted.split("To: ")[1].split("\r\n")[0].split("tag=")[1]
        self.send("ACK", 1)

    def send(self, method: str, cseq: int, *headers: str, body: str = "") -> None:
        lines = [
            f"{method} sip:bob@{BOB.host} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._source.host}:5060;branch=z9hG4bK{method}{cseq}",
            "Max-Forwards: 70",
            "From: <sip:alice@sip.example>;tag=a",
            f"To: <sip:bob@sip.example>{f';tag={self._tag}' if self._tag else ''}",
            "Call-ID: c",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:alice@{self._source.host}>",
            *headers,
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self.bob.deliver(("\r\n".join([*lines, "", ""]) + body).encode(), self._source, self.link.now)
        self.bob.react(self.link.now)
        self.link.run_for(0.1)

    @property
    def remote(self) -> Party:
        return self.bob.agent.calls[self.call_id].remote


@pytest.mark.parametrize(("method", "body"), [("UPDATE", ""), ("INVITE", SDP.format(port=4000))])
def test_somebody_else_at_the_other_end_is_told_by_an_update_or_a_re_invite(method: str, body: str) -> None:
    talking = Talking()
    talking.send(method, 2, CAROL, body=body)
    assert (talking.remote.name, talking.remote.number) == ("Carol", "carol")
    (event,) = talking.bob.events(CallReplaced)
    assert event.call.remote == talking.remote
    assert event.previous.number == "alice"
    assert event.call.state is CallState.TALKING
    talking.send("UPDATE", 3, CAROL)
    assert len(talking.bob.events(CallReplaced)) == 1


def test_who_is_there_already_is_no_news() -> None:
    talking = Talking()
    talking.send("UPDATE", 2, ALICE_AGAIN)
    talking.send("UPDATE", 3)
    talking.send("UPDATE", 4, "P-Asserted-Identity: nobody that can be read <")
    assert talking.remote.number == "alice"
    assert not talking.bob.events(CallReplaced)


@pytest.mark.parametrize(("registered", "source"), [(False, None), (True, ALICE)])
def test_nobody_but_our_server_says_who_is_there(source: Address | None, *, registered: bool) -> None:
    talking = Talking(registered=registered, source=source)
    talking.send("UPDATE", 2, CAROL)
    assert talking.remote.number == (f"alice@{ALICE.host}" if registered else "alice")
    assert not talking.bob.events(CallReplaced)


def test_an_offer_that_is_refused_changes_nobody() -> None:
    talking = Talking()
    talking.send("UPDATE", 2, CAROL, body=SDP.format(port=4000).replace("8", "9"))
    assert talking.link.sent("488", BOB)
    assert talking.remote.number == "alice"


def answered_as(asserted: str, source: Address) -> tuple[Link, AgentEnd, str, list[str]]:
    """Let Bob call 600, and let somebody answer; return also the call's id and lines of his INVITE."""
    link = Link()
    Registrar(link)
    bob = join(link, ACCOUNT, BOB)
    bob.names[NAME] = [SERVER]
    bob.command("register")
    link.run_for(1)
    # The registrar is no exchange: the answers to calls are written by hand.
    link.lose("INVITE", 8)
    call_id = bob.dial("600")
    link.run_for(0.1)
    invite = link.sent("INVITE", BOB)[-1].data.decode()
    copied = [line for line in invite.split("\r\n") if line.startswith(("Via:", "From:", "Call-ID:", "CSeq:"))]
    body = SDP.format(port=4000)
    lines = [
        "SIP/2.0 200 OK",
        *copied,
        "To: <sip:600@sip.example>;tag=x",
        "Contact: <sip:x@198.51.100.5>",
        f"P-Asserted-Identity: <sip:{asserted}@sip.example>",
        "Content-Type: application/sdp",
        f"Content-Length: {len(body)}",
    ]
    bob.deliver(("\r\n".join([*lines, "", ""]) + body).encode(), source, link.now)
    bob.react(link.now)
    link.run_for(0.1)
    return link, bob, call_id, copied


@pytest.mark.parametrize(("source", "number"), [(SERVER, "611"), (ALICE, "600")])
def test_who_answered_is_believed_from_our_server_only(source: Address, number: str) -> None:
    _link, bob, call_id, _copied = answered_as("611", source)
    answered_by = bob.agent.calls[call_id].answered_by
    assert answered_by is not None
    assert answered_by.number == number


def test_who_answered_in_the_place_of_whom_we_called_is_no_news() -> None:
    link, bob, call_id, copied = answered_as("611", SERVER)
    to_ours = next(line for line in copied if line.startswith("From:")).partition(":")[2]
    sip_call_id = next(line for line in copied if line.startswith("Call-ID:"))
    for cseq, number in enumerate(("611", "600", "622"), 1):
        update = [
            f"UPDATE sip:bob@{BOB.host} SIP/2.0",
            f"Via: SIP/2.0/UDP {SERVER.host}:5060;branch=z9hG4bKu{cseq}",
            "Max-Forwards: 70",
            "From: <sip:600@sip.example>;tag=x",
            f"To:{to_ours}",
            sip_call_id,
            f"CSeq: {cseq} UPDATE",
            f"P-Asserted-Identity: <sip:{number}@sip.example>",
            "Content-Length: 0",
        ]
        bob.deliver(("\r\n".join([*update, "", ""])).encode(), SERVER, link.now)
        bob.react(link.now)
        link.run_for(0.1)
    (event,) = bob.events(CallReplaced)
    call = bob.agent.calls[call_id]
    assert (event.previous.number, call.remote.number) == ("600", "622")
    assert call.answered_by is not None
    assert call.answered_by.number == "622"
