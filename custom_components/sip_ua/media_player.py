"""The media player of an account: what it plays is heard by the other side of a call."""

from dataclasses import asdict, dataclass
from typing import Any, Final, override

from homeassistant.components import media_source
from homeassistant.components.media_player import MediaPlayerEntity, MediaPlayerEntityDescription
from homeassistant.components.media_player.browse_media import BrowseMedia
from homeassistant.components.media_player.const import (
    ATTR_MEDIA_ANNOUNCE,
    ATTR_MEDIA_ENQUEUE,
    ATTR_MEDIA_EXTRA,
    MediaPlayerDeviceClass,
    MediaPlayerEnqueue,
    MediaPlayerEntityFeature,
    MediaPlayerState,
    MediaType,
)
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.restore_state import ExtraStoredData, RestoreEntity

from .action_errors import translated_errors, validation_error
from .call_view import can_be_played_to, is_connected
from .const import ATTR_CALL_ID, Enqueue
from .coordinator import SipUaConfigEntry, SipUaCoordinator
from .entity import SipUaStateEntity
from .sip.events import CallSnapshot, CallState
from .sound import media_source_of

PARALLEL_UPDATES = 0

PLAYER: Final = MediaPlayerEntityDescription(
    key="player", translation_key="player", device_class=MediaPlayerDeviceClass.SPEAKER
)

VOLUME_RANGE: Final = 40.0
"""How many dB the lowest step of the volume is below the highest, at which a sound is as loud as it was made."""

SILENCE: Final = -60.0

PLACES: Final[dict[MediaPlayerEnqueue | None, Enqueue]] = {
    None: Enqueue.REPLACE,
    MediaPlayerEnqueue.ADD: Enqueue.ADD,
    MediaPlayerEnqueue.NEXT: Enqueue.NEXT,
    MediaPlayerEnqueue.PLAY: Enqueue.PLAY,
    MediaPlayerEnqueue.REPLACE: Enqueue.REPLACE,
}

_HEARING: Final = frozenset({CallState.TALKING, CallState.EARLY})


