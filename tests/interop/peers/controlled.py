"""A peer that is given commands over a TCP connection."""

import asyncio
import contextlib
from abc import abstractmethod
from pathlib import Path
from typing import override

from .ports import LOOPBACK
from .process import POLL_SECONDS, PeerProcess


class ControlledPeer(PeerProcess):
    """A program with a control port; whoever starts it calls `connect`, and `stop` closes the connection."""

    def __init__(self, name: str, folder: Path) -> None:
        """Prepare `folder`; there is no connection yet."""
        super().__init__(name, folder)
        self._reader: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def connect(self, port: int) -> None:
        """Wait for the control port, and begin to read what the program tells there."""
        while True:
            self.require_alive(f"{self.name} opens its control port")
            try:
                reader, self._writer = await asyncio.open_connection(LOOPBACK, port)
            except ConnectionRefusedError:
                await asyncio.sleep(POLL_SECONDS)
            else:
                self._reader = asyncio.create_task(self._read(reader))
                return

    @abstractmethod
    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Take what the program tells until the connection ends."""

    @override
    async def stop(self) -> None:
        """End the program and close the control connection."""
        await super().stop()
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
            self._reader = None
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
            self._writer = None
