"""The dial plan: how its rules are read, what goes out for a number, and that everybody who dials obeys it."""

import time
from pathlib import Path

import pytest
from homeassistant.components.conversation import async_converse
from homeassistant.core import Context, HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from hypothesis import given, strategies as st
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sip_ua.dial_plan import (
    RULE_LENGTH_MAX,
    DialPlan,
    DialRuleError,
    faulty_rule,
    parse_rule,
    split_rules,
)
from custom_components.sip_ua.net.audio import FileSource
from custom_components.sip_ua.sip.events import CallState, Party

from .conftest import act, contact, do, make_entry, settle
from .phone import GRANDMA, FakePhone, Phones
from .test_incoming_rules import later
from .test_options import submit, suggested
from .test_services import FIGURES

PLAN = ["0900x.!", "<0:0049>[1-9]xxxx.", "<:9>6xx"]


@pytest.mark.parametrize(
    ("rule", "number", "result"),
    [
        # A prefix is left out, put before, or replaced.
        ("<0:>x.", "0301234", "301234"),
        ("<0:>x.", "1301234", None),
        ("<:030>[1-9]xxxxx.", "123456", "030123456"),
        ("<:030>[1-9]xxxxx.", "0123456", None),
        ("<+49:0>x.", "+49301234", "0301234"),
        ("<00:+>[1-9]x.", "004930", "+4930"),
        ("<8:1650>xxxxxxx", "85551212", "16505551212"),
        ("<8:1650>xxxxxxx", "855512123", None),
        ("<:*31#>0x.", "0301234", "*31#0301234"),
        # Several places of one number.
        ("<0:>xx<:99>x<1:2>", "01231", "129932"),
        ("<1:2><3:4>", "13", "24"),
        # What goes out as it is keeps later rules away.
        ("6xx", "612", "612"),
        ("6XX", "612", "612"),
        ("6[0-35]x", "655", "655"),
        ("6[0-35]x", "645", None),
        ("x.", "1234567890", "1234567890"),
        ("01.", "0", "0"),
        ("01.", "0111", "0111"),
        ("[12].", "1212", "1212"),
        ("+x.", "+4930", "+4930"),
        ("+x.", "4930", None),
        ("12+", "12+", "12+"),
        # Nothing goes out.
        ("0900x.!", "0900123", ""),
        ("0900x.!", "0901", None),
        # Nothing would be left.
        ("<0:>x.", "0", None),
        ("<123:>", "123", None),
    ],
)
def test_a_rule_says_what_goes_out(rule: str, number: str, result: str | None) -> None:
    assert parse_rule(rule).result(number) == result


@pytest.mark.parametrize(
    ("rule", "rest"),
    [
        ("0|.T", "|.T"),
        ("xT", "T"),
        (".", "."),
        ("!", "!"),
        ("x.x", ".x"),
        ("x!x", "!x"),
        ("x!.", "!."),
        ("x..", ".."),
        ("<0:1>.", "."),
        ("<0:1", "<0:1"),
        ("<0>x", "<0>x"),
        ("<x:1>", "<x:1>"),
        ("<*:1>x", "<*:1>x"),
        ("*xx", "*xx"),
        ("[]x", "[]x"),
        ("0[9-1]", "[9-1]"),
        ("0[1-]", "[1-]"),
        ("0[-1]", "[-1]"),
        ("0[1*]", "[1*]"),
        ("0(1)", "(1)"),
        ("\N{ARABIC-INDIC DIGIT ONE}", "\N{ARABIC-INDIC DIGIT ONE}"),
        ("x" * (RULE_LENGTH_MAX + 3), "xxx"),
        ("", ""),
    ],
)
def test_what_is_no_rule_is_told_with_the_place_where_it_goes_wrong(rule: str, rest: str) -> None:
    with pytest.raises(DialRuleError) as caught:
        parse_rule(rule)
    assert (caught.value.rule, caught.value.rest) == (rule, rest)


def test_the_first_rule_that_fits_decides_and_the_others_have_no_say() -> None:
    plan = DialPlan(["6xx", "0900x.!", "<0:0049>x.", "<:9>x."])
    assert [plan.apply(number).number for number in ("612", "030", "712")] == ["612", "004930", "9712"]
    assert plan.apply("0 30 / 12-34").number == "0049301234"
    assert plan.apply("030").rule == "<0:0049>x."
    assert plan.apply("0900123").blocked
    assert plan.apply("+4930") == DialPlan(()).apply("+4930"), "no rule fits"


