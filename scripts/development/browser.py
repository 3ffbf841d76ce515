"""A headless Chromium behind a chromedriver of its own: finds, clicks and types as a person does (W3C WebDriver)."""

import asyncio
import base64
import contextlib
import os
import re
import shutil
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from .terminal import DevelopError

DRIVER_SECONDS: Final = 60.0
PAGE_SECONDS: Final = 60.0
COMMAND_SECONDS: Final = 90.0
STILL_SECONDS: Final = 5.0
POLL_SECONDS: Final = 0.1
STARTED: Final = re.compile(rb"started successfully on port (\d+)")
ELEMENT: Final = "element-6066-11e4-a52e-4f735466cecf"
"""How WebDriver names an element (W3C WebDriver section 12)."""
TEXT_FIELD: Final = "input, textarea"
SELECT_ALL: Final = "\ue009a\ue000"
"""Ctrl and A, and Ctrl let go (W3C WebDriver section 17.4.2)."""
CHROMIUM: Final = (
    "--headless=new",
    "--no-sandbox",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--hide-scrollbars",
    "--lang=en",
)
# The frontend is built of shadow roots; this finds what is to be seen in any of them.
LOOK: Final = """
const everything = function* (root) {
  for (const element of root.querySelectorAll('*')) {
    yield element;
    if (element.shadowRoot) yield* everything(element.shadowRoot);
  }
};
const above = element => element.assignedSlot || element.parentElement || element.getRootNode().host;
const seen = element => element.checkVisibility({visibilityProperty: true, opacityProperty: true})
  && element.getBoundingClientRect().width > 0;
// Behind an open dialog nothing can be reached.
const reachable = selector => {
  const elements = [...everything(document)].filter(seen);
  const dialog = elements.findLast(element => element.matches('dialog[open]'));
  const inside = element => {
    for (let host = element; host; host = above(host)) if (host === dialog) return true;
    return false;
  };
  return elements.filter(element => element.matches(selector) && (!dialog || inside(element)));
};
const tidy = text => (text || '').replace(/\\s+/g, ' ').trim();
const find = (selector, text) => {
  for (const element of reachable(selector)) {
    if (tidy(element.innerText || element.textContent).startsWith(text)) return element;
  }
  return null;
};
// All that is to be read in an element, its shadow roots included.
const said = node => {
  if (node.nodeType === Node.TEXT_NODE) return node.data;
  if (node.nodeType !== Node.ELEMENT_NODE || node.matches('style, script, template')) return '';
  const children = node.shadowRoot ? node.shadowRoot.childNodes
    : node.localName === 'slot' && node.assignedNodes().length ? node.assignedNodes() : node.childNodes;
  return [...children].map(said).join(' ');
};
const row = name => reachable('*').find(element =>
  /^hui-.*-entity-row$/.test(element.localName) && element.localName !== 'hui-generic-entity-row'
  && tidy(said(element)).startsWith(name));
const labelled = (selector, label) => {
  for (const element of reachable(selector)) {
    for (let host = element, steps = 0; host && steps < 12; host = above(host), steps += 1) {
      const name = tidy(host.label || host.getAttribute('aria-label') || host.placeholder);
      if (!name) continue;
      if (name.replace(/\\*$/, '').trim() === label) return element;
      break;
    }
  }
  return null;
};
"""

type Element = dict[str, str]


