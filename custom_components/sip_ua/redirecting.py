"""The action that sends a caller elsewhere: the call rings here no more, and the caller's telephone calls there."""

import voluptuous as vol
from homeassistant.core import ServiceCall, ServiceResponse

from .action_calls import CALL_FIELDS, TARGET, find_call, response_of, target_of, unless_stopped
from .action_errors import translated_errors
from .call_book import CallBook
from .const import ATTR_NUMBER

REDIRECT_SCHEMA = vol.Schema({**CALL_FIELDS, vol.Required(ATTR_NUMBER): TARGET})


async def async_redirect(call: ServiceCall) -> ServiceResponse:
    """Send the caller of a ringing call to a number, a contact or an address."""
    coordinator, snapshot = find_call(call, CallBook.find_ringing, "no_ringing_call")
    target = target_of(coordinator, call.data[ATTR_NUMBER])
    with unless_stopped(coordinator), translated_errors():
        coordinator.phone.redirect(snapshot.id, coordinator.dialed(target))
    return response_of(call, coordinator, snapshot.id, coordinator.calls.find(snapshot.id))