@pytest.mark.parametrize(
    "target",
    [
        *("112", "0112", "9911", "110", "999"),
        *("**610", "*21*0301234#", "#96*1*", "*100#"),
        *("sip:0301234@example.com", "0301234@example.com", "tel:0301234", "sips:1@[::1]"),
        *("grandma", "", "door.street"),
    ],
)
def test_calls_for_help_codes_and_addresses_go_out_as_they_are(target: str) -> None:
    dialed = DialPlan(["x.!", "+x.!", "<:9>x."]).apply(target)
    assert (dialed.number, dialed.rule, dialed.blocked) == (target, "", False)


def test_a_plan_may_be_typed_as_devices_have_it() -> None:
    assert split_rules(["{ <0:>x. | 6xx }", " 7 x x ", "6xx", "", "(8x|9x!)"]) == ["<0:>x.", "6xx", "7xx", "8x", "9x!"]


@given(st.text(st.sampled_from("0129x[]-<>:.!+*# |T"), max_size=20), st.text("0129+", max_size=20))
def test_whatever_is_typed_is_a_rule_or_told(text: str, number: str) -> None:
    if (fault := faulty_rule([text])) is not None:
        assert text.endswith(fault.rest)
        return
    rule = parse_rule(text)
    assert rule.result(number) in ({None, ""} if rule.blocks else {None, rule.result(number)} - {""})


def test_a_number_is_compared_in_one_pass() -> None:
    plan = DialPlan(["x" * 62 + ".", "<0:>" + "x" * 50 + ".!"] * 32)
    began = time.perf_counter()
    plan.apply("0" * 40 + "1" * 60_000 + "a")
    plan.apply("0" + "1" * 60_000)
    assert time.perf_counter() - began < 0.5


# In Home Assistant


@pytest.fixture(name="entry")
def entry_fixture() -> MockConfigEntry:
    book = (contact("Anna", "0301234567", speed_dial=7, exposed=True), contact("Premium", "0900 123"))
    return make_entry(subentries=book, options={"expert": {"dial_plan": PLAN}, "calls": {"numbers_by_voice": True}})


def went_out(phone: FakePhone) -> list[str]:
    return [did[1] for did in phone.did if did[0] == "dial"]


async def test_the_action_dials_by_the_plan_and_names_the_rule(hass: HomeAssistant, phone: FakePhone) -> None:
    answer = await act(hass, "dial", number="030 / 123-45")
    assert (answer["number"], answer["dial_rule"]) == ("00493012345", "<0:0049>[1-9]xxxx.")
    answer = await act(hass, "dial", number="112")
    assert (answer["number"], answer["dial_rule"]) == ("112", None)
    await act(hass, "dial", number="Anna")
    await act(hass, "dial", number="#07")
    await act(hass, "dial", number="**610")
    assert went_out(phone) == ["00493012345", "112", "0049301234567", "0049301234567", "**610"]


async def test_the_end_of_a_call_is_told_with_its_rule(hass: HomeAssistant, phone: FakePhone) -> None:
    task = hass.async_create_task(act(hass, "dial", number="612", wait="ended"))
    await settle()
    (call_id,) = phone.calls
    phone.enter(call_id, CallState.TALKING)
    phone.end(call_id)
    phone.tell_statistics(call_id, FIGURES)
    assert (await task)["dial_rule"] == "<:9>6xx"


async def test_what_the_plan_blocks_nobody_dials(hass: HomeAssistant, phone: FakePhone) -> None:
    call_id = phone.ring()
    await do(hass, "answer")
    for action, data in (
        ("dial", {"number": "0900 123 456"}),
        ("dial", {"number": "Premium"}),
        ("transfer", {"number": "0900123", "call_id": call_id}),
    ):
        with pytest.raises(ServiceValidationError) as raised:
            await do(hass, action, **data)
        assert raised.value.translation_key == "number_blocked"
        assert raised.value.translation_placeholders is not None
        assert raised.value.translation_placeholders["rule"] == "0900x.!"
    assert went_out(phone) == []


