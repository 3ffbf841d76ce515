"""What a person does in Home Assistant's pages: adds, chooses, types, submits and presses."""

import json
import time
from typing import Final

from .browser import TEXT_FIELD, Browser
from .client import Client

MENU_ENTRY: Final = "ha-list-item, ha-md-list-item, ha-list-item-button"
NAME: Final = "SIP Phone"
DESKTOP: Final = (1240, 900)
DASHBOARD: Final = (1240, 760)
TALL: Final = (760, 1560)
TALL_DEVICE: Final = (1240, 2000)


class Person:
    """Somebody logged in at a browser; `typed` counts the fields that had to be typed."""

    def __init__(self, browser: Browser, client: Client) -> None:
        self.browser = browser
        self.typed = 0
        self._client = client

    async def log_in(self) -> None:
        """Give the page the tokens that its login page would leave behind."""
        tokens = {
            **self._client.tokens,
            "hassUrl": self._client.url,
            "clientId": self._client.client_id,
            "expires": int(time.time() + self._client.tokens["expires_in"]) * 1000,
        }
        await self.browser.resize(*DESKTOP)
        await self.open("/manifest.json")
        await self.browser.run("localStorage.setItem('hassTokens', arguments[0])", json.dumps(tokens))
        await self.show_sidebar(shown=False)

    async def show_sidebar(self, *, shown: bool) -> None:
        """Show the sidebar, or hide it, on the pages that are opened from now on."""
        state = json.dumps("docked" if shown else "always_hidden")
        await self.browser.run("localStorage.setItem('dockedSidebar', arguments[0])", state)

    async def open(self, path: str) -> None:
        """Go to a page of Home Assistant."""
        await self.browser.open(f"{self._client.url}{path}")

    async def add_integration(self) -> None:
        """Go to the integrations, and choose ours, up to its form."""
        await self.open("/config/integrations/dashboard")
        await self.choose_integration()

    async def choose_integration(self) -> None:
        """Press Add integration on the page of the integrations, search for ours and choose it, up to its form."""
        await self.browser.click("ha-button", "Add integration")
        await self.browser.type("Search for a brand name", NAME)
        await self.browser.click("button", NAME)
        await self.browser.find("step-flow-form")

    async def choose(self, label: str, option: str) -> None:
        """Choose an option of a list."""
        await self.browser.click_field("button", label)
        await self.browser.click("ha-dropdown-item", option)
        await self.browser.gone("ha-dropdown-item")

    async def type(self, label: str, text: str) -> None:
        """Type into a field of a form."""
        self.typed += 1
        await self.browser.type(label, text)

    async def unfold(self, section: str, label: str) -> None:
        """Open a section of a form, up to one of its fields."""
        await self.browser.click("[role=heading]", section)
        await self.browser.field(TEXT_FIELD, label)

    async def fold(self, section: str, label: str) -> None:
        """Close a section of a form that has this field."""
        await self.browser.click("[role=heading]", section)
        await self.browser.field_gone(label)

    async def submit(self, button: str = "Submit") -> None:
        """Submit the form, or the page of it."""
        await self.browser.click("ha-button", button)

    async def choose_from_menu(self, name: str) -> None:
        """Choose a page of a form that begins with a menu."""
        await self.browser.click(MENU_ENTRY, name)
