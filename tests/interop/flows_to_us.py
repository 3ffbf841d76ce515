"""Flows in which SIPp calls: crossings, losses and refusals, message for message (RFC 3261, 3262, 3311, 3891, 4028)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from custom_components.sip_ua.sip.account import Timing
from custom_components.sip_ua.sip.events import CallOutcome, CallState, DigitReceived

from .agent import Agent
from .peers import Sipp, until
from .steps import (
    AUDIO,
    CALLED,
    branch,
    cancel,
    expect,
    inside,
    invite,
    pause,
    refused,
    request,
    respond,
    sdp,
)

type Act = Callable[[Agent, Sipp], Awaitable[None]]


async def nothing(_ours: Agent, _sipp: Sipp) -> None:
    """Let things happen."""


async def the_call(ours: Agent) -> str:
    """Wait until the only call is connected and return its id."""
    call_id = (await ours.until_incoming()).call.id
    await ours.until_state(call_id, CallState.TALKING)
    return call_id


async def hang_up(ours: Agent, sipp: Sipp) -> None:
    """Hang up once SIPp has acknowledged."""
    call_id = await the_call(ours)
    await until(lambda: len(sipp.sent("ACK")) > 0, "SIPp acknowledges", peers=(sipp,))
    await ours.phone.hangup(call_id)


async def hold(ours: Agent, sipp: Sipp) -> None:
    """Put SIPp on hold once it has acknowledged."""
    call_id = await the_call(ours)
    await until(lambda: len(sipp.sent("ACK")) > 0, "SIPp acknowledges", peers=(sipp,))
    await ours.phone.hold(call_id)


async def answer_after_the_second_prack(ours: Agent, sipp: Sipp) -> None:
    """Answer once we have taken the acknowledgement of our ringing."""
    call_id = (await ours.until_incoming()).call.id
    await until(
        lambda: any("CSeq: 3 PRACK" in message for message in sipp.received), "SIPp acknowledges", peers=(sipp,)
    )
    await ours.phone.answer(call_id)


async def answer_after_the_second_ringing(ours: Agent, sipp: Sipp) -> None:
    """Answer once SIPp has been told twice that it rings."""
    call_id = (await ours.until_incoming()).call.id
    await until(lambda: sum("SIP/2.0 180" in message for message in sipp.received) > 1, "it rings again", peers=(sipp,))
    await ours.phone.answer(call_id)


async def hear_a_digit(ours: Agent, _sipp: Sipp) -> None:
    """Expect one digit."""
    await ours.until(lambda: [told.digit for told in ours.told(DigitReceived)] == ["5"], "the digit arrives")


@dataclass(frozen=True, slots=True)
class Flow:
    """What SIPp does step by step, what we do meanwhile, and how that ends.

    `answer` tells that we answer at once. `outcome` None means that nothing ever rang. `times` are lines that SIPp must
    have got at least so often, repetitions counted; `repeats` tells that there are some.
    """

    name: str
    steps: tuple[str, ...]
    outcome: CallOutcome | None = CallOutcome.ANSWERED
    answer: bool = True
    act: Act = nothing
    times: dict[str, int] = field(default_factory=dict)
    repeats: bool = False
    timing: Timing = field(default_factory=Timing)


ANSWERED = (expect(100, optional=True), expect(180, optional=True), expect(200))
CONNECTED = (invite(), *ANSWERED, inside("ACK", 1))
A, B, C = branch("a"), branch("b"), branch("c")


def over(sequence: int = 2) -> tuple[str, ...]:
    """Return how SIPp hangs up."""
    return inside("BYE", sequence), expect(200, ("CSeq", "BYE"))


def refusal(code: int, *checks: tuple[str, str], call: str) -> tuple[str, ...]:
    """Return how a call of SIPp that was sent in transaction A is refused."""
    return call, expect(100, optional=True), expect(code, *checks), refused(A)


FLOWS = (
    Flow(
        "the first ACK is lost: the 200 is repeated and the call lives on",
        (invite(), *ANSWERED, pause(900), inside("ACK", 1), *over()),
        times={"SIP/2.0 200": 2},
        repeats=True,
    ),
    Flow(
        "an INVITE that is repeated rings once",
        (
            *(invite(via=A), expect(100, optional=True), expect(180), invite(via=A)),
            *(expect(200), inside("ACK", 1), *over()),
        ),
        answer=False,
        act=answer_after_the_second_ringing,
        times={"SIP/2.0 180": 2},
        repeats=True,
    ),
    Flow(
        "an INVITE that came over two ways rings once",
        (
            *(invite(via=A), expect(100, optional=True), expect(180)),
            *(invite(via=B), expect(482), refused(B)),
            *(cancel(A), expect(200, ("CSeq", "CANCEL")), expect(487), refused(A)),
        ),
        CallOutcome.MISSED,
        answer=False,
    ),
    Flow(
        "a CANCEL that crosses the 200 changes nothing",
        (invite(via=A), *ANSWERED, cancel(A), expect(200, ("CSeq", "CANCEL")), inside("ACK", 1), *over()),
    ),
    Flow("a CANCEL of nothing is told so", (cancel(A), expect(481)), None),
    Flow(
        "a BYE before the ACK ends the call",
        (invite(), *ANSWERED, *over(), inside("ACK", 1)),
    ),
    Flow(
        "a BYE that crosses a BYE is answered, both are",
        (
            *CONNECTED,
            expect("BYE", save="bye"),
            *over(),
            respond(200, to="bye", tag=""),
        ),
        act=hang_up,
    ),
    Flow(
        "a BYE before the answer ends the INVITE too",
        (invite(via=A), expect(100, optional=True), expect(180), *over(), expect(487), refused(A)),
        CallOutcome.MISSED,
        answer=False,
    ),
    Flow("a BYE of no call is told so", (request("BYE", to=f"{CALLED};tag=nobody"), expect(481)), None),
    Flow(
        "re-INVITEs that cross are both refused, and ours is sent again",
        (
            *CONNECTED,
            expect("INVITE", save="ours"),
            inside("INVITE", 2, body=sdp(2), via=B),
            *(expect(491), refused(B, 2), respond(491, to="ours", tag=""), expect("ACK")),
            *(expect("INVITE"), respond(200, tag="", body=sdp(3, "a=recvonly\n")), expect("ACK")),
            *over(3),
        ),
        act=hold,
    ),
    Flow(
        "a re-INVITE that is refused with 491 is sent again",
        (
            *CONNECTED,
            *(expect("INVITE"), respond(491, tag=""), expect("ACK")),
            *(expect("INVITE"), respond(200, tag="", body=sdp(2, "a=recvonly\n")), expect("ACK")),
            *over(),
        ),
        act=hold,
    ),
    Flow(
        "an UPDATE with an offer that crosses our re-INVITE is refused",
        (
            *CONNECTED,
            expect("INVITE", save="ours"),
            *(inside("UPDATE", 2, body=sdp(2)), expect(491)),
            *(respond(200, to="ours", tag="", body=sdp(2, "a=recvonly\n")), expect("ACK")),
            *over(3),
        ),
        act=hold,
    ),
    Flow(
        "an UPDATE without an offer is answered",
        (*CONNECTED, inside("UPDATE", 2), expect(200, ("CSeq", "UPDATE")), *over(3)),
    ),
    Flow(
        "an INVITE without an offer gets ours",
        (
            *(invite(body=""), expect(100, optional=True), expect(180, optional=True)),
            *(expect(200, ("Content-Type", "application/sdp")), inside("ACK", 1, body=sdp()), *over()),
        ),
    ),
    Flow(
        "a re-INVITE without an offer gets ours",
        (
            *CONNECTED,
            *(inside("INVITE", 2), expect(100, optional=True), expect(200, ("Content-Type", "application/sdp"))),
            *(inside("ACK", 2, body=sdp(2)), *over(3)),
        ),
    ),
    Flow(
        "a re-INVITE whose codecs we lack is refused and the call lives on",
        (
            *CONNECTED,
            inside("INVITE", 2, body=sdp(2, audio="m=audio [media_port] RTP/AVP 3\n"), via=B),
            *(expect(100, optional=True), expect(488, ("Warning", "30[45]")), refused(B, 2)),
            *(inside("OPTIONS", 3), expect(200, ("CSeq", "OPTIONS")), *over(4)),
        ),
    ),
    Flow(
        "a request whose number is too low is refused",
        (*CONNECTED, inside("OPTIONS", 7), expect(200), inside("OPTIONS", 5), expect(500), *over(8)),
    ),
    Flow(
        "a reliable 180 is repeated until its PRACK, and others than that are refused",
        (
            invite("Require: 100rel"),
            expect(100, optional=True),
            expect(180, ("Require", "100rel"), remember=("RSeq", "([0-9]+)", "rseq")),
            pause(900),
            *(inside("PRACK", 2, "RAck: 1 1 INVITE"), expect(481)),
            *(inside("PRACK", 3, "RAck: [$rseq] 1 INVITE"), expect(200, ("CSeq", "PRACK"))),
            *(expect(200, ("CSeq", "INVITE")), inside("ACK", 1), *over(4)),
        ),
        answer=False,
        act=answer_after_the_second_prack,
        times={"SIP/2.0 180": 2},
        repeats=True,
    ),
    Flow(
        "an INVITE with Replaces takes the place of its call",
        (
            *(invite(), expect(100, optional=True), expect(180, optional=True)),
            expect(200, remember=("To", "tag=([^;>]+)", "tag")),
            inside("ACK", 1),
            request(
                "INVITE",
                "Replaces: [call_id];to-tag=[$tag];from-tag=[pid]from[call_number]",
                call_id="second///[call_id]",
                via=B,
                body=sdp(),
            ),
            *(expect(100, optional=True), expect(200, remember=("To", "tag=([^;>]+)", "other"))),
            inside("ACK", 1, tag="[$other]", call_id="second///[call_id]"),
            *(expect("BYE"), respond(200, tag="")),
            *(inside("BYE", 2, tag="[$other]", call_id="second///[call_id]"), expect(200)),
        ),
    ),
    Flow(
        "an INVITE with Replaces of no call is refused",
        refusal(481, call=invite("Replaces: nothing@nowhere;to-tag=a;from-tag=b", via=A)),
        None,
    ),
    Flow(
        "a session that is too short is refused with ours",
        refusal(422, ("Min-SE", "120"), call=invite("Supported: timer", "Session-Expires: 95", via=A)),
        None,
        timing=Timing(session_expires=300, min_se=120),
    ),
    Flow(
        "an extension that we lack is refused by its name",
        refusal(420, ("Unsupported", "teleport"), call=invite("Require: teleport", via=A)),
        None,
    ),
    Flow("a method that nobody knows is refused", (request("FROBNICATE"), expect(405, ("Allow", "INVITE"))), None),
    Flow(
        "a body that is no description is refused",
        refusal(415, ("Accept", "application/sdp"), call=invite("Content-Type: text/plain", body="hello\n", via=A)),
        None,
    ),
    Flow(
        "an offer whose codecs we lack is refused",
        refusal(488, ("Warning", "30[45]"), call=invite(body=sdp(audio="m=audio [media_port] RTP/AVP 3\n"), via=A)),
        None,
    ),
    Flow(
        "a picture that is offered too is refused in its line and the voice goes on",
        (
            invite(body=sdp(audio=AUDIO + "m=video 5004 RTP/AVP 99\na=rtpmap:99 H264/90000\n")),
            *(*ANSWERED, inside("ACK", 1), *over()),
        ),
        times={"m=video 0 RTP/AVP": 1},
    ),
    Flow(
        "a scheme that we lack is refused",
        (request("INVITE", uri="weird:thing", via=A), expect(100, optional=True), expect(416), refused(A)),
        None,
    ),
    Flow("the last hop may be the last one that is left", (invite(forwards=0), *ANSWERED, inside("ACK", 1), *over())),
    Flow(
        "OPTIONS tells what we can do",
        (request("OPTIONS", forwards=0), expect(200, ("Allow", "INVITE"), ("Accept", "application/sdp"))),
        None,
    ),
    Flow(
        "a digit that comes by INFO is heard",
        (*CONNECTED, inside("INFO", 2, body="Signal=5\nDuration=160\n"), expect(200, ("CSeq", "INFO")), *over(3)),
        act=hear_a_digit,
    ),
    Flow(
        "a transfer is refused where the owner does not allow it",
        (*CONNECTED, inside("REFER", 2, "Refer-To: <sip:third@[remote_ip]:9>"), expect(603), *over(3)),
    ),
)
