"""A Home Assistant with its frontend in a process of its own, and a Chromium in front of it."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scripts.development.account import OUTSIDE, entities_of, find_account, remove_entries
from scripts.development.browser import Browser
from scripts.development.calls import Calls
from scripts.development.client import Client
from scripts.development.instance import Instance
from scripts.development.person import Person
from tests.interop.conftest import peers, pytest_runtest_makereport
from tests.interop.peers import LOOPBACK, free_ports, until

__all__ = ["peers", "pytest_runtest_makereport"]

OPTIONS_FLOWS = "/api/config/config_entries/options/flow"
ALBUM = os.environ.get("SIP_UA_ALBUM")
"""The folder where `scripts/screenshot` keeps the pictures; without it they are kept beside a failure only."""


@dataclass
class House:
    """A running Home Assistant, somebody at its pages, and the wire behind them to ask what is true."""

    instance: Instance
    client: Client
    person: Person
    album: Path
    entities: dict[str, str] = field(default_factory=dict)

    @property
    def browser(self) -> Browser:
        """Return the person's browser."""
        return self.person.browser

    async def picture(self, name: str) -> None:
        """Keep what is to be seen."""
        await self.browser.save(self.album / f"{name}.png")

    async def account(self) -> Calls:
        """Return what the one account tells of calls from now on; its entities are known from then on."""
        entry_id = await find_account(self.client)
        assert entry_id is not None
        self.entities = await entities_of(self.client, entry_id)
        calls = Calls(self.client, self.entities)
        await calls.listen()
        return calls

    async def device(self, name: str) -> str:
        """Return the path of the page of a device."""
        devices: list[dict[str, Any]] = await self.client.command("config/device_registry/list")
        (found,) = (device["id"] for device in devices if device["name"] == name)
        return f"/config/devices/device/{found}"

    async def suggested(self, step: str) -> dict[str, Any]:
        """Return what a page of the account's options holds, by its fields."""
        flow = await self.client.request("POST", OPTIONS_FLOWS, {"handler": await find_account(self.client)})
        path = f"{OPTIONS_FLOWS}/{flow['flow_id']}"
        page = await self.client.request("POST", path, {"next_step_id": step})
        await self.client.request("DELETE", path)
        return {
            field["name"]: field["description"]["suggested_value"]
            for field in page["data_schema"]
            if "description" in field
        }

    async def notifications(self) -> list[str]:
        """Return what Home Assistant tells its owner."""
        found: list[dict[str, Any]] = await self.client.command("persistent_notification/get")
        return [notification["message"] for notification in found]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[tuple[Instance, Client]]:
    """Return a Home Assistant that is fully started, and its owner's connection."""
    instance = Instance(tmp_path / "home", LOOPBACK, free_ports())
    client = Client(instance.url)
    instance.prepare()
    try:
        await instance.start()
        await client.wait_until_served(instance.check)
        await client.onboard()
        await client.connect()
        started = Started()
        await client.listen("homeassistant_started", started.note)
        if (await client.command("get_config"))["state"] != "RUNNING":
            await until(lambda: started.noted, "Home Assistant has started", seconds=120)
        await remove_entries(client, *OUTSIDE)
        yield instance, client
    finally:
        await client.close()
        await instance.stop()
    assert instance.complaints() == []


class Started:
    """Notes that something has happened."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.noted = False

    def note(self, _data: dict[str, Any]) -> None:
        """Note it."""
        self.noted = True


@pytest.fixture
async def house(client: tuple[Instance, Client], tmp_path: Path) -> AsyncIterator[House]:
    """Return a Home Assistant with somebody logged in at its pages."""
    album = Path(ALBUM) if ALBUM else tmp_path / "album"
    album.mkdir(exist_ok=True)
    browser = Browser(tmp_path / "profile")
    try:
        await browser.start()
        person = Person(browser, client[1])
        await person.log_in()
        yield House(*client, person, album)
        # After a failure this shows where the person was.
        await browser.save(tmp_path / "last.png")
    finally:
        await browser.stop()