async def test_of_several_a_blocked_number_is_left_out(hass: HomeAssistant, phone: FakePhone) -> None:
    phone.answers_at_once = True
    answer = await act(hass, "call_out", numbers=["0900123", "612"], confirm="none")
    assert answer["accepted"]
    assert [attempt["result"] for attempt in answer["attempts"]] == ["not_answered", "accepted"]
    assert went_out(phone) == ["9612"]


async def test_who_is_sent_elsewhere_goes_by_the_plan(hass: HomeAssistant, phone: FakePhone) -> None:
    phone.ring(GRANDMA)
    await do(hass, "redirect", number="612")
    call_id = phone.ring(GRANDMA)
    await do(hass, "answer", call_id=call_id)
    await do(hass, "transfer", number="612")
    assert [did[-1] for did in phone.did if did[0] in {"redirect", "transfer"}] == ["9612", "9612"]


async def test_buttons_and_the_typed_number_dial_by_the_plan(
    hass: HomeAssistant, phone: FakePhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "custom_components.sip_ua.announcement.speech_source", lambda *_, **__: FileSource(Path("dinner.wav"))
    )
    entities = er.async_get(hass).entities
    ids = {
        str(entity.translation_key): entity.entity_id
        for entity in entities.values()
        if "premium" not in entity.entity_id
    }
    await hass.services.async_call("button", "press", {"entity_id": "button.anna_call"}, blocking=True)
    number = {"entity_id": ids["number_to_dial"], "value": "612"}
    await hass.services.async_call("text", "set_value", number, blocking=True)
    await hass.services.async_call("button", "press", {"entity_id": ids["dial"]}, blocking=True)
    data = {"entity_id": "notify.anna_call_and_speak", "message": "Dinner"}
    task = hass.async_create_task(hass.services.async_call("notify", "send_message", data, blocking=True))
    await settle()
    assert went_out(phone) == ["0049301234567", "9612", "0049301234567"]
    task.cancel()


async def test_voice_dials_by_the_plan_and_again_what_went_out(hass: HomeAssistant, phone: FakePhone) -> None:
    assert await async_setup_component(hass, "homeassistant", {})
    assert await async_setup_component(hass, "conversation", {})
    await hass.async_block_till_done()
    for sentence in ("call 030 12345", "call Anna"):
        await async_converse(hass, sentence, None, Context(), "en")
    for call_id in tuple(phone.calls):
        phone.end(call_id)
    phone.now += 60
    phone.end(phone.place(Party("", "06112345", "sip:06112345@fritz.box")))
    await async_converse(hass, "redial", None, Context(), "en")
    assert went_out(phone) == ["00493012345", "0049301234567", "06112345"]
    result = await async_converse(hass, "call 0900 123456", None, Context(), "en")
    assert "Calling" not in result.response.speech["plain"]["speech"]
    assert len(went_out(phone)) == 3


async def test_a_contact_is_known_by_what_the_plan_has_dialed_for_it(
    hass: HomeAssistant, entry: MockConfigEntry, phones: Phones
) -> None:
    door = {"door_station": True, "door_code": "5#"}
    entry = make_entry(subentries=[contact("Hall", "612", exposed=True, door=door)], options=dict(entry.options))
    entry.add_to_hass(hass)
    assert await async_setup_component(hass, "homeassistant", {})
    assert await async_setup_component(hass, "conversation", {})
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    phone = phones[-1]
    phone.register()
    answer = await act(hass, "dial", number="612")
    assert (answer["name"], answer["number"]) == ("Hall", "9612")
    phone.enter(answer["call_id"], CallState.TALKING)
    await hass.services.async_call("button", "press", {"entity_id": "button.hall_open_door"}, blocking=True)
    assert phone.did[-1][:3] == ("send_digits", answer["call_id"], "5#")
    phone.end(answer["call_id"])
    result = await async_converse(hass, "redial", None, Context(), "en")
    assert result.response.speech["plain"]["speech"] == "Calling Hall."
    assert went_out(phone) == ["9612", "9612"]
    call_id = phone.ring(Party("", "9612", "sip:9612@fritz.box"))
    assert phone.calls[call_id].remote.name == "", "who calls is not known by what we would dial"
    assert (await act(hass, "hangup", call_id=call_id))["name"] == ""


