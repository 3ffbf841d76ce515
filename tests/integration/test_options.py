"""The options of an account: the menu, the rules, what becomes of the account, and when."""

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest
from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sip_ua.options import normalize_options, with_options
from custom_components.sip_ua.settings import normalize
from custom_components.sip_ua.sip.account import (
    Account,
    DtmfMethod,
    NetworkSettings,
    ReferPolicy,
    ReliableProvisional,
    ServerAddress,
)

from .conftest import make_entry
from .phone import FakePhone, Phones
from .test_config_flow import REGISTERED

ACCOUNT = Account(number="620", domain="fritz.box", server=ServerAddress("fritz.box"))
CALLS: dict[str, Any] = {"refer_policy": "off", "allowed_numbers": ["*"], "mwi": False, "mwi_expiration": 3600}


async def choose(hass: HomeAssistant, entry: MockConfigEntry, step: str) -> ConfigFlowResult:
    """Open a form of the menu."""
    menu = await hass.config_entries.options.async_init(entry.entry_id)
    assert (menu["type"], menu["menu_options"]) == (
        FlowResultType.MENU,
        ["calls", "incoming", "answering", "voice", "recording", "expert"],
    )
    form = await hass.config_entries.options.async_configure(menu["flow_id"], {"next_step_id": step})
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, step)
    return form


async def submit(hass: HomeAssistant, entry: MockConfigEntry, step: str, **fields: Any) -> ConfigFlowResult:
    """Open a form of the menu and submit it, the one about answers page by page."""
    form = await choose(hass, entry, step)
    typed = CALLS | fields if step == "calls" else fields
    if step == "answering":
        first = {key: typed.pop(key) for key in ("answered_by", "contact_answers") if key in typed}
        form = await hass.config_entries.options.async_configure(form["flow_id"], first)
        assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "answering_how")
    return await hass.config_entries.options.async_configure(form["flow_id"], typed)


def suggested(result: ConfigFlowResult) -> dict[str, Any]:
    assert result["data_schema"] is not None
    return {
        str(marker): marker.description["suggested_value"]
        for marker in result["data_schema"].schema
        if marker.description
    }


def test_without_options_the_account_is_what_it_was() -> None:
    assert with_options(ACCOUNT, {}) == ACCOUNT


def test_every_option_reaches_the_account() -> None:
    stored = {
        "calls": normalize_options(
            "calls",
            {
                "send_caller_id": False,
                "display_name": " Home ",
                "refer_policy": "server",
                "allowed_numbers": [" +49 30 12-34* ", "6??", "door.*", "6 ? ?", " "],
                "mwi": True,
                "mwi_expiration": 600.0,
            },
        ),
        "voice": normalize_options(
            "voice",
            {
                "codecs": ["opus", "pcma", "opus"],
                "dtmf": "info",
                "voice_activity_detection": True,
                "speaking_volume": -6.0,
                "listening_volume": 12.0,
            },
        ),
        "expert": normalize_options(
            "expert",
            {"reliable_provisional": "required", "user_agent": " Hall/1 ", "sip_dscp": 26.0, "rtp_dscp": 0.0},
        ),
    }
    account = with_options(ACCOUNT, stored)
    assert account == Account(
        number="620",
        domain="fritz.box",
        server=ServerAddress("fritz.box"),
        send_caller_id=False,
        display_name="Home",
        refer_policy=ReferPolicy.SERVER,
        allowed_numbers=("+49301234*", "6??", "door.*"),
        mwi=True,
        mwi_expiration=600,
        codecs=("OPUS", "PCMA"),
        dtmf=DtmfMethod.INFO,
        voice_activity_detection=True,
        speaking_volume=-6,
        listening_volume=12,
        reliable_provisional=ReliableProvisional.REQUIRED,
        user_agent="Hall/1",
        network=NetworkSettings(sip_dscp=26, rtp_dscp=0),
    )
    numbers = (account.mwi_expiration, account.speaking_volume, account.network.sip_dscp)
    assert all(type(number) is int for number in numbers)