class PageError(DevelopError):
    """The page does not do what was asked of it; `kind` is WebDriver's word for it."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Browser:
    """One window. What is not there yet is waited for; what does not come raises DevelopError that names it."""

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
        self._driver = await asyncio.create_subprocess_exec(
            driver,
            "--port=0",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        port = await self._port_of(self._driver)
        self._http = ClientSession(f"http://127.0.0.1:{port}", timeout=ClientTimeout(COMMAND_SECONDS))
        options = {
            "binary": chromium,
            "args": [*CHROMIUM, f"--user-data-dir={self._profile}"],
            "prefs": {"intl.accept_languages": "en"},
        }
        answer = await self._ask("/session", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})
        self._session = f"/session/{answer['sessionId']}"

    async def _port_of(self, driver: asyncio.subprocess.Process) -> int:
        """Return the free port that the driver has taken."""
        if driver.stdout is None:
            raise DevelopError("chromedriver says nothing")
        try:
            async with asyncio.timeout(DRIVER_SECONDS):
                while line := await driver.stdout.readline():
                    if found := STARTED.search(line):
                        return int(found[1])
        except TimeoutError as error:
            raise DevelopError(f"chromedriver has not started in {DRIVER_SECONDS:.0f} s") from error
        raise DevelopError("chromedriver does not start")

    async def stop(self) -> None:
        """End browser and driver."""
        if self._http is not None:
            if self._session:
                with contextlib.suppress(ClientError, TimeoutError):
                    await self._http.delete(self._session)
            await self._http.close()
        if (driver := self._driver) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(driver.pid, signal.SIGKILL)
            await driver.communicate()

    # The page

    async def open(self, url: str) -> None:
        """Load a page."""
        await self._command("/url", url=url)

    async def resize(self, width: int, height: int) -> None:
        """Make the window so many pixels large."""
        await self._command("/window/rect", width=width, height=height)

    async def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page and return what it returns."""
        return await self._command("/execute/sync", script=LOOK + script, args=list(arguments))

    async def until(self, script: str, what: str, *arguments: Any, seconds: float = PAGE_SECONDS) -> Any:
        """Run a script again and again until what it returns is true, and return that."""
        return await self._until(lambda: self.run(script, *arguments), what, seconds)

    async def find(self, selector: str, text: str = "") -> Element:
        """Wait until an element whose text begins so is to be seen, and return it."""
        element: Element = await self.until(
            "return find(arguments[0], arguments[1])", f"{selector} {text!r}", selector, text
        )
        return element

    async def text_of(self, selector: str) -> str:
        """Wait until an element is to be seen that says something, and return what."""
        text: str = await self.until(
            "const found = find(arguments[0], ''); return found && tidy(found.innerText || found.textContent)",
            f"a text of {selector}",
            selector,
        )
        return text

    async def sees(self, selector: str, text: str = "") -> bool:
        """Return whether an element whose text begins so is to be seen now."""
        return bool(await self.run("return find(arguments[0], arguments[1]) !== null", selector, text))

    async def gone(self, selector: str, text: str = "") -> None:
        """Wait until no such element is to be seen."""
        await self.until("return find(arguments[0], arguments[1]) === null", f"no {selector} {text!r}", selector, text)

    async def click(self, selector: str, text: str = "") -> None:
        """Wait for an element, and click where it is."""
        await self._act(lambda: self.find(selector, text), self._click, f"a click on {selector} {text!r}")

    async def field(self, selector: str, label: str) -> Element:
        """Wait until an element of the field with a label is to be seen, and return it."""
        script = "return labelled(arguments[0], arguments[1])"
        element: Element = await self.until(script, f"a field {label!r}", selector, label)
        return element

    async def shows_field(self, label: str) -> bool:
        """Return whether the text field with a label is to be seen now."""
        return bool(await self.run("return labelled(arguments[0], arguments[1]) !== null", TEXT_FIELD, label))

    async def field_gone(self, label: str) -> None:
        """Wait until no text field with a label is to be seen."""
        script = "return labelled(arguments[0], arguments[1]) === null"
        await self.until(script, f"no field {label!r}", TEXT_FIELD, label)

    async def click_field(self, selector: str, label: str) -> None:
        """Wait for an element of the field with a label, and click it."""
        await self._act(lambda: self.field(selector, label), self._click, f"a click on the field {label!r}")

    async def type(self, label: str, text: str) -> None:
        """Wait for the field with a label, and type into it in place of what it holds."""

        async def write(element: Element) -> None:
            await self._click(element)
            path = f"/element/{element[ELEMENT]}/value"
            await self._command(path, text=SELECT_ALL + text)

        await self._act(lambda: self.field(TEXT_FIELD, label), write, f"typing into {label!r}")
        await self.until(
            "return labelled(arguments[0], arguments[1]).value === arguments[2]",
            f"{label!r} to hold what was typed",
            TEXT_FIELD,
            label,
            text,
        )

    async def until_row(self, name: str, value: str = "") -> None:
        """Wait until the row of an entity shows a value beside its name."""
        await self.until(
            "const found = row(arguments[0]); return found && tidy(said(found)) === arguments[0]",
            f"a row that shows {name} {value}",
            f"{name} {value}".strip(),
        )

    async def until_logbook(self, sentence: str) -> None:
        """Wait until a line of the logbook reads so."""
        await self.until(
            "return reachable('.primary').some(line => tidy(said(line)) === arguments[0])",
            f"a line of the logbook that reads {sentence!r}",
            sentence,
        )

    async def press(self, name: str) -> None:
        """Wait for the row of a button, and press it."""

        async def button() -> Element:
            script = """
            const found = row(arguments[0]), button = 'ha-button:not([disabled])';
            return found && [...everything(found.shadowRoot)].find(element => element.matches(button));
            """
            element: Element = await self.until(script, f"a button {name!r}", name)
            return element

        await self._act(button, self._click, f"a press of {name!r}")

    async def save(self, path: Path) -> None:
        """Write what is to be seen, once nothing moves any more, into a PNG file."""
        data = await self._picture()
        deadline = asyncio.get_running_loop().time() + STILL_SECONDS
        before = ""
        while data != before and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(2 * POLL_SECONDS)
            before, data = data, await self._picture()
        await asyncio.to_thread(path.write_bytes, base64.b64decode(data))

    async def _picture(self) -> str:
        data: str = await self._ask(f"{self._session}/screenshot")
        return data

    # WebDriver

    async def _click(self, element: Element) -> None:
        await self._command(f"/element/{element[ELEMENT]}/click")

    async def _act(
        self, look: Callable[[], Awaitable[Element]], act: Callable[[Element], Awaitable[None]], what: str
    ) -> None:
        """Do something with an element; once more where the page has just put another there, or covers it."""

        async def attempt() -> bool:
            await act(await look())
            return True

        await self._until(attempt, what, PAGE_SECONDS)

    async def _until(self, attempt: Callable[[], Awaitable[Any]], what: str, seconds: float) -> Any:
        deadline = asyncio.get_running_loop().time() + seconds
        reason = ""
        while True:
            try:
                if found := await attempt():
                    return found
            except (PageError, ClientError) as error:
                reason = f" ({error})"
            if asyncio.get_running_loop().time() > deadline:
                raise DevelopError(f"the page has not come to this in {seconds:.0f} s: {what}{reason}")
            await asyncio.sleep(POLL_SECONDS)

    async def _command(self, path: str, **body: Any) -> Any:
        return await self._ask(f"{self._session}{path}", body)

    async def _ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        if self._http is None:
            raise DevelopError("the browser is not started")
        method = "GET" if body is None else "POST"
        async with self._http.request(method, path, json=body) as response:
            value = (await response.json())["value"]
            if response.status != 200:
                raise PageError(value["error"], f"{path.rpartition('/')[2]}: {value['message'].splitlines()[0]}")
            return value
