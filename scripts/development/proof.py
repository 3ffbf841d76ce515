"""The proof: calls out and in through Home Assistant's own API, each printed as a ladder and checked at both ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from scripts.exchange.exchange import Exchange
from scripts.exchange.extension import CallReport

from .calls import Calls, Data
from .client import Client
from .terminal import DevelopError, Progress, ladder

TALK_SECONDS = 2.0
RING_SECONDS = 0.5
REPORT_SECONDS = 5.0
FEWEST_PACKETS = 50
CHIME = "media-source://media_source/local/chime.wav"
DIGITS = "*42#"


class Reports:
    """What the exchange says of the calls that ended."""

    def __init__(self) -> None:
        self._reports: dict[str, CallReport] = {}
        self._news = asyncio.Event()

    def note(self, report: CallReport) -> None:
        """Take the report of a call that has just ended."""
        self._reports[report.call.sip_call_id] = report
        self._news.set()

    async def of(self, sip_call_id: str) -> CallReport:
        """Return the report of a call, as soon as it has ended there too."""
        try:
            async with asyncio.timeout(REPORT_SECONDS):
                while sip_call_id not in self._reports:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError as error:
            raise DevelopError("the exchange does not know that the call has ended") from error
        return self._reports[sip_call_id]


class Proof:
    """Calls between the account in Home Assistant and the extensions of the exchange."""

    def __init__(self, client: Client, calls: Calls, exchange: Exchange, reports: Reports, progress: Progress) -> None:
        self._client = client
        self._calls = calls
        self._exchange = exchange
        self._progress = progress
        self._reports = reports

    async def run(self, number: str) -> None:
        """Make every call of the proof; raises DevelopError at the first that fails."""
        await self.echo()
        await self.tone_and_digits()
        await self.busy()
        await self.cancelled()
        await self.incoming(number)

    # The calls

    async def echo(self) -> None:
        """Dial the extension that answers and echoes, play a sound to it, and hang up."""
        self._progress.say("dialling 600 (echo) with sip_ua.dial, which plays a chime")
        since = self._calls.mark()
        async with self._dialled(number="600", media=CHIME) as outcome:
            await self._talk(since)
            await self._client.perform("sip_ua.hangup")
            call = await outcome
        await self._check_talk("600", since, call, await self._statistics(since))

    async def tone_and_digits(self) -> None:
        """Dial the extension that plays a tone and presses keys, and press keys too."""
        self._progress.say("dialling 601 (tone and digits), which presses 1234; pressing *42# there")
        since = self._calls.mark()
        async with self._dialled(number="601") as outcome:
            await self._calls.wait_type("answered", since)
            await self._client.perform("sip_ua.send_dtmf", digits=DIGITS)
            await self._talk(since)
            await self._client.perform("sip_ua.hangup")
            call = await outcome
        report = await self._check_talk("601", since, call, await self._statistics(since))
        heard = "".join(data["digit"] for data in self._calls.heard(since, "dtmf"))
        self._expect("the digits that Home Assistant heard", heard, "1234")
        self._expect("the digits that the exchange heard", report.digits, DIGITS)
        print(f"{'':10}digits: Home Assistant heard {heard}, the exchange heard {report.digits}", flush=True)

    async def busy(self) -> None:
        """Dial the extension that is always busy."""
        self._progress.say("dialling 605 (busy)")
        async with self._dialled(number="605") as outcome:
            call = await outcome
        self._print("605", call, "")
        self._expect("the outcome of 605", (call["outcome"], call["code"]), ("busy", 486))

    async def cancelled(self) -> None:
        """Dial the extension that never answers, and give up with the hang-up button."""
        self._progress.say("dialling 606 (nobody home), giving up with the hang-up button")
        since = self._calls.mark()
        async with self._dialled(number="606") as outcome:
            await self._calls.wait_type("ringing", since)
            await asyncio.sleep(RING_SECONDS)
            await self._calls.press("hangup")
            call = await outcome
        await self._calls.wait_step("rejected", since)
        self._print("606", call, "")
        self._expect("the outcome of 606", call["outcome"], "cancelled")

    async def incoming(self, number: str) -> None:
        """Let the exchange call, answer with the button, and hang up with the other."""
        self._progress.say("Grandma calls from the exchange; answering and hanging up with the buttons")
        since = self._calls.mark()
        self._exchange.call(number, "555610")
        call = await self._calls.wait_type("incoming", since)
        self._expect("the caller", (call["name"], call["number"]), ("Grandma", "555610"))
        await self._calls.wait_state("sensor.call_state", "ringing")
        await self._calls.press("answer")
        await self._talk(since)
        await self._calls.press("hangup")
        ended = await self._calls.wait_type("ended", since)
        await self._check_talk("555610", since, ended, await self._statistics(since))
        await self._calls.wait_state("sensor.call_state", "idle")

    # Their parts

    @asynccontextmanager
    async def _dialled(self, **data: str) -> AsyncIterator[asyncio.Task[dict[str, Any]]]:
        """Perform `sip_ua.dial` while something else goes on; its own failure is the one to be told."""
        outcome = asyncio.create_task(self._client.perform("sip_ua.dial", answer=True, wait="ended", **data))
        try:
            yield outcome
        except DevelopError:
            if outcome.done():
                outcome.result()
            raise
        finally:
            outcome.cancel()
            await asyncio.wait([outcome])

    async def _talk(self, since: int) -> None:
        """Wait until the call is up, and let the voice run."""
        await self._calls.wait_type("answered", since)
        await self._calls.wait_step("ack", since)
        await asyncio.sleep(TALK_SECONDS)

    async def _statistics(self, since: int) -> Data:
        """Return what Home Assistant tells of the voice after the end of a call."""
        statistics: Data = (await self._calls.wait_type("statistics", since))["statistics"]
        return statistics

    async def _check_talk(self, extension: str, since: int, call: Data, voice: Data) -> CallReport:
        """Print a call that was answered, and check its steps and its voice at both ends."""
        await self._calls.wait_step("bye_ok", since)
        report = await self._reports.of(call["sip_call_id"])
        self._print(extension, call, f"voice: {voice['packets_sent']} packets out, {voice['packets_received']} in")
        far_voice = report.statistics
        if far_voice is None:
            raise DevelopError(f"{extension} had no voice")
        print(
            f"{'':10}the exchange counts {far_voice.packets_received} in, {far_voice.packets_sent} out; "
            f"{voice['lost']} lost, jitter {voice['jitter_ms']:.1f} ms, {voice['send_codec']}",
            flush=True,
        )
        self._expect("the outcome", call["outcome"], "answered")
        taken = [step["step"] for step in self._calls.steps(call["call_id"])]
        expected = [step for step in ("invite", "ringing", "ok", "ack", "bye", "bye_ok") if step not in taken]
        self._expect("the steps that are missing", expected, [])
        counts = (voice["packets_sent"], voice["packets_received"], far_voice.packets_sent, far_voice.packets_received)
        if min(counts) < FEWEST_PACKETS:
            raise DevelopError(f"too few voice packets in {TALK_SECONDS:.0f} s: {counts}")
        return report

    def _print(self, extension: str, call: Data, voice: str) -> None:
        """Print the ladder of a call and how it went."""
        for line in ladder(self._calls.steps(call["call_id"]), f"{extension} at the exchange", voice):
            print(line)
        talked = "" if call["talk_duration"] is None else f", talked for {call['talk_duration']:.1f} s"
        refused = call["code"] and call["outcome"] != "answered"
        answer = f" ({call['code']} {call['reason']})" if refused else ""
        print(f"{'':10}outcome: {call['outcome']}{answer}{talked}", flush=True)

    def _expect(self, what: str, found: object, wanted: object) -> None:
        if found != wanted:
            raise DevelopError(f"{what}: expected {wanted!r}, got {found!r}")
