"""The dashboard: dial, answer and hang up, the state of the call and of the registration."""

from collections.abc import Mapping
from typing import Any

from .client import Client

PATH = "sip-phone"
TITLE = "Telephone"
NUMBERS = (
    ("600", "Echo", "mdi:microphone-message"),
    ("601", "Tone and digits", "mdi:sine-wave"),
    ("605", "Busy", "mdi:phone-lock"),
    ("606", "Nobody home", "mdi:phone-ring"),
    ("610", "Call me back", "mdi:phone-return"),
)


async def make_dashboard(client: Client, entities: Mapping[str, str]) -> str:
    """Make the dashboard, or make it anew, and return its path."""
    boards = await client.command("lovelace/dashboards/list")
    if all(board["url_path"] != PATH for board in boards):
        await client.command(
            "lovelace/dashboards/create",
            url_path=PATH,
            title=TITLE,
            icon="mdi:phone",
            show_in_sidebar=True,
            require_admin=False,
        )
    await client.command("lovelace/config/save", url_path=PATH, config=configuration(entities))
    return f"/{PATH}"


def configuration(entities: Mapping[str, str]) -> dict[str, Any]:
    """Return the dashboard's configuration, of core's own cards only."""
    return {
        "views": [
            {
                "title": TITLE,
                "path": "phone",
                "type": "sections",
                "max_columns": 3,
                "sections": [
                    _section("Call", "mdi:phone", *_call(entities)),
                    _section("Dial", "mdi:dialpad", *_contact(entities), *(_dial(*number) for number in NUMBERS)),
                    _section("Account", "mdi:account-voice", *_account(entities)),
                ],
            }
        ]
    }


def _section(title: str, icon: str, *cards: dict[str, Any]) -> dict[str, Any]:
    return {"type": "grid", "cards": [{"type": "heading", "heading": title, "icon": icon}, *cards]}


def _call(entities: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the cards of the call that goes on, and of the one before."""
    return [
        _tile(entities["sensor.call_state"], "Call", "mdi:phone-in-talk", wide=True),
        _tile(entities["sensor.remote_name"], "Name", "mdi:account"),
        _tile(entities["sensor.remote_number"], "Number", "mdi:numeric"),
        _press(entities["button.answer"], "Answer", "mdi:phone", "green"),
        _press(entities["button.hangup"], "Hang up", "mdi:phone-hangup", "red"),
        _tile(entities["sensor.last_call"], "Last call", "mdi:phone-log", wide=True),
        _tile(entities["media_player.player"], "What is heard in the call", "mdi:speaker", wide=True),
    ]


def _contact(entities: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the button of a contact with a speed dial, where there is one."""
    button = entities.get("button.speed_dial")
    return [] if button is None else [{"type": "tile", "entity": button, "grid_options": {"columns": "full"}}]


def _account(entities: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the cards of the registration and the history of calls."""
    return [
        _tile(entities["sensor.registration"], "Registration", "mdi:check-network", wide=True),
        _tile(entities["sensor.registration_expires"], "Expires", "mdi:timer-refresh", wide=True),
        _tile(entities["sensor.last_answer"], "Last answer of the server", "mdi:message-reply", wide=True),
        {
            "type": "history-graph",
            "hours_to_show": 1,
            "entities": [{"entity": entities["sensor.call_state"], "name": "Calls"}],
            "grid_options": {"columns": "full"},
        },
    ]


def _tile(entity: str, name: str, icon: str, *, wide: bool = False) -> dict[str, Any]:
    return {
        "type": "tile",
        "entity": entity,
        "name": name,
        "icon": icon,
        "grid_options": {"columns": "full" if wide else 6},
    }


def _press(entity: str, name: str, icon: str, color: str) -> dict[str, Any]:
    action = {"action": "perform-action", "perform_action": "button.press", "target": {"entity_id": entity}}
    look = {"color": color, "hide_state": True, "vertical": True}
    return _tile(entity, name, icon) | look | {"tap_action": action, "icon_tap_action": action}


def _dial(number: str, name: str, icon: str) -> dict[str, Any]:
    action = {"action": "perform-action", "perform_action": "sip_ua.dial", "data": {"number": number}}
    return {
        "type": "button",
        "name": f"{number} {name}",
        "icon": icon,
        "show_state": False,
        "tap_action": action,
        "grid_options": {"columns": 6, "rows": 2},
    }
