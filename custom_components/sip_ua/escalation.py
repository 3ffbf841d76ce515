"""Several numbers are called, one after another or all at once, until somebody accepts."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import voluptuous as vol
from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_NAME
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import config_validation as cv
from homeassistant.util import dt as dt_util

from .action_calls import (
    RING_TIMEOUT,
    SOUND_FIELDS,
    TARGET,
    do_work,
    optional_sound,
    unless_stopped,
)
from .action_errors import fault_key
from .action_targets import ACCOUNT_FIELDS, require_reachable
from .call_view import call_data, is_connected
from .callees import Callee, find_callees, split_lists
from .const import (
    ATTR_CALL_ID,
    ATTR_CONFIRM,
    ATTR_CONFIRM_TIMEOUT,
    ATTR_KEEP_CALL,
    ATTR_MODE,
    ATTR_NUMBER,
    ATTR_NUMBERS,
    ATTR_PAUSE,
    ATTR_RESULT,
    ATTR_RING_TIMEOUT,
    ATTR_ROUNDS,
    ATTR_SEND_CALLER_ID,
    WaitFor,
)
from .coordinator import SipUaCoordinator
from .dtmf_input import ONE_KEY
from .net.audio import AudioSource
from .net.errors import AudioFault
from .sip.errors import LocalProtocolError, SipError
from .sip.events import CallOutcome

MAX_NUMBERS: Final = 20
MAX_ROUNDS: Final = 10
MAX_PAUSE: Final = 3600
REPEAT_PAUSE: Final = 1.0
"""Seconds of silence before a message is said again."""

LONGEST_MESSAGE: Final = 300.0
"""Seconds after which a message is cut off that nobody has to confirm: some media, such as a radio, never end."""

END_TIMEOUT: Final = 5.0
"""Seconds in which every call that is cancelled ends, whether or not the other side answers that."""

CONFIRM_ANY: Final = "any"
CONFIRM_NONE: Final = "none"


class Mode(StrEnum):
    """In which order the numbers are called."""

    IN_ORDER = "in_order"
    AT_ONCE = "at_once"


class Result(StrEnum):
    """What came of the call of one number.

    `CANCELLED`: somebody else accepted before. `NOT_ANSWERED`: the outcome of the call says why.
    """

    ACCEPTED = "accepted"
    NOT_CONFIRMED = "not_confirmed"
    NOT_ANSWERED = "not_answered"
    CANCELLED = "cancelled"


CALL_OUT_SCHEMA = vol.Schema(
    {
        **ACCOUNT_FIELDS,
        **SOUND_FIELDS,
        vol.Required(ATTR_NUMBERS): vol.All(cv.ensure_list, split_lists, vol.Length(min=1, max=MAX_NUMBERS), [TARGET]),
        vol.Optional(ATTR_MODE, default=Mode.IN_ORDER.value): vol.Coerce(Mode),
        vol.Optional(ATTR_ROUNDS, default=1): vol.All(vol.Coerce(int), vol.Range(min=1, max=MAX_ROUNDS)),
        vol.Optional(ATTR_PAUSE, default=10): vol.All(vol.Coerce(float), vol.Range(min=0, max=MAX_PAUSE)),
        vol.Optional(ATTR_RING_TIMEOUT): RING_TIMEOUT,
        vol.Optional(ATTR_SEND_CALLER_ID): cv.boolean,
        vol.Optional(ATTR_CONFIRM, default=CONFIRM_ANY): vol.Any(CONFIRM_ANY, CONFIRM_NONE, ONE_KEY),
        vol.Optional(ATTR_CONFIRM_TIMEOUT, default=30): vol.All(vol.Coerce(float), vol.Range(min=1, max=600)),
        vol.Optional(ATTR_KEEP_CALL, default=False): cv.boolean,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Who is called, how often, and what accepts; times in seconds. `caller_id` None shows it as the options say."""

    callees: tuple[Callee, ...]
    mode: Mode
    rounds: int
    pause: float
    ring_timeout: int | None
    caller_id: bool | None
    confirm: str
    confirm_timeout: float
    keep_call: bool


@dataclass(slots=True)
class Attempt:
    """One call of one callee; `how` tells of it once it is over, `played` is the end of its first sound."""

    callee: Callee
    round: int
    result: Result = Result.CANCELLED
    call_id: str | None = None
    how: dict[str, Any] = field(default_factory=dict)
    played: asyncio.Future[AudioFault | None] | None = field(default=None, repr=False)


