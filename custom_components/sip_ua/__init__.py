"""SIP Phone: a complete SIP telephone in Home Assistant."""

from homeassistant.config_entries import SIGNAL_CONFIG_ENTRY_CHANGED
from homeassistant.const import EVENT_HOMEASSISTANT_STOP, Platform
from homeassistant.core import Event, HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.typing import ConfigType
from homeassistant.setup import async_setup_component

from .action_errors import key_of
from .answering import Answering
from .const import (
    DOMAIN,
    KEY_ASSIST,
    KEY_ASSIST_NUMBER,
    KEY_MESSAGES_WAITING,
    KEY_PIPELINE,
    KEY_VAD_SENSITIVITY,
    KEY_VOICE_MAIL,
)
from .contact_entity import unwanted
from .coordinator import SipUaConfigEntry, SipUaCoordinator
from .entity import async_add_device, async_follow_identity, async_forget
from .history import async_forget_history
from .history_access import async_setup_history_commands
from .issues import ASSIST_UNUSABLE, KINDS, LOCAL_PORT_IN_USE, async_heal, async_raise
from .llm_api import async_register_llm_api
from .logbook_lines import async_tell_logbook
from .net.errors import LocalAddressError, LocalPortInUseError
from .sentences import async_setup_sentences
from .services import async_setup_services
from .switch import async_restore_switches
from .trace_access import async_setup_trace
from .voice_language import async_load_languages

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)

PLATFORMS = (
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.EVENT,
    Platform.MEDIA_PLAYER,
    Platform.NOTIFY,
    Platform.SENSOR,
    Platform.SWITCH,
    Platform.TEXT,
)

ASSIST_PLATFORMS = (Platform.ASSIST_SATELLITE, Platform.SELECT)
"""Platforms that bring Assist along, loaded only where it has something to do with an account."""

ASSIST_ENTITIES = (
    (Platform.ASSIST_SATELLITE, KEY_ASSIST),
    (Platform.SELECT, KEY_PIPELINE),
    (Platform.SELECT, KEY_VAD_SENSITIVITY),
    (Platform.TEXT, KEY_ASSIST_NUMBER),
)
MAIL_BOX_ENTITIES = ((Platform.SENSOR, KEY_MESSAGES_WAITING), (Platform.EVENT, KEY_VOICE_MAIL))


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions and what voice assistants can do, which are there with or without an account."""
    async_setup_services(hass)
    async_setup_sentences(hass, await async_load_languages(hass))
    async_register_llm_api(hass)
    async_setup_history_commands(hass)
    async_setup_trace(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: SipUaConfigEntry) -> bool:
    """Switch the phone of an account on; a registration that fails goes on trying by itself."""
    coordinator = SipUaCoordinator(hass, entry)
    entry.async_on_unload(coordinator.async_stop)
    await async_follow_identity(hass, entry)
    await async_restore_switches(hass, entry, coordinator.reception)
    entry.async_on_unload(Answering(coordinator).async_start())
    try:
        await coordinator.async_start()
    except (LocalPortInUseError, LocalAddressError) as error:
        if isinstance(error, LocalPortInUseError):
            async_raise(hass, entry, LOCAL_PORT_IN_USE, **error.details)
        raise ConfigEntryNotReady(
            translation_domain=DOMAIN,
            translation_key=key_of(error.fault),
            translation_placeholders=dict(error.details),
        ) from error
    except OSError as error:
        raise ConfigEntryNotReady(
            translation_domain=DOMAIN,
            translation_key="no_network",
            translation_placeholders={"error": error.strerror or type(error).__name__},
        ) from error
    entry.runtime_data = coordinator

    async def stop(_event: Event) -> None:
        await coordinator.async_stop()

    entry.async_on_unload(hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, stop))
    entry.async_on_unload(
        async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, coordinator.async_follow_settings)
    )
    coordinator.reminders.async_start()
    if not coordinator.has_mail_box:
        async_forget(hass, entry, MAIL_BOX_ENTITIES)
    if not coordinator.needs_assist:
        async_forget(hass, entry, ASSIST_ENTITIES)
    async_forget(hass, entry, unwanted(coordinator.contacts))
    async_add_device(hass, entry)
    coordinator.platforms = PLATFORMS + await _async_assist_platforms(hass, entry)
    await hass.config_entries.async_forward_entry_setups(entry, coordinator.platforms)
    await async_tell_logbook(hass, entry)
    return True


async def _async_assist_platforms(hass: HomeAssistant, entry: SipUaConfigEntry) -> tuple[Platform, ...]:
    """Return the platforms of Assist where it is wanted, and there."""
    if not entry.runtime_data.needs_assist:
        return ()
    if await async_setup_component(hass, Platform.ASSIST_SATELLITE, {}):
        return ASSIST_PLATFORMS
    async_raise(hass, entry, ASSIST_UNUSABLE, assistant="-", error=f"{Platform.ASSIST_SATELLITE} cannot be set up")
    return ()


async def async_unload_entry(hass: HomeAssistant, entry: SipUaConfigEntry) -> bool:
    """Unload the entities; then the phone hangs up, unregisters and frees its ports."""
    return await hass.config_entries.async_unload_platforms(entry, entry.runtime_data.platforms)


async def async_remove_entry(hass: HomeAssistant, entry: SipUaConfigEntry) -> None:
    """Leave nothing behind of an account that is removed."""
    await async_forget_history(hass, entry.entry_id)
    async_heal(hass, entry, *KINDS)
