"""Run the exchange alone: `python -m scripts.exchange --port 5070 --user 1001:secret`."""

import argparse
import asyncio
import logging
import signal

from .exchange import HOST, Exchange
from .extension import EXTENSIONS, CallReport


def _report(report: CallReport) -> None:
    call, voice = report.call, report.statistics
    heard = "no voice" if voice is None else f"{voice.packets_received} packets in, {voice.packets_sent} out"
    print(f"{report.extension}: {call.remote.number} {call.outcome or ''} {call.code or ''} ({heard})", flush=True)


async def _run(port: int, users: dict[str, str]) -> None:
    exchange = Exchange(users, on_ended=_report)
    await exchange.start(port)
    print(f"exchange at {HOST} port {exchange.port}, UDP and TCP; numbers: {' '.join(users)}")
    for manner in EXTENSIONS:
        print(f"  {manner.number:>6}  {manner.name}")
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await exchange.stop()


def main() -> None:
    """Read the arguments and serve until a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="SIP port, any free one by default")
    parser.add_argument("--user", action="append", default=[], metavar="NUMBER:PASSWORD")
    arguments = parser.parse_args()
    users = dict(user.split(":", 1) for user in arguments.user or ["1001:secret"])
    logging.basicConfig(level=logging.INFO)
    asyncio.run(_run(arguments.port, users))


if __name__ == "__main__":
    main()
