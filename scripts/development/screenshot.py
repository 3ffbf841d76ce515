"""Takes the pictures of docs/images from a running scripts/develop, in a headless Chromium driven by WebDriver."""

import argparse
import asyncio
import base64
import json
import shutil
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession

from .client import Client
from .dashboard import PATH
from .instance import REPO, free_port
from .terminal import DevelopError

IMAGES = REPO / "docs" / "images"
DRIVER_SECONDS = 20.0
PAGE_SECONDS = 30.0
SETTLE_SECONDS = 2.0
CALL_SECONDS = 10.0
DASHBOARD_SIZE = (1240, 690)
FORM_SIZE = (720, 1360)
CHROMIUM = (
    "--headless=new",
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)
# The frontend is built of shadow roots: this finds an element in all of them, by a selector and how its text begins.
FIND = """
const find = (root, selector, text) => {
  for (const hit of root.querySelectorAll(selector)) {
    if (hit.textContent.trim().startsWith(text)) return hit;
  }
  for (const element of root.querySelectorAll('*')) {
    const below = element.shadowRoot && find(element.shadowRoot, selector, text);
    if (below) return below;
  }
  return null;
};
const found = find(document, arguments[0], arguments[1]);
"""


class Browser:
    """A headless Chromium behind a chromedriver of its own."""

    def __init__(self, profile: Path) -> None:
        self._profile = profile
        self._driver: asyncio.subprocess.Process | None = None
        self._http: ClientSession | None = None
        self._session = ""

    async def start(self) -> None:
        """Start driver and browser; raises DevelopError where the machine has none."""
        driver, chromium = shutil.which("chromedriver"), shutil.which("chromium")
        if driver is None or chromium is None:
            raise DevelopError("chromium and chromedriver are missing: install the packages chromium chromium-driver")
        port = free_port("127.0.0.1", 9515)
        self._driver = await asyncio.create_subprocess_exec(
            driver, f"--port={port}", stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        self._http = ClientSession(base_url=f"http://127.0.0.1:{port}")
        arguments = [*CHROMIUM, f"--user-data-dir={self._profile}"]
        options = {"goog:chromeOptions": {"binary": chromium, "args": arguments}}
        answer = await self._started({"capabilities": {"alwaysMatch": options}})
        self._session = f"/session/{answer['sessionId']}"

    async def _started(self, capabilities: dict[str, Any]) -> Any:
        deadline = time.monotonic() + DRIVER_SECONDS
        while True:
            try:
                return await self._ask("/session", capabilities)
            except ClientError as error:
                if time.monotonic() > deadline:
                    raise DevelopError(f"chromedriver does not start: {error}") from error
                await asyncio.sleep(0.2)

    async def stop(self) -> None:
        """End browser and driver."""
        if self._http is not None:
            if self._session:
                await self._http.delete(self._session)
            await self._http.close()
        if self._driver is not None:
            self._driver.terminate()
            await self._driver.wait()

    async def _ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        if self._http is None:
            raise DevelopError("the browser is not started")
        method = "GET" if body is None else "POST"
        async with self._http.request(method, path, json=body) as response:
            value = (await response.json())["value"]
            if response.status != 200:
                raise DevelopError(f"{path}: {value['message']}")
            return value

    async def open(self, url: str, size: tuple[int, int]) -> None:
        """Load a page into a window of that size in pixels."""
        await self._ask(f"{self._session}/window/rect", {"width": size[0], "height": size[1]})
        await self._ask(f"{self._session}/url", {"url": url})

    async def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page and return what it returns."""
        return await self._ask(f"{self._session}/execute/sync", {"script": script, "args": list(arguments)})

    async def wait_for(self, selector: str, text: str = "") -> None:
        """Wait until the page has an element, in whatever shadow root."""
        deadline = time.monotonic() + PAGE_SECONDS
        while not await self.run(f"{FIND} return found !== null", selector, text):
            if time.monotonic() > deadline:
                raise DevelopError(f"the page shows no {selector} {text}")
            await asyncio.sleep(0.2)
        await asyncio.sleep(SETTLE_SECONDS)

    async def click(self, selector: str, text: str) -> None:
        """Wait for an element and click it."""
        await self.wait_for(selector, text)
        await self.run(f"{FIND} found.click()", selector, text)

    async def save(self, path: Path) -> None:
        """Write what is to be seen into a PNG file."""
        data = base64.b64decode(await self._ask(f"{self._session}/screenshot"))
        await asyncio.to_thread(path.write_bytes, data)
        print(f"{path.relative_to(REPO)}: {len(data) // 1024} kB", flush=True)


async def log_in(browser: Browser, client: Client) -> None:
    """Give the page the tokens that its login page would leave behind."""
    tokens = {
        **client.tokens,
        "hassUrl": client.url,
        "clientId": client.client_id,
        "expires": int(time.time() + client.tokens["expires_in"]) * 1000,
    }
    await browser.open(f"{client.url}/manifest.json", DASHBOARD_SIZE)
    await browser.run("localStorage.setItem('hassTokens', arguments[0])", json.dumps(tokens))
    await browser.run("localStorage.setItem('dockedSidebar', '\"always_hidden\"')")


async def take(url: str) -> None:
    """Take both pictures: the dashboard while it rings, and the form of a new account."""
    async with AsyncExitStack() as stack:
        client = Client(url)
        stack.push_async_callback(client.close)
        await client.log_in()
        await client.connect()
        profile = stack.enter_context(tempfile.TemporaryDirectory(prefix="sip-phone-browser-"))
        browser = Browser(Path(profile))
        stack.push_async_callback(browser.stop)
        await browser.start()
        await log_in(browser, client)
        await let_grandma_ring(client)
        await browser.open(f"{url}/{PATH}", DASHBOARD_SIZE)
        await browser.wait_for("hui-history-graph-card")
        await browser.save(IMAGES / "dashboard.png")
        await client.perform("sip_ua.hangup")
        await browser.open(f"{url}/config/integrations/dashboard/add?domain=sip_ua", FORM_SIZE)
        await browser.click("ha-button", "OK")
        await browser.wait_for("ha-expansion-panel")
        await browser.save(IMAGES / "account-setup.png")


async def let_grandma_ring(client: Client) -> None:
    """Ask the exchange for a call by dialling its extension for that, and wait until it rings."""
    rings = asyncio.Event()
    await client.listen("sip_ua_call", lambda data: rings.set() if data["type"] == "incoming" else None)
    await client.perform("sip_ua.dial", number="610", wait="ended", answer=True)
    try:
        async with asyncio.timeout(CALL_SECONDS):
            await rings.wait()
    except TimeoutError as error:
        raise DevelopError("the exchange does not call back") from error


def main() -> int:
    """Return 0 when both pictures are there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8123", help="where scripts/develop says that it is")
    try:
        asyncio.run(take(parser.parse_args().url))
    except DevelopError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
