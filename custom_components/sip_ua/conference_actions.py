"""The actions on several calls: swap, conference, bridge and split."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import voluptuous as vol
from homeassistant.core import ServiceCall, ServiceResponse, callback
from homeassistant.helpers import config_validation as cv

from .action_calls import CALL_FIELDS, response_of
from .action_errors import translated_errors, validation_error
from .action_targets import ACCOUNT_FIELDS, every_coordinator, targeted_coordinators
from .call_view import is_connected, relevance
from .conference import MAX_JOINED, Conference, Conferences, Leg, async_conferences, conference_data
from .const import (
    ATTR_ACTIVE,
    ATTR_CALL_ID,
    ATTR_CALLS,
    ATTR_HANGUP_LAST,
    ATTR_HELD,
    ATTR_TAKE_PART,
    ATTR_TO_CALL_ID,
)
from .holding import async_change_hold, async_wish_hold
from .sip.events import CallSnapshot, CallState

SWAP_SCHEMA = vol.Schema(CALL_FIELDS)
CONFERENCE_SCHEMA = vol.Schema(
    {
        **ACCOUNT_FIELDS,
        vol.Optional(ATTR_CALLS): vol.All(cv.ensure_list, [cv.string], vol.Length(min=2, max=MAX_JOINED), vol.Unique()),
        vol.Optional(ATTR_HANGUP_LAST, default=False): cv.boolean,
    }
)
BRIDGE_SCHEMA = vol.Schema(
    {
        **CALL_FIELDS,
        vol.Optional(ATTR_TO_CALL_ID): cv.string,
        vol.Optional(ATTR_TAKE_PART, default=False): cv.boolean,
        vol.Optional(ATTR_HANGUP_LAST, default=True): cv.boolean,
    }
)
SPLIT_SCHEMA = vol.Schema(CALL_FIELDS)

_WAITING: Final = frozenset({CallState.HELD, CallState.RINGING})


# Which calls


def _state(leg: Leg) -> CallSnapshot:
    """Return the state of a call that is here."""
    if (call := leg.call) is None:
        raise validation_error("call_not_found", call_id=leg.call_id)
    return call


def _order(leg: Leg) -> tuple[int, float]:
    return relevance(_state(leg))


@callback
def _legs(call: ServiceCall) -> list[Leg]:
    """Return the calls of the accounts that are meant, the most relevant first."""
    legs = [Leg(coordinator, call_id) for coordinator in targeted_coordinators(call) for call_id in coordinator.calls]
    return sorted(legs, key=_order, reverse=True)


@callback
def _named(call: ServiceCall, call_id: str) -> Leg:
    """Return a call that is named, of whatever account."""
    # One account may be named for the calls that are not.
    coordinators = [*targeted_coordinators(call), *every_coordinator(call.hass)]
    for coordinator in coordinators:
        if call_id in coordinator.calls:
            return Leg(coordinator, call_id)
    raise validation_error("call_not_found", call_id=call_id)


@callback
def _pair(call: ServiceCall, conferences: Conferences, first: str | None, second: str | None) -> list[Leg]:
    """Return the two calls that are to be joined: where they are not named, the one that talks and the held one."""
    one = None if first is None else _named(call, first)
    other = None if second is None else _named(call, second)
    rest = [leg for leg in _legs(call) if is_connected(_state(leg))]
    if one is None:
        one = next((leg for leg in rest if leg != other), None)
    if one is None:
        raise validation_error("no_second_call")
    if other is None:
        place = conferences.find(one)
        free = [leg for leg in rest if leg != one and (place is None or conferences.find(leg) is not place)]
        held = [leg for leg in free if _state(leg).state is CallState.HELD]
        other = next(iter((*held, *free)), None)
        if other is None:
            raise validation_error("no_second_call" if place is None else "already_joined")
    if one == other:
        raise validation_error("same_call", call_id=one.call_id)
    return [one, other]


# Joining


def _place(conferences: Conferences, legs: Sequence[Leg], *, alone: bool) -> Conference | None:
    """Return the conference that takes the other calls in, None for a new one.

    With `alone` no call may be in one before.
    """
    places = {place: leg for leg in legs if (place := conferences.find(leg)) is not None}
    if len(places) == 1 and all(conferences.find(leg) in places for leg in legs):
        raise validation_error("already_joined")
    if len(places) > 1 or (places and alone):
        raise validation_error("joined_elsewhere", call_id=next(iter(places.values())).call_id)
    place = next(iter(places), None)
    if place is not None and len({*place.legs, *legs}) > MAX_JOINED:
        raise validation_error("too_many_joined", limit=str(MAX_JOINED))
    return place


def _check(legs: Iterable[Leg]) -> None:
    """Refuse calls that nobody can be joined with."""
    for leg in legs:
        snapshot = _state(leg)
        if not is_connected(snapshot):
            raise validation_error("call_not_connected", call_id=leg.call_id)
        if snapshot.state is CallState.REMOTE_HELD:
            raise validation_error("held_by_other_side", call_id=leg.call_id)


async def _resume(legs: Iterable[Leg]) -> None:
    """Take all calls back from hold, or none of them."""
    resumed: list[Leg] = []
    try:
        for leg in legs:
            if _state(leg).state is CallState.HELD:
                await async_change_hold(leg.coordinator, leg.call_id, held=False)
                resumed.append(leg)
        # Meanwhile one may have ended, or its other side may hold it as well.
        _check(legs)
    except BaseException:
        for leg in resumed:
            if leg.call is not None:
                await async_wish_hold(leg.coordinator, leg.call_id, held=True)
        raise


async def _join(
    call: ServiceCall, conferences: Conferences, legs: Sequence[Leg], *, shared: bool, alone: bool
) -> ServiceResponse:
    place = _place(conferences, legs, alone=alone)
    _check(legs)
    await _resume(legs)
    if place is None or not place.legs:
        place = Conference(conferences, legs[0].coordinator.open_room(shared=shared))
    room = replace(place.room, shared=shared)
    with translated_errors():
        place.take(legs, room, hangup_last=call.data[ATTR_HANGUP_LAST])
    return _answer(call, place.legs)


def _answer(call: ServiceCall, legs: Iterable[Leg]) -> ServiceResponse:
    """Return what is known of some calls to those who ask for it."""
    return {ATTR_CALLS: [_data(call, leg) for leg in legs]} if call.return_response else None


def _data(call: ServiceCall, leg: Leg) -> dict[str, Any]:
    data = response_of(call, leg.coordinator, leg.call_id, leg.coordinator.calls.find(leg.call_id))
    return (data or {}) | conference_data(leg)


# The actions


async def async_conference(call: ServiceCall) -> ServiceResponse:
    """Join calls with one another and with us."""
    conferences = async_conferences(call.hass)
    async with conferences.changing:
        if names := call.data.get(ATTR_CALLS):
            legs = [_named(call, call_id) for call_id in names]
        else:
            legs = _pair(call, conferences, None, None)
        return await _join(call, conferences, legs, shared=True, alone=False)


async def async_bridge(call: ServiceCall) -> ServiceResponse:
    """Join exactly two calls with one another."""
    conferences = async_conferences(call.hass)
    async with conferences.changing:
        legs = _pair(call, conferences, call.data.get(ATTR_CALL_ID), call.data.get(ATTR_TO_CALL_ID))
        return await _join(call, conferences, legs, shared=call.data[ATTR_TAKE_PART], alone=True)


async def async_split(call: ServiceCall) -> ServiceResponse:
    """Take one call out of its conference, or part all that are in the one that a person means."""
    conferences = async_conferences(call.hass)
    async with conferences.changing:
        if (call_id := call.data.get(ATTR_CALL_ID)) is not None:
            leg = _named(call, call_id)
            if (place := conferences.find(leg)) is None:
                raise validation_error("not_joined", call_id=call_id)
            place.part(leg)
            return _answer(call, [leg])
        place = next((place for leg in _legs(call) if (place := conferences.find(leg)) is not None), None)
        if place is None:
            raise validation_error("no_conference")
        legs = tuple(place.legs)
        place.dissolve()
        return _answer(call, legs)


async def async_swap(call: ServiceCall) -> ServiceResponse:
    """Hold the call that talks and go on with another one, which is on hold or rings."""
    conferences = async_conferences(call.hass)
    async with conferences.changing:
        active, other = _to_swap(call, conferences)
        await async_change_hold(active.coordinator, active.call_id, held=True)
        try:
            await _go_on(other)
        except BaseException:
            await async_wish_hold(active.coordinator, active.call_id, held=False)
            raise
        return {ATTR_ACTIVE: _data(call, other), ATTR_HELD: _data(call, active)} if call.return_response else None


def _to_swap(call: ServiceCall, conferences: Conferences) -> tuple[Leg, Leg]:
    """Return the call that talks, and the one that takes its place."""
    legs = _legs(call)
    active = next((leg for leg in legs if _state(leg).state in {CallState.TALKING, CallState.REMOTE_HELD}), None)
    if (call_id := call.data.get(ATTR_CALL_ID)) is not None:
        other: Leg | None = _named(call, call_id)
    else:
        # One on hold was talked to before; one that rings is new.
        waiting = [leg for leg in legs if _state(leg).state in _WAITING]
        other = next(iter(sorted(waiting, key=lambda leg: _state(leg).state is CallState.RINGING)), None)
    if active is None or other is None:
        raise validation_error("nothing_to_swap")
    if _state(other).state not in _WAITING:
        raise validation_error("call_not_waiting", call_id=other.call_id)
    if conferences.find(active) is not None:
        raise validation_error("joined_elsewhere", call_id=active.call_id)
    return active, other


async def _go_on(leg: Leg) -> None:
    """Answer a call that rings, or resume one that is on hold."""
    if _state(leg).state is CallState.RINGING:
        with translated_errors():
            await leg.coordinator.async_answer(leg.call_id)
    elif (await async_change_hold(leg.coordinator, leg.call_id, held=False)).state is CallState.ENDED:
        raise validation_error("call_not_found", call_id=leg.call_id)
