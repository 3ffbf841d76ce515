"""What callers hear while it rings here."""

import asyncio
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.core import HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sip_ua.net.audio import AudioSource, FileSource
from custom_components.sip_ua.net.errors import NoPortError
from custom_components.sip_ua.sip.errors import LocalProtocolError, SipError

from .conftest import make_entry
from .phone import FakePhone, Phones
from .test_options import submit


@pytest.fixture(name="welcome")
def welcome_fixture(hass: HomeAssistant, tmp_path: Path) -> Path:
    """Return a sound that Home Assistant may read."""
    hass.config.allowlist_external_dirs.add(str(tmp_path))
    path = tmp_path / "welcome.wav"
    path.write_bytes(b"RIFF")
    return path


async def start(hass: HomeAssistant, phones: Phones, media: str, **options: Any) -> tuple[MockConfigEntry, FakePhone]:
    """Start an account whose callers hear a sound."""
    entry = make_entry(options={"voice": {"early_media": media}} | options)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    return entry, phones[-1]


async def settle(hass: HomeAssistant) -> None:
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_a_caller_hears_the_sound_that_was_chosen_in_the_options(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry, welcome: Path
) -> None:
    call_id = phone.ring()
    await settle(hass)
    assert phone.did == []
    phone.end(call_id)
    await submit(hass, entry, "voice", codecs=["pcma"], dtmf="auto", early_media=f" {welcome} ")
    await hass.async_block_till_done()
    assert entry.options["voice"]["early_media"] == str(welcome)
    call_id = phones[-1].ring()
    await settle(hass)
    assert phones[-1].did == [("play_early", call_id, FileSource(welcome))]


async def test_a_caller_who_is_turned_away_hears_nothing(hass: HomeAssistant, phones: Phones, welcome: Path) -> None:
    _, phone = await start(hass, phones, str(welcome), incoming={"forward_always": "0301234"})
    phone.ring()
    await settle(hass)
    assert [did[0] for did in phone.did] == ["redirect"]


async def test_a_sound_that_is_gone_leaves_the_call_ringing(
    hass: HomeAssistant, phones: Phones, welcome: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, phone = await start(hass, phones, str(welcome.with_name("gone.wav")))
    call_id = phone.ring()
    await settle(hass)
    assert phone.did == []
    assert call_id in phone.calls
    assert "hears the usual tone while it rings" in caplog.text


@pytest.mark.parametrize(
    ("error", "warns"), [(LocalProtocolError("the call is answered already"), False), (NoPortError("", 1, 2), True)]
)
async def test_only_what_an_owner_can_put_right_is_a_warning(
    hass: HomeAssistant,
    phones: Phones,
    welcome: Path,
    caplog: pytest.LogCaptureFixture,
    error: SipError,
    *,
    warns: bool,
) -> None:
    _, phone = await start(hass, phones, str(welcome))
    phone.error = error
    call_id = phone.ring()
    await settle(hass)
    assert call_id in phone.calls
    assert ("hears the usual tone while it rings" in caplog.text) is warns


async def test_nothing_is_looked_for_any_more_when_the_account_stops(
    hass: HomeAssistant, phones: Phones, welcome: Path
) -> None:
    entry, phone = await start(hass, phones, str(welcome))
    given_up = asyncio.Event()

    async def look(*_: object) -> AudioSource:
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()
        raise AssertionError

    with patch("custom_components.sip_ua.early_media.media_source_of", look):
        phone.ring()
        await hass.async_block_till_done()
        assert await hass.config_entries.async_unload(entry.entry_id)
        await hass.async_block_till_done()
    assert given_up.is_set()
    assert not [did for did in phone.did if did[0] == "play_early"]


async def test_nothing_goes_before_the_answer_to_who_may_have_forged_an_address(
    hass: HomeAssistant, phones: Phones, welcome: Path
) -> None:
    _, phone = await start(hass, phones, str(welcome), incoming={"server_only": False})
    call_id = phone.ring(past_server=True)
    await settle(hass)
    assert phone.did == []
    phone.end(call_id)
    call_id = phone.ring()
    await settle(hass)
    assert phone.did == [("play_early", call_id, FileSource(welcome))]


async def test_callers_of_an_account_without_a_server_hear_nothing_before_the_answer(
    hass: HomeAssistant, phones: Phones, welcome: Path
) -> None:
    entry = make_entry({"template": "direct", "number": "home"}, options={"voice": {"early_media": str(welcome)}})
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    phones[-1].ring()
    await settle(hass)
    assert phones[-1].did == []
    form = await hass.config_entries.options.async_init(entry.entry_id)
    form = await hass.config_entries.options.async_configure(form["flow_id"], {"next_step_id": "voice"})
    schema = form["data_schema"]
    assert schema is not None
    assert "early_media" not in schema.schema
