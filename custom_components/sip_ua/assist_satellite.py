"""The Assist satellite of an account: it talks with callers, and calls somebody to announce, to talk or to ask."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterable, Iterator
from typing import Any, Final, override

from homeassistant.components import stt, tts
from homeassistant.components.assist_pipeline import Pipeline, PipelineEvent, PipelineNotFound
from homeassistant.components.assist_pipeline.pipeline import async_get_pipeline
from homeassistant.components.assist_satellite import (
    AssistSatelliteAnnouncement,
    AssistSatelliteAnswer,
    AssistSatelliteConfiguration,
    AssistSatelliteEntity,
    AssistSatelliteEntityDescription,
    AssistSatelliteEntityFeature,
)
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .action_calls import do_work, target_of
from .action_errors import translated_errors, validation_error
from .action_targets import require_reachable
from .announcement import async_answer_and_say, async_call_and_say, async_leave
from .assist_call import AssistCall, AssistFailedError
from .assist_voice import async_say_sorry, async_sounds_of, greeting_of
from .const import DOMAIN, KEY_ASSIST, KEY_PIPELINE, KEY_VAD_SENSITIVITY
from .coordinator import SipUaConfigEntry, SipUaCoordinator
from .entity import SipUaStateEntity, unique_id_in
from .failure_words import NOTHING, error_text
from .issues import ASSIST_UNUSABLE, async_heal, async_raise

_LOGGER = logging.getLogger(__name__)

PARALLEL_UPDATES = 0

WITHOUT_STT: Final = "assist_without_stt"
WITHOUT_TTS: Final = "assist_without_tts"
"""The error texts of a voice assistant that cannot hear, or cannot speak."""

ASSIST = AssistSatelliteEntityDescription(key=KEY_ASSIST, translation_key=KEY_ASSIST)


async def async_setup_entry(
    hass: HomeAssistant, entry: SipUaConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the satellite of an account."""
    async_add_entities([SipUaSatellite(entry.runtime_data, ASSIST)])


