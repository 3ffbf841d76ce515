"""The tones of an exchange: pitch and rhythm of the country, and how actions play them."""

from array import array
from itertools import pairwise

import pytest
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError

from custom_components.sip_ua.call_tones import KINDS, RATE, call_tone, tone_source
from custom_components.sip_ua.net.audio import BytesSource, RawPcm
from tests.interop.tone import measure

from .conftest import do
from .phone import FakePhone


def samples_of(kind: str, country: str | None) -> array[int]:
    source = tone_source(call_tone(kind, country))
    assert source.hint == RawPcm(RATE)
    return array("h", source.data)


@pytest.mark.parametrize(
    ("kind", "country", "frequency", "on", "off"),
    [
        ("ringback", "DE", 425, 1.0, 4.0),
        ("ringback", "at", 420, 1.0, 5.0),
        ("ringback", "FR", 440, 1.5, 3.5),
        ("busy", "DE", 425, 0.48, 0.48),
        ("busy", "GB", 400, 0.375, 0.375),
        ("congestion", None, 425, 0.25, 0.25),
        ("busy", "XX", 425, 0.5, 0.5),
    ],
)
def test_a_tone_has_pitch_and_rhythm_of_its_country(
    kind: str, country: str | None, frequency: int, on: float, off: float
) -> None:
    samples = samples_of(kind, country)
    sounding, turn = round(on * RATE), round((on + off) * RATE)
    assert abs(measure(samples[:sounding], RATE).frequency_hz - frequency) < 2
    assert not any(samples[sounding:turn])
    assert len(samples) % turn == 0
    assert len(samples) >= 4 * RATE
    assert samples[turn : 2 * turn] in (samples[:turn], array("h"))


def test_a_tone_of_two_pitches_has_both_and_is_no_louder() -> None:
    two, one = samples_of("ringback", "US"), samples_of("ringback", "DE")
    assert max(two) <= max(one) + 2
    assert len({abs(value) for value in two[2 * RATE : 6 * RATE]}) == 1


def test_a_dial_tone_goes_on_without_a_gap() -> None:
    samples = samples_of("dial", "DE")
    assert samples[:RATE] == samples[RATE : 2 * RATE]
    assert max(abs(after - before) for before, after in pairwise(samples)) < 2000


@pytest.mark.parametrize("kind", KINDS)
async def test_actions_play_the_tones_of_the_home(hass: HomeAssistant, phone: FakePhone, talk: str, kind: str) -> None:
    hass.config.country = "GB"
    await do(hass, "play", media=f"tone:{kind}", loop=True)
    (played,) = phone.did
    assert played[:2] == ("play", talk)
    assert played[2] == tone_source(call_tone(kind, "GB"))
    assert isinstance(played[2], BytesSource)


async def test_a_tone_that_is_none_is_refused(hass: HomeAssistant, phone: FakePhone, talk: str) -> None:
    with pytest.raises(ServiceValidationError) as raised:
        await do(hass, "play", media="tone:siren")
    assert raised.value.translation_key == "tone_unknown"
    assert raised.value.translation_placeholders == {"tone": "siren", "tones": ", ".join(KINDS)}
    assert phone.did == []
