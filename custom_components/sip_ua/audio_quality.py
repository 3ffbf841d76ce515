"""How calls sound here: read off the voice of the call that goes on now and then, and after its end for good."""

import contextlib
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final, override

from homeassistant.components.sensor import SensorEntity, SensorEntityDescription
from homeassistant.const import EntityCategory
from homeassistant.helpers.event import async_track_time_interval

from .coordinator import SipUaCoordinator
from .entity import SipUaStateEntity
from .sip.errors import SipError

READING_INTERVAL: Final = timedelta(seconds=10)
ATTRIBUTES: Final = ("receive_codec", "loss", "jitter_ms", "round_trip_ms", "remote_loss")

AUDIO_QUALITY: Final = SensorEntityDescription(
    key="audio_quality",
    translation_key="audio_quality",
    entity_category=EntityCategory.DIAGNOSTIC,
    entity_registry_enabled_default=False,
    suggested_display_precision=1,
)


class AudioQualitySensor(SipUaStateEntity, SensorEntity):
    """The estimated mean opinion score (1 to 4.5) of the present call, or of the last one."""

    def __init__(self, coordinator: SipUaCoordinator) -> None:
        """Begin with nothing heard."""
        super().__init__(coordinator, AUDIO_QUALITY)
        self._present: tuple[str, dict[str, Any]] | None = None

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the calls, and read while one goes on."""
        await super().async_added_to_hass()
        self.async_on_remove(async_track_time_interval(self.hass, self._async_read, READING_INTERVAL))

    async def _async_read(self, _now: datetime) -> None:
        """Take the figures of the call that a person hears."""
        if (call := self.coordinator.calls.find_connected()) is None:
            return
        statistics = None
        with contextlib.suppress(SipError):
            statistics = await self.coordinator.phone.statistics(call.id)
        self._present = None if statistics is None else (call.id, asdict(statistics))
        self._handle_update()

    @property
    @override
    def available(self) -> bool:
        """Return True: how the last call sounded does not depend on the registration."""
        return True

    @property
    @override
    def native_value(self) -> float | None:
        """Return the score."""
        score: float | None = self._figures.get("mos")
        return score

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return what it is made of."""
        return {key: self._figures[key] for key in ATTRIBUTES if key in self._figures}

    @property
    def _figures(self) -> dict[str, Any]:
        """Return the figures of the present call, or of the last one."""
        call = self.coordinator.calls.find_connected()
        if self._present is not None and call is not None and self._present[0] == call.id:
            return self._present[1]
        return {} if self.coordinator.last_statistics is None else self.coordinator.last_statistics[1]

    @override
    def _showing(self) -> object:
        """Return what the sensor is made of."""
        return self.native_value, self.extra_state_attributes
