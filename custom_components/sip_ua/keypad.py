"""The keys that the other side of each call presses, for those who wait for them."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

MAX_KEYS_KEPT: Final = 64


class Keys:
    """The keys of one call that one listener has not taken yet."""

    def __init__(self) -> None:
        """Begin with none."""
        self.pending: deque[str] = deque(maxlen=MAX_KEYS_KEPT)
        self._news = asyncio.Event()
        self._over = False

    def press(self, key: str) -> None:
        """Take a key."""
        self.pending.append(key)
        self._news.set()

    def end(self) -> None:
        """Take note that no more will come."""
        self._over = True
        self._news.set()

    async def next(self) -> str | None:
        """Wait for a key and return it, None where the call is over."""
        while not self.pending:
            if self._over:
                return None
            self._news.clear()
            await self._news.wait()
        return self.pending.popleft()


class KeyPad:
    """Keeps the newest keys of every call until somebody takes them or the call ends."""

    def __init__(self) -> None:
        """Begin with nothing pressed."""
        self._untaken: dict[str, deque[str]] = {}
        self._listeners: dict[str, list[Keys]] = {}

    def press(self, call_id: str, key: str) -> None:
        """Give a key to those who wait for the keys of the call; keep it where nobody does."""
        for keys in self._listeners.get(call_id, ()):
            keys.press(key)
        if call_id not in self._listeners:
            self._untaken.setdefault(call_id, deque(maxlen=MAX_KEYS_KEPT)).append(key)

    def end(self, call_id: str) -> None:
        """Forget a call that is over, and tell those who wait for its keys."""
        self._untaken.pop(call_id, None)
        for keys in self._listeners.pop(call_id, ()):
            keys.end()

    @contextmanager
    def listen(self, call_id: str, *, earlier: bool = False) -> Iterator[Keys]:
        """Listen to the keys of a call that goes on, with `earlier` also to those that nobody has taken yet.

        Keys that were pressed meanwhile and not taken are there for the next who asks for earlier ones.
        """
        keys = Keys()
        untaken = self._untaken.pop(call_id, None)
        if earlier and untaken:
            keys.pending.extend(untaken)
        self._listeners.setdefault(call_id, []).append(keys)
        try:
            yield keys
        finally:
            if (listeners := self._listeners.get(call_id)) is not None:
                listeners.remove(keys)
                if not listeners:
                    del self._listeners[call_id]
                    if keys.pending:
                        self._untaken[call_id] = keys.pending
