"""How long a new user's way is, from Add integration to a telephone that rings, and how many fields it has to be typed.

    .venv/bin/python scripts/benchmark/new_user.py

A real Home Assistant in a real browser (scripts/setup develop, Chromium and chromedriver), and the development exchange
in the place of a FRITZ!Box: its template is chosen, the form is typed and submitted, and once the account is registered
somebody calls it. The clock starts at the press of Add integration and stops when the state of the call is `ringing`.
The script types as fast as the page takes it, so that the seconds are those of software alone; the form of a person at
a real FRITZ!Box has one field less to type, because its address is known. The goal: at most three fields; the exit code
is 1 beyond that.
"""

import asyncio
import sys
import tempfile
import time
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from contextlib import AsyncExitStack
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPO))

from scripts.development.account import OUTSIDE, entities_of, find_account, remove_entries  # noqa: E402
from scripts.development.browser import Browser  # noqa: E402
from scripts.development.calls import Calls  # noqa: E402
from scripts.development.client import Client  # noqa: E402
from scripts.development.instance import HASS, Instance  # noqa: E402
from scripts.development.person import Person  # noqa: E402
from scripts.development.terminal import DevelopError  # noqa: E402
from scripts.exchange.exchange import HOST, Exchange  # noqa: E402
from tests.interop.peers import free_ports  # noqa: E402

NUMBER, PASSWORD, CALLER = "620", "telephone-620", "555610"
FIELDS_GOAL = 3
ROW = "{:<46}{:>8}"


class Watch:
    """Prints what has been reached, and after how many seconds."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def note(self, what: str) -> None:
        print(ROW.format(what, f"{time.monotonic() - self._start:.1f} s"), flush=True)


async def measure() -> bool:
    """Go the way once; True where the goal was reached."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sip-phone-new-user-")))
        exchange = Exchange({NUMBER: PASSWORD})
        await exchange.start()
        stack.push_async_callback(exchange.stop)
        instance = Instance(folder / "home", HOST, free_ports())
        instance.prepare()
        stack.push_async_callback(instance.stop)
        await instance.start()
        client = Client(instance.url)
        stack.push_async_callback(client.close)
        await client.wait_until_served(instance.check)
        await client.onboard()
        await client.connect()
        await remove_entries(client, *OUTSIDE)
        browser = Browser(folder / "profile")
        stack.push_async_callback(browser.stop)
        await browser.start()
        person = Person(browser, client)
        await person.log_in()
        await person.open("/config/integrations/dashboard")
        await browser.find("ha-button", "Add integration")
        await go(person, client, exchange)
        met = person.typed <= FIELDS_GOAL
        print(ROW.format(f"fields typed (goal: at most {FIELDS_GOAL})", person.typed))
        return met


async def go(person: Person, client: Client, exchange: Exchange) -> None:
    """Go from Add integration to the ringing telephone."""
    watch = Watch()
    await person.choose_integration()
    watch.note("the form is open")
    await person.choose("Provider", "FRITZ!Box")
    await person.type("SIP number", NUMBER)
    await person.type("SIP server address", f"{HOST}:{exchange.port}")
    await person.type("Password", PASSWORD)
    watch.note("the form is filled in")
    await person.submit()
    await person.browser.click("ha-button", "Skip and finish")
    watch.note("the account is made")
    entry_id = await find_account(client)
    if entry_id is None:
        raise DevelopError("there is no account")
    calls = Calls(client, await entities_of(client, entry_id))
    await calls.listen()
    await calls.wait_state("sensor.registration", "registered")
    exchange.call(NUMBER, CALLER)
    await calls.wait_state("sensor.call_state", "ringing")
    watch.note("the telephone rings")


def main() -> int:
    """Measure, or say what is missing."""
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.parse_args()
    if not HASS.exists():
        parser.error("there is no Home Assistant with a frontend (scripts/setup develop makes one)")
    try:
        return 0 if asyncio.run(measure()) else 1
    except DevelopError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
