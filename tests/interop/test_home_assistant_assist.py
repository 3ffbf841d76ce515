"""Assist answers the telephone: what baresip says reaches speech-to-text as it was, and it hears the answer."""

import asyncio
from pathlib import Path

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from custom_components.sip_ua.const import DOMAIN
from tests.integration.assist import RATE, Assistant

from .conftest import Peers
from .home import set_up
from .peers.baresip import TONE_DBFS
from .tone import assert_tone, measure, parts, read_wav, sine, write_wav

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio", "baresip")]

QUESTION_HZ, ANSWER_HZ, GREETING_HZ, ANSWER_DBFS = 1000.0, 750.0, 1500.0, -15.0
GO_AHEAD_HZ, FAREWELL_HZ, MESSAGE_TONE_HZ = 880.0, 440.0, 1000.0
TONES = (QUESTION_HZ, ANSWER_HZ, GREETING_HZ, GO_AHEAD_HZ, FAREWELL_HZ)


async def assistant_of(hass: HomeAssistant, folder: Path) -> Assistant:
    """Return an assistant that whistles the frequency for the seconds that its text tells."""

    def whistle(text: str) -> bytes:
        frequency, seconds = map(float, text.split())
        samples = sine(frequency, seconds, RATE, ANSWER_DBFS)
        return write_wav(folder / f"{text}.wav", samples, RATE).read_bytes()

    hass.config.config_dir = str(folder)
    assistant = Assistant(hass, whistle)
    await assistant.set_up()
    return assistant


@pytest.mark.parametrize(("codec", "ours"), [("pcma", "pcma"), ("G722/16000/1", "g722")])
async def test_a_caller_asks_and_hears_the_answer_until_the_goodbye(
    hass: HomeAssistant, peers: Peers, tmp_path: Path, codec: str, ours: str
) -> None:
    assistant = await assistant_of(hass, tmp_path)
    assistant.ears.seconds = 1.5
    assistant.ears.understands = ["what is the time", "and the weather", "Goodbye!"]
    assistant.mind.answers = {"what is the time": f"{ANSWER_HZ} 0.8", "and the weather": f"{ANSWER_HZ} 0.5"}
    kamailio = await peers.kamailio()
    alice = await peers.baresip(kamailio, "alice", tone_hz=QUESTION_HZ, codecs=(codec,))
    home = await set_up(
        hass,
        port=kamailio.port,
        password=kamailio.users["ha"],
        options={
            "answering": {"answered_by": "assist", "answer_after": 0, "answer_message": f"{GREETING_HZ} 0.4"},
            "voice": {"codecs": [ours]},
        },
        contacts={"Alice": {"number": "alice"}},
    )
    await home.until_state("registration", "registered")
    await alice.dial("ha")
    await alice.until_event("CALL_CLOSED")
    assert [asked.text for asked in assistant.mind.asked] == ["what is the time", "and the weather"]
    assert len(assistant.ears.heard) == 3
    for heard in assistant.ears.heard:
        assert len(heard) / RATE == pytest.approx(1.5, abs=0.05)
        assert_tone(measure(heard, RATE), QUESTION_HZ, TONE_DBFS)
    found = [(frequency, seconds, level) for frequency, seconds, level in parts(*alice.heard(), TONES)]
    assert [frequency for frequency, _, _ in found] == [
        GREETING_HZ,
        GO_AHEAD_HZ,
        ANSWER_HZ,
        GO_AHEAD_HZ,
        ANSWER_HZ,
        GO_AHEAD_HZ,
        FAREWELL_HZ,
    ]
    answers = [(seconds, level) for frequency, seconds, level in found if frequency == ANSWER_HZ]
    assert [seconds for seconds, _ in answers] == [pytest.approx(0.8, abs=0.06), pytest.approx(0.5, abs=0.06)]
    assert [level for _, level in answers] == [pytest.approx(ANSWER_DBFS, abs=0.3)] * 2
    assert home.state("assist").state == "idle"
    assert (await home.until_event("ended"))["ended_by"] == "local"


