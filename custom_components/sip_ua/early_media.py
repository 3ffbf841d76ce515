"""What callers hear while it rings here, in place of the tone of their own telephone system."""

import logging

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ServiceValidationError

from .const import CONF_EARLY_MEDIA, OPTIONS_VOICE
from .net.phone import Phone
from .options import options_of
from .sip.errors import LocalProtocolError, SipError
from .sip.events import CallSnapshot
from .sound import media_source_of

_LOGGER = logging.getLogger(__name__)


class EarlyMedia:
    """Lets callers hear one sound, again and again until somebody answers; with no sound all is as ever."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, phone: Phone, account: str) -> None:
        """Take the sound that the options name; `account` is the account's name in the log."""
        self._hass = hass
        self._entry = entry
        self._phone = phone
        self._account = account
        # Whoever is no server of ours may have named any address for the voice: nothing goes there by itself.
        self._media: str = options_of(entry.options, OPTIONS_VOICE)[CONF_EARLY_MEDIA] if phone.account.registers else ""

    @callback
    def begin(self, call: CallSnapshot) -> None:
        """Find the sound and play it to a caller for whom it rings; what goes wrong leaves the call ringing."""
        if self._media and not call.past_server:
            _ = self._entry.async_create_background_task(
                self._hass, self._async_play(call.id), f"sip_ua early media of {self._account}"
            )

    async def _async_play(self, call_id: str) -> None:
        try:
            source = await media_source_of(self._hass, self._media)
            await self._phone.play_early(call_id, source)
        except LocalProtocolError as error:
            # Somebody was quicker, or the caller gave up.
            _LOGGER.debug("A caller of %s hears nothing before the answer: %s", self._account, error)
        except (ServiceValidationError, SipError) as error:
            _LOGGER.warning("A caller of %s hears the usual tone while it rings: %s", self._account, error)


async def async_is_playable(hass: HomeAssistant, media: str) -> bool:
    """Return whether a sound can be found; none at all is no mistake."""
    if not media.strip():
        return True
    try:
        await media_source_of(hass, media)
    except ServiceValidationError:
        return False
    return True
