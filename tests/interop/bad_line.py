"""Two network namespaces with a line between them that loses, doubles, reorders and delays: a real bad network.

Packets leave the kernel of one namespace by its TUN device and enter that of the other; in between they are ours.
That needs no module for such faults, which not every kernel has, but the right to make namespaces. They have no names
and no way out, and are gone with the last who holds them.
"""

import asyncio
import fcntl
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final, Self

from tests.net.lossy_relay import Fate, Figures
from tests.sip.link import Faults

NEAR: Final = "192.0.2.1"
"""Our own address on the line (RFC 5737)."""
FAR: Final = "192.0.2.2"
"""The address of the peer."""

_DEVICE: Final = "/dev/net/tun"
_PRESENT: Final = "/proc/thread-self/ns/net"
_MAX_PACKET: Final = 65536
_SET_TUN: Final = 0x400454CA
_TUN_WITHOUT_HEAD: Final = 0x1001
_SET_FLAGS: Final = 0x8914
_SET_ADDRESS: Final = 0x8916
_SET_PEER: Final = 0x8918
_UP_AND_RUNNING: Final = 0x41


def namespaces_refused() -> str:
    """Return why this process may make no namespaces with a line between them, "" where it may."""
    refusals: list[str] = []

    def attempt() -> None:
        # The namespace is that of this thread only, and ends with it.
        try:
            os.unshare(os.CLONE_NEWNET)
            os.close(_open_tun(NEAR, FAR))
        except OSError as error:
            refusals.append(str(error))

    thread = threading.Thread(target=attempt)
    thread.start()
    thread.join()
    return "".join(refusals)


def _open_tun(address: str, peer: str) -> int:
    """Make the device of the present namespace that leads to `peer`, and start the loopback."""
    device = os.open(_DEVICE, os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(device, _SET_TUN, struct.pack("16sH22x", b"line", _TUN_WITHOUT_HEAD))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            for request, host in ((_SET_ADDRESS, address), (_SET_PEER, peer)):
                fcntl.ioctl(
                    control, request, struct.pack("=16sH2x4s16x", b"line", socket.AF_INET, socket.inet_aton(host))
                )
            for name in (b"lo", b"line"):
                fcntl.ioctl(control, _SET_FLAGS, struct.pack("=16sH22x", name, _UP_AND_RUNNING))
    except BaseException:
        os.close(device)
        raise
    return device


class BadLine:
    """As a context: the calling thread is in the near namespace, at `NEAR`, and reaches nobody but `FAR`."""

    def __init__(self, faults: Faults, seed: int = 0) -> None:
        """Prepare a line that is as bad as `faults` say."""
        self._fate = Fate(faults, seed)
        self._stack = ExitStack()
        self._near = self._far = -1
        self._flying: set[asyncio.TimerHandle] = set()

    @property
    def figures(self) -> Figures:
        """What became of the packets."""
        return self._fate.figures

    async def __aenter__(self) -> Self:
        """Make the namespaces and join them."""
        loop = asyncio.get_running_loop()
        with ExitStack() as stack:
            home = self._hold(stack, os.open(_PRESENT, os.O_RDONLY))
            stack.callback(os.setns, home, os.CLONE_NEWNET)
            os.unshare(os.CLONE_NEWNET)
            far_device = self._hold(stack, _open_tun(FAR, NEAR))
            self._far = self._hold(stack, os.open(_PRESENT, os.O_RDONLY))
            os.unshare(os.CLONE_NEWNET)
            near_device = self._hold(stack, _open_tun(NEAR, FAR))
            self._near = self._hold(stack, os.open(_PRESENT, os.O_RDONLY))
            for source, target in ((near_device, far_device), (far_device, near_device)):
                loop.add_reader(source, self._carry, source, target)
                stack.callback(loop.remove_reader, source)
            self._stack = stack.pop_all()
        return self

    @staticmethod
    def _hold(stack: ExitStack, descriptor: int) -> int:
        stack.callback(os.close, descriptor)
        return descriptor

    async def __aexit__(self, *_: object) -> None:
        """Go back; what is still under way is lost."""
        for handle in self._flying:
            handle.cancel()
        self._flying.clear()
        self._stack.close()

    @contextmanager
    def at_the_far_end(self) -> Iterator[None]:
        """Be in the far namespace, to start a process there; nothing may be awaited meanwhile."""
        os.setns(self._far, os.CLONE_NEWNET)
        try:
            yield
        finally:
            os.setns(self._near, os.CLONE_NEWNET)

    def _carry(self, source: int, target: int) -> None:
        """Do with a packet what this line does."""
        packet = os.read(source, _MAX_PACKET)
        for delay in self._fate.draw():
            self._forward(delay, packet, target)

    def _forward(self, delay: float, packet: bytes, target: int) -> None:
        def arrive() -> None:
            self._flying.discard(handle)
            os.write(target, packet)

        handle = asyncio.get_running_loop().call_later(delay, arrive)
        self._flying.add(handle)
