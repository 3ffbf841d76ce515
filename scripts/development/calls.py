"""What Home Assistant tells of calls, on the bus and in entity states, and waiting for it."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from .client import Client
from .terminal import DevelopError

EVENT_CALL = "sip_ua_call"

type Data = Mapping[str, Any]


class Calls:
    """Hears every event of calls; `entities` are the account's entity ids by `platform.translation_key`."""

    def __init__(self, client: Client, entities: Mapping[str, str]) -> None:
        self._client = client
        self._entities = entities
        self._heard: list[dict[str, Any]] = []
        self._states: dict[str, str] = {}
        self._news = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        await self._client.listen(EVENT_CALL, self._hear)
        await self._client.listen("state_changed", self._hear_state)
        for state in await self._client.command("get_states"):
            self._states.setdefault(state["entity_id"], state["state"])

    def _hear(self, data: dict[str, Any]) -> None:
        self._heard.append(data)
        self._wake()

    def _hear_state(self, data: dict[str, Any]) -> None:
        state = data["new_state"]
        self._states[data["entity_id"]] = "" if state is None else state["state"]
        self._wake()

    def _wake(self) -> None:
        task = asyncio.get_running_loop().create_task(self._tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    def steps(self, call_id: str) -> list[Data]:
        """Return the steps of a call's progression so far."""
        return [data for data in self._heard if data["type"] == "step" and data["call_id"] == call_id]

    def heard(self, since: int, kind: str) -> list[Data]:
        """Return the events of a type after `since`."""
        return [data for data in self._heard[since:] if data["type"] == kind]

    def mark(self) -> int:
        """Return a place in what was heard, for `wait`."""
        return len(self._heard)

    async def wait(self, what: str, since: int, fits: Callable[[Data], bool], seconds: float = 10.0) -> Data:
        """Return the first event after `since` that fits; raises DevelopError that says what did not come."""

        def found() -> Data | None:
            return next((data for data in self._heard[since:] if fits(data)), None)

        try:
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(lambda: found() is not None)
        except TimeoutError as error:
            heard = [data["type"] if data["type"] != "step" else data["step"] for data in self._heard[since:]]
            raise DevelopError(f"{what} did not come within {seconds:.0f} s; what came: {heard}") from error
        data = found()
        if data is None:
            raise DevelopError(f"{what} did not come")
        return data

    async def wait_type(self, kind: str, since: int, call_id: str | None = None) -> Data:
        """Wait for an event of a type, of any call where none is named."""
        return await self.wait(
            f"the event {kind!r}",
            since,
            lambda data: data["type"] == kind and call_id in (None, data["call_id"]),
        )

    async def wait_step(self, step: str, since: int) -> Data:
        """Wait for a step of the call progression."""
        return await self.wait(f"the step {step!r}", since, lambda data: data.get("step") == step)

    async def wait_state(self, entity: str, wanted: str, seconds: float = 10.0) -> None:
        """Wait until an entity has a state."""
        entity_id = self._entities[entity]
        try:
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(lambda: self._states.get(entity_id) == wanted)
        except TimeoutError as error:
            raise DevelopError(f"{entity_id} is {self._states.get(entity_id)!r}, not {wanted!r}") from error

    async def press(self, button: str) -> None:
        """Press one of the account's buttons."""
        await self._client.perform("button.press", entity_id=self._entities[f"button.{button}"])
