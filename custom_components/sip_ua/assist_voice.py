"""What Assist says at the beginning of a call: when it answers one, and when it calls somebody."""

from pathlib import Path
from typing import Final

from homeassistant.components import assist_satellite
from homeassistant.components.assist_pipeline import Pipeline
from homeassistant.components.assist_satellite import AssistSatelliteAnnouncement
from homeassistant.components.assist_satellite.const import PREANNOUNCE_FILENAME, PREANNOUNCE_URL
from homeassistant.core import HomeAssistant

from .action_errors import validation_error
from .announcement import BREATH, async_answer_and_say
from .coordinator import SipUaCoordinator
from .net.audio import AudioSource, FileSource, ToneSource
from .sound import media_source_of, speech_source, spoken_source

SORRY: Final = (ToneSource(660.0, -18.0, 0.25), ToneSource(440.0, -18.0, 0.5))
"""Two falling tones: nobody can talk to you now."""

_CHIME: Final = FileSource(Path(assist_satellite.__file__).parent / PREANNOUNCE_FILENAME)


def greeting_of(coordinator: SipUaCoordinator, pipeline: Pipeline) -> AudioSource:
    """Return what Assist says first, in its own voice unless the options name another engine."""
    rules = coordinator.answering
    if not rules.answer_message:
        return BREATH
    if rules.answer_tts:
        return speech_source(coordinator.hass, rules.answer_message, engine=rules.answer_tts)
    return speech_source(
        coordinator.hass,
        rules.answer_message,
        engine=pipeline.tts_engine,
        language=pipeline.tts_language,
        voice=pipeline.tts_voice,
    )


async def async_say_sorry(coordinator: SipUaCoordinator, call_id: str) -> None:
    """Answer a call in which nobody can talk, with two tones."""
    first, second = SORRY
    await async_answer_and_say(coordinator, call_id, first)
    if call_id in coordinator.calls:
        await coordinator.async_play(call_id, second, wait=True)


async def async_sounds_of(hass: HomeAssistant, announcement: AssistSatelliteAnnouncement) -> list[AudioSource]:
    """Return what is heard of an announcement: the chime, or what stands in its place, and the message."""
    sounds: list[AudioSource] = []
    if chime := announcement.preannounce_media_id:
        # Its own sound is read from the disk: no address of Home Assistant has to be known for it.
        sounds.append(_CHIME if chime.endswith(PREANNOUNCE_URL) else await media_source_of(hass, chime))
    if announcement.tts_token is None:
        sounds.append(await media_source_of(hass, announcement.original_media_id))
    elif (spoken := spoken_source(hass, announcement.tts_token)) is not None:
        sounds.append(spoken)
    else:
        raise validation_error("media_not_found", media=announcement.message, error="-")
    return sounds
