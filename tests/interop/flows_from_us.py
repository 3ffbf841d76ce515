"""Flows in which SIPp is called: forks, crossings and refusals, message for message (RFC 3261, 3262, 3515, 4028)."""

from custom_components.sip_ua.sip.events import CallOutcome, CallState, TransferProgress, TransferState

from .agent import Agent
from .flows_to_us import Flow
from .peers import Sipp, until
from .steps import branch, expect, inside_ours, pause, request, respond, sdp

CALL = expect("INVITE", save="call")
TAKEN = (CALL, respond(200, body=sdp()), expect("ACK"))
ENDED = (expect("BYE"), respond(200, tag=""))
B = branch("b")


def our_call(ours: Agent) -> str:
    """Return the id of the only call."""
    (call_id,) = {event.call.id for event in ours.events if hasattr(event, "call")}
    return call_id


async def hang_up_at_once(ours: Agent, _sipp: Sipp) -> None:
    """Hang up while nothing has come."""
    await ours.phone.hangup(our_call(ours))


async def hang_up_when_it_rings(ours: Agent, _sipp: Sipp) -> None:
    """Hang up once it rings."""
    await ours.until_state(our_call(ours), CallState.ALERTING)
    await ours.phone.hangup(our_call(ours))


async def hang_up(ours: Agent, _sipp: Sipp) -> None:
    """Hang up once somebody has answered."""
    await ours.until_state(our_call(ours), CallState.TALKING)
    await ours.phone.hangup(our_call(ours))


async def hang_up_when_the_other_is_gone(ours: Agent, sipp: Sipp) -> None:
    """Hang up once SIPp has got rid of the second fork."""
    await ours.until_state(our_call(ours), CallState.TALKING)
    await until(lambda: len(sipp.came("BYE")) > 0, "the second fork is hung up", peers=(sipp,))
    await ours.phone.hangup(our_call(ours))


async def hear_early_and_hang_up(ours: Agent, sipp: Sipp) -> None:
    """Hear voices before the answer."""
    await ours.until_state(our_call(ours), CallState.EARLY)
    await hang_up(ours, sipp)


async def hold_and_hang_up(ours: Agent, _sipp: Sipp) -> None:
    """Put SIPp on hold, and hang up once that is done."""
    await ours.until_state(our_call(ours), CallState.TALKING)
    await ours.phone.hold(our_call(ours))
    await ours.until_state(our_call(ours), CallState.HELD)
    await ours.phone.hangup(our_call(ours))


async def send_elsewhere(ours: Agent, _sipp: Sipp) -> None:
    """Transfer SIPp to somebody else."""
    await ours.until_state(our_call(ours), CallState.TALKING)
    await ours.phone.transfer(our_call(ours), "sip:third@127.0.0.1:9")
    await ours.until(
        lambda: [told.state for told in ours.told(TransferProgress)][-1:] == [TransferState.SUCCEEDED], "it succeeds"
    )


def refusing(name: str, code: int, outcome: CallOutcome, *headers: str) -> Flow:
    """Return a flow in which SIPp refuses."""
    return Flow(name, (CALL, respond(code, *headers), expect("ACK")), outcome)


