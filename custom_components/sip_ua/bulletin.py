"""Where the news of one account goes: to its entities, and on Home Assistant's bus."""

from collections.abc import Callable
from typing import Any

from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback

from .call_view import call_data
from .const import EVENT_CALL, CallEventType
from .sip.events import CallSnapshot

type EventListener = Callable[[str, dict[str, Any]], None]


class Bulletin:
    """Tells everybody at once, in the order in which they subscribed."""

    def __init__(self, hass: HomeAssistant, entry_id: str, identity: str) -> None:
        """Begin without any reader; `entry_id` and `identity` head every bus event."""
        self._hass = hass
        self._head = {ATTR_CONFIG_ENTRY_ID: entry_id, "account": identity}
        self._first_listeners: list[CALLBACK_TYPE] = []
        self._state_listeners: list[CALLBACK_TYPE] = []
        self._event_listeners: list[EventListener] = []

    @callback
    def async_subscribe(self, listener: CALLBACK_TYPE, *, first: bool = False) -> CALLBACK_TYPE:
        """Call `listener` after every change of state, before the others where it is `first`."""
        listeners = self._first_listeners if first else self._state_listeners
        listeners.append(listener)
        return lambda: listeners.remove(listener)

    @callback
    def async_subscribe_events(self, listener: EventListener) -> CALLBACK_TYPE:
        """Call `listener` with type and data of every event of a call or of the voice mail box."""
        self._event_listeners.append(listener)
        return lambda: self._event_listeners.remove(listener)

    @callback
    def update_entities(self) -> None:
        """Let every entity look at the new state."""
        self.update_first()
        for listener in tuple(self._state_listeners):
            listener()

    @callback
    def update_first(self) -> None:
        """Let those look at the new state that go before the others."""
        for listener in tuple(self._first_listeners):
            listener()

    @callback
    def tell(self, event_type: CallEventType, call: CallSnapshot, **more: Any) -> None:
        """Tell a call event to the event entity and on the bus."""
        data = call_data(call) | more
        self.announce(event_type, data)
        self.fire(EVENT_CALL, event_type, data)

    @callback
    def announce(self, event_type: str, data: dict[str, Any]) -> None:
        """Let the event entities show an event."""
        for listener in tuple(self._event_listeners):
            listener(event_type, data)

    @callback
    def fire(self, name: str, event_type: str | None, data: dict[str, Any]) -> None:
        """Fire a bus event that names the account."""
        head = self._head if event_type is None else self._head | {"type": str(event_type)}
        self._hass.bus.async_fire_internal(name, head | data)