def test_an_account_that_lost_its_server_lets_nobody_transfer_to_that_servers_numbers() -> None:
    calls = {"refer_policy": "server", "allowed_numbers": ["6*"], "display_name": "Home"}
    stored = {"calls": normalize_options("calls", calls)}
    direct = Account(number="620", domain="", allow_direct_calls=True)
    account = with_options(direct, stored)
    assert (account.refer_policy, account.allowed_numbers) == (ReferPolicy.OFF, direct.allowed_numbers)
    assert account.display_name == "Home"
    server = with_options(replace(direct, server=ServerAddress("fritz.box")), stored)
    assert (server.refer_policy, server.allowed_numbers) == (ReferPolicy.SERVER, ("6*",))
    stored["calls"]["refer_policy"] = "anywhere"
    assert with_options(direct, stored).refer_policy is ReferPolicy.ANYWHERE


async def test_the_form_of_an_account_that_lost_its_server_shows_what_holds_and_can_be_sent(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    await submit(hass, entry, "calls", refer_policy="server", allowed_numbers=["6*"])
    await hass.async_block_till_done()
    direct = normalize({"template": "direct", "number": "home"})
    hass.config_entries.async_update_entry(entry, data=direct)
    await hass.async_block_till_done()
    form = await choose(hass, entry, "calls")
    shown = suggested(form)
    assert (shown["refer_policy"], shown["allowed_numbers"]) == ("off", ["*"])
    result = await hass.config_entries.options.async_configure(form["flow_id"], shown)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options["calls"]["refer_policy"] == "off"


def test_a_name_left_empty_is_the_usual_one() -> None:
    assert normalize_options("expert", {"user_agent": " "})["user_agent"] == "SIP Phone"


async def test_changed_options_apply_at_once_without_a_call(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry
) -> None:
    result = await submit(hass, entry, "calls", display_name="Home", refer_policy="server", allowed_numbers=["6*"])
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert phone.did == [("stop",)]
    account = phones[-1].account
    assert (account.display_name, account.refer_policy, account.allowed_numbers) == (
        "Home",
        ReferPolicy.SERVER,
        ("6*",),
    )
    assert account.password == "correct horse"


async def test_the_other_page_keeps_what_it_has(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry
) -> None:
    await submit(hass, entry, "calls", mwi=True, mwi_expiration=600)
    await hass.async_block_till_done()
    await submit(hass, entry, "expert", reliable_provisional="off", user_agent="Hall/1 (attic)")
    await hass.async_block_till_done()
    account = phones[-1].account
    assert (account.mwi, account.mwi_expiration) == (True, 600)
    assert (account.reliable_provisional, account.user_agent) == (ReliableProvisional.OFF, "Hall/1 (attic)")
    assert suggested(await choose(hass, entry, "calls"))["mwi_expiration"] == 600


async def test_the_order_of_the_codecs_and_the_way_of_keys_can_be_chosen(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry
) -> None:
    shown = suggested(await choose(hass, entry, "voice"))
    assert (shown["codecs"], shown["dtmf"]) == (["g722", "pcma", "pcmu"], "auto")
    await submit(hass, entry, "voice", codecs=["pcmu", "opus"], dtmf="inband")
    await hass.async_block_till_done()
    account = phones[-1].account
    assert (account.codecs, account.dtmf) == (("PCMU", "OPUS"), DtmfMethod.INBAND)


async def test_silence_volumes_and_marks_are_at_first_what_they_always_were_and_can_be_chosen(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry
) -> None:
    before = phones[-1].account
    shown = suggested(await choose(hass, entry, "voice")) | suggested(await choose(hass, entry, "expert"))
    keys = ("voice_activity_detection", "speaking_volume", "listening_volume", "early_media", "sip_dscp", "rtp_dscp")
    assert [shown.get(key, "") for key in keys] == [False, 0, 0, "", 40, 46]
    await submit(
        hass,
        entry,
        "voice",
        codecs=["pcma"],
        dtmf="auto",
        voice_activity_detection=True,
        speaking_volume=-3,
        listening_volume=6,
    )
    await submit(hass, entry, "expert", reliable_provisional="supported", sip_dscp=0, rtp_dscp=63)
    await hass.async_block_till_done()
    account = phones[-1].account
    assert (account.voice_activity_detection, account.speaking_volume, account.listening_volume) == (True, -3, 6)
    assert account.network == replace(before.network, sip_dscp=0, rtp_dscp=63)


@pytest.mark.parametrize(
    ("step", "field", "number"),
    [
        ("voice", "speaking_volume", -13),
        ("voice", "listening_volume", 13),
        ("expert", "sip_dscp", 64),
        ("expert", "rtp_dscp", -1),
    ],
)
async def test_volumes_and_marks_stay_in_their_range(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, step: str, field: str, number: int
) -> None:
    required: dict[str, Any] = {
        "voice": {"codecs": ["pcma"], "dtmf": "auto"},
        "expert": {"reliable_provisional": "off"},
    }
    with pytest.raises(InvalidData):
        await submit(hass, entry, step, **required[step] | {field: number})


async def test_only_codecs_that_work_on_this_machine_are_offered(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    with patch("custom_components.sip_ua.options_flow.working_codecs", return_value={"PCMA", "PCMU"}):
        form = await choose(hass, entry, "voice")
    assert form["data_schema"] is not None
    assert form["data_schema"].schema["codecs"].config["options"] == ["pcma", "pcmu"]


async def test_changed_options_wait_for_the_end_of_the_last_call(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry
) -> None:
    call_id = phone.ring()
    await submit(hass, entry, "expert", reliable_provisional="off")
    await hass.async_block_till_done()
    assert phones == [phone]
    assert phone.did == []
    phone.end(call_id)
    await hass.async_block_till_done()
    assert phone.did == [("stop",)]
    assert phones[-1].account.reliable_provisional is ReliableProvisional.OFF


async def test_options_that_stay_the_same_change_nothing(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry
) -> None:
    for _ in range(2):
        await submit(hass, entry, "calls", mwi=True)
        await hass.async_block_till_done()
    assert len(phones) == 2


@pytest.mark.parametrize(
    ("step", "fields", "errors"),
    [
        ("calls", {"display_name": "x" * 65}, {"display_name": "display_name_invalid"}),
        ("calls", {"display_name": "a\nb"}, {"display_name": "display_name_invalid"}),
        (
            "calls",
            {"refer_policy": "anywhere", "allowed_numbers": []},
            {"allowed_numbers": "allowed_numbers_required"},
        ),
        ("calls", {"allowed_numbers": ["6*"]}, {"allowed_numbers": "allowed_numbers_not_used"}),
        (
            "calls",
            {"refer_policy": "server", "allowed_numbers": [str(number) for number in range(65)]},
            {"allowed_numbers": "allowed_numbers_too_many"},
        ),
        (
            "calls",
            {"refer_policy": "server", "allowed_numbers": ["6*", "[0-9]"]},
            {"allowed_numbers": "allowed_number_invalid"},
        ),
        ("calls", {"mwi_expiration": 600}, {"mwi_expiration": "mwi_expiration_not_used"}),
        (
            "calls",
            {"mwi_expiration": 600, "allowed_numbers": ["6*"]},
            {"mwi_expiration": "mwi_expiration_not_used", "allowed_numbers": "allowed_numbers_not_used"},
        ),
        ("voice", {"codecs": [], "dtmf": "auto"}, {"codecs": "codecs_required"}),
        (
            "voice",
            {"codecs": ["pcma"], "dtmf": "auto", "early_media": "/nowhere/welcome.wav"},
            {"early_media": "early_media_not_found"},
        ),
        (
            "voice",
            {"codecs": ["pcma"], "dtmf": "auto", "early_media": f"http://media.example/{'x' * 1024}"},
            {"early_media": "early_media_too_long"},
        ),
        ("expert", {"reliable_provisional": "off", "user_agent": "Küche"}, {"user_agent": "user_agent_invalid"}),
        ("expert", {"reliable_provisional": "off", "user_agent": "a\r\nb"}, {"user_agent": "user_agent_invalid"}),
        ("expert", {"reliable_provisional": "off", "user_agent": "x" * 65}, {"user_agent": "user_agent_invalid"}),
    ],
)
async def test_every_broken_rule_has_its_own_text_at_its_field(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, step: str, fields: dict[str, Any], errors: Any
) -> None:
    result = await submit(hass, entry, step, **fields)
    assert (result["type"], result["errors"]) == (FlowResultType.FORM, errors)
    for field, value in fields.items():
        if field not in errors:
            assert suggested(result)[field] == value
    assert entry.options == {}
    await hass.async_block_till_done()
    assert phone.did == []


async def test_a_refused_form_can_be_put_right(hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry) -> None:
    result = await submit(hass, entry, "calls", allowed_numbers=["6*"])
    result = await hass.config_entries.options.async_configure(result["flow_id"], CALLS | {"allowed_numbers": []})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


@pytest.mark.parametrize("seconds", [119, 86401])
async def test_the_expiration_stays_in_its_range(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, seconds: int
) -> None:
    with pytest.raises(InvalidData):
        await submit(hass, entry, "calls", mwi=True, mwi_expiration=seconds)


async def test_an_account_without_a_server_has_no_voice_mail_box_and_no_domain(
    hass: HomeAssistant, phones: Phones
) -> None:
    entry = make_entry({"template": "direct", "number": "home"})
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    form = await choose(hass, entry, "calls")
    assert form["data_schema"] is not None
    schema = form["data_schema"].schema
    assert [str(marker) for marker in schema] == [
        "send_caller_id",
        "display_name",
        "refer_policy",
        "allowed_numbers",
        "auto_answer_delay",
        "numbers_by_voice",
    ]
    assert schema["refer_policy"].config["options"] == ["off", "anywhere"]
    result = await hass.config_entries.options.async_configure(
        form["flow_id"], {"refer_policy": "anywhere", "allowed_numbers": ["*"]}
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert phones[-1].account.refer_policy is ReferPolicy.ANYWHERE


async def test_the_trial_of_changed_settings_goes_out_with_the_options(
    hass: HomeAssistant, phones: Phones, entry: MockConfigEntry
) -> None:
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, options={"expert": {"user_agent": "Hall/1"}})
    with patch("custom_components.sip_ua.config_flow.check_registration", return_value=REGISTERED) as check:
        form = await entry.start_reauth_flow(hass)
        await hass.config_entries.flow.async_configure(form["flow_id"], {"password": "battery"})
    assert check.await_args is not None
    assert check.await_args.args[0].user_agent == "Hall/1"
    await hass.async_block_till_done()


async def test_which_calls_are_recorded_can_be_chosen(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    form = await choose(hass, entry, "recording")
    shown = suggested(form)
    assert (shown["record_calls"], shown["keep_days"]) == ("none", 0)
    chosen: dict[str, Any] = {"record_calls": "incoming", "recording_format": "wav", "recording_channels": "stereo"}
    chosen |= {"recording_tone": "once", "keep_days": 30.0, "keep_recordings": 100.0}
    result = await hass.config_entries.options.async_configure(form["flow_id"], chosen)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options["recording"] == chosen


@pytest.mark.parametrize(("working", "formats"), [({"OPUS", "PCMA"}, ["wav", "opus"]), ({"PCMA"}, ["wav"])])
async def test_only_formats_that_this_machine_can_write_are_offered(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, working: set[str], formats: list[str]
) -> None:
    with patch("custom_components.sip_ua.options_flow.working_codecs", return_value=working):
        form = await choose(hass, entry, "recording")
    assert form["data_schema"] is not None
    assert form["data_schema"].schema["recording_format"].config["options"] == formats
