"""Which voice assistant answers the calls of an account, and after how much silence a question has ended."""

from homeassistant.components.assist_pipeline import AssistPipelineSelect, VadSensitivitySelect
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN
from .coordinator import SipUaConfigEntry, SipUaCoordinator
from .entity import SipUaEntity

PARALLEL_UPDATES = 0

SELECTS = (AssistPipelineSelect.entity_description, VadSensitivitySelect.entity_description)


async def async_setup_entry(
    hass: HomeAssistant, entry: SipUaConfigEntry, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add what is chosen for the satellite of an account."""
    coordinator = entry.runtime_data
    async_add_entities([SipUaPipelineSelect(hass, coordinator), SipUaVadSensitivitySelect(hass, coordinator)])


class _Always:
    """An entity whose choice holds whether or not calls are possible."""

    @property
    def available(self) -> bool:
        """Return True."""
        return True


class SipUaPipelineSelect(_Always, SipUaEntity, AssistPipelineSelect):
    """Chooses the voice assistant."""

    def __init__(self, hass: HomeAssistant, coordinator: SipUaCoordinator) -> None:
        """Name it as voice assistants look for it."""
        SipUaEntity.__init__(self, coordinator, AssistPipelineSelect.entity_description)
        entry = coordinator.config_entry
        AssistPipelineSelect.__init__(self, hass, DOMAIN, entry.unique_id or entry.entry_id)


class SipUaVadSensitivitySelect(_Always, SipUaEntity, VadSensitivitySelect):
    """Chooses how much silence ends a question."""

    def __init__(self, hass: HomeAssistant, coordinator: SipUaCoordinator) -> None:
        """Name it as voice assistants look for it."""
        SipUaEntity.__init__(self, coordinator, VadSensitivitySelect.entity_description)
        entry = coordinator.config_entry
        VadSensitivitySelect.__init__(self, hass, entry.unique_id or entry.entry_id)
