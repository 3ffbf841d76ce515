"""Assist on the telephone: it answers, listens and speaks until one of both has enough, and it calls by itself."""

import asyncio
import io
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.components.assist_pipeline import PipelineEvent, PipelineEventType, PipelineNotFound
from homeassistant.components.assist_pipeline.pipeline import async_get_pipeline
from homeassistant.components.assist_satellite.const import DATA_COMPONENT
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry
from syrupy.assertion import SnapshotAssertion

from custom_components.sip_ua import assist_call
from custom_components.sip_ua.announcement import BREATH
from custom_components.sip_ua.assist_call import FAILURE, FAREWELL, GO_AHEAD
from custom_components.sip_ua.assist_satellite import SipUaSatellite
from custom_components.sip_ua.assist_voice import SORRY
from custom_components.sip_ua.net.audio import FileSource, StreamSource
from custom_components.sip_ua.net.errors import MediaStoppedError
from custom_components.sip_ua.sip.events import CallOutcome, CallState, RegistrationFailure, RegistrationState
from tests.test_import_rule import PACKAGE, ROOT, imports, is_within

from .assist import EARS, RATE, Assistant
from .conftest import contact, make_entry, settle, until
from .phone import GRANDMA, NEIGHBOUR, NO_PORT, FakePhone, Phones
from .test_answering import issues, start

ASSIST_MODULES = {"assist_call", "assist_satellite", "assist_voice", "select"}
SATELLITE = "assist_satellite.620_fritz_box_assist"
NUMBER = "text.620_fritz_box_number_that_assist_calls"
PIPELINE = "select.620_fritz_box_assistant"
VAD = "select.620_fritz_box_finished_speaking_detection"
ASSIST: dict[str, Any] = {"answered_by": "assist", "answer_after": 0}
GONE = PipelineNotFound("pipeline_not_found", "there is none")
TONES = {GO_AHEAD: "go ahead", FAILURE: "failure", FAREWELL: "farewell", BREATH: "breath"}
TONES |= dict(zip(SORRY, ("sorry", "really sorry"), strict=True))


