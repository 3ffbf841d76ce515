"""Describes the lines that are kept of an account, where Home Assistant shows them."""

from collections.abc import Callable, Mapping
from typing import Any

from homeassistant.components.logbook.const import LOGBOOK_ENTRY_ICON, LOGBOOK_ENTRY_MESSAGE, LOGBOOK_ENTRY_NAME
from homeassistant.const import ATTR_ICON, ATTR_NAME
from homeassistant.core import Event, HomeAssistant, callback

from .const import ATTR_MESSAGE, DOMAIN
from .logbook_lines import EVENT_LOGBOOK

type Describe = Callable[[Event], Mapping[str, Any]]


@callback
def async_describe_events(_hass: HomeAssistant, async_describe_event: Callable[[str, str, Describe], None]) -> None:
    """Tell how to describe a line.

    Its entity says only where it is to be found: were it described, its name would stand before the sentence.
    """
    async_describe_event(DOMAIN, EVENT_LOGBOOK, _describe)


@callback
def _describe(event: Event) -> Mapping[str, Any]:
    """Return a line as it was told."""
    return {
        LOGBOOK_ENTRY_NAME: event.data[ATTR_NAME],
        LOGBOOK_ENTRY_MESSAGE: event.data[ATTR_MESSAGE],
        LOGBOOK_ENTRY_ICON: event.data[ATTR_ICON],
    }