async def async_setup_entry(
    hass: HomeAssistant, entry: SipUaConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the media player of an account."""
    async_add_entities([SipUaPlayer(entry.runtime_data, PLAYER)])


@dataclass(slots=True)
class StoredVolume(ExtraStoredData):
    """The volume, which outlives a restart also where nobody was called meanwhile."""

    volume: float = 1.0
    muted: bool = False

    @override
    def as_dict(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return asdict(self)


class SipUaPlayer(SipUaStateEntity, MediaPlayerEntity, RestoreEntity):
    """Plays into the calls of an account.

    It is off without a call, on until somebody answers, and from then on idle, playing or paused. What is played goes
    to the call that is talked in, or is made ready for the one that rings at the other side; what stops or pauses,
    does so in every call of the account.
    """

    _attr_supported_features = (
        MediaPlayerEntityFeature.PLAY_MEDIA
        | MediaPlayerEntityFeature.MEDIA_ANNOUNCE
        | MediaPlayerEntityFeature.MEDIA_ENQUEUE
        | MediaPlayerEntityFeature.BROWSE_MEDIA
        | MediaPlayerEntityFeature.STOP
        | MediaPlayerEntityFeature.PAUSE
        | MediaPlayerEntityFeature.PLAY
        | MediaPlayerEntityFeature.VOLUME_SET
        | MediaPlayerEntityFeature.VOLUME_MUTE
    )

    def __init__(self, coordinator: SipUaCoordinator, description: MediaPlayerEntityDescription) -> None:
        """Begin at full volume."""
        super().__init__(coordinator, description)
        self._stored = StoredVolume()
        self._played: list[tuple[str, int]] = []

    @override
    async def async_added_to_hass(self) -> None:
        """Take the volume back that was set before."""
        await super().async_added_to_hass()
        if (stored := await self.async_get_last_extra_data()) is not None:
            data = stored.as_dict()
            self._stored = StoredVolume(float(data["volume"]), bool(data["muted"]))

    @property
    @override
    def extra_restore_state_data(self) -> ExtraStoredData:
        """Return what is to be taken back after a restart."""
        return self._stored

    @property
    @override
    def state(self) -> MediaPlayerState:
        """Return whether somebody hears something."""
        calls, sounds = self.coordinator.calls.values(), self.coordinator.sounds
        sounding = [call for call in calls if sounds.is_heard(call.id)]
        if any(call.state in _HEARING and not sounds.is_paused(call.id) for call in sounding):
            return MediaPlayerState.PLAYING
        if sounding:
            return MediaPlayerState.PAUSED
        if any(map(is_connected, calls)):
            return MediaPlayerState.IDLE
        return MediaPlayerState.ON if calls else MediaPlayerState.OFF

    @property
    @override
    def volume_level(self) -> float:
        """Return the volume: each tenth is a tenth of the range in dB."""
        return self._stored.volume

    @property
    @override
    def is_volume_muted(self) -> bool:
        """Return whether the other side hears nothing of what is played."""
        return self._stored.muted

    @override
    def _showing(self) -> object:
        return self.available, self.state

    # Playing

    @override
    async def async_play_media(self, media_type: MediaType | str, media_id: str, **kwargs: Any) -> None:
        """Play into a call, at its answer where that is still to come; an announcement interrupts what plays."""
        call = self._find_call(kwargs.get(ATTR_MEDIA_EXTRA, {}).get(ATTR_CALL_ID))
        enqueue = PLACES[kwargs.get(ATTR_MEDIA_ENQUEUE)]
        if kwargs.get(ATTR_MEDIA_ANNOUNCE):
            enqueue = Enqueue.INTERRUPT
        source = await media_source_of(self.hass, media_id, self.entity_id)
        with translated_errors():
            number = self.coordinator.sounds.play(call.id, source, enqueue=enqueue, volume=self._volume)
        # What is over is forgotten.
        self._played = [(known, one) for known, one in self._played if one in self.coordinator.sounds.of(known)]
        self._played.append((call.id, number))

    @callback
    def _find_call(self, call_id: str | None) -> CallSnapshot:
        """Return the call to play into; raises a translated error where there is none."""
        calls = self.coordinator.calls
        if call_id is not None and call_id not in calls:
            raise validation_error("call_not_found", call_id=call_id)
        call = calls.find_played_to() if call_id is None else calls[call_id]
        if call is None:
            raise validation_error("no_audible_call")
        if not can_be_played_to(call):
            raise validation_error("call_rings_here", call_id=call.id)
        return call

    @override
    async def async_media_stop(self) -> None:
        """Stop what is played into every call."""
        for call_id in self.coordinator.calls:
            self.coordinator.sounds.stop(call_id)

    @override
    async def async_media_pause(self) -> None:
        """Let what is played stand still; the other side hears silence meanwhile."""
        for call_id in self.coordinator.calls:
            if self.coordinator.sounds.is_heard(call_id):
                self.coordinator.sounds.pause(call_id, paused=True)

    @override
    async def async_media_play(self) -> None:
        """Go on where it was paused."""
        for call_id in self.coordinator.calls:
            if self.coordinator.sounds.is_paused(call_id):
                self.coordinator.sounds.pause(call_id, paused=False)

    @override
    async def async_browse_media(
        self, media_content_type: MediaType | str | None = None, media_content_id: str | None = None
    ) -> BrowseMedia:
        """Show what can be heard of the media sources."""
        return await media_source.async_browse_media(
            self.hass, media_content_id, content_filter=lambda item: item.media_content_type.startswith("audio/")
        )

    # Volume

    @property
    def _volume(self) -> float:
        """Return the volume in dB."""
        level = self._stored.volume
        return SILENCE if self._stored.muted or level <= 0 else (level - 1) * VOLUME_RANGE

    @override
    async def async_set_volume_level(self, volume: float) -> None:
        """Play louder or softer, now and from now on."""
        self._stored.volume = volume
        self._apply_volume()

    @override
    async def async_mute_volume(self, mute: bool) -> None:
        """Play without being heard, or be heard again."""
        self._stored.muted = mute
        self._apply_volume()

    @callback
    def _apply_volume(self) -> None:
        for call_id, number in self._played:
            self.coordinator.sounds.set_volume(call_id, number, self._volume)
        self.async_write_ha_state()
