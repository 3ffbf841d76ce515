"""Bad input on the wire against a phone in a running Home Assistant: nothing logged, changed, or told to strangers."""

import asyncio
import contextlib
import logging
import re
import time
from collections import Counter
from itertools import islice

import pytest
from homeassistant.core import HomeAssistant, State

from custom_components.sip_ua.sip import admission
from custom_components.sip_ua.sip.calls import MAX_STRANGERS
from custom_components.sip_ua.sip.transaction import Timers

from . import hostile
from .agent import Agent, direct_account
from .home import Home, set_up
from .peers import LOOPBACK
from .wire import STRANGER, StreamWire, Wire, acknowledge, answer, contact_of, offer, request, stream_wire, wire

pytestmark = [pytest.mark.interop]

FLOOD = 4_000
"""Requests of a flood: far more than a phone answers to strangers."""
SENDINGS = 4
"""How often a refusal may go out that a stranger does not acknowledge, where a server's would be repeated 11 times."""
ASKED = admission.STRANGER_RATE, admission.STRANGER_BURST
RUNG = admission.STRANGER_CALL_RATE, admission.STRANGER_CALL_BURST
BATCH = 8
"""Datagrams sent before the phone must show that it has read them: as many as the kernel's buffer surely holds."""


def values(home: Home) -> dict[str, tuple[str, dict[str, object]]]:
    """Return the state and attributes of every entity of the account."""

    def value(state: State) -> tuple[str, dict[str, object]]:
        return state.state, dict(state.attributes)

    return {entity_id: value(state) for entity_id, state in home.states().items()}


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged as a warning or worse, exceptions above all."""
    return [
        f"{record.levelname} {record.name}: {record.getMessage()}"
        for record in caplog.records
        if record.levelno >= logging.WARNING and not record.getMessage().startswith(NOT_OURS)
    ]


STREAM_STEP = 7
"""A connection for each seventh of the bad messages: a kind is the same in each."""
NOT_OURS = ("We found a custom integration", "Executing <")
"""What Home Assistant says of each custom integration, and asyncio of a machine that is slow."""


async def phone_of(
    server: Wire | StreamWire, hass: HomeAssistant, transport: str = "udp"
) -> tuple[Home, tuple[str, int]]:
    """Set up an account that is registered at `server`, and return its address on the wire too."""
    home = await set_up(hass, port=server.port, password="hapw", transport=transport)
    await home.until_state("registration", "registered")
    assert server.phone is not None
    return home, server.phone


@pytest.mark.parametrize("kind", hostile.KINDS)
@pytest.mark.parametrize("from_server", [True, False], ids=["from the server", "from a stranger"])
async def test_bad_input_changes_nothing(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture, kind: str, from_server: bool
) -> None:
    async with wire(registrar=True) as server, wire(STRANGER) as stranger:
        home, phone = await phone_of(server, hass)
        before = values(home)
        assert before
        caplog.clear()
        sender = server if from_server else stranger
        sent = 0
        for sent, datagram in enumerate(hostile.KINDS[kind](phone, sender.address), 1):
            sender.send(datagram, phone)
            if sent % BATCH == 0:
                await server.until_alive(phone)
        await server.until_alive(phone)
        await hass.async_block_till_done()

        assert sent > 10
        assert values(home) == before
        assert home.events == []
        assert complaints(caplog) == []
        assert stranger.received == []

        # It is as good a telephone as before.
        invite = request(
            "INVITE",
            phone,
            server.address,
            call_id="after@test",
            extra="Content-Type: application/sdp\r\n",
            body=offer(LOOPBACK, 4000),
        )
        server.send(invite, phone)
        await home.until_event("incoming")
        server.send(
            invite.partition(b"Content-Type")[0].replace(b"INVITE", b"CANCEL") + b"Content-Length: 0\r\n\r\n", phone
        )
        assert (await server.until_answer("after@test", "CANCEL")).startswith(b"SIP/2.0 200")
        refused = await server.until_answer("after@test", "INVITE")
        await home.until_event("missed")
        assert refused


@pytest.mark.parametrize("kind", hostile.KINDS)
@pytest.mark.parametrize("host", [LOOPBACK, STRANGER], ids=["from the server's host", "from a stranger"])
async def test_bad_streams_change_nothing(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture, kind: str, host: str
) -> None:
    async with stream_wire() as server:
        home, phone = await phone_of(server, hass, transport="tcp")
        before = values(home)
        registers = len(server.requests("REGISTER"))
        caplog.clear()
        told = bytearray()
        for data in islice(hostile.KINDS[kind](phone, f"{host}:5060"), 0, None, STREAM_STEP):
            reader, writer = await asyncio.open_connection(*phone, local_addr=(host, 0))
            # The phone may have closed it long before the end, a stranger's at once.
            with contextlib.suppress(OSError):
                writer.write(data.replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP"))
                writer.write_eof()
                told += await reader.read()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        await server.until_alive()
        await hass.async_block_till_done()

        assert values(home) == before
        assert home.events == []
        assert complaints(caplog) == []
        assert len(server.requests("REGISTER")) == registers
        if host == STRANGER:
            assert not told


async def test_connections_without_a_word_do_not_keep_the_server_out(hass: HomeAssistant) -> None:
    async with stream_wire() as server, contextlib.AsyncExitStack() as stack:
        _, phone = await phone_of(server, hass, transport="tcp")
        for number in range(80):
            _, writer = await asyncio.open_connection(*phone, local_addr=(f"127.0.1.{number // 4 + 1}", 0))
            stack.callback(writer.close)
        assert await server.until_alive()
        reader, writer = await asyncio.open_connection(*phone, local_addr=(LOOPBACK, 0))
        stack.callback(writer.close)
        writer.write(request("OPTIONS", phone, f"{LOOPBACK}:{server.port}", via="TCP"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"SIP/2.0 200 ")


async def test_a_stranger_cannot_disturb_a_call(hass: HomeAssistant, caplog: pytest.LogCaptureFixture) -> None:
    async with wire(registrar=True) as server, wire(STRANGER) as stranger:
        home, phone = await phone_of(server, hass)
        call_id = "talking@test"
        extra = "Content-Type: application/sdp\r\n"
        invite = request("INVITE", phone, server.address, call_id=call_id, extra=extra, body=offer(LOOPBACK, 4000))
        server.send(invite, phone)
        await home.until_event("incoming")
        await home.call("answer")
        accepted = await server.until_answer(call_id, "INVITE", code=200)
        server.send(acknowledge(accepted, phone), phone)
        await home.until_state("call_state", "talking")
        caplog.clear()
        before = values(home)

        for method in ("BYE", "CANCEL", "INVITE", "UPDATE", "INFO", "ACK", "REFER"):
            stranger.send(request(method, phone, stranger.address, call_id=call_id), phone)
            # The tags are what a stranger cannot know.
            stranger.send(
                request(method, phone, stranger.address, call_id=call_id).replace(
                    f"To: <sip:ha@{phone[0]}>".encode(), f"To: <sip:ha@{phone[0]}>;tag=guessed".encode()
                ),
                phone,
            )
        for kind in hostile.KINDS.values():
            for data in islice(kind(phone, stranger.address), BATCH):
                stranger.send(data, phone)
            await server.until_alive(phone)
        assert stranger.received == []
        assert complaints(caplog) == []
        assert values(home) == before
        assert home.state("call_state").state == "talking"
        await home.call("hangup")
        bye = await server.until_request("BYE")
        server.send(answer(bye, "200 OK", to_tag=""), phone)
        await home.until_event("ended")


@pytest.mark.parametrize("method", ["INVITE", "OPTIONS", "BYE", "REGISTER", "MESSAGE", "FROBNICATE"])
async def test_a_stranger_gets_no_answer_and_rings_nothing(hass: HomeAssistant, method: str) -> None:
    async with wire(registrar=True) as server, wire(STRANGER) as stranger:
        home, phone = await phone_of(server, hass)
        for _ in range(5):
            stranger.send(request(method, phone, stranger.address), phone)
        await server.until_alive(phone)
        assert stranger.received == []
        assert home.events == []


async def test_an_unknown_method_from_the_server_is_refused_with_what_is_allowed(hass: HomeAssistant) -> None:
    async with wire(registrar=True) as server:
        _, phone = await phone_of(server, hass)
        server.send(request("FROBNICATE", phone, server.address, call_id="unknown@test"), phone)
        refusal = await server.until_answer("unknown@test", "FROBNICATE")
        assert refusal.startswith(b"SIP/2.0 405 ")
        assert b"\r\nAllow: " in refusal
        assert b"INVITE" in refusal.partition(b"\r\nAllow: ")[2].partition(b"\r\n")[0]


async def test_options_from_the_server_tells_what_the_phone_can_do(hass: HomeAssistant) -> None:
    async with wire(registrar=True) as server:
        _, phone = await phone_of(server, hass)
        told = await server.until_alive(phone)
        assert told.startswith(b"SIP/2.0 200 ")
        assert b"\r\nAllow: " in told


@pytest.mark.parametrize(
    ("method", "extra", "copies", "limit"),
    [
        ("OPTIONS", "", 1, ASKED),
        ("INVITE", "", SENDINGS, RUNG),
        ("INVITE", "Require: unheard-of\r\n", SENDINGS, RUNG),
    ],
    ids=["asked", "rung", "refused"],
)
async def test_a_flood_at_a_phone_that_anybody_may_call_gets_fewer_bytes_than_it_sends(
    method: str, extra: str, copies: int, limit: tuple[float, int]
) -> None:
    """Few are answered, and even with all the repetitions of refusals that nobody acknowledges it is less than came."""
    rate, burst = limit
    account, timers = direct_account(), Timers(t1=0.01, t2=0.08)
    phone = LOOPBACK, account.network.local_port
    async with Agent(account, timers=timers) as ours, wire(STRANGER) as stranger:
        began, sent = time.monotonic(), 0
        for number in range(FLOOD):
            data = request(method, phone, stranger.address, extra=extra)
            stranger.send(data, phone)
            sent += len(data)
            if number % BATCH == 0:
                # The phone, which tells nothing any more, reads in the same event loop.
                await asyncio.sleep(0)
        # Until the last answer has been repeated for the last time.
        await asyncio.sleep(timers.timeout + 0.1)
        answers = Counter(stranger.received)
        assert burst <= len(answers) <= burst + rate * (time.monotonic() - began) + 1
        assert max(answers.values()) <= copies
        assert sum(map(len, stranger.received)) < sent
        assert len(ours.phone.calls) <= min(len(answers), MAX_STRANGERS)


async def test_a_flood_of_strangers_is_not_amplified(hass: HomeAssistant) -> None:
    async with wire(registrar=True) as server, wire(STRANGER) as stranger:
        _, phone = await phone_of(server, hass)
        for burst in range(20):
            for _ in range(BATCH):
                stranger.send(request("INVITE", phone, stranger.address), phone)
            assert await server.until_alive(phone), burst
        assert stranger.received == []


@pytest.mark.parametrize("forger", [LOOPBACK, STRANGER], ids=["from the server's host", "from a stranger"])
@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized", "403 Forbidden", "503 Service Unavailable"])
async def test_a_final_answer_forged_while_the_phone_waits_for_one_is_not_believed(
    hass: HomeAssistant, caplog: pytest.LogCaptureFixture, forger: str, status: str
) -> None:
    """Call-ID, CSeq, tag and Contact of the forgery are right, the branch alone is guessed (RFC 3261 section 17.1.3).

    The branch is what suffices: a response is matched by it wherever it comes from, because a server may have several
    addresses, and a stranger who has not seen the request does not know it.
    """
    async with wire() as server, wire(forger) as stranger:
        home = await set_up(hass, port=server.port, password="hapw")
        pending = await server.until_request("REGISTER")
        phone, granted = contact_of(pending)
        before = values(home)
        caplog.clear()
        assert b";branch=z9hG4bK" in pending
        forged = answer(
            re.sub(rb"branch=z9hG4bK[^;\r]+", b"branch=z9hG4bKguessed", pending), status, to_tag="forged", extra=granted
        )
        for _ in range(BATCH):
            stranger.send(forged, phone)
        await server.until_alive(phone)
        await hass.async_block_till_done()
        assert values(home) == before
        assert home.state("registration").state != "registered"
        # It waits for the answer to the same request: nothing is asked anew, no login sent.
        assert set(server.requests("REGISTER")) == {pending}
        assert stranger.received == []
        assert complaints(caplog) == []
        server.send(answer(pending, "200 OK", to_tag="registrar", extra=granted), phone)
        await home.until_state("registration", "registered")