class Escalation:
    """Calls the numbers of a plan; whatever ends it, no call is left but the accepted one that is to be kept."""

    def __init__(
        self, coordinator: SipUaCoordinator, plan: Plan, make_sound: Callable[[], Awaitable[AudioSource | None]]
    ) -> None:
        """Take the plan; `make_sound` makes the message anew for each call and each time that it is said.

        With `coordinator` the whole ends; where another account is switched off, those of the others are called.
        """
        self.attempts: list[Attempt] = []
        self.accepted: Attempt | None = None
        self.accepted_at: str | None = None
        self._coordinator = coordinator
        self._plan = plan
        self._make_sound = make_sound

    async def run(self) -> None:
        """Call until somebody accepts, or everybody has been called in every round."""
        a_round = self._in_order if self._plan.mode is Mode.IN_ORDER else self._at_once
        try:
            for number in range(1, self._plan.rounds + 1):
                if number > 1:
                    await asyncio.sleep(self._plan.pause)
                await a_round(number)
                if self.accepted is not None:
                    break
        except BaseException:
            await self.abandon()
            raise
        if self.accepted is not None:
            await self._leave(self.accepted)

    async def _in_order(self, a_round: int) -> None:
        for callee in self._plan.callees:
            await self._attempt(callee, a_round)
            if self.accepted is not None:
                return

    async def _at_once(self, a_round: int) -> None:
        calls = [asyncio.ensure_future(self._attempt(callee, a_round)) for callee in self._plan.callees]
        try:
            for call in asyncio.as_completed(calls):
                await call
                if self.accepted is not None:
                    return
        finally:
            for task in calls:
                task.cancel()
            await asyncio.gather(*calls, return_exceptions=True)

    async def _attempt(self, callee: Callee, a_round: int) -> None:
        """Call somebody, and hang up unless it accepts."""
        attempt = Attempt(callee, a_round)
        self.attempts.append(attempt)
        is_own = callee.coordinator is self._coordinator
        try:
            with contextlib.nullcontext() if is_own else unless_stopped(callee.coordinator):
                await self._call(attempt)
        except (SipError, HomeAssistantError) as error:
            attempt.result = Result.NOT_ANSWERED
            attempt.how = {
                "outcome": CallOutcome.FAILED.value,
                "code": 0,
                "reason": "",
                "fault": fault_key(error),
                "detail": str(error),
            }
        finally:
            if self.accepted is not attempt:
                await self._hang_up(attempt)

    async def _call(self, attempt: Attempt) -> None:
        callee, plan = attempt.callee, self._plan
        coordinator = callee.coordinator
        if callee.error is not None:
            raise callee.error
        if coordinator is not self._coordinator:
            require_reachable(coordinator)
        source = await self._make_sound()
        call_id = attempt.call_id = await coordinator.async_dial(
            callee.number, source=source, ring_timeout=plan.ring_timeout, caller_id=plan.caller_id
        )
        if source is not None:
            attempt.played = coordinator.async_next_played(call_id)
        if not is_connected(await coordinator.async_wait(call_id, WaitFor.ANSWERED)):
            attempt.result = Result.NOT_ANSWERED
        elif not await self._is_confirmed(attempt, coordinator, call_id):
            attempt.result = Result.NOT_CONFIRMED
        elif self.accepted is None:
            attempt.result, self.accepted = Result.ACCEPTED, attempt
            self.accepted_at = dt_util.utcnow().isoformat(timespec="milliseconds")

    async def _is_confirmed(self, attempt: Attempt, coordinator: SipUaCoordinator, call_id: str) -> bool:
        """Repeat the message until the key is pressed, the time is over or the call ends."""
        wanted = self._plan.confirm
        if wanted == CONFIRM_NONE:
            return True
        played = attempt.played
        repeating = asyncio.ensure_future(self._repeat(coordinator, call_id, played)) if played else None
        try:
            with coordinator.keys.listen(call_id) as keys:
                if call_id not in coordinator.calls:
                    return False
                async with asyncio.timeout(self._plan.confirm_timeout):
                    while (key := await keys.next()) is not None:
                        if wanted in {CONFIRM_ANY, key}:
                            return True
        except TimeoutError:
            pass
        finally:
            if repeating is not None:
                repeating.cancel()
                coordinator.async_stop_playing(call_id)
        return False

    async def _repeat(
        self, coordinator: SipUaCoordinator, call_id: str, played: asyncio.Future[AudioFault | None]
    ) -> None:
        """Say the message again and again; one that failed is not tried again."""
        fault = await played
        with contextlib.suppress(SipError, HomeAssistantError):
            while fault is None and (source := await self._next_sound()) is not None:
                fault = await coordinator.async_play(call_id, source, wait=True)

    async def _next_sound(self) -> AudioSource | None:
        await asyncio.sleep(REPEAT_PAUSE)
        return await self._make_sound()

    async def _leave(self, attempt: Attempt) -> None:
        """Keep the accepted call, or end it once an answer that was enough has let the message be heard."""
        if self._plan.keep_call and attempt.call_id is not None:
            self._note(attempt, attempt.call_id)
            return
        try:
            if self._plan.confirm == CONFIRM_NONE and attempt.played is not None:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LONGEST_MESSAGE):
                        await attempt.played
        finally:
            await self._hang_up(attempt)

    async def abandon(self) -> None:
        """End the accepted call, which nobody will be told of any more."""
        if self.accepted is not None:
            await self._hang_up(self.accepted)

    async def _hang_up(self, attempt: Attempt) -> None:
        """End a call in whatever state it is, and keep how it went."""
        if attempt.played is not None:
            attempt.played.cancel()
        if (call_id := attempt.call_id) is None:
            return
        coordinator = attempt.callee.coordinator
        with contextlib.suppress(LocalProtocolError, TimeoutError):
            async with asyncio.timeout(END_TIMEOUT):
                await coordinator.async_hangup(call_id)
                await coordinator.async_wait(call_id, WaitFor.ENDED)
        self._note(attempt, call_id)

    def _note(self, attempt: Attempt, call_id: str) -> None:
        """Keep how a call went so far."""
        calls = attempt.callee.coordinator.calls
        if (call := calls.find(call_id)) is not None:
            attempt.how = call_data(call) | calls.outcome(call)

    def describe(self) -> dict[str, Any]:
        """Return who accepted, when, and what came of every call."""
        accepted = self.accepted
        coordinator = accepted.callee.coordinator if accepted else self._coordinator
        return {
            ATTR_CONFIG_ENTRY_ID: coordinator.config_entry.entry_id,
            "accepted": accepted is not None,
            ATTR_NUMBER: accepted.callee.number if accepted else None,
            ATTR_NAME: accepted.how.get(ATTR_NAME) if accepted else None,
            ATTR_CALL_ID: accepted.call_id if accepted else None,
            "accepted_at": self.accepted_at,
            "attempts": [_described(attempt) for attempt in self.attempts],
        }


