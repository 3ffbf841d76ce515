"""The account, added through the config flow as a person would, and its entities."""

from collections.abc import Mapping
from typing import Any

from .client import Client
from .terminal import DevelopError

DOMAIN = "sip_ua"
FLOWS = "/api/config/config_entries/flow"
# Onboarding sets these up by itself; without the internet they make every start seconds longer.
OUTSIDE = ("met", "radio_browser")
ENTRIES = "/api/config/config_entries/entry"


async def remove_entries(client: Client, *domains: str) -> int:
    """Remove what is set up of some integrations and return how many there were."""
    entries = [entry for entry in await client.request("GET", ENTRIES) if entry["domain"] in domains]
    for entry in entries:
        await client.request("DELETE", f"{ENTRIES}/{entry['entry_id']}")
    return len(entries)


async def open_form(client: Client) -> dict[str, Any]:
    """Begin to add an account and return the form that is shown."""
    form: dict[str, Any] = await client.request("POST", FLOWS, {"handler": DOMAIN})
    if form["type"] != "form" or form["step_id"] != "user":
        raise DevelopError(f"the config flow does not begin with a form: {form}")
    return form


async def add_account(client: Client, typed: Mapping[str, Any]) -> str:
    """Fill the form in, submit it and return the id of the config entry; the fields not typed keep their defaults."""
    form = await open_form(client)
    filled = fill_in(form["data_schema"], typed)
    answer = await client.request("POST", f"{FLOWS}/{form['flow_id']}", filled)
    if answer["type"] != "create_entry":
        detail = answer.get("errors") or answer.get("reason") or answer
        raise DevelopError(f"the config flow does not take the account: {detail}")
    entry_id: str = answer["result"]["entry_id"]
    return entry_id


def fill_in(schema: list[dict[str, Any]], typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a form sends when a person types these values and leaves the rest as it is."""
    filled: dict[str, Any] = {}
    for field in schema:
        name = field["name"]
        if field.get("type") == "expandable":
            filled[name] = fill_in(field["schema"], typed.get(name, {}))
        elif name in typed:
            filled[name] = typed[name]
        elif field.get("default") is not None:
            filled[name] = field["default"]
    if unknown := sorted(set(typed) - {field["name"] for field in schema}):
        raise DevelopError(f"the form has no such field: {', '.join(unknown)}")
    return filled


async def entities_of(client: Client, entry_id: str) -> dict[str, str]:
    """Return the entity ids of an account by their translation keys, `platform.key`."""
    entries = await client.command("config/entity_registry/list")
    return {
        f"{entry['entity_id'].partition('.')[0]}.{entry['translation_key']}": entry["entity_id"]
        for entry in entries
        if entry["config_entry_id"] == entry_id
    }
