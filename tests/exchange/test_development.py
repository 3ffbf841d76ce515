"""What scripts/develop decides by itself: ports, forms, the ladder, and whether the log speaks of the integration."""

import re
import socket
from pathlib import Path
from typing import Any

import pytest

from scripts.development.account import fill_in
from scripts.development.dashboard import NUMBERS, configuration
from scripts.development.instance import Instance, free_port
from scripts.development.terminal import DevelopError, ladder
from scripts.exchange.extension import EXTENSIONS

HEAD = "2026-11-22 12:00:00.000+00:00"
FORM: list[dict[str, Any]] = [
    {"name": "template", "required": True, "default": "generic"},
    {"name": "number", "required": True},
    {"name": "server", "description": {"suggested_value": "127.0.0.1"}},
    {"name": "auth_user", "optional": True},
    {
        "name": "network",
        "type": "expandable",
        "schema": [{"name": "port", "default": 0}, {"name": "stun_server"}],
    },
]


def test_a_busy_port_gives_way_to_the_next_free_one() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]

        assert free_port("127.0.0.1", port) > port


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(DevelopError, match=r"no port from 8123 on is free at 192\.0\.2\.1"):
        free_port("192.0.2.1", 8123)


def test_a_form_is_sent_with_what_was_typed_and_what_it_shows() -> None:
    filled = fill_in(FORM, {"number": "1001", "network": {"stun_server": "stun.example"}})

    assert filled == {
        "template": "generic",
        "number": "1001",
        "server": "127.0.0.1",
        "network": {"port": 0, "stun_server": "stun.example"},
    }


def test_a_field_that_the_form_lacks_is_named() -> None:
    with pytest.raises(DevelopError, match="no such field: nmber"):
        fill_in(FORM, {"nmber": "1001"})


def test_the_ladder_counts_from_the_invite_and_shows_who_sent_what() -> None:
    steps = [
        {"step": "invite", "sent": True, "code": 0, "reason": "", "elapsed": 0.5},
        {"step": "invite", "sent": True, "code": 0, "reason": "", "elapsed": 0.504},
        {"step": "ringing", "sent": False, "code": 180, "reason": "Ringing", "elapsed": 0.51},
        {"step": "ok", "sent": False, "code": 200, "reason": "OK", "elapsed": 1.5},
        {"step": "ack", "sent": True, "code": 0, "reason": "", "elapsed": 1.5},
        {"step": "bye", "sent": False, "code": 0, "reason": "", "elapsed": 3.5},
    ]

    lines = ladder(steps, "600", "voice: 100 packets out, 99 in")

    assert [re.sub("[-=]+", "", line).split() for line in lines[1:]] == [
        ["0.000", "|", "INVITE", ">|"],
        ["0.004", "|", "INVITE", "with", "login", ">|"],
        ["0.010", "|<", "180", "Ringing", "|"],
        ["1.000", "|<", "200", "OK", "|"],
        ["1.000", "|", "ACK", ">|"],
        ["|", "voice:", "100", "packets", "out,", "99", "in", "|"],
        ["3.000", "|<", "BYE", "|"],
    ]
    assert len({len(line) for line in lines[1:]}) == 1


@pytest.mark.parametrize(
    "record",
    [
        f"{HEAD} ERROR (MainThread) [custom_components.sip_ua.coordinator] no",
        f'{HEAD} ERROR (MainThread) [homeassistant] Error in job\nTraceback:\n  File "custom_components/sip_ua/a.py"',
        f"{HEAD} WARNING (MainThread) [homeassistant.util] Detected blocking call by custom integration 'sip_ua'",
    ],
)
def test_errors_of_the_integration_are_complaints(tmp_path: Path, record: str) -> None:
    instance = Instance(tmp_path, "127.0.0.1", 8123)
    instance.log.write_text(f"{record}\n{HEAD} INFO (MainThread) [other] well\n", encoding="utf-8")

    assert instance.complaints() == [record]


@pytest.mark.parametrize(
    "record",
    [
        f"{HEAD} ERROR (MainThread) [homeassistant.components.analytics] no network\nTraceback",
        f"{HEAD} WARNING (MainThread) [custom_components.sip_ua.coordinator] 1001@exchange.test is not registered",
        f"{HEAD} WARNING (W) [homeassistant.loader] We found a custom integration sip_ua which has not been tested",
    ],
)
def test_what_is_not_the_integrations_fault_is_no_complaint(tmp_path: Path, record: str) -> None:
    instance = Instance(tmp_path, "127.0.0.1", 8123)
    instance.log.write_text(f"{record}\n", encoding="utf-8")

    assert instance.complaints() == []


def test_every_dial_button_of_the_dashboard_reaches_an_extension() -> None:
    assert {number for number, _, _ in NUMBERS} <= {manner.number for manner in EXTENSIONS}


def test_the_dashboard_has_dial_answer_and_hang_up_buttons() -> None:
    keys = ("call_state", "remote_name", "remote_number", "last_call", "registration", "registration_expires")
    entities = {f"sensor.{key}": f"sensor.{key}" for key in (*keys, "last_answer")}
    entities["media_player.player"] = "media_player.player"
    entities |= {"button.answer": "button.answer", "button.hangup": "button.hangup"}

    (view,) = configuration(entities)["views"]
    actions = [card["tap_action"] for section in view["sections"] for card in section["cards"] if "tap_action" in card]

    assert [action["data"]["number"] for action in actions if action["perform_action"] == "sip_ua.dial"] == [
        number for number, _, _ in NUMBERS
    ]
    assert [action["target"]["entity_id"] for action in actions if action["perform_action"] == "button.press"] == [
        "button.answer",
        "button.hangup",
    ]