def _described(attempt: Attempt) -> dict[str, Any]:
    """Return what came of one call, and of which account it was."""
    callee = attempt.callee
    return attempt.how | {
        ATTR_CONFIG_ENTRY_ID: callee.coordinator.config_entry.entry_id,
        ATTR_NUMBER: callee.number,
        "round": attempt.round,
        ATTR_RESULT: attempt.result.value,
    }


async def async_call_out(call: ServiceCall) -> ServiceResponse:
    """Call numbers until somebody accepts, and return who that was."""
    data = call.data
    callees = find_callees(call, data[ATTR_NUMBERS])
    accounts = dict.fromkeys(callee.coordinator for callee in callees if callee.error is None)
    coordinator = next(account for account in accounts if account.reachable)

    async def make_sound() -> AudioSource | None:
        return await optional_sound(call.hass, data)

    # What cannot be said is told before anybody is called; an engine has begun to render then.
    _ = await make_sound()
    plan = Plan(
        callees=callees,
        mode=data[ATTR_MODE],
        rounds=data[ATTR_ROUNDS],
        pause=data[ATTR_PAUSE],
        ring_timeout=data.get(ATTR_RING_TIMEOUT),
        caller_id=data.get(ATTR_SEND_CALLER_ID),
        confirm=data[ATTR_CONFIRM],
        confirm_timeout=data[ATTR_CONFIRM_TIMEOUT],
        keep_call=data[ATTR_KEEP_CALL],
    )
    escalation = Escalation(coordinator, plan, make_sound)
    try:
        with contextlib.ExitStack() as others:
            for account in accounts:
                others.enter_context(account.occupied())
            await do_work(coordinator, call.service, escalation.run())
    except asyncio.CancelledError:
        await escalation.abandon()
        raise
    return escalation.describe()
