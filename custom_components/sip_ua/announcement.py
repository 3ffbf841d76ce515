"""A contact is called and told something: the message is spoken when somebody answers, and once again."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from homeassistant.exceptions import HomeAssistantError

from .action_calls import MESSAGE_LENGTH_MAX, do_work
from .action_errors import translated_errors
from .action_targets import require_reachable
from .call_view import is_connected
from .const import DOMAIN, WaitFor
from .contacts import Contact
from .coordinator import SipUaCoordinator
from .net.audio import AudioSource
from .sip.errors import SipError
from .sound import speech_source

REPEAT_PAUSE: Final = 1.0
"""Seconds of silence before the message is said again."""

SPEAKING_TIMEOUT: Final = 600.0
"""Seconds after which a message that does not end is given up."""


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
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="contact_not_reached",
                translation_placeholders={
                    "contact": contact.name,
                    "reason": call.reason or (call.outcome.value if call.outcome else "-"),
                },
            )
        async with asyncio.timeout(SPEAKING_TIMEOUT):
            error = await played
            if error is None:
                await _repeat(coordinator, call_id, speech)
    except TimeoutError:
        error = "it did not end"
    finally:
        played.cancel()
        with contextlib.suppress(SipError):
            await coordinator.async_hangup(call_id)
    if error is not None:
        raise HomeAssistantError(
            translation_domain=DOMAIN, translation_key="playback_failed", translation_placeholders={"error": error}
        )


async def _repeat(coordinator: SipUaCoordinator, call_id: str, speech: Callable[[], AudioSource]) -> None:
    """Say it again, unless the other side has heard enough and hung up."""
    await asyncio.sleep(REPEAT_PAUSE)
    if call_id in coordinator.calls:
        with contextlib.suppress(SipError):
            await coordinator.async_play(call_id, speech(), wait=True)
