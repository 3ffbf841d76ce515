"""A contact is called and told something: the message is spoken when somebody answers, and once again."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from homeassistant.exceptions import HomeAssistantError

from .action_calls import MESSAGE_LENGTH_MAX, do_work
from .action_errors import sound_error, translated_errors
from .action_targets import require_reachable
from .call_view import is_connected
from .const import DOMAIN, WaitFor
from .contacts import Contact
from .coordinator import SipUaCoordinator
from .net.audio import AudioSource, SilenceSource
from .net.errors import AudioFault
from .sip.errors import SipError
from .sip.events import CallOutcome, CallSnapshot
from .sound import speech_source

REPEAT_PAUSE: Final = 1.0
"""Seconds of silence before the message is said again."""

SPEAKING_TIMEOUT: Final = 600.0
"""Seconds after which a message that does not end is given up."""

BREATH: Final = SilenceSource(0.2)
"""What a call begins with in which nothing is said first."""

NOT_REACHED_KEYS: Final[Mapping[CallOutcome, str]] = {
    **dict.fromkeys(CallOutcome, "contact_not_reached"),
    CallOutcome.BUSY: "contact_busy",
    CallOutcome.DECLINED: "contact_declined",
    CallOutcome.NO_ANSWER: "contact_no_answer",
}
"""What people are told of a call that nobody heard, by how it ended."""


async def async_announce(coordinator: SipUaCoordinator, contact: Contact, message: str) -> None:
    """Call a contact and speak; raises a translated error where nobody answers, or nothing could be heard."""

    def speech() -> AudioSource:
        return speech_source(coordinator.hass, message[:MESSAGE_LENGTH_MAX], engine=None, language=None, options=None)

    require_reachable(coordinator)
    with translated_errors():
        await do_work(coordinator, "announcement", _announce(coordinator, contact, speech))


async def _announce(coordinator: SipUaCoordinator, contact: Contact, speech: Callable[[], AudioSource]) -> None:
    # What cannot be said is told before anybody is called.
    call_id = await coordinator.async_dial(contact.number, source=speech())
    played = coordinator.async_next_played(call_id)
    try:
        call = await coordinator.async_wait(call_id, WaitFor.ANSWERED)
        if not is_connected(call):
            raise not_reached(contact.name, call)
        await _said(_say_twice(coordinator, call_id, played, speech))
    finally:
        played.cancel()
        with contextlib.suppress(SipError):
            await coordinator.async_hangup(call_id)


async def _said(speaking: Awaitable[AudioFault | None]) -> None:
    """Wait until all has been said; raises the error of what could not be heard, or did not end."""
    try:
        async with asyncio.timeout(SPEAKING_TIMEOUT):
            fault = await speaking
    except TimeoutError:
        fault = AudioFault.TIMED_OUT
    if fault is not None:
        raise sound_error(fault)


def not_reached(name: str, call: CallSnapshot) -> HomeAssistantError:
    """Return the error of a call that nobody answered."""
    return HomeAssistantError(
        translation_domain=DOMAIN,
        translation_key=NOT_REACHED_KEYS[call.outcome or CallOutcome.FAILED],
        translation_placeholders={"contact": name},
    )


async def async_call_and_say(
    coordinator: SipUaCoordinator, target: str, name: str, sources: Sequence[AudioSource]
) -> str:
    """Call somebody, say one thing after the other when they answer, and return the call, which goes on.

    Raises a translated error where nobody answers, or something could not be heard; then the call is over.
    """
    first, *others = sources
    call_id = await coordinator.async_dial(target, source=first)
    played = coordinator.async_next_played(call_id)
    try:
        await _say_at_answer(coordinator, call_id, name, played, others)
    except BaseException:
        with contextlib.suppress(SipError):
            await coordinator.async_hangup(call_id)
        raise
    finally:
        played.cancel()
    return call_id


async def _say_at_answer(
    coordinator: SipUaCoordinator,
    call_id: str,
    name: str,
    played: asyncio.Future[AudioFault | None],
    others: Sequence[AudioSource],
) -> None:
    """Wait for the answer, for what is said first, and for all the others."""
    call = await coordinator.async_wait(call_id, WaitFor.ANSWERED)
    if not is_connected(call):
        raise not_reached(name, call)
    await _said(_say_all(coordinator, call_id, played, others))


async def _say_all(
    coordinator: SipUaCoordinator,
    call_id: str,
    played: asyncio.Future[AudioFault | None],
    others: Sequence[AudioSource],
) -> AudioFault | None:
    """Wait for what is said first, then say all the others; return the first fault."""
    fault = await played
    for source in others:
        if fault is None and call_id in coordinator.calls:
            fault = await coordinator.async_play(call_id, source, wait=True)
    return fault


async def async_answer_and_say(coordinator: SipUaCoordinator, call_id: str, source: AudioSource) -> None:
    """Answer a call, and wait until what is said first has been heard; raises a translated error where it was not."""
    played = coordinator.async_next_played(call_id)
    try:
        await coordinator.async_answer(call_id, source)
        await _said(played)
    finally:
        played.cancel()


async def async_leave(coordinator: SipUaCoordinator, call_id: str) -> None:
    """Hang up; a call that still rings here is left to those who may yet take it."""
    if call_id in coordinator.calls and coordinator.calls.get_ringing(call_id) is None:
        with contextlib.suppress(SipError):
            await coordinator.async_hangup(call_id)


async def _say_twice(
    coordinator: SipUaCoordinator,
    call_id: str,
    played: asyncio.Future[AudioFault | None],
    speech: Callable[[], AudioSource],
) -> AudioFault | None:
    """Wait for what is said first, then say it again, unless the other side has heard enough and hung up."""
    if (fault := await played) is not None:
        return fault
    await asyncio.sleep(REPEAT_PAUSE)
    if call_id in coordinator.calls:
        with contextlib.suppress(SipError):
            await coordinator.async_play(call_id, speech(), wait=True)
    return None
