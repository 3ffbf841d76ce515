"""Calls that are joined, of one account or of several: who hears whom, and what is left when one of them ends."""

import asyncio
import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .const import ATTR_CONFERENCE_CALLS, ATTR_CONFERENCE_WITH, DOMAIN, CallEventType
from .coordinator import SipUaCoordinator
from .net.media import Room
from .sip.errors import SipError
from .sip.events import CallSnapshot, CallState

MAX_JOINED: Final = 8


@dataclass(frozen=True, slots=True)
class Leg:
    """One call of one account."""

    coordinator: SipUaCoordinator
    call_id: str

    @property
    def call(self) -> CallSnapshot | None:
        """Return the call's state, None where it is over."""
        return self.coordinator.calls.get(self.call_id)

    @property
    def name(self) -> str:
        """Return who is at the other side."""
        call = self.call
        return "" if call is None else call.remote.name or call.remote.number or call.remote.uri


class Conference:
    """Calls whose voices meet in one room; one that ends or is held leaves the others as they are."""

    def __init__(self, book: Conferences, room: Room) -> None:
        """Begin without any call."""
        self.room = room
        self.hangup_last = False
        self.legs: list[Leg] = []
        self._book = book
        self._leave: dict[SipUaCoordinator, CALLBACK_TYPE] = {}

    @callback
    def take(self, legs: Iterable[Leg], room: Room, *, hangup_last: bool) -> None:
        """Join calls with those that are here already; raises SipError where one is not connected."""
        wanted = dict.fromkeys((*self.legs, *legs))
        self.room, self.hangup_last = room, hangup_last
        try:
            for leg in wanted:
                leg.coordinator.phone.join(leg.call_id, room)
                if leg not in self.legs:
                    self._add(leg)
        except SipError:
            self.dissolve()
            raise
        self._show()
        for leg in self.legs:
            self._tell(CallEventType.JOINED, leg)

    def _add(self, leg: Leg) -> None:
        self.legs.append(leg)
        self._book.note(leg, self)
        if leg.coordinator not in self._leave:
            # Before the entities: they show with whom a call is joined.
            self._leave[leg.coordinator] = leg.coordinator.bulletin.async_subscribe(self._follow, first=True)

    @callback
    def _follow(self) -> None:
        """Let go of calls that ended or are on hold."""
        for leg in tuple(self.legs):
            call = leg.call
            if call is None or call.state is CallState.HELD:
                self.part(leg)
        self._show()

    @callback
    def part(self, leg: Leg) -> None:
        """Take a call out; where only one is left, that is joined with nobody any more."""
        if leg not in self.legs:
            return
        ended = leg.call is None
        gone = [leg] if len(self.legs) > 2 else [*self.legs]
        self._release(gone)
        for last in gone:
            if ended and self.hangup_last and last.call is not None:
                _ = last.coordinator.config_entry.async_create_task(
                    last.coordinator.hass, _hang_up(last), f"sip_ua hang up {last.coordinator.identity}"
                )

    @callback
    def dissolve(self) -> None:
        """Part all calls from one another."""
        self._release([*self.legs])

    def _release(self, gone: Iterable[Leg]) -> None:
        """Let calls go, and tell of those that are not over."""
        for leg in gone:
            self.legs.remove(leg)
            self._book.note(leg, None)
            leg.coordinator.calls.show_joined(leg.call_id, ())
            with contextlib.suppress(SipError):
                leg.coordinator.phone.part(leg.call_id)
        for coordinator in self._leave.keys() - {leg.coordinator for leg in self.legs}:
            self._leave.pop(coordinator)()
        self._show(leg.coordinator for leg in gone)
        for leg in gone:
            self._tell(CallEventType.PARTED, leg)

    def _show(self, coordinators: Iterable[SipUaCoordinator] = ()) -> None:
        """Let the entities show who is in the conference, and those of other accounts who is not."""
        changed = dict.fromkeys(coordinators)
        for leg in self.legs:
            if leg.coordinator.calls.show_joined(leg.call_id, self._others(leg)):
                changed[leg.coordinator] = None
        for coordinator in changed:
            coordinator.bulletin.update_entities()

    def _others(self, leg: Leg) -> tuple[str, ...]:
        return tuple(other.name for other in self.legs if other != leg)

    def _tell(self, event_type: CallEventType, leg: Leg) -> None:
        if (call := leg.call) is not None:
            others = [other.call_id for other in self.legs if other != leg] if leg in self.legs else []
            leg.coordinator.bulletin.tell(event_type, call, **conference_data(leg), **{ATTR_CONFERENCE_CALLS: others})


def conference_data(leg: Leg) -> dict[str, Any]:
    """Return with whom a call is joined."""
    return {ATTR_CONFERENCE_WITH: list(leg.coordinator.calls.joined_with(leg.call_id))}


async def _hang_up(leg: Leg) -> None:
    """End a call that nobody is left to talk to, unless the other side was quicker."""
    with contextlib.suppress(SipError):
        await leg.coordinator.async_hangup(leg.call_id)


class Conferences:
    """Which call of any account is in which conference; `changing` is held by who changes that."""

    def __init__(self) -> None:
        """Begin with every call alone."""
        self.changing = asyncio.Lock()
        self._of: dict[Leg, Conference] = {}

    @property
    def count(self) -> int:
        """How many calls are joined with others."""
        return len(self._of)

    def find(self, leg: Leg) -> Conference | None:
        """Return the conference of a call."""
        return self._of.get(leg)

    def note(self, leg: Leg, conference: Conference | None) -> None:
        """Note in which conference a call is from now on."""
        if conference is None:
            self._of.pop(leg, None)
        else:
            self._of[leg] = conference


DATA_CONFERENCES: HassKey[Conferences] = HassKey(f"{DOMAIN}_conferences")


@callback
def async_conferences(hass: HomeAssistant) -> Conferences:
    """Return the conferences of all accounts."""
    return hass.data.setdefault(DATA_CONFERENCES, Conferences())
