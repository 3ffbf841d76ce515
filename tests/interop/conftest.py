"""Peers of one test: started on request, stopped at its end, their logs beside its failure."""

import asyncio
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from .peers import LOOPBACK, Asterisk, Baresip, Kamailio, PeerProcess, Pjsua, Sipp

STARTED = pytest.StashKey[list[PeerProcess]]()
LOG_TAIL_CHARACTERS = 12_000
USERS = {"ha": "hapw", "alice": "alicepw", "bob": "bobpw"}


class Peers:
    """Starts peers, each in a folder of its own, and remembers them."""

    def __init__(self, folder: Path, started: list[PeerProcess], named: set[str]) -> None:
        """Start into `folder` what the test has `named` by its marker `peer`."""
        self._folder = folder
        self._started = started
        self._named = named

    def own(self) -> Path:
        """Return a folder that no other peer has."""
        return self._folder / str(len(self._started))

    async def start[Peer: PeerProcess](self, peer: Peer) -> Peer:
        """Start a peer that the test has made itself."""
        # Unnamed, it would be missed as a failure where it is not installed, in place of being named as not run.
        assert peer.program in self._named, f"the test does not name {peer.program} by its marker peer"
        self._started.append(peer)
        await peer.start()
        return peer

    async def kamailio(
        self,
        *,
        users: Mapping[str, str] = USERS,
        min_expires: int = 0,
        max_expires: int = 3600,
        nonce_seconds: int = 120,
        algorithm: str = "MD5",
        service_user: str = "",
    ) -> Kamailio:
        """Start a registrar."""
        return await self.start(
            Kamailio(
                self.own(),
                users,
                min_expires=min_expires,
                max_expires=max_expires,
                nonce_seconds=nonce_seconds,
                algorithm=algorithm,
                service_user=service_user,
            )
        )

    async def asterisk(
        self,
        *,
        qualify: int = 0,
        shortest_registration: int = 2,
        certificate: Path | None = None,
        without: tuple[str, ...] = (),
    ) -> Asterisk:
        """Start an exchange."""
        return await self.start(
            Asterisk(
                self.own(),
                qualify=qualify,
                shortest_registration=shortest_registration,
                certificate=certificate,
                without=without,
            )
        )

    async def baresip(
        self,
        registrar: Asterisk | Kamailio | None,
        user: str = "bob",
        *,
        tone_hz: float = 440.0,
        answer: bool = True,
        codecs: tuple[str, ...] = ("pcma", "pcmu"),
        transport: str = "udp",
        encryption: str = "",
        jitter_buffer: bool = True,
    ) -> Baresip:
        """Start a telephone that is registered at `registrar` on return, or that has no server."""
        return await self.start(
            Baresip(
                self.own(),
                user=user,
                password="" if registrar is None else registrar.users[user],
                registrar="" if registrar is None else registrar.address,
                tone_hz=tone_hz,
                answer=answer,
                codecs=codecs,
                transport=transport,
                encryption=encryption,
                jitter_buffer=jitter_buffer,
            )
        )

    async def pjsua(
        self,
        user: str = "bob",
        *,
        kamailio: Kamailio | None = None,
        tone_hz: float = 440.0,
        answer: bool = True,
        codecs: tuple[str, ...] = ("PCMA", "PCMU"),
        address: str = LOOPBACK,
        options: tuple[str, ...] = (),
    ) -> Pjsua:
        """Start a telephone that is registered at `kamailio` on return, or that has no server."""
        return await self.start(
            Pjsua(
                self.own(),
                user=user,
                password="" if kamailio is None else kamailio.users[user],
                registrar="" if kamailio is None else kamailio.address,
                tone_hz=tone_hz,
                answer=answer,
                codecs=codecs,
                address=address,
                options=options,
            )
        )

    async def sipp(
        self,
        scenario: str | Path,
        target: str | None = None,
        *,
        calls: int = 1,
        rate: int = 10,
        simultaneous: int = 1,
        service: str = "service",
        transport: str = "udp",
    ) -> Sipp:
        """Start a scenario; with a `target` SIPp is the caller."""
        return await self.start(
            Sipp(
                self.own(),
                scenario,
                target=target,
                calls=calls,
                rate=rate,
                simultaneous=simultaneous,
                service=service,
                transport=transport,
            )
        )


@pytest.fixture
async def loop_of_life() -> None:
    """Let the event loop be as quick as in life: Home Assistant's test package lets it trace each of its steps."""
    asyncio.get_running_loop().set_debug(False)


@pytest.fixture
async def peers(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Peers]:
    """Start peers with this; they are stopped in the reverse order, whatever happens."""
    started: list[PeerProcess] = []
    request.node.stash[STARTED] = started
    named = {name for marker in request.node.iter_markers("peer") for name in marker.args}
    yield Peers(tmp_path, started, named)
    async with AsyncExitStack() as stack:
        for peer in started:
            stack.push_async_callback(peer.stop)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the logs of its peers beside a failure."""
    report = yield
    if report.failed:
        for peer in item.stash.get(STARTED, []):
            report.sections.append((f"log of {peer.name}", peer.log[-LOG_TAIL_CHARACTERS:]))
    return report