async def test_what_went_out_is_dialed_again_as_it_is(hass: HomeAssistant, phone: FakePhone) -> None:
    await do(hass, "dial", number="612")
    phone.end(next(iter(phone.calls)))
    (last,) = (await act(hass, "get_call_history"))["calls"]
    answer = await act(hass, "dial", number=last["number"], use_dial_plan=False)
    assert (answer["number"], answer["dial_rule"]) == ("9612", None)
    for number in ("612", "030 12345"):
        await do(hass, "dial", number=number, use_dial_plan=False)
    assert went_out(phone) == ["9612", "9612", "612", "03012345"]
    with pytest.raises(ServiceValidationError) as raised:
        await do(hass, "dial", number="0900123", use_dial_plan=False)
    assert raised.value.translation_key == "number_blocked"


@pytest.mark.parametrize(
    ("typed", "went"),
    [
        ("030 / 123-45", "00493012345"),
        ("612", "9612"),
        ("Anna", "0049301234567"),
        ("#07", "0049301234567"),
        ("**610", "**610"),
        ("sip:612@fritz.box", "sip:612@fritz.box"),
    ],
)
@pytest.mark.parametrize("when", ["forward_always", "forward_busy", "forward_no_answer"])
async def test_calls_are_forwarded_as_if_somebody_dialed(
    hass: HomeAssistant, phones: Phones, entry: MockConfigEntry, when: str, typed: str, went: str
) -> None:
    entry.add_to_hass(hass)
    rules = {"call_waiting": when != "forward_busy", when: typed}
    hass.config_entries.async_update_entry(entry, options={**entry.options, "incoming": rules})
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    phone = phones[-1]
    phone.register()
    phone.enter(phone.place(GRANDMA), CallState.TALKING)
    call_id = phone.ring(GRANDMA)
    await later(hass, 20)
    assert phone.did == [("redirect", call_id, went)]


async def test_calls_ring_here_that_would_be_forwarded_to_a_number_that_nobody_may_dial(
    hass: HomeAssistant, phones: Phones, entry: MockConfigEntry, caplog: pytest.LogCaptureFixture
) -> None:
    entry.add_to_hass(hass)
    rules = {"forward_always": "Premium"}
    hass.config_entries.async_update_entry(entry, options={**entry.options, "incoming": rules})
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    call_id = phones[-1].ring(GRANDMA)
    assert call_id in phones[-1].calls
    assert "forwards no calls to Premium: the rule 0900x.!" in caplog.text


# The form


async def test_where_calls_go_is_no_number_that_nobody_may_dial(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry
) -> None:
    fields = {"call_waiting": True, "call_waiting_timeout": 20, "block_anonymous": False, "forward_after": 20}
    result = await submit(hass, entry, "incoming", forward_no_answer="0900 12", **fields)
    assert result["errors"] == {"forward_no_answer": "forward_number_blocked"}
    result = await submit(hass, entry, "incoming", forward_no_answer="612", **fields)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options["incoming"]["forward_no_answer"] == "612"
    await hass.async_block_till_done()


async def test_a_plan_is_typed_as_it_is_and_dials_once_it_is_kept(
    hass: HomeAssistant, phones: Phones, phone: FakePhone, entry: MockConfigEntry
) -> None:
    result = await submit(
        hass, entry, "expert", reliable_provisional="off", user_agent="", trace=True, dial_plan=["{ <0 : 1> x. | 6xx }"]
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options["expert"]["dial_plan"] == ["<0:1>x.", "6xx"]
    await hass.async_block_till_done()
    phones[-1].register()
    await act(hass, "dial", number="0612")
    assert went_out(phones[-1]) == ["1612"]


@pytest.mark.parametrize(
    ("rules", "error", "named"),
    [
        (["6xx", "0x.0", "*"], "dial_rule_invalid", {"rule": "0x.0", "rest": ".0"}),
        (["x" * number for number in range(1, 65)] + ["1"], "dial_plan_too_long", None),
    ],
)
async def test_a_rule_that_cannot_be_read_is_named(
    hass: HomeAssistant,
    phone: FakePhone,
    entry: MockConfigEntry,
    rules: list[str],
    error: str,
    named: dict[str, str] | None,
) -> None:
    result = await submit(hass, entry, "expert", reliable_provisional="off", user_agent="", trace=True, dial_plan=rules)
    assert (result["type"], result["errors"]) == (FlowResultType.FORM, {"dial_plan": error})
    assert (result["description_placeholders"] or None) == named
    assert suggested(result)["dial_plan"] == rules