FLOWS = (
    Flow(
        "a 200 after our CANCEL is acknowledged and hung up",
        (
            *(CALL, respond(180), expect("CANCEL"), respond(200)),
            *(respond(200, to="call", body=sdp()), expect("ACK"), *ENDED),
        ),
        CallOutcome.CANCELLED,
        act=hang_up_when_it_rings,
    ),
    Flow(
        "our CANCEL waits for a first answer",
        (
            *(CALL, pause(300), respond(100, to="call", tag=""), expect("CANCEL"), respond(200)),
            *(respond(487, to="call"), expect("ACK")),
        ),
        CallOutcome.CANCELLED,
        act=hang_up_at_once,
    ),
    Flow(
        "the first fork that answers wins and the second is hung up",
        (
            *(CALL, respond(180, tag="one"), respond(180, to="call", tag="two")),
            *(respond(200, to="call", tag="one", body=sdp()), expect("ACK", ("To", "tag=one"))),
            *(respond(200, to="call", tag="two", body=sdp()), expect("ACK", ("To", "tag=two"))),
            *(expect("BYE", ("To", "tag=two")), respond(200, tag="")),
            *(expect("BYE", ("To", "tag=one")), respond(200, tag="")),
        ),
        act=hang_up_when_the_other_is_gone,
    ),
    Flow(
        "voices of two forks come before the answer of the second",
        (
            *(CALL, respond(183, tag="one", body=sdp()), respond(183, to="call", tag="two", body=sdp())),
            *(pause(300), respond(200, to="call", tag="two", body=sdp()), expect("ACK", ("To", "tag=two"))),
            *(expect("BYE", ("To", "tag=two")), respond(200, tag="")),
        ),
        act=hear_early_and_hang_up,
    ),
    Flow(
        "a reliable 183 is acknowledged",
        (
            *(CALL, respond(183, "Require: 100rel", "RSeq: 7001", body=sdp())),
            *(expect("PRACK", ("RAck", "7001 1 INVITE")), respond(200, tag="")),
            *(respond(200, to="call"), expect("ACK"), *ENDED),
        ),
        act=hang_up,
    ),
    Flow(
        "a redirection to the same place is followed",
        (
            *(CALL, respond(302, "Contact: <sip:other@[local_ip]:[local_port]>"), expect("ACK")),
            *(CALL, respond(200, body=sdp()), expect("ACK"), *ENDED),
        ),
        act=hang_up,
        times={"INVITE sip:other@": 1},
    ),
    refusing("a redirection elsewhere is not followed", 302, CallOutcome.FAILED, "Contact: <sip:other@192.0.2.9>"),
    refusing("a server that is busy is told of", 503, CallOutcome.UNREACHABLE, "Retry-After: 30"),
    refusing("somebody who is busy is told of", 486, CallOutcome.BUSY),
    Flow(
        "two logins one after the other are both answered",
        (
            *(CALL, respond(401, 'WWW-Authenticate: Digest realm="far", nonce="n1", qop="auth"'), expect("ACK")),
            expect("INVITE", ("Authorization", 'realm="far"'), ("CSeq", "2 INVITE")),
            *(respond(407, 'Proxy-Authenticate: Digest realm="near", nonce="n2", algorithm=SHA-256'), expect("ACK")),
            expect("INVITE", ("Authorization", 'realm="far"'), ("Proxy-Authorization", 'realm="near"')),
            *(respond(200, body=sdp()), expect("ACK"), *ENDED),
        ),
        act=hang_up,
    ),
    Flow(
        "a session that the far end finds too short is asked for anew",
        (
            *(CALL, respond(422, "Min-SE: 2000"), expect("ACK")),
            expect("INVITE", ("Session-Expires", "2000"), ("Min-SE", "2000")),
            *(respond(200, "Session-Expires: 2000;refresher=uas", "Require: timer", body=sdp()), expect("ACK"), *ENDED),
        ),
        act=hang_up,
    ),
    Flow(
        "a BYE that crosses a BYE is answered, both are",
        (
            *(*TAKEN, expect("BYE", save="bye")),
            *(inside_ours("BYE", 1), expect(200, ("CSeq", "BYE")), respond(200, to="bye", tag="")),
        ),
        act=hang_up,
    ),
    Flow(
        "re-INVITEs that cross are both refused, and ours is sent again",
        (
            *(*TAKEN, expect("INVITE", save="ours")),
            *(inside_ours("INVITE", 1, body=sdp(2), via=B), expect(491)),
            request(
                "ACK",
                uri="[next_url]",
                to="[$caller]",
                from_="<sip:sipp@[local_ip]:[local_port]>;tag=[pid]to[call_number]",
                via=B,
            ),
            *(respond(491, to="ours", tag=""), expect("ACK")),
            *(expect("INVITE"), respond(200, tag="", body=sdp(2, "a=recvonly\n")), expect("ACK"), *ENDED),
        ),
        act=hold_and_hang_up,
    ),
    Flow(
        "a transfer is followed by its news",
        (
            *(*TAKEN, expect("REFER", ("Refer-To", "sip:third@127.0.0.1:9")), respond(202, tag="")),
            inside_ours(
                "NOTIFY", 1, "Event: refer", "Subscription-State: active;expires=60", body="SIP/2.0 100 Trying\n"
            ),
            expect(200, ("CSeq", "NOTIFY")),
            inside_ours(
                "NOTIFY", 2, "Event: refer", "Subscription-State: terminated;reason=noresource", body="SIP/2.0 200 OK\n"
            ),
            # The call is over by the news: our BYE may come before the answer to it.
            *(expect(200, ("CSeq", "NOTIFY")), *ENDED),
        ),
        act=send_elsewhere,
    ),
    Flow(
        "a far end that hangs up is told so",
        (*TAKEN, pause(100), inside_ours("BYE", 1), expect(200, ("CSeq", "BYE"))),
    ),
)