def silence(_text: str) -> bytes:
    """Return a WAV file of a tenth of a second."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(16_000)
        sound.writeframes(bytes(3200))
    return file.getvalue()


@pytest.fixture(name="assistant")
async def assistant_fixture(hass: HomeAssistant, tmp_path: Path) -> Assistant:
    hass.config.config_dir = str(tmp_path)
    assistant = Assistant(hass, silence)
    await assistant.set_up()
    return assistant


def account(*contacts: Any, **rules: Any) -> MockConfigEntry:
    return make_entry(subentries=[contact("Grandma", "+49301234"), *contacts], options={"answering": ASSIST | rules})


@pytest.fixture(name="home")
async def home_fixture(hass: HomeAssistant, phones: Phones, assistant: Assistant) -> FakePhone:
    """Return a telephone that Assist answers."""
    return await start(hass, phones, account())


def satellite(hass: HomeAssistant) -> SipUaSatellite:
    found = hass.data[DATA_COMPONENT].get_entity(SATELLITE)
    assert isinstance(found, SipUaSatellite)
    return found


def state(hass: HomeAssistant, entity_id: str = SATELLITE) -> str:
    found = hass.states.get(entity_id)
    assert found is not None
    return found.state


def sounds(phone: FakePhone) -> list[str]:
    """Return what was heard of us, in order."""
    heard = [what[2] for what in phone.did if what[0] in {"answer", "dial", "play"}]
    return [TONES.get(sound, "speech") if sound.__hash__ is not None else "speech" for sound in heard]


async def act(hass: HomeAssistant, action: str, **data: Any) -> Any:
    return await hass.services.async_call(
        "assist_satellite",
        action,
        {"entity_id": SATELLITE, **data},
        blocking=True,
        return_response=action == "ask_question",
    )


async def choose_number(hass: HomeAssistant, number: str = "Grandma") -> None:
    await hass.services.async_call("text", "set_value", {"entity_id": NUMBER, "value": number}, blocking=True)


# A conversation


async def test_questions_are_answered_until_the_goodbye(
    hass: HomeAssistant, home: FakePhone, assistant: Assistant
) -> None:
    assistant.ears.understands = ["turn on the light", "is it on", "Good-bye."]
    assistant.mind.answers = {"turn on the light": "done", "is it on": "it is"}
    states: list[str] = []

    @callback
    def note(event: Event) -> None:
        if event.data["entity_id"] == SATELLITE:
            states.append(event.data["new_state"].state)

    hass.bus.async_listen("state_changed", note)
    call_id = home.ring(GRANDMA)
    await until(lambda: not home.calls)
    await hass.async_block_till_done()
    assert [asked.text for asked in assistant.mind.asked] == ["turn on the light", "is it on"]
    assert assistant.mouth.said == ["done", "it is"]
    assert sounds(home) == ["breath", "go ahead", "speech", "go ahead", "speech", "go ahead", "farewell"]
    assert home.did[-1] == ("hangup", call_id)
    assert states[-1] == "idle"
    assert {"listening", "processing", "responding"} <= set(states)
    assert ("hear", call_id, 16_000) in home.did
    asked = assistant.mind.asked[0]
    assert asked.satellite_id == SATELLITE
    entity = er.async_get(hass).async_get(SATELLITE)
    assert entity is not None
    assert asked.device_id == entity.device_id
    assert assistant.mind.asked[0].conversation_id == assistant.mind.asked[1].conversation_id


async def test_the_next_caller_begins_a_conversation_of_its_own(
    hass: HomeAssistant, home: FakePhone, assistant: Assistant
) -> None:
    assistant.ears.understands = ["one", "bye", "two", "bye"]
    for _ in range(2):
        home.ring(GRANDMA)
        await until(lambda: not home.calls)
        await settle()
    first, second = assistant.mind.asked
    assert first.conversation_id != second.conversation_id


async def test_the_greeting_is_spoken_by_the_assistant_or_by_the_chosen_engine(
    hass: HomeAssistant, phones: Phones, assistant: Assistant
) -> None:
    phone = await start(hass, phones, account(answer_message="This is the house."))
    home_rules = hass.config_entries.async_entries("sip_ua")[0].runtime_data
    engines: list[dict[str, Any]] = []

    def speech(_hass: HomeAssistant, message: str, **how: Any) -> str:
        engines.append({"message": message, **how})
        return message

    with patch("custom_components.sip_ua.assist_voice.speech_source", speech):
        for engine in ("", "tts.parrot"):
            home_rules.answering = type(home_rules.answering)(
                **ASSIST, answer_message="This is the house.", answer_tts=engine
            )
            assistant.ears.understands = ["bye"]
            phone.ring(GRANDMA)
            await until(lambda: not phone.calls)
            await settle()
    assert engines == [
        {"message": "This is the house.", "engine": "tts.mouth", "language": "en", "voice": None},
        {"message": "This is the house.", "engine": "tts.parrot"},
    ]


async def test_who_says_nothing_is_not_kept_for_ever(
    hass: HomeAssistant, home: FakePhone, assistant: Assistant
) -> None:
    home.ring(GRANDMA)
    await until(lambda: not home.calls)
    assert sounds(home) == ["breath", "go ahead", "go ahead", "farewell"]
    home.did.clear()
    assistant.ears.understands = ["hello"]
    home.ring(GRANDMA)
    await until(lambda: not home.calls)
    assert sounds(home) == ["breath", "go ahead", "speech", "go ahead", "farewell"]
    assert issues(hass) == {}


async def test_a_question_ends_where_home_assistant_hears_no_more_voice(
    hass: HomeAssistant, home: FakePhone, assistant: Assistant
) -> None:
    assistant.ears.seconds = 1000
    home.ring(GRANDMA)
    await until(lambda: not home.calls)
    assert [len(heard) / RATE for heard in assistant.ears.heard] == [pytest.approx(15, abs=0.1)] * 2


async def test_an_answer_without_words_asks_for_the_next_question(
    hass: HomeAssistant, home: FakePhone, assistant: Assistant
) -> None:
    assistant.ears.understands = ["hush", "bye"]
    assistant.mind.answers = {"hush": ""}
    home.ring(GRANDMA)
    await until(lambda: not home.calls)
    assert sounds(home) == ["breath", "go ahead", "go ahead", "farewell"]


# What goes wrong


WITHOUT = {
    "stt_engine": "Its speech-to-text is not there: -.",
    "tts_engine": "Its text-to-speech is not there: -.",
}


@pytest.mark.parametrize("lacking", WITHOUT)
async def test_without_ears_or_mouth_the_caller_hears_two_tones_and_people_what_to_do(
    hass: HomeAssistant, home: FakePhone, assistant: Assistant, lacking: str, caplog: pytest.LogCaptureFixture
) -> None:
    await assistant.choose(**{lacking: None, lacking.replace("engine", "language"): None})
    home.ring(GRANDMA)
    await until(lambda: not home.calls)
    await settle()
    assert sounds(home) == ["sorry", "really sorry"]
    told = issues(hass)["assist_unusable"]
    assert (told["assistant"], told["error"]) == ("House", WITHOUT[lacking])
    assert "Assist cannot talk" in caplog.text
    assert satellite(hass).is_free
    await assistant.choose()
    assistant.ears.understands = ["hello", "bye"]
    home.ring(GRANDMA)
    await until(lambda: not home.calls)
    await settle()
    assert issues(hass) == {}


async def test_who_hangs_up_at_the_first_tone_hears_no_second(
    hass: HomeAssistant, home: FakePhone, assistant: Assistant
) -> None:
    await assistant.choose(stt_engine=None, stt_language=None)
    home.plays_at_once = False
    call_id = home.ring(GRANDMA)
    await until(lambda: home.did)
    home.end(call_id)
    await until(lambda: satellite(hass).is_free)
    assert sounds(home) == ["sorry"]


async def test_an_engine_that_is_gone_is_named(hass: HomeAssistant, home: FakePhone, assistant: Assistant) -> None:
    await assistant.ears.async_remove()
    home.ring(GRANDMA)
    await until(lambda: not home.calls)
    assert issues(hass)["assist_unusable"]["error"] == f"Its speech-to-text is not there: {EARS}."


async def test_a_pipeline_that_is_gone_is_told(hass: HomeAssistant, home: FakePhone) -> None:
    with patch("custom_components.sip_ua.assist_satellite.async_get_pipeline", side_effect=GONE):
        home.ring(GRANDMA)
        await until(lambda: not home.calls)
    assert sounds(home) == ["sorry", "really sorry"]
    assert issues(hass)["assist_unusable"]["assistant"] == "-"
    assert issues(hass)["assist_unusable"]["error"] == "The chosen voice assistant is not there any more."


async def test_one_failure_is_forgiven_two_in_a_row_end_the_call(
    hass: HomeAssistant, home: FakePhone, assistant: Assistant
) -> None:
    assistant.ears.understands = [RuntimeError("broken"), "hello", RuntimeError("broken"), RuntimeError("broken")]
    home.ring(GRANDMA)
    await until(lambda: not home.calls)
    await settle()
    assert sounds(home) == [
        "breath",
        "go ahead",
        "failure",
        "go ahead",
        "speech",
        "go ahead",
        "failure",
        "go ahead",
        "failure",
    ]
    assert "stt-stream-failed" in issues(hass)["assist_unusable"]["error"]
    assert (state(hass), satellite(hass).is_free) == ("idle", True)


async def test_whatever_the_pipeline_raises_counts_as_a_failure(
    hass: HomeAssistant, home: FakePhone, assistant: Assistant
) -> None:
    there = async_get_pipeline(hass, None)
    with (
        patch.object(SipUaSatellite, "async_accept_pipeline_from_satellite", side_effect=RuntimeError("no way")),
        patch("custom_components.sip_ua.assist_satellite.async_get_pipeline", side_effect=[there, GONE]),
    ):
        home.ring(GRANDMA)
        await until(lambda: not home.calls)
        await settle()
    told = issues(hass)["assist_unusable"]
    assert (told["assistant"], told["error"]) == ("-", "Home Assistant says: no way.")


async def test_speech_that_cannot_be_spoken_goes_on_with_the_next_question(
    hass: HomeAssistant, home: FakePhone, assistant: Assistant
) -> None:
    assistant.ears.understands = ["hello", "bye"]
    with patch("custom_components.sip_ua.assist_call.spoken_source", return_value=None):
        home.ring(GRANDMA)
        await until(lambda: not home.calls)
    assert sounds(home) == ["breath", "go ahead", "go ahead", "farewell"]


async def test_ears_that_hang_do_not_keep_the_call(
    hass: HomeAssistant, home: FakePhone, assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assist_call, "TURN_TIMEOUT", 0.05)
    assistant.ears.understands = [lambda: None, lambda: None]
    home.ring(GRANDMA)
    await until(lambda: not home.calls)
    assert issues(hass)["assist_unusable"]["error"] == "It gave no answer within 0.05 seconds."


async def test_a_conversation_has_an_end_whatever_is_said(
    hass: HomeAssistant, home: FakePhone, assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assist_call, "LONGEST_CONVERSATION", 0.05)
    assistant.ears.understands = [lambda: None]
    home.ring(GRANDMA)
    await until(lambda: not home.calls)
    await settle()
    assert (state(hass), satellite(hass).is_free) == ("idle", True)
    assert issues(hass) == {}


async def test_a_sound_that_never_ends_does_not_keep_the_call(
    hass: HomeAssistant, home: FakePhone, assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assist_call, "SPEAKING_TIMEOUT", 0.01)
    call_id = home.ring(GRANDMA)
    await settle()
    home.plays_at_once = False
    await until(lambda: not home.calls)
    assert home.did[-1] == ("hangup", call_id)


async def test_the_pipeline_ends_with_the_call(hass: HomeAssistant, home: FakePhone, assistant: Assistant) -> None:
    hears = asyncio.Event()
    assistant.ears.understands = [hears.set]
    call_id = home.ring(GRANDMA)
    await hears.wait()
    home.end(call_id)
    await until(lambda: satellite(hass).is_free)
    await settle()
    assert state(hass) == "idle"
    assert ("hangup", call_id) not in home.did
    assert issues(hass) == {}


async def test_who_hangs_up_while_the_answer_is_spoken_ends_it(
    hass: HomeAssistant, home: FakePhone, assistant: Assistant
) -> None:
    assistant.ears.understands = ["hello"]
    call_id = home.ring(GRANDMA)
    await until(lambda: "speech" in sounds(home))
    home.end(call_id)
    await until(lambda: satellite(hass).is_free)
    assert state(hass) == "idle"
    assert issues(hass) == {}


async def test_a_call_that_cannot_be_taken_is_left(hass: HomeAssistant, home: FakePhone) -> None:
    with patch.object(FakePhone, "answer", side_effect=NO_PORT):
        call_id = home.ring(GRANDMA)
        await settle()
    assert satellite(hass).is_free
    assert home.calls[call_id].state is CallState.RINGING
    assert home.did == []


async def test_a_second_caller_rings_on(hass: HomeAssistant, home: FakePhone, assistant: Assistant) -> None:
    hears = asyncio.Event()
    assistant.ears.understands = [hears.set]
    first = home.ring(GRANDMA)
    await hears.wait()
    assert state(hass) == "listening"
    second = home.ring(GRANDMA)
    await settle()
    assert home.calls[second].state is CallState.RINGING
    home.end(first)
    await until(lambda: satellite(hass).is_free)
    assert home.calls[second].state is CallState.RINGING


async def test_only_contacts_are_answered_unless_the_owner_says_so(hass: HomeAssistant, home: FakePhone) -> None:
    home.ring(NEIGHBOUR)
    await settle()
    assert home.did == []


async def test_an_account_that_is_unloaded_leaves_nothing_behind(
    hass: HomeAssistant, home: FakePhone, assistant: Assistant
) -> None:
    hears = asyncio.Event()
    assistant.ears.understands = [hears.set]
    home.ring(GRANDMA)
    await hears.wait()
    (entry,) = hass.config_entries.async_entries("sip_ua")
    assert await hass.config_entries.async_unload(entry.entry_id)
    await hass.async_block_till_done()
    assert home.calls == {}
    assert entry.state is ConfigEntryState.NOT_LOADED
    assert state(hass) == "unavailable"


# Which assistant


async def test_the_entities_choose_the_assistant_and_the_silence(
    hass: HomeAssistant, home: FakePhone, assistant: Assistant
) -> None:
    assert (state(hass, PIPELINE), state(hass, VAD)) == ("preferred", "default")
    entity = satellite(hass)
    assert (entity.pipeline_entity_id, entity.vad_sensitivity_entity_id) == (PIPELINE, VAD)
    await hass.services.async_call("select", "select_option", {"entity_id": VAD, "option": "relaxed"}, blocking=True)
    await hass.services.async_call("select", "select_option", {"entity_id": PIPELINE, "option": "House"}, blocking=True)
    runs: list[dict[str, Any]] = []

    async def run(_hass: HomeAssistant, **how: Any) -> None:
        runs.append(how)

    with patch("homeassistant.components.assist_satellite.entity.async_pipeline_from_audio_stream", run):
        home.ring(GRANDMA)
        await until(lambda: not home.calls)
        await settle()
    assert len(runs) == 2
    assert runs[0]["pipeline_id"] == async_get_pipeline(hass, None).id
    assert runs[0]["audio_settings"].silence_seconds == 1.25
    home.fail(RegistrationFailure.NO_ANSWER)
    assert (state(hass, PIPELINE), state(hass)) == ("House", "unavailable")
    hass.states.async_remove(PIPELINE)
    assert entity.pipeline_entity_id is None
    assert entity.async_get_configuration().available_wake_words == []
    await entity.async_set_configuration(entity.async_get_configuration())


async def test_the_entities_are_as_they_are(hass: HomeAssistant, home: FakePhone, snapshot: SnapshotAssertion) -> None:
    registry = er.async_get(hass)
    for entity_id in (SATELLITE, PIPELINE, VAD, NUMBER):
        assert registry.async_get(entity_id) == snapshot(name=f"{entity_id}-entry")
        assert hass.states.get(entity_id) == snapshot(name=f"{entity_id}-state")


async def test_assist_is_there_only_where_it_has_something_to_do(hass: HomeAssistant, phones: Phones) -> None:
    entry = make_entry(subentries=[contact("Grandma", "+49301234")])
    await start(hass, phones, entry)
    assert not {"assist_pipeline", "assist_satellite", "stt"} & hass.config.components
    assert hass.states.get(NUMBER) is None


@pytest.mark.parametrize(
    "rules", [{"answering": {"assist_device": True}}, {"answering": {"answered_by": "assist"}}, {}]
)
async def test_its_entities_come_and_go_with_what_it_has_to_do(
    hass: HomeAssistant, phones: Phones, assistant: Assistant, rules: dict[str, Any]
) -> None:
    contacts = [] if rules else [contact("Grandma", "+49301234", answered_by="assist")]
    entry = make_entry(subentries=contacts, options=rules)
    await start(hass, phones, entry)
    assert {state(hass, entity_id) for entity_id in (SATELLITE, PIPELINE, VAD)} == {"idle", "preferred", "default"}
    assert state(hass, NUMBER) == ""
    hass.config_entries.async_update_entry(entry, options={})
    for subentry_id in tuple(entry.subentries):
        hass.config_entries.async_remove_subentry(entry, subentry_id)
    await hass.async_block_till_done()
    assert [hass.states.get(entity_id) for entity_id in (SATELLITE, PIPELINE, VAD, NUMBER)] == [None] * 4
    assert er.async_get(hass).async_get(SATELLITE) is None


async def test_a_home_in_which_assist_cannot_be_set_up_is_told(hass: HomeAssistant, phones: Phones) -> None:
    with patch("custom_components.sip_ua.async_setup_component", return_value=False):
        await start(hass, phones, account())
    assert "assist_unusable" in issues(hass)
    assert hass.states.get(SATELLITE) is None


def test_only_its_own_platforms_load_assist() -> None:
    own = {f"{PACKAGE}.{path.stem}" for path in ROOT.glob("*.py") if path.stem in ASSIST_MODULES}
    heavy = {f"homeassistant.components.{name}" for name in ("assist_pipeline", "assist_satellite", "stt")} | own
    loading = {
        path.stem
        for path in ROOT.glob("*.py")
        if any(is_within(name, module) for name in imports(path) for module in heavy)
    }
    assert loading == ASSIST_MODULES


# Calling by itself


@pytest.fixture(name="caller")
async def caller_fixture(hass: HomeAssistant, phones: Phones, assistant: Assistant) -> FakePhone:
    """Return a telephone by which Assist calls, and whoever is called answers at once."""
    phone = await start(hass, phones, account(answered_by="nobody", assist_device=True))
    phone.answers_at_once = True
    await choose_number(hass)
    return phone


async def test_an_announcement_is_a_call_that_ends_with_it(
    hass: HomeAssistant, caller: FakePhone, assistant: Assistant
) -> None:
    await act(hass, "announce", message="The washing machine is done.")
    (_, target, chime, _), *others = caller.did
    assert target == "+49301234"
    assert isinstance(chime, FileSource)
    assert await hass.async_add_executor_job(chime.path.is_file)
    assert [what[0] for what in others] == ["play", "hangup"]
    assert isinstance(others[0][2], StreamSource)
    assert (state(hass), satellite(hass).is_free) == ("idle", True)
    caller.did.clear()
    await act(hass, "announce", message="And dry.", preannounce=False)
    assert [what[0] for what in caller.did] == ["dial", "hangup"]


async def test_media_can_be_announced_too(hass: HomeAssistant, caller: FakePhone) -> None:
    hass.config.internal_url = "http://192.0.2.3:8123"
    url, chime = "http://media.example/bell.mp3", "http://media.example/chime.mp3"
    await act(hass, "announce", media_id=url, preannounce_media_id=chime)
    assert [what[0] for what in caller.did] == ["dial", "play", "hangup"]


async def test_speech_that_is_forgotten_meanwhile_is_told(hass: HomeAssistant, caller: FakePhone) -> None:
    with (
        patch("custom_components.sip_ua.assist_voice.spoken_source", return_value=None),
        pytest.raises(ServiceValidationError),
    ):
        await act(hass, "announce", message="Hello")
    assert caller.did == []


async def test_whom_to_call_has_to_be_known(hass: HomeAssistant, caller: FakePhone) -> None:
    await choose_number(hass, " ")
    with pytest.raises(ServiceValidationError) as raised:
        await act(hass, "announce", message="Hello")
    assert raised.value.translation_key == "assist_number_missing"
    await choose_number(hass, "Some Body")
    with pytest.raises(ServiceValidationError) as raised:
        await act(hass, "announce", message="Hello")
    assert raised.value.translation_key == "contact_unknown"
    await choose_number(hass, "612")
    caller.fail(RegistrationFailure.NO_ANSWER, state=RegistrationState.FAILED)
    satellite_entity = satellite(hass)
    with pytest.raises(HomeAssistantError) as failed:
        await satellite_entity.async_internal_announce("Hello")
    assert failed.value.translation_key == "not_registered"
    assert caller.did == []
    assert satellite_entity.is_free


async def test_nobody_answers(hass: HomeAssistant, caller: FakePhone) -> None:
    caller.answers_at_once = False
    task = hass.async_create_task(act(hass, "announce", message="Hello"))
    await until(lambda: caller.calls)
    caller.end(next(iter(caller.calls)), CallOutcome.BUSY, code=486, reason="Busy Here")
    with pytest.raises(HomeAssistantError) as raised:
        await task
    assert raised.value.translation_key == "contact_busy"
    assert satellite(hass).is_free


@pytest.mark.parametrize("late", [False, True])
async def test_an_announcement_that_cannot_be_heard_ends_the_call(
    hass: HomeAssistant, caller: FakePhone, late: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller.plays_at_once = False
    if late:
        monkeypatch.setattr("custom_components.sip_ua.announcement.SPEAKING_TIMEOUT", 0.01)
    task = hass.async_create_task(act(hass, "announce", message="Hello", preannounce=False))
    await until(lambda: caller.calls)
    await settle()
    if not late:
        caller.finish(next(iter(caller.calls)), 0, "the sound breaks off")
    with pytest.raises(HomeAssistantError) as raised:
        await task
    assert raised.value.translation_key == ("sound_timed_out" if late else "playback_failed")
    assert caller.calls == {}


async def test_who_hangs_up_at_the_chime_has_heard_enough(hass: HomeAssistant, caller: FakePhone) -> None:
    caller.plays_at_once = False
    task = hass.async_create_task(act(hass, "announce", message="Hello"))
    await until(lambda: caller.calls)
    await settle()
    caller.end(next(iter(caller.calls)))
    await task
    assert [what[0] for what in caller.did] == ["dial"]
    assert satellite(hass).is_free


async def test_who_talks_is_not_cut_off(hass: HomeAssistant, home: FakePhone, assistant: Assistant) -> None:
    hears = asyncio.Event()
    assistant.ears.understands = [hears.set]
    home.ring(GRANDMA)
    await hears.wait()
    await choose_number(hass)
    question: dict[str, dict[str, Any]] = {
        "announce": {"message": "Hello"},
        "start_conversation": {"start_message": "Hello"},
        "ask_question": {"question": "Hello?"},
    }
    for action, data in question.items():
        with pytest.raises(ServiceValidationError) as raised:
            await act(hass, action, **data)
        assert raised.value.translation_key == "assist_busy"
    assert len(home.calls) == 1
    home.end(next(iter(home.calls)))


async def test_a_conversation_that_assist_begins_goes_on_until_the_goodbye(
    hass: HomeAssistant, caller: FakePhone, assistant: Assistant
) -> None:
    assistant.ears.understands = ["yes please", "bye"]
    await act(hass, "start_conversation", start_message="Shall I close the shutters?", preannounce=False)
    assert not satellite(hass).is_free
    await until(lambda: not caller.calls)
    await settle()
    assert [asked.text for asked in assistant.mind.asked] == ["yes please"]
    assert sounds(caller) == ["speech", "go ahead", "speech", "go ahead", "farewell"]
    assert satellite(hass).is_free


async def deaf(_phone: FakePhone, _call_id: str, _rate: int) -> None:
    """Hear nothing."""
    raise MediaStoppedError("the media thread was stopped")


QUESTION: dict[str, Any] = {
    "question": "Shall I?",
    "preannounce": False,
    "answers": [{"id": "yes", "sentences": ["yes [please]"]}, {"id": "no", "sentences": ["no"]}],
}


async def test_a_question_has_one_answer_and_the_call_ends(
    hass: HomeAssistant, caller: FakePhone, assistant: Assistant
) -> None:
    assistant.ears.understands = ["yes please"]
    answer = await act(hass, "ask_question", **QUESTION)
    assert (answer["id"], answer["sentence"]) == ("yes", "yes please")
    await until(lambda: not caller.calls)
    await settle()
    assert assistant.mind.asked == []
    assert sounds(caller) == ["speech", "go ahead", "farewell"]
    assert (state(hass), satellite(hass).is_free) == ("idle", True)


async def test_a_goodbye_may_be_the_answer(hass: HomeAssistant, caller: FakePhone, assistant: Assistant) -> None:
    assistant.ears.understands = ["goodbye"]
    answer = await act(hass, "ask_question", **QUESTION)
    assert answer["sentence"] == "goodbye"


@pytest.mark.parametrize("how", ["silence", "hang up", "broken", "deaf"])
async def test_a_question_without_an_answer_fails(
    hass: HomeAssistant, caller: FakePhone, assistant: Assistant, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hears = asyncio.Event()
    understood: dict[str, Callable[[], None] | Exception | None] = {
        "deaf": None,
        "silence": None,
        "hang up": hears.set,
        "broken": RuntimeError("broken"),
    }
    assistant.ears.understands = [understood[how]]
    if how == "deaf":
        monkeypatch.setattr(FakePhone, "hear", deaf)
    task = hass.async_create_task(act(hass, "ask_question", **QUESTION))
    if how == "hang up":
        await hears.wait()
        caller.end(next(iter(caller.calls)))
    with pytest.raises(HomeAssistantError, match="No answer"):
        await task
    await until(lambda: satellite(hass).is_free and not caller.calls)
    assert state(hass) == "idle"


async def test_a_conversation_in_which_nothing_can_be_heard_is_ended(
    hass: HomeAssistant, caller: FakePhone, caplog: pytest.LogCaptureFixture
) -> None:
    with patch.object(FakePhone, "hear", deaf):
        await act(hass, "start_conversation", start_message="Hello", preannounce=False)
        await until(lambda: not caller.calls)
    assert "the media thread was stopped" in caplog.text


async def test_what_belongs_to_no_call_is_not_minded(hass: HomeAssistant, home: FakePhone) -> None:
    satellite(hass).on_pipeline_event(PipelineEvent(PipelineEventType.RUN_START))
    assert home.did == []