class SipUaSatellite(SipUaStateEntity, AssistSatelliteEntity):
    """Talks with one person at a time: who called, or whom it calls."""

    _attr_supported_features = AssistSatelliteEntityFeature.ANNOUNCE | AssistSatelliteEntityFeature.START_CONVERSATION
    _attr_tts_options = {tts.ATTR_PREFERRED_FORMAT: "wav"}  # noqa: RUF012 - as the base class has it

    def __init__(self, coordinator: SipUaCoordinator, description: AssistSatelliteEntityDescription) -> None:
        """Begin with nobody to talk to."""
        super().__init__(coordinator, description)
        self._occupied = False
        self._call: AssistCall | None = None
        self._talk: asyncio.Task[None] | None = None

    # Its life

    @override
    async def async_added_to_hass(self) -> None:
        """Be there for callers."""
        await super().async_added_to_hass()
        self.coordinator.satellite = self

    @override
    async def async_will_remove_from_hass(self) -> None:
        """Leave whoever is talked to."""
        self.coordinator.satellite = None
        if self._talk is not None:
            self._talk.cancel()
            await asyncio.wait((self._talk,))
        await super().async_will_remove_from_hass()

    @property
    def is_free(self) -> bool:
        """Return whether it talks to nobody, and calls nobody."""
        return not self._occupied

    def _require_free(self) -> None:
        """Raise an error where somebody is talked to: nobody is cut off."""
        if self._occupied:
            raise validation_error("assist_busy")

    @contextlib.contextmanager
    def _occupy(self) -> Iterator[None]:
        self._occupied = True
        try:
            yield
        finally:
            self._occupied = False

    # What Assist wants to know

    @property
    @override
    def pipeline_entity_id(self) -> str | None:
        """Return the entity that chooses the voice assistant, None where the preferred one is to be taken."""
        return self._chooser(KEY_PIPELINE)

    @property
    @override
    def vad_sensitivity_entity_id(self) -> str | None:
        """Return the entity that chooses after how much silence a question has ended."""
        return self._chooser(KEY_VAD_SENSITIVITY)

    def _chooser(self, key: str) -> str | None:
        unique_id = unique_id_in(self.coordinator.config_entry, key)
        entity_id = er.async_get(self.hass).async_get_entity_id(Platform.SELECT, DOMAIN, unique_id)
        return entity_id if entity_id is not None and self.hass.states.get(entity_id) is not None else None

    @callback
    @override
    def async_get_configuration(self) -> AssistSatelliteConfiguration:
        """Return that no word wakes it: a call does."""
        return AssistSatelliteConfiguration(available_wake_words=[], active_wake_words=[], max_active_wake_words=0)

    @override
    async def async_set_configuration(self, config: AssistSatelliteConfiguration) -> None:
        """Take nothing over, as there is no word to be chosen."""

    @callback
    @override
    def on_pipeline_event(self, event: PipelineEvent) -> None:
        """Let the call know; a goodbye ends what Assist does about it."""
        if self._call is not None:
            self._call.note(event)

    # Calls that come in

    async def async_take_call(self, call_id: str) -> None:
        """Answer a call that rings, and talk with the caller until one of both hangs up."""
        with self._occupy():
            self._conversation_id = None
            try:
                with translated_errors():
                    pipeline = self._usable_pipeline()
                    if pipeline is None:
                        await async_say_sorry(self.coordinator, call_id)
                    else:
                        await async_answer_and_say(self.coordinator, call_id, greeting_of(self.coordinator, pipeline))
                        await self._talk_in(call_id)
            except (HomeAssistantError, TimeoutError) as error:
                _LOGGER.warning("Assist could not talk in a call of %s: %s", self.coordinator.identity, error)
            finally:
                await async_leave(self.coordinator, call_id)

    def _usable_pipeline(self) -> Pipeline | None:
        """Return the voice assistant that answers; where none can, tell people what to do about it."""
        pipeline = self._chosen_pipeline()
        if pipeline is None:
            self._tell_problem(None, validation_error("assist_not_found"))
            return None
        heard = pipeline.stt_engine and stt.async_get_speech_to_text_engine(self.hass, pipeline.stt_engine)
        said = pipeline.tts_engine and tts.async_resolve_engine(self.hass, pipeline.tts_engine)
        if heard and said:
            return pipeline
        missing = [
            validation_error(key, engine=engine or NOTHING)
            for key, engine, there in (
                (WITHOUT_STT, pipeline.stt_engine, heard),
                (WITHOUT_TTS, pipeline.tts_engine, said),
            )
            if not there
        ]
        self._tell_problem(pipeline, *missing)
        return None

    def _chosen_pipeline(self) -> Pipeline | None:
        try:
            return async_get_pipeline(self.hass, self._resolve_pipeline())
        except PipelineNotFound:
            return None

    def _tell_problem(self, pipeline: Pipeline | None, *errors: HomeAssistantError) -> None:
        assistant = NOTHING if pipeline is None else pipeline.name
        causes = "; ".join(str(error) for error in errors)
        _LOGGER.warning("Assist cannot talk in calls of %s: %s (%s)", self.coordinator.identity, assistant, causes)
        error = " ".join(error_text(self.hass, error) for error in errors)
        async_raise(self.hass, self.coordinator.config_entry, ASSIST_UNUSABLE, assistant=assistant, error=error)

    # Conversations

    async def _talk_in(self, call_id: str, *, once: bool = False) -> None:
        """Talk in a call that is answered; raises SipError."""
        self._call = AssistCall(self.coordinator, call_id, self._run_pipeline, once=once)
        self._talk = asyncio.ensure_future(self._call.run())
        try:
            await self._talk
        except AssistFailedError as error:
            self._tell_problem(self._chosen_pipeline(), error)
        else:
            if self._call.was_understood:
                async_heal(self.hass, self.coordinator.config_entry, ASSIST_UNUSABLE)
        finally:
            self._call = self._talk = None
            if self._ask_question_future is not None and not self._ask_question_future.done():
                self._ask_question_future.set_result(None)
            self.tts_response_finished()

    async def _run_pipeline(self, audio: AsyncIterable[bytes]) -> None:
        await self.async_accept_pipeline_from_satellite(audio)

    # Calls that go out

    @override
    async def async_internal_announce(self, *args: Any, **kwargs: Any) -> None:
        """Announce something, unless somebody is talked to."""
        self._require_free()
        await super().async_internal_announce(*args, **kwargs)

    @override
    async def async_internal_start_conversation(self, *args: Any, **kwargs: Any) -> None:
        """Begin a conversation, unless somebody is talked to."""
        self._require_free()
        await super().async_internal_start_conversation(*args, **kwargs)

    @override
    async def async_internal_ask_question(self, *args: Any, **kwargs: Any) -> AssistSatelliteAnswer | None:
        """Ask something, unless somebody is talked to."""
        self._require_free()
        return await super().async_internal_ask_question(*args, **kwargs)

    @override
    async def async_announce(self, announcement: AssistSatelliteAnnouncement) -> None:
        """Call the number of announcements, say it, and hang up."""
        with self._occupy():
            await async_leave(self.coordinator, await self._call_and_say(announcement))

    @override
    async def async_start_conversation(self, start_announcement: AssistSatelliteAnnouncement) -> None:
        """Call the number of announcements and say it; the conversation that follows goes on by itself."""
        once = self._ask_question_future is not None
        with self._occupy():
            call_id = await self._call_and_say(start_announcement)
        self._occupied = True
        _ = self.coordinator.config_entry.async_create_background_task(
            self.hass, self._converse(call_id, once=once), f"sip_ua assist {self.coordinator.identity}"
        )

    async def _converse(self, call_id: str, *, once: bool) -> None:
        """Go on with a call that has begun, and hang up in the end."""
        with self._occupy():
            try:
                with translated_errors():
                    await self._talk_in(call_id, once=once)
            except HomeAssistantError as error:
                _LOGGER.warning("Assist could not talk in a call of %s: %s", self.coordinator.identity, error)
            finally:
                await async_leave(self.coordinator, call_id)

    async def _call_and_say(self, announcement: AssistSatelliteAnnouncement) -> str:
        """Call the number of announcements and say it; return the call, which goes on."""
        coordinator = self.coordinator
        if not (text := coordinator.assist_number.strip()):
            raise validation_error("assist_number_missing")
        target = target_of(coordinator, text)
        require_reachable(coordinator)
        sounds = await async_sounds_of(self.hass, announcement)
        with translated_errors():
            return await do_work(coordinator, "assist", async_call_and_say(coordinator, target, text, sounds))
