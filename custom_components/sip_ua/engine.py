"""The one media engine of all accounts: there while an account is."""

from dataclasses import dataclass

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .net.media import MediaEngine


@dataclass(slots=True)
class SharedEngine:
    """The engine and the number of accounts that use it."""

    engine: MediaEngine
    users: int = 0


DATA_ENGINE: HassKey[SharedEngine] = HassKey(f"{DOMAIN}_engine")


@callback
def async_acquire_engine(hass: HomeAssistant) -> MediaEngine:
    """Return the engine for one more account, which starts it."""
    shared = hass.data.setdefault(DATA_ENGINE, SharedEngine(MediaEngine()))
    shared.users += 1
    return shared.engine


async def async_release_engine(hass: HomeAssistant) -> None:
    """Stop the engine with the last account."""
    shared = hass.data[DATA_ENGINE]
    shared.users -= 1
    if not shared.users:
        del hass.data[DATA_ENGINE]
        await shared.engine.stop()
