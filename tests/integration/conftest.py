"""Home Assistant with accounts whose telephones are played by the test."""

import asyncio
import json
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.config_entries import ConfigSubentryDataWithId
from homeassistant.core import Event, HomeAssistant
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events
from pytest_homeassistant_custom_component.syrupy import HomeAssistantSnapshotExtension
from syrupy.assertion import SnapshotAssertion

from custom_components.sip_ua import const
from custom_components.sip_ua.const import CONF_NUMBER, CONF_SERVER, DOMAIN, EVENT_CALL, EVENT_REGISTRATION
from custom_components.sip_ua.event import SipUaEvents
from custom_components.sip_ua.net.audio import FileSource
from custom_components.sip_ua.settings import identity_of, normalize, unique_id_of
from custom_components.sip_ua.sip.events import CallState

from .phone import FakePhone, Phones

TRANSLATIONS = Path(const.__file__).parent / "translations"
TYPED = {"template": "fritzbox", CONF_NUMBER: "620", "password": "correct horse"}
OTHER_TYPED = {"template": "generic", CONF_NUMBER: "100", CONF_SERVER: "pbx.example", "password": "staple"}

WAIT = 5.0


_NAMED = {
    key: set(texts.get("state_attributes", {}))
    for key, texts in json.loads((TRANSLATIONS / "en.json").read_text(encoding="utf-8"))["entity"]["event"].items()
}
"""The attributes that have a name in the translations, by event entity."""


@pytest.fixture(autouse=True)
def named_attributes_fixture() -> Generator[None]:
    """Let a test fail in which an event entity shows an attribute without a name."""
    unnamed: set[str] = set()
    handle = SipUaEvents._handle_event  # noqa: SLF001 - what is shown

    def look(events: SipUaEvents, event_type: str, data: dict[str, Any]) -> None:
        if event_type in events.event_types:
            unnamed.update(data.keys() - _NAMED[events.entity_description.key])
        handle(events, event_type, data)

    with patch.object(SipUaEvents, "_handle_event", look):
        yield
    assert unnamed == set()


@pytest.fixture(name="snapshot")
def snapshot_fixture(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    return snapshot.use_extension(HomeAssistantSnapshotExtension)


@pytest.fixture(name="phones")
def phones_fixture() -> Generator[Phones]:
    phones = Phones()
    with patch("custom_components.sip_ua.coordinator.Phone", phones.make):
        yield phones


def make_entry(
    typed: Mapping[str, Any] = TYPED,
    subentries: Sequence[ConfigSubentryDataWithId] | None = None,
    options: Mapping[str, Any] | None = None,
) -> MockConfigEntry:
    data = normalize(typed)
    return MockConfigEntry(
        domain=DOMAIN,
        title=identity_of(data),
        data=data,
        unique_id=unique_id_of(data),
        entry_id=f"entry_{unique_id_of(data)}",
        subentries_data=subentries,
        options=options,
    )


def contact(name: str, number: str, **more: Any) -> ConfigSubentryDataWithId:
    """Return a contact as the form makes it."""
    return ConfigSubentryDataWithId(
        subentry_id=name.casefold().replace(" ", "_"),
        subentry_type="contact",
        title=name,
        unique_id=f"contact {name.casefold()}",
        data={"number": number, **more},
    )


@pytest.fixture(name="entry")
def entry_fixture() -> MockConfigEntry:
    return make_entry()


@pytest.fixture(name="phone")
async def phone_fixture(hass: HomeAssistant, phones: Phones, entry: MockConfigEntry) -> FakePhone:
    """Return a registered telephone."""
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    phones[-1].register()
    return phones[-1]


@pytest.fixture(name="other_phone")
async def other_phone_fixture(hass: HomeAssistant, phones: Phones, phone: FakePhone) -> FakePhone:
    """Return the registered telephone of a second account."""
    entry = make_entry(OTHER_TYPED)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    phones[-1].register()
    return phones[-1]


@pytest.fixture(name="talk")
def talk_fixture(phone: FakePhone) -> str:
    """Return a call that has been answered."""
    call_id = phone.ring()
    phone.enter(call_id, CallState.TALKING)
    return call_id


@pytest.fixture(name="sound")
def sound_fixture(hass: HomeAssistant, tmp_path: Path) -> FileSource:
    """Return a file that Home Assistant may read."""
    path = tmp_path / "gong.wav"
    path.write_bytes(b"RIFF")
    hass.config.allowlist_external_dirs = {str(tmp_path)}
    return FileSource(path)


@pytest.fixture(name="call_events")
def call_events_fixture(hass: HomeAssistant) -> list[Event]:
    return async_capture_events(hass, EVENT_CALL)


@pytest.fixture(name="registration_events")
def registration_events_fixture(hass: HomeAssistant) -> list[Event]:
    return async_capture_events(hass, EVENT_REGISTRATION)


async def until(reached: Callable[[], Any]) -> Any:
    """Wait for a condition and return it."""
    async with asyncio.timeout(WAIT):
        while not (found := reached()):  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.002)
    return found


async def settle() -> None:
    """Let actions and automations run until they wait for something."""
    for _ in range(100):
        await asyncio.sleep(0)


async def act(hass: HomeAssistant, action: str, **data: Any) -> dict[str, Any]:
    """Perform an action and return its response."""
    answer = await hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True)
    assert answer is not None
    return dict(answer)


async def do(hass: HomeAssistant, action: str, **data: Any) -> None:
    """Perform an action that nobody wants the response of."""
    await hass.services.async_call(DOMAIN, action, data, blocking=True)
