"""What Assist and the other side of one call say to each other: question and answer in turn, until one has enough."""

import asyncio
import contextlib
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Final

from homeassistant.components.assist_pipeline import SAMPLE_RATE, PipelineEvent, PipelineEventType
from homeassistant.exceptions import HomeAssistantError

from .announcement import SPEAKING_TIMEOUT
from .const import DOMAIN, WaitFor
from .coordinator import SipUaCoordinator
from .failure_words import QUOTED
from .net.audio import AudioSource, ToneSource
from .sound import spoken_source
from .voice_language import is_goodbye

LONGEST_CONVERSATION: Final = 1800.0
TURN_TIMEOUT: Final = 60.0
"""Seconds in which a question has to be asked, understood and answered; the silence of a caller ends earlier."""

SILENT_TURNS: Final = 2
"""Turns in a row in which nothing is understood, after which nobody is there any more; one after an answer."""

FAILED_TURNS: Final = 2
"""Turns in a row that go wrong, after which the conversation is given up."""

NOTHING_SAID: Final = "stt-no-text-recognized"

GO_AHEAD: Final = ToneSource(880.0, -18.0, 0.15)
FAILURE: Final = ToneSource(330.0, -18.0, 0.4)
FAREWELL: Final = ToneSource(440.0, -18.0, 0.3)

type Pipeline = Callable[[AsyncIterable[bytes]], Awaitable[None]]
"""Runs Assist on what is heard, and tells `Turn.note` of it."""


class AssistFailedError(HomeAssistantError):
    """Assist did not work several times in a row; the text says why, for people."""

    def __init__(self, key: str, **placeholders: str) -> None:
        """Keep what the text says."""
        super().__init__(translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders)


class GoodbyeError(HomeAssistantError):
    """The caller said goodbye, which nobody has to think about."""


class Turn:
    """One question and its answer, as Assist tells of them."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self.text = ""
        self.answer = ""
        self.failure: AssistFailedError | None = None

    def note(self, event: PipelineEvent) -> None:
        """Take what Assist tells: what it understood, what it answers, what went wrong."""
        data = event.data or {}
        match event.type:
            case PipelineEventType.STT_END:
                self.text = data["stt_output"]["text"]
            case PipelineEventType.TTS_END:
                self.answer = data["tts_output"].get("token", "")
            case PipelineEventType.ERROR if data["code"] != NOTHING_SAID:
                self.failure = AssistFailedError(QUOTED, error=f"{data['message']} ({data['code']})")


class AssistCall:
    """Leads a conversation in a call that is answered; who begins it hangs up."""

    def __init__(self, coordinator: SipUaCoordinator, call_id: str, pipeline: Pipeline, *, once: bool = False) -> None:
        """Take the call, and what understands and answers; with `once` one question is all."""
        self._coordinator = coordinator
        self._call_id = call_id
        self._pipeline = pipeline
        self._once = once
        self._silent_left = SILENT_TURNS
        self._failed_left = FAILED_TURNS
        self._is_over = False
        self.was_understood = False
        self.turn = Turn()

    def note(self, event: PipelineEvent) -> None:
        """Take what Assist tells; raises GoodbyeError where it need not go on."""
        self.turn.note(event)
        self.was_understood = self.was_understood or bool(self.turn.text)
        if event.type is PipelineEventType.STT_END and not self._once:
            self._is_over = is_goodbye(self._coordinator.hass, self.turn.text)
            if self._is_over:
                raise GoodbyeError

    async def run(self) -> None:
        """Talk until somebody hangs up, says goodbye or nothing more.

        Raises AssistFailedError, and SipError where nothing can be heard or played.
        """
        talking = asyncio.ensure_future(self._talk())
        ended = asyncio.ensure_future(self._coordinator.async_wait(self._call_id, WaitFor.ENDED))
        try:
            async with asyncio.timeout(LONGEST_CONVERSATION):
                await asyncio.wait((talking, ended), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            return
        finally:
            for task in (talking, ended):
                task.cancel()
            await asyncio.gather(talking, ended, return_exceptions=True)
        if not talking.cancelled() and self._call_id in self._coordinator.calls:
            talking.result()

    async def _talk(self) -> None:
        hearing = await self._coordinator.async_hear(self._call_id, SAMPLE_RATE)
        try:
            while True:
                await self.play(GO_AHEAD)
                hearing.forget()
                await self._listen(hearing)
                if not self._once and await self._answer():
                    continue
                await self.play(FAREWELL)
                return
        finally:
            hearing.close()

    async def play(self, source: AudioSource) -> None:
        """Play a sound to its end, whether or not it could be heard."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SPEAKING_TIMEOUT):
                await self._coordinator.async_play(self._call_id, source, wait=True)

    async def _listen(self, hearing: AsyncIterable[bytes]) -> None:
        """Let Assist hear one question, and work on it."""
        self.turn = Turn()
        try:
            async with asyncio.timeout(TURN_TIMEOUT):
                await self._pipeline(hearing)
        except GoodbyeError:
            pass
        except TimeoutError:
            self.turn.failure = AssistFailedError("assist_silent", seconds=f"{TURN_TIMEOUT:g}")
        except Exception as error:  # noqa: BLE001 - whatever an engine raises, the caller must not wait for ever
            self.turn.failure = AssistFailedError(QUOTED, error=str(error) or type(error).__name__)

    async def _answer(self) -> bool:
        """Say the answer; return whether the conversation goes on."""
        turn = self.turn
        if self._is_over:
            return False
        if turn.failure is not None:
            self._failed_left -= 1
            await self.play(FAILURE)
            if not self._failed_left:
                raise turn.failure
            return True
        self._failed_left = FAILED_TURNS
        if not turn.text:
            self._silent_left -= 1
            return self._silent_left > 0
        self._silent_left = 1
        if turn.answer and (source := spoken_source(self._coordinator.hass, turn.answer)) is not None:
            await self.play(source)
        return True
