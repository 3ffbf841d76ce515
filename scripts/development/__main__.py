"""The work of scripts/develop, in the environment that it has prepared."""

import argparse
import asyncio
import contextlib
import signal
import sys
import time

from scripts.exchange.exchange import HOST, Exchange

from .account import OUTSIDE, add_account, change_account, entities_of, find_account, remove_entries
from .calls import Calls
from .client import PASSWORD, USER, Client
from .dashboard import make_dashboard
from .instance import REPO, Instance, free_port, own_folder
from .proof import Proof, Reports
from .terminal import DevelopError, Progress

FOLDER = ".homeassistant"
PORT = 8123
SIP_PORT = 5070
NUMBER = "1001"
NUMBER_PASSWORD = "telephone-1001"  # noqa: S105 - at an exchange on loopback
SIP_DOMAIN = "exchange.test"
USERS = {NUMBER: NUMBER_PASSWORD, "1002": "telephone-1002", "1003": "telephone-1003"}
REGISTERED_SECONDS = 30.0


async def develop(arguments: argparse.Namespace, progress: Progress) -> None:
    """Start everything, prove that it works, stay up unless told otherwise, and stop everything."""
    folder = REPO / FOLDER
    reports = Reports()
    exchange = Exchange(USERS, on_ended=reports.note)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(own_folder(folder, fresh=arguments.fresh))
        port = free_port(arguments.host, arguments.port)
        if port != arguments.port:
            progress.say(f"port {arguments.port} is busy, taking {port} instead")
        instance = Instance(folder, arguments.host, port)
        # Home Assistant goes first, so that the exchange is still there when it unregisters.
        stack.push_async_callback(exchange.stop)
        stack.push_async_callback(stop, instance, progress)
        instance.prepare()
        progress.say(f"starting Home Assistant, log: {instance.log}")
        await instance.start()
        await start_exchange(exchange, progress)
        client = Client(f"http://{local_name(arguments.host)}:{port}")
        stack.push_async_callback(client.close)
        await enter(client, instance, progress)
        calls = await set_up_account(client, exchange, progress)
        await Proof(client, calls, exchange, reports, progress).run(NUMBER)
        progress.say("every call went as it should")
        await remove_entries(client, *OUTSIDE)
        if not arguments.once:
            await stay(client, instance, progress)
    if complaints := instance.complaints():
        raise DevelopError("\n".join(["the integration complains in the log:", *complaints]))


async def stop(instance: Instance, progress: Progress) -> None:
    """Stop Home Assistant."""
    progress.say("stopping Home Assistant")
    if not await instance.stop():
        progress.say("Home Assistant did not stop by itself and was killed")


async def start_exchange(exchange: Exchange, progress: Progress) -> None:
    """Start the exchange at its usual port, or any other."""
    try:
        await exchange.start(SIP_PORT)
    except OSError:
        await exchange.start()
        progress.say(f"port {SIP_PORT} is busy, the exchange takes {exchange.port} instead")
    progress.say(f"the exchange listens at {HOST} port {exchange.port}, UDP and TCP")


def local_name(host: str) -> str:
    """Return where this machine reaches a server that listens at `host`."""
    return "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - asked for by the developer


async def enter(client: Client, instance: Instance, progress: Progress) -> None:
    """Wait for Home Assistant, go through its onboarding where that is to be done, and log in."""
    if await client.wait_until_served(instance.check):
        await client.onboard()
        progress.say("onboarding is done")
    else:
        await client.log_in()
    await client.connect()
    while (await client.command("get_config"))["state"] != "RUNNING":
        instance.check()
        await asyncio.sleep(0.2)
    version = (await client.command("get_config"))["version"]
    progress.say(f"Home Assistant {version} runs; user {USER}, password {PASSWORD}")


async def set_up_account(client: Client, exchange: Exchange, progress: Progress) -> Calls:
    """Add the account by its config flow, wait for its registration, and make the dashboard.

    An account of an earlier run is led to the exchange's present port, so that its entities keep their names.
    """
    registered = asyncio.Event()
    await client.listen("sip_ua_registration", lambda data: registered.set() if data["code"] == 200 else None)
    address = {"server": HOST, "password": NUMBER_PASSWORD, "servers": {"server_port": exchange.port}}
    entry_id = await find_account(client)
    if entry_id is None:
        entry_id = await add_account(client, {"number": NUMBER, "sip_domain": SIP_DOMAIN, **address})
        done = "the config flow added"
    else:
        registered.clear()
        await change_account(client, entry_id, address)
        done = "the config flow reconfigured"
    try:
        async with asyncio.timeout(REGISTERED_SECONDS):
            await registered.wait()
    except TimeoutError as error:
        raise DevelopError(f"{NUMBER}@{SIP_DOMAIN} was not registered in {REGISTERED_SECONDS:.0f} s") from error
    entities = await entities_of(client, entry_id)
    calls = Calls(client, entities)
    await calls.listen()
    await calls.wait_state("sensor.registration", "registered")
    if not exchange.bindings(NUMBER):
        raise DevelopError("Home Assistant says that it is registered, but the exchange does not know of it")
    progress.say(f"{done} {NUMBER}@{SIP_DOMAIN}; it is registered")
    await make_dashboard(client, entities)
    return calls


async def stay(client: Client, instance: Instance, progress: Progress) -> None:
    """Stay up until Home Assistant ends; a signal ends it from outside."""
    progress.say(f"dashboard: {client.url}/sip-phone  (user {USER}, password {PASSWORD}); Ctrl-C stops everything")
    while True:
        if instance.wants_restart:
            progress.say("Home Assistant restarts")
            await instance.start()
        instance.check()
        await asyncio.sleep(1.0)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="scripts/develop", description="Run the telephone in a real Home Assistant.")
    parser.add_argument("--once", action="store_true", help="make the calls of the proof, then stop")
    parser.add_argument("--fresh", action="store_true", help=f"begin with an empty folder {FOLDER}")
    parser.add_argument("--host", default="127.0.0.1", help="address at which Home Assistant listens")
    parser.add_argument("--port", type=int, default=PORT, help="its port, or the next free one")
    parser.add_argument("--started", type=int, default=time.time_ns() // 1000, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


async def run(arguments: argparse.Namespace, progress: Progress) -> None:
    """Do the work; the first signal stops it in an orderly way, later ones wait for that."""
    work = asyncio.create_task(develop(arguments, progress), name="develop")
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, lambda: None if work.cancelling() else work.cancel())
    await work


def main() -> int:
    """Return 0 when all went well or the developer has seen enough, 1 for what failed, 130 for what was broken off."""
    arguments = parse(sys.argv[1:])
    progress = Progress(arguments.started / 1_000_000)
    try:
        asyncio.run(run(arguments, progress))
    except DevelopError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        progress.say("stopped")
        return 130 if arguments.once else 0
    progress.say("done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
