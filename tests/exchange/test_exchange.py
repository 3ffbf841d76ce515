"""Our own telephone, and an independent one, at the development exchange over real loopback sockets."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from custom_components.sip_ua.net.audio import ToneSource
from custom_components.sip_ua.sip.account import Account, ServerAddress, Transport
from custom_components.sip_ua.sip.errors import LocalProtocolError
from custom_components.sip_ua.sip.events import (
    CallOutcome,
    CallState,
)
from scripts.exchange.exchange import HOST, Exchange
from scripts.exchange.extension import CallReport
from scripts.exchange.registrar import ALGORITHMS
from tests.interop.agent import Agent, network
from tests.interop.peers import Baresip, until
from tests.interop.tone import Tone, measure, read_wav

PASSWORD = "telephone-1001"
USERS = {"1001": PASSWORD, "1002": "telephone-1002"}
HEARD_SECONDS = 1.0


class Desk:
    """An exchange that runs, and its reports of calls that ended."""

    def __init__(self, algorithms: tuple[str, ...]) -> None:
        self.reports: list[CallReport] = []
        self.exchange = Exchange(USERS, algorithms=algorithms, on_ended=self.reports.append)

    def account(self, transport: Transport = Transport.UDP, number: str = "1001") -> Account:
        """Return the settings of a user."""
        return Account(
            number=number,
            domain="exchange.test",
            password=USERS[number],
            server=ServerAddress(HOST, self.exchange.port),
            transport=transport,
            network=network(),
        )

    async def report(self, extension: str) -> CallReport:
        """Wait for the report of the first call of an extension."""

        def found() -> list[CallReport]:
            return [report for report in self.reports if report.extension == extension]

        return (await until(found, f"the end of a call at {extension}"))[0]


@pytest.fixture
async def desk(request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    """Run an exchange; a test may choose its digest algorithms."""
    desk = Desk(getattr(request, "param", ALGORITHMS))
    await desk.exchange.start()
    yield desk
    await desk.exchange.stop()


@pytest.fixture(params=[Transport.UDP, Transport.TCP], ids=["udp", "tcp"])
async def agent(request: pytest.FixtureRequest, desk: Desk) -> AsyncIterator[Agent]:
    """Run a telephone that is registered."""
    async with Agent(desk.account(request.param)) as agent:
        await agent.until_registered()
        yield agent


async def recorded_tone(agent: Agent, call_id: str, path: Path) -> Tone:
    """Record the far end of a call for a while and measure its tone."""
    agent.phone.record(call_id, path)
    await agent.until(
        lambda: path.exists() and len(read_wav(path)[0]) > HEARD_SECONDS * 8000, "a second of recorded voice"
    )
    agent.phone.stop_recording(call_id)
    return measure(*read_wav(path))


async def test_a_telephone_registers_and_unregisters(desk: Desk, agent: Agent) -> None:
    (binding,) = desk.exchange.bindings("1001")

    assert binding.contact.user == "1001"
    await agent.phone.stop()
    assert desk.exchange.bindings("1001") == []


async def test_600_echoes_a_tone(desk: Desk, agent: Agent, tmp_path: Path) -> None:
    call_id = await agent.phone.dial("600", source=ToneSource(1000.0, level=-10.0))
    await agent.until_state(call_id, CallState.TALKING)

    tone = await recorded_tone(agent, call_id, tmp_path / "echo.wav")
    await agent.phone.hangup(call_id)

    assert tone.frequency_hz == pytest.approx(1000.0, abs=2.0)
    assert tone.level_dbfs == pytest.approx(-13.0, abs=1.0)
    report = await desk.report("600")
    assert report.call.outcome is CallOutcome.ANSWERED
    assert report.statistics is not None
    assert min(report.statistics.packets_sent, report.statistics.packets_received) > HEARD_SECONDS * 50


async def test_601_plays_a_tone_and_digits_go_both_ways(desk: Desk, agent: Agent) -> None:
    call_id = await agent.phone.dial("601")
    await agent.until_state(call_id, CallState.TALKING)
    agent.phone.send_digits(call_id, "*42#")

    await agent.until(lambda: agent.digits == "1234", "the digits of the exchange")
    await agent.phone.hangup(call_id)

    assert (await desk.report("601")).digits == "*42#"


async def test_605_is_busy(desk: Desk, agent: Agent) -> None:
    call = await agent.until_ended(await agent.phone.dial("605"))

    assert (call.outcome, call.code) == (CallOutcome.BUSY, 486)


async def test_606_rings_until_the_caller_gives_up(desk: Desk, agent: Agent) -> None:
    call_id = await agent.phone.dial("606")
    await agent.until_state(call_id, CallState.ALERTING)

    await agent.phone.hangup(call_id)

    assert (await agent.until_ended(call_id)).outcome is CallOutcome.CANCELLED
    assert (await desk.report("606")).call.outcome is CallOutcome.MISSED


async def test_an_unknown_number_is_not_found(desk: Desk, agent: Agent) -> None:
    assert (await agent.until_ended(await agent.phone.dial("699"))).code == 404


async def test_610_calls_back_as_grandma(desk: Desk, agent: Agent, tmp_path: Path) -> None:
    asked = await agent.phone.dial("610")
    assert (await agent.until_ended(asked)).outcome is CallOutcome.ANSWERED

    incoming = await agent.until_incoming()
    await agent.phone.answer(incoming.call.id)
    await agent.until_state(incoming.call.id, CallState.TALKING)
    tone = await recorded_tone(agent, incoming.call.id, tmp_path / "grandma.wav")
    await agent.phone.hangup(incoming.call.id)

    assert (incoming.call.remote.name, incoming.call.remote.number) == ("Grandma", "555610")
    assert tone.frequency_hz == pytest.approx(1000.0, abs=2.0)
    assert (await desk.report("555610")).call.outcome is CallOutcome.ANSWERED


async def test_a_number_that_is_not_registered_cannot_be_called(desk: Desk) -> None:
    with pytest.raises(LocalProtocolError, match="1002 is not registered"):
        desk.exchange.call("1002", "555610")


async def test_stopping_hangs_up_and_frees_the_port(desk: Desk, agent: Agent) -> None:
    call_id = await agent.phone.dial("600")
    await agent.until_state(call_id, CallState.TALKING)
    port = desk.exchange.port

    await desk.exchange.stop()

    assert (await agent.until_ended(call_id)).outcome is CallOutcome.ANSWERED
    successor = Exchange(USERS)
    await successor.start(port)
    await successor.stop()


@pytest.mark.interop
@pytest.mark.peer("baresip")
@pytest.mark.parametrize("desk", [("MD5",)], ids=["md5"], indirect=True)  # it knows no other algorithm
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_an_independent_telephone_registers_and_hears_its_echo(
    desk: Desk, tmp_path: Path, transport: str
) -> None:
    address = f"{HOST}:{desk.exchange.port}"
    baresip = Baresip(
        tmp_path, user="1002", password=USERS["1002"], registrar=address, tone_hz=440.0, transport=transport
    )
    async with baresip:
        assert len(desk.exchange.bindings("1002")) == 1
        await baresip.dial(f"sip:600@{address};transport={transport}")
        await baresip.until_event("CALL_ESTABLISHED")
        tone = await baresip.until_heard(HEARD_SECONDS)
        await baresip.hangup()
        report = await desk.report("600")

    assert tone.frequency_hz == pytest.approx(440.0, abs=2.0)
    assert report.call.remote.number == "1002"
