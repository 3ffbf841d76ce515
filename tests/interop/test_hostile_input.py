"""Bad input on the wire against a phone in a running Home Assistant: nothing logged, changed, or told to strangers."""

import logging

import pytest
from homeassistant.core import HomeAssistant, State

from . import hostile
from .home import Home, set_up
from .wire import STRANGER, Wire, answer, offer, request, wire

pytestmark = [pytest.mark.interop]

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
        if record.levelno >= logging.WARNING and not record.getMessage().startswith(SETUP_WARNINGS)
    ]


SETUP_WARNINGS = ("We found a custom integration",)


async def phone_of(server: Wire, hass: HomeAssistant) -> tuple[Home, tuple[str, int]]:
    """Set up an account that is registered at `server`, and return its address on the wire too."""
    home = await set_up(hass, port=server.port, password="hapw")
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
            body=offer("127.0.0.1", 4000),
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


async def test_a_flood_of_strangers_is_not_amplified(hass: HomeAssistant) -> None:
    async with wire(registrar=True) as server, wire(STRANGER) as stranger:
        _, phone = await phone_of(server, hass)
        for burst in range(20):
            for _ in range(BATCH):
                stranger.send(request("INVITE", phone, stranger.address), phone)
            assert await server.until_alive(phone), burst
        assert stranger.received == []


async def test_a_final_answer_forged_by_a_stranger_is_not_believed(hass: HomeAssistant) -> None:
    async with wire(registrar=True) as server, wire(STRANGER) as stranger:
        home, phone = await phone_of(server, hass)
        register = next(data for data in server.received if data.startswith(b"REGISTER "))
        for status in ("401 Unauthorized", "403 Forbidden", "200 OK", "503 Busy"):
            stranger.send(answer(register, status, to_tag="forged"), phone)
        await server.until_alive(phone)
        assert home.state("registration").state == "registered"
        assert len([data for data in server.received if data.startswith(b"REGISTER ")]) == 1
