"""What people are to be reminded of in Repairs, for as long as it holds."""

from functools import partial

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN
from .coordinator import SipUaConfigEntry
from .settings import is_unchecked


@callback
def async_remind_of_missing_check(hass: HomeAssistant, entry: SipUaConfigEntry) -> None:
    """Say that anybody may pose as the server of an account, while it is loaded and its owner wants it so."""
    if not is_unchecked(entry.data):
        return
    issue_id = f"certificate_unchecked_{entry.entry_id}"
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id,
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key="certificate_unchecked",
        translation_placeholders={"account": entry.title},
    )
    entry.async_on_unload(partial(ir.async_delete_issue, hass, DOMAIN, issue_id))
