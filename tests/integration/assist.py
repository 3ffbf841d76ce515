"""A voice assistant whose ears, mind and mouth are played by the test, in a pipeline of Home Assistant's own."""

import array
import asyncio
from collections.abc import AsyncIterable, Callable
from typing import Any, Literal, override

from homeassistant.components import conversation, stt, tts
from homeassistant.components.assist_pipeline import async_update_pipeline
from homeassistant.components.assist_pipeline.pipeline import async_get_pipeline
from homeassistant.components.conversation.chat_log import ChatLog
from homeassistant.components.conversation.const import DATA_COMPONENT as CONVERSATION
from homeassistant.components.stt.const import DATA_COMPONENT as STT
from homeassistant.components.tts.const import DATA_COMPONENT as TTS
from homeassistant.components.tts.entity import TTSAudioRequest, TTSAudioResponse
from homeassistant.core import HomeAssistant
from homeassistant.helpers import intent
from homeassistant.setup import async_setup_component

EARS, MIND, MOUTH = "stt.ears", "conversation.mind", "tts.mouth"
RATE = 16_000

type Understood = str | Exception | Callable[[], None] | None
"""What the ears make of a question: a text, an error, or nothing; a function is called, and then they hang."""


class Ears(stt.SpeechToTextEntity):
    """Speech-to-text that listens for some seconds, keeps what it heard, and understands what it is told to."""

    def __init__(self) -> None:
        self.entity_id = EARS
        self._attr_name = "Ears"
        self.understands: list[Understood] = []
        self.seconds = 0.1
        self.heard: list[array.array[int]] = []

    @property
    @override
    def supported_languages(self) -> list[str]:
        return ["en"]

    @property
    @override
    def supported_formats(self) -> list[stt.AudioFormats]:
        return [stt.AudioFormats.WAV]

    @property
    @override
    def supported_codecs(self) -> list[stt.AudioCodecs]:
        return [stt.AudioCodecs.PCM]

    @property
    @override
    def supported_bit_rates(self) -> list[stt.AudioBitRates]:
        return [stt.AudioBitRates.BITRATE_16]

    @property
    @override
    def supported_sample_rates(self) -> list[stt.AudioSampleRates]:
        return [stt.AudioSampleRates.SAMPLERATE_16000]

    @property
    @override
    def supported_channels(self) -> list[stt.AudioChannels]:
        return [stt.AudioChannels.CHANNEL_MONO]

    @override
    async def async_process_audio_stream(
        self, metadata: stt.SpeechMetadata, stream: AsyncIterable[bytes]
    ) -> stt.SpeechResult:
        heard = array.array("h")
        self.heard.append(heard)
        async for chunk in stream:
            heard.frombytes(chunk)
            if len(heard) >= self.seconds * RATE:
                break
        understood = self.understands.pop(0) if self.understands else None
        if isinstance(understood, Exception):
            raise understood
        if callable(understood):
            understood()
            await asyncio.Event().wait()
        return stt.SpeechResult(str(understood or ""), stt.SpeechResultState.SUCCESS)


class Mind(conversation.ConversationEntity):
    """A conversation agent that answers as it is told to, and keeps what it was asked."""

    def __init__(self) -> None:
        self.entity_id = MIND
        self._attr_name = "Mind"
        self.answers: dict[str, str] = {}
        self.asked: list[conversation.ConversationInput] = []

    @property
    @override
    def supported_languages(self) -> list[str] | Literal["*"]:
        return "*"

    @override
    async def _async_handle_message(
        self, user_input: conversation.ConversationInput, chat_log: ChatLog
    ) -> conversation.ConversationResult:
        self.asked.append(user_input)
        response = intent.IntentResponse(language=user_input.language)
        response.async_set_speech(self.answers.get(user_input.text, "yes"))
        return conversation.ConversationResult(response, user_input.conversation_id)


class Mouth(tts.TextToSpeechEntity):
    """Text-to-speech that keeps what it says, in the sound that a function makes of it."""

    _attr_default_language = "en"
    _attr_supported_languages = ("en",)  # type: ignore[assignment]

    def __init__(self, sound: Callable[[str], bytes]) -> None:
        self.entity_id = MOUTH
        self._attr_name = "Mouth"
        self._sound = sound
        self.said: list[str] = []
        self.error: Exception | None = None

    @override
    async def async_stream_tts_audio(self, request: TTSAudioRequest) -> TTSAudioResponse:
        text = "".join([piece async for piece in request.message_gen])
        self.said.append(text)
        if self.error is not None:
            raise self.error
        content = await asyncio.to_thread(self._sound, text)

        async def pieces() -> Any:
            yield content

        return TTSAudioResponse("wav", pieces())


class Assistant:
    """The preferred voice assistant of a Home Assistant."""

    def __init__(self, hass: HomeAssistant, sound: Callable[[str], bytes]) -> None:
        self.hass = hass
        self.ears, self.mind, self.mouth = Ears(), Mind(), Mouth(sound)

    async def set_up(self) -> None:
        """Make its parts, and the pipeline of them."""
        for component in ("homeassistant", "assist_pipeline"):
            assert await async_setup_component(self.hass, component, {})
        await self.hass.async_block_till_done()
        await self.hass.data[STT].async_add_entities([self.ears])
        await self.hass.data[TTS].async_add_entities([self.mouth])
        await self.hass.data[CONVERSATION].async_add_entities([self.mind])
        await self.choose()

    async def choose(self, **parts: Any) -> None:
        """Let the pipeline have other parts."""
        wanted: dict[str, Any] = {
            "name": "House",
            "stt_engine": EARS,
            "stt_language": "en",
            "tts_engine": MOUTH,
            "tts_language": "en",
            "conversation_engine": MIND,
            "conversation_language": "*",
            **parts,
        }
        await async_update_pipeline(self.hass, async_get_pipeline(self.hass, None), **wanted)
