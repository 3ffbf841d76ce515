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


async def remove_entries(client: Client, *domains: str) -> None:
    """Remove what is set up of some integrations."""
    for entry in await client.request("GET", ENTRIES):
        if entry["domain"] in domains:
            await client.request("DELETE", f"{ENTRIES}/{entry['entry_id']}")


async def find_account(client: Client) -> str | None:
    """Return the config entry that an earlier run has left, None where there is none."""
    entries = await client.request("GET", f"{ENTRIES}?domain={DOMAIN}")
    return entries[0]["entry_id"] if entries else None


async def add_account(client: Client, typed: Mapping[str, Any]) -> str:
    """Fill the form of a new account in, submit it and return the id of the config entry."""
    answer = await _submit(client, {"handler": DOMAIN}, "user", typed)
    if answer["type"] != "create_entry":
        raise DevelopError(f"the config flow does not take the account: {_reason(answer)}")
    entry_id: str = answer["result"]["entry_id"]
    return entry_id


async def change_account(client: Client, entry_id: str, typed: Mapping[str, Any]) -> None:
    """Fill the form that reconfigures an account in and submit it; the account is loaded anew."""
    answer = await _submit(client, {"handler": DOMAIN, "entry_id": entry_id}, "reconfigure", typed)
    if answer.get("reason") != "reconfigure_successful":
        raise DevelopError(f"the config flow does not take the account's new server: {_reason(answer)}")


async def _submit(client: Client, start: dict[str, Any], step: str, typed: Mapping[str, Any]) -> dict[str, Any]:
    """Open a form and submit what was typed; the fields not typed keep what they show."""
    form = await client.request("POST", FLOWS, start)
    if form["type"] != "form" or form["step_id"] != step:
        raise DevelopError(f"the config flow does not show the form {step!r}: {form}")
    filled = fill_in(form["data_schema"], typed)
    answer: dict[str, Any] = await client.request("POST", f"{FLOWS}/{form['flow_id']}", filled)
    return answer


def _reason(answer: Mapping[str, Any]) -> object:
    return answer.get("errors") or answer.get("reason") or answer


def fill_in(schema: list[dict[str, Any]], typed: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a form sends when a person types these values and leaves the rest as it is."""
    filled: dict[str, Any] = {}
    for field in schema:
        name = field["name"]
        shown = (field.get("description") or {}).get("suggested_value")
        if field.get("type") == "expandable":
            filled[name] = fill_in(field["schema"], typed.get(name, {}))
        elif name in typed:
            filled[name] = typed[name]
        elif shown is not None:
            filled[name] = shown
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
