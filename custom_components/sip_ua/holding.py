"""Holding and resuming a call: the other side has a moment to agree, or everything stays as it was."""

import asyncio
import contextlib
from typing import Final

from homeassistant.exceptions import HomeAssistantError

from .action_calls import unless_stopped
from .action_errors import translated_errors
from .const import DOMAIN
from .coordinator import SipUaCoordinator
from .sip.errors import SipError
from .sip.events import CallSnapshot

HOLD_TIMEOUT: Final = 5.0


async def async_change_hold(coordinator: SipUaCoordinator, call_id: str, *, held: bool) -> CallSnapshot:
    """Hold or resume a call, and return its state once the other side agreed or the call ended.

    Where it does not agree in time the wish is taken back, so that an answer that comes too late changes nothing.
    """
    change = coordinator.async_hold if held else coordinator.async_resume
    try:
        with unless_stopped(coordinator), translated_errors():
            async with asyncio.timeout(HOLD_TIMEOUT):
                return await change(call_id)
    except TimeoutError as error:
        await async_wish_hold(coordinator, call_id, held=not held)
        raise HomeAssistantError(
            translation_domain=DOMAIN,
            translation_key="hold_not_agreed",
            translation_placeholders={"call_id": call_id},
        ) from error


async def async_wish_hold(coordinator: SipUaCoordinator, call_id: str, *, held: bool) -> None:
    """Ask the other side of a call to be held or resumed without waiting for it; a call that is over stays so."""
    with contextlib.suppress(SipError):
        await (coordinator.phone.hold if held else coordinator.phone.resume)(call_id)
