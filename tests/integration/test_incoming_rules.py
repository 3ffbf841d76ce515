"""Call waiting, blocked and anonymous callers, and where calls go instead of ringing here."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from homeassistant.config_entries import ConfigFlowResult
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import dt as dt_util
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_fire_time_changed,
)

from custom_components.sip_ua.logbook_lines import EVENT_LOGBOOK
from custom_components.sip_ua.numbering import plain_number
from custom_components.sip_ua.options import normalize_options
from custom_components.sip_ua.sip.errors import LocalProtocolError
from custom_components.sip_ua.sip.events import CallState, Party
from custom_components.sip_ua.sip.party import ANONYMOUS

from .conftest import TYPED, act, contact, make_entry, settle
from .phone import GRANDMA, NEIGHBOUR, FakePhone, Phones

type SetUp = Callable[..., Awaitable[FakePhone]]

DEFAULTS: dict[str, Any] = {
    "call_waiting": True,
    "call_waiting_timeout": 20,
    "block_anonymous": False,
    "blocked_numbers": [],
    "forward_after": 20,
}
AUTO_ANSWER_TOO_LATE = {"auto_answer_delay": "auto_answer_delay_too_long"}
SALES = Party("", "0900123456", "sip:0900123456@fritz.box")


@pytest.fixture(name="set_up")
def set_up_fixture(hass: HomeAssistant, phones: Phones) -> SetUp:
    """Load an account with rules, and return its telephone."""

    async def set_up(**rules: Any) -> FakePhone:
        book = [contact("Doctor", "701", on_call="always_ring"), contact("Aunt", "09001")]
        entry = make_entry(subentries=book, options={"incoming": DEFAULTS | rules} if rules else {})
        entry.add_to_hass(hass)
        assert await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done()
        phones[-1].register()
        return phones[-1]

    return set_up


async def later(hass: HomeAssistant, seconds: float) -> None:
    """Let it be as many seconds later than the beginning of the test."""
    await settle()
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=seconds))
    await settle()


async def test_without_rules_everybody_rings_to_the_end(hass: HomeAssistant, set_up: SetUp) -> None:
    phone = await set_up()
    phone.ring(ANONYMOUS)
    await later(hass, 59)
    assert phone.did == []


async def test_a_waiting_call_rings_for_its_time_and_is_missed(
    hass: HomeAssistant, set_up: SetUp, call_events: list[Event]
) -> None:
    phone = await set_up(call_waiting_timeout=15)
    phone.enter(phone.ring(), CallState.TALKING)
    second = phone.ring(NEIGHBOUR)
    await later(hass, 14)
    assert phone.did == []
    await later(hass, 15)
    assert phone.did == [("turn_away", second, 486)]
    assert call_events[-1].data["outcome"] == "missed"
    assert len(phone.calls) == 1


async def test_a_waiting_call_that_is_answered_in_time_stays(hass: HomeAssistant, set_up: SetUp) -> None:
    phone = await set_up(call_waiting_timeout=15)
    phone.enter(phone.ring(), CallState.TALKING)
    phone.enter(phone.ring(NEIGHBOUR), CallState.TALKING)
    await later(hass, 60)
    assert phone.did == []
    assert len(phone.calls) == 2


@pytest.mark.parametrize("free_at", [5, 14])
async def test_a_waiting_call_rings_on_when_the_line_is_free_by_its_time(
    hass: HomeAssistant, set_up: SetUp, free_at: int
) -> None:
    phone = await set_up(call_waiting_timeout=15, forward_no_answer="612", forward_after=30)
    first = phone.ring()
    phone.enter(first, CallState.TALKING)
    second = phone.ring(NEIGHBOUR)
    await later(hass, free_at)
    phone.end(first)
    await later(hass, 16)
    await later(hass, 29)
    assert phone.did == []
    await later(hass, 30)
    assert phone.did == [("redirect", second, "612")]


async def test_a_call_does_not_wait_behind_one_that_came_after_it(hass: HomeAssistant, set_up: SetUp) -> None:
    phone = await set_up(call_waiting_timeout=15)
    first = phone.ring()
    phone.ring(NEIGHBOUR)
    phone.end(first)
    third = phone.ring()
    await later(hass, 16)
    assert phone.did == [("turn_away", third, 486)]


async def test_a_call_waits_while_somebody_talks_whenever_that_began(hass: HomeAssistant, set_up: SetUp) -> None:
    phone = await set_up(call_waiting_timeout=15)
    first = phone.ring()
    second = phone.ring(NEIGHBOUR)
    phone.end(first)
    phone.place(GRANDMA)
    await later(hass, 16)
    assert phone.did == [("turn_away", second, 486)]


async def test_a_call_that_is_refused_as_soon_as_it_is_told_of_leaves_nothing(
    hass: HomeAssistant, set_up: SetUp
) -> None:
    phone = await set_up(call_waiting_timeout=15, forward_no_answer="612")

    @callback
    def refuse(event: Event) -> None:
        if event.data["type"] == "incoming":
            phone.turn_away(event.data["call_id"], 486, missed=False)

    hass.bus.async_listen("sip_ua_call", refuse)
    call_id = phone.ring()
    await later(hass, 60)
    assert phone.did == [("turn_away", call_id, 486)]


async def test_who_rang_first_rings_on_when_a_later_call_is_answered(hass: HomeAssistant, set_up: SetUp) -> None:
    phone = await set_up(call_waiting_timeout=15)
    phone.ring()
    phone.enter(phone.ring(NEIGHBOUR), CallState.TALKING)
    await later(hass, 59)
    assert phone.did == []


async def test_without_call_waiting_the_line_is_busy(hass: HomeAssistant, set_up: SetUp) -> None:
    phone = await set_up(call_waiting=False)
    phone.enter(phone.ring(), CallState.TALKING)
    second = phone.ring(NEIGHBOUR)
    await settle()
    assert phone.did == [("turn_away", second, 486)]


async def test_a_busy_line_forwards(hass: HomeAssistant, set_up: SetUp) -> None:
    phone = await set_up(call_waiting=False, forward_busy="612")
    first = phone.ring()
    assert first in phone.calls
    second = phone.ring(NEIGHBOUR)
    await settle()
    assert phone.did == [("redirect", second, "612")]


@pytest.mark.parametrize(
    ("caller", "did"), [(SALES, "turn_away"), (GRANDMA, None), (Party("", "09001", "sip:09001@fritz.box"), None)]
)
async def test_blocked_numbers_hear_that_it_is_busy_and_contacts_do_not(
    hass: HomeAssistant, set_up: SetUp, caller: Party, did: str | None
) -> None:
    phone = await set_up(blocked_numbers=["0900*"])
    call_id = phone.ring(caller)
    await settle()
    assert phone.did == ([] if did is None else [(did, call_id, 486)])


@pytest.mark.parametrize("number", ["0900123456", "+49900123456", "0049900123456", "49900123456", "+49 (0)900/123456"])
@pytest.mark.parametrize("pattern", ["0900*", "+49900*", "0049900*", "+49 (0)900 *", "0900123456", "49900123456"])
async def test_a_number_is_blocked_in_whatever_form_it_and_the_list_are_written(
    hass: HomeAssistant, set_up: SetUp, number: str, pattern: str
) -> None:
    hass.config.country = "DE"
    phone = await set_up(**normalize_options("incoming", {"blocked_numbers": [pattern]}))
    call_id = phone.ring(Party("", number, f"sip:{plain_number(number)}@fritz.box"))
    assert phone.did == [("turn_away", call_id, 486)]


@pytest.mark.parametrize(
    ("pattern", "number"),
    [
        ("00*", "+49301234567"),
        ("0900*", "+43900123456"),
        ("62*", "+49621234567"),
        ("+4962*", "62"),
    ],
)
async def test_a_list_means_no_other_numbers(hass: HomeAssistant, set_up: SetUp, pattern: str, number: str) -> None:
    hass.config.country = "DE"
    phone = await set_up(blocked_numbers=[pattern])
    phone.ring(Party("", number, f"sip:{number}@fritz.box"))
    assert phone.did == []


@pytest.mark.parametrize(
    ("number", "rings"),
    [("0301234567", True), ("+49301234567", True), ("+33301234567", False), ("0033301234567", False)],
)
async def test_allowed_callers_ring_in_whatever_form_their_numbers_are_written(
    hass: HomeAssistant, set_up: SetUp, number: str, rings: bool
) -> None:
    hass.config.country = "DE"
    phone = await set_up(allowed_callers=["030*"])
    phone.ring(Party("", number, f"sip:{number}@fritz.box"))
    assert (phone.did == []) is rings


@pytest.mark.parametrize(("number", "blocked"), [("**611", True), ("99611", False)])
async def test_a_blocked_code_of_the_exchange_stands_for_itself(
    hass: HomeAssistant, set_up: SetUp, number: str, blocked: bool
) -> None:
    phone = await set_up(blocked_numbers=["**611"])
    phone.ring(Party("", number, f"sip:{number}@fritz.box"))
    await settle()
    assert bool(phone.did) is blocked


DOOR = Party("", "door@192.0.2.50", "sip:door@192.0.2.50")


@pytest.mark.parametrize(
    ("caller", "rings"),
    [
        (GRANDMA, True),
        (Party("", "612", "sip:612@fritz.box"), True),
        (Party("", "701", "sip:701@fritz.box"), True),
        (DOOR, True),
        (Party("", "door@192.0.2.51", "sip:door@192.0.2.51"), False),
        (Party("", "713", "sip:713@fritz.box"), False),
        (SALES, False),
        (ANONYMOUS, False),
    ],
)
async def test_where_some_are_allowed_nobody_rings_but_them_and_contacts(
    hass: HomeAssistant, set_up: SetUp, caller: Party, rings: bool
) -> None:
    phone = await set_up(allowed_callers=["+4930*", "6??", "0900*", "*@192.0.2.50"], blocked_numbers=["0900*"])
    call_id = phone.ring(caller)
    await settle()
    assert phone.did == ([] if rings else [("turn_away", call_id, 486)])


@pytest.mark.parametrize(
    "rules", [{"forward_always": "612"}, {"call_waiting": False, "forward_busy": "612"}, {"forward_no_answer": "612"}]
)
async def test_who_calls_past_the_server_does_not_learn_where_calls_are_forwarded_to(
    hass: HomeAssistant, set_up: SetUp, rules: dict[str, Any]
) -> None:
    phone = await set_up(**rules)
    if "forward_busy" in rules:
        phone.enter(phone.ring(), CallState.TALKING)
    phone.ring(DOOR, past_server=True)
    await later(hass, 59)
    assert [did[0] for did in phone.did] == ([] if "forward_no_answer" in rules else ["turn_away"])


async def test_who_hides_the_number_has_to_show_it(hass: HomeAssistant, set_up: SetUp) -> None:
    phone = await set_up(block_anonymous=True)
    phone.ring(GRANDMA)
    call_id = phone.ring(ANONYMOUS)
    await settle()
    assert ("turn_away", call_id, 433) in phone.did


@pytest.mark.parametrize(
    ("rules", "caller"), [({"blocked_numbers": ["0900*"]}, SALES), ({"block_anonymous": True}, ANONYMOUS)]
)
async def test_of_who_is_turned_away_only_the_history_tells(
    hass: HomeAssistant, set_up: SetUp, call_events: list[Event], rules: dict[str, Any], caller: Party
) -> None:
    entries = async_capture_events(hass, EVENT_LOGBOOK)
    phone = await set_up(**rules)
    phone.ring(caller)
    await settle()
    assert (call_events, entries) == ([], [])
    assert [call["blocked"] for call in (await act(hass, "get_call_history"))["calls"]] == [True]


async def test_every_call_goes_elsewhere_and_nothing_rings(
    hass: HomeAssistant, set_up: SetUp, call_events: list[Event]
) -> None:
    entries = async_capture_events(hass, EVENT_LOGBOOK)
    phone = await set_up(forward_always="612")
    call_id = phone.ring()
    await settle()
    assert phone.did == [("redirect", call_id, "612")]
    assert "incoming" not in {event.data["type"] for event in call_events}
    assert [entry.data["message"] for entry in entries] == ["forwarded a call from Grandma (+49301234)"]


async def test_a_call_that_cannot_be_forwarded_hears_that_it_is_busy(
    hass: HomeAssistant, set_up: SetUp, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_phone: FakePhone, _call_id: str, _target: str) -> None:
        raise LocalProtocolError("a number needs a SIP server")

    monkeypatch.setattr(FakePhone, "redirect", refuse)
    phone = await set_up(forward_always="612")
    call_id = phone.ring()
    await settle()
    assert phone.did == [("turn_away", call_id, 486)]
    assert "could not be forwarded to 612" in caplog.text


async def test_what_nobody_answers_goes_elsewhere(hass: HomeAssistant, set_up: SetUp) -> None:
    phone = await set_up(forward_no_answer="612", forward_after=30)
    call_id = phone.ring()
    await later(hass, 29)
    assert phone.did == []
    await later(hass, 30)
    assert phone.did == [("redirect", call_id, "612")]


@pytest.mark.parametrize(
    ("forward_after", "time", "did"), [(30, 20, "turn_away"), (20, 20, "redirect"), (10, 10, "redirect")]
)
async def test_of_two_times_the_shorter_counts(
    hass: HomeAssistant, set_up: SetUp, forward_after: int, time: int, did: str
) -> None:
    phone = await set_up(forward_no_answer="612", forward_after=forward_after)
    phone.place(NEIGHBOUR)
    phone.ring()
    await later(hass, time - 1)
    assert phone.did == []
    await later(hass, time)
    assert [what[0] for what in phone.did] == [did]


@pytest.mark.parametrize(
    ("rules", "number"),
    [
        ({"forward_always": "doctor"}, "701"),
        ({"forward_always": "#07"}, "09001"),
        ({"forward_busy": "My Aunt", "call_waiting": False}, "09001"),
        ({"forward_no_answer": "Doctor"}, "701"),
    ],
)
async def test_calls_are_forwarded_to_contacts_and_speed_dials(
    hass: HomeAssistant, phones: Phones, rules: dict[str, Any], number: str
) -> None:
    book = [contact("Doctor", "701"), contact("My Aunt", "09001", speed_dial=7)]
    entry = make_entry(subentries=book, options={"incoming": DEFAULTS | rules})
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    phone = phones[-1]
    phone.register()
    phone.place(NEIGHBOUR)
    call_id = phone.ring()
    await later(hass, 20)
    assert phone.did == [("redirect", call_id, number)]


async def test_where_a_contact_is_gone_calls_ring_here(
    hass: HomeAssistant, set_up: SetUp, caplog: pytest.LogCaptureFixture
) -> None:
    phone = await set_up(forward_always="Uncle Bob")
    call_id = phone.ring()
    assert call_id in phone.calls
    assert "forwards no calls to Uncle Bob" in caplog.text


# The form


async def submit(hass: HomeAssistant, entry: MockConfigEntry, **fields: Any) -> ConfigFlowResult:
    menu = await hass.config_entries.options.async_init(entry.entry_id)
    form = await hass.config_entries.options.async_configure(menu["flow_id"], {"next_step_id": "incoming"})
    return await hass.config_entries.options.async_configure(form["flow_id"], DEFAULTS | fields)


async def test_rules_apply_when_they_are_submitted(
    hass: HomeAssistant, phone: FakePhone, phones: Phones, entry: MockConfigEntry
) -> None:
    result = await submit(hass, entry, forward_always=" +49 30 12-34 ", blocked_numbers=["0900 *", " "])
    assert result["type"] is FlowResultType.CREATE_ENTRY
    stored = entry.options["incoming"]
    assert (stored["forward_always"], stored["blocked_numbers"]) == ("+49301234", ["0900*"])
    await hass.async_block_till_done()
    assert phone.did == [("stop",)]
    call_id = phones[-1].ring()
    await settle()
    assert phones[-1].did == [("redirect", call_id, "+49301234")]


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("Anna Schmidt", None),
        ("#01", None),
        ("Schmidt", "forward_contact_ambiguous"),
        ("Uncle Bob", "forward_contact_unknown"),
        ("Gate", "forward_invalid"),
    ],
)
async def test_where_calls_go_may_be_somebody_in_the_phone_book(
    hass: HomeAssistant, phones: Phones, typed: str, key: str | None
) -> None:
    book = [
        contact("Anna Schmidt", "612", speed_dial=1),
        contact("Paul Schmidt", "613"),
        contact("Gate", "sips:gate@192.0.2.7"),
    ]
    entry = make_entry(subentries=book)
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    result = await submit(hass, entry, forward_always=typed)
    if key is None:
        assert result["type"] is FlowResultType.CREATE_ENTRY
        assert entry.options["incoming"]["forward_always"] == typed
    else:
        assert result["errors"] == {"forward_always": key}
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("fields", "errors"),
    [
        ({"blocked_numbers": [str(number) for number in range(65)]}, {"blocked_numbers": "blocked_numbers_too_many"}),
        ({"blocked_numbers": ["[0-9]"]}, {"blocked_numbers": "blocked_number_invalid"}),
        ({"blocked_numbers": ["6*@["]}, {"blocked_numbers": "blocked_number_invalid"}),
        ({"allowed_callers": [str(number) for number in range(65)]}, {"allowed_callers": "allowed_callers_too_many"}),
        ({"allowed_callers": ["6??", "a b"]}, {"allowed_callers": "allowed_caller_invalid"}),
        ({"allowed_callers": ["x" * 128]}, {"allowed_callers": "allowed_caller_invalid"}),
        ({"server_only": False}, {"server_only": "direct_calls_need_port"}),
        ({"forward_always": "611", "forward_no_answer": "612"}, {"forward_always": "forward_overridden"}),
        ({"forward_busy": "612"}, {"forward_busy": "forward_busy_not_used"}),
        ({"forward_after": 30}, {"forward_after": "forward_after_not_used"}),
        ({"forward_no_answer": "612", "forward_after": 60}, {"forward_after": "forward_after_too_long"}),
        (
            {"call_waiting_timeout": 60},
            {"call_waiting_timeout": "call_waiting_timeout_too_long"},
        ),
        ({"forward_always": "mailto:a@b"}, {"forward_always": "forward_invalid"}),
        (
            {"call_waiting": False, "call_waiting_timeout": 30},
            {"call_waiting_timeout": "call_waiting_timeout_not_used"},
        ),
    ],
)
async def test_rules_that_contradict_each_other_are_refused(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, fields: dict[str, Any], errors: dict[str, str]
) -> None:
    result = await submit(hass, entry, **fields)
    assert (result["type"], result["errors"]) == (FlowResultType.FORM, errors)
    assert entry.options == {}
    assert phone.did == []


@pytest.mark.parametrize(
    ("ring_timeout", "calls", "incoming", "step", "errors"),
    [
        (15, {}, {"forward_no_answer": "612"}, "incoming", {"forward_after": "forward_after_too_long"}),
        (15, {}, {"call_waiting_timeout": 30}, "incoming", {"call_waiting_timeout": "call_waiting_timeout_too_long"}),
        (15, {}, {}, "incoming", None),
        (30, {}, {"call_waiting_timeout": 29}, "incoming", None),
        (60, {"auto_answer_delay": 20}, {"forward_no_answer": "612"}, "calls", AUTO_ANSWER_TOO_LATE),
        (60, {"auto_answer_delay": 19}, {"forward_no_answer": "612"}, "calls", None),
        (
            60,
            {"auto_answer_delay": 20},
            {"forward_no_answer": "612"},
            "incoming",
            {"forward_after": "forward_after_too_short"},
        ),
        (15, {"auto_answer_delay": 15}, {}, "calls", AUTO_ANSWER_TOO_LATE),
        (15, {"auto_answer_delay": 14}, {}, "calls", None),
        (5, {}, {}, "calls", None),
    ],
)
async def test_no_page_of_the_options_takes_a_time_that_another_one_makes_useless(
    hass: HomeAssistant,
    ring_timeout: int,
    calls: dict[str, Any],
    incoming: dict[str, Any],
    step: str,
    errors: dict[str, str] | None,
) -> None:
    pages = {
        "calls": {"refer_policy": "off", "allowed_numbers": ["*"], "mwi": False, "mwi_expiration": 3600} | calls,
        "incoming": DEFAULTS | incoming,
    }
    (other,) = set(pages) - {step}
    entry = make_entry(TYPED | {"timers": {"ring_timeout": ring_timeout}}, options={other: pages[other]})
    entry.add_to_hass(hass)
    menu = await hass.config_entries.options.async_init(entry.entry_id)
    form = await hass.config_entries.options.async_configure(menu["flow_id"], {"next_step_id": step})
    result = await hass.config_entries.options.async_configure(form["flow_id"], pages[step])
    assert result.get("errors") == errors
    assert (step in entry.options) is (errors is None)


# The action


async def test_an_action_sends_a_ringing_caller_elsewhere(hass: HomeAssistant, set_up: SetUp) -> None:
    phone = await set_up()
    call_id = phone.ring()
    answer = await act(hass, "redirect", number="doctor")
    assert phone.did == [("redirect", call_id, "701")]
    assert (answer["call_id"], answer["outcome"], answer["code"]) == (call_id, "declined", 302)
    with pytest.raises(ServiceValidationError) as error:
        await act(hass, "redirect", number="612")
    assert error.value.translation_key == "no_ringing_call"


async def test_calls_past_the_server_are_taken_where_the_owner_wants_so(hass: HomeAssistant, phones: Phones) -> None:
    entry = make_entry({**TYPED, "network": {"local_port": 5070}})
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    before = phones[-1].account
    result = await submit(hass, entry, server_only=False, allowed_callers=["*@192.168.1.5", "door@[fe80::1]", "6 ??"])
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert (before.allow_direct_calls, phones[-1].account.allow_direct_calls) == (False, True)
    assert entry.options["incoming"]["allowed_callers"] == ["*@192.168.1.5", "door@[fe80::1]", "6??"]


async def test_an_account_without_a_server_is_not_asked_for_calls_past_it(hass: HomeAssistant, phones: Phones) -> None:
    entry = make_entry({"template": "direct", "number": "home"})
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    menu = await hass.config_entries.options.async_init(entry.entry_id)
    form = await hass.config_entries.options.async_configure(menu["flow_id"], {"next_step_id": "incoming"})
    assert form["data_schema"] is not None
    assert "server_only" not in [str(marker) for marker in form["data_schema"].schema]
    result = await hass.config_entries.options.async_configure(form["flow_id"], DEFAULTS)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()
    assert phones[-1].account.allow_direct_calls