async def test_a_caller_hears_two_tones_where_nothing_can_understand(
    hass: HomeAssistant, peers: Peers, tmp_path: Path
) -> None:
    assistant = await assistant_of(hass, tmp_path)
    await assistant.choose(stt_engine=None, stt_language=None)
    kamailio = await peers.kamailio()
    alice = await peers.baresip(kamailio, "alice")
    home = await set_up(
        hass,
        port=kamailio.port,
        password=kamailio.users["ha"],
        options={"answering": {"answered_by": "assist", "answer_after": 0}},
        contacts={"Alice": {"number": "alice"}},
    )
    await home.until_state("registration", "registered")
    await alice.dial("ha")
    await alice.until_event("CALL_CLOSED")
    assert [frequency for frequency, _, _ in parts(*alice.heard(), (660.0, 440.0))] == [660.0, 440.0]
    (issue,) = [issue for issue in ir.async_get(hass).issues.values() if issue.domain == DOMAIN]
    assert issue.translation_key == "assist_unusable"


@pytest.mark.parametrize("ends_by", ["hangup", "#"])
async def test_a_caller_hears_the_message_and_leaves_one(
    hass: HomeAssistant, peers: Peers, tmp_path: Path, ends_by: str
) -> None:
    await assistant_of(hass, tmp_path)
    hass.config.media_dirs = {"local": str(tmp_path / "media")}
    (tmp_path / "media").mkdir()
    kamailio = await peers.kamailio()
    alice = await peers.baresip(kamailio, "alice", tone_hz=QUESTION_HZ)
    home = await set_up(
        hass,
        port=kamailio.port,
        password=kamailio.users["ha"],
        options={
            "answering": {
                "answered_by": "message",
                "answer_whom": "everybody",
                "answer_after": 1,
                "answer_message": f"{ANSWER_HZ} 0.6",
                "take_message": True,
            }
        },
    )
    await home.until_state("registration", "registered")
    dialed = asyncio.get_running_loop().time()
    await alice.dial("ha")
    await alice.until_event("CALL_ESTABLISHED")
    assert asyncio.get_running_loop().time() - dialed > 0.9
    started = await home.until_event("recording_started")
    await asyncio.sleep(1.5)
    await (alice.hangup() if ends_by == "hangup" else alice.send_digits(ends_by))
    await alice.until_event("CALL_CLOSED")
    finished = await home.until_event("recording_finished")
    assert finished["duration"] > 1.2
    if ends_by == "hangup":
        assert_tone(measure(*read_wav(Path(started["path"]))), QUESTION_HZ, TONE_DBFS)
    found = parts(*alice.heard(), (ANSWER_HZ, MESSAGE_TONE_HZ))
    assert [frequency for frequency, _, _ in found] == [ANSWER_HZ, MESSAGE_TONE_HZ]
    assert (await home.until_event("ended"))["ended_by"] == ("remote" if ends_by == "hangup" else "local")


async def test_assist_calls_asks_and_understands_the_answer(hass: HomeAssistant, peers: Peers, tmp_path: Path) -> None:
    assistant = await assistant_of(hass, tmp_path)
    assistant.ears.seconds = 1.0
    assistant.ears.understands = ["yes please"]
    kamailio = await peers.kamailio()
    bob = await peers.baresip(kamailio, tone_hz=QUESTION_HZ)
    home = await set_up(
        hass, port=kamailio.port, password=kamailio.users["ha"], options={"answering": {"assist_device": True}}
    )
    await home.until_state("registration", "registered")
    number = home.state("assist_number").entity_id
    await hass.services.async_call("text", "set_value", {"entity_id": number, "value": "bob"}, blocking=True)
    answer = await hass.services.async_call(
        "assist_satellite",
        "ask_question",
        {
            "entity_id": home.state("assist").entity_id,
            "question": f"{ANSWER_HZ} 0.6",
            "preannounce": False,
            "answers": [{"id": "heat", "sentences": ["yes [please]"]}, {"id": "cold", "sentences": ["no"]}],
        },
        blocking=True,
        return_response=True,
    )
    assert answer is not None
    assert (answer["id"], answer["sentence"]) == ("heat", "yes please")
    assert_tone(measure(assistant.ears.heard[0], RATE), QUESTION_HZ, TONE_DBFS)
    await bob.until_event("CALL_CLOSED")
    heard = [frequency for frequency, _, _ in parts(*bob.heard(), TONES)]
    assert heard == [ANSWER_HZ, GO_AHEAD_HZ, FAREWELL_HZ]
