"""Who waits for something that the phone is going to tell."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial


def _anything(_value: object) -> bool:
    """Accept whatever is told first."""
    return True


class Waiting[Key, Value]:
    """Futures by what they wait for; each is let go when its news comes, or when nobody waits for it any more."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._expected: dict[Key, list[tuple[Callable[[Value], bool], asyncio.Future[Value]]]] = {}

    @property
    def keys(self) -> Iterable[Key]:
        """Return what is waited for."""
        return tuple(self._expected)

    def expect(self, key: Key, wanted: Callable[[Value], bool] = _anything) -> asyncio.Future[Value]:
        """Return the future of the first news of `key` that is `wanted`."""
        future: asyncio.Future[Value] = asyncio.get_running_loop().create_future()
        self._expected.setdefault(key, []).append((wanted, future))
        future.add_done_callback(partial(self._forget, key))
        return future

    def tell(self, key: Key, value: Value) -> None:
        """Let those go on who want this news of `key`."""
        for wanted, future in self._expected.get(key, ()):
            if not future.done() and wanted(value):
                future.set_result(value)

    def cancel(self) -> None:
        """Let nobody wait any more."""
        for expected in tuple(self._expected.values()):
            for _, future in expected:
                future.cancel()

    def _forget(self, key: Key, future: asyncio.Future[Value]) -> None:
        staying = [waiter for waiter in self._expected.get(key, ()) if waiter[1] is not future]
        if staying:
            self._expected[key] = staying
        else:
            self._expected.pop(key, None)
