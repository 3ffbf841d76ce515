"""The actions on several calls, swap, conference, bridge and split: which calls, what is done, shown and refused."""

from typing import Any

import pytest
import voluptuous as vol
from homeassistant.core import Event, HomeAssistant, State
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sip_ua.conference import MAX_JOINED, async_conferences
from custom_components.sip_ua.net.errors import MachineFault, MediaStoppedError
from custom_components.sip_ua.sip.events import CallState, Party

from .conftest import act, do, settle, until
from .phone import GRANDMA, NEIGHBOUR, FakePhone


def talk(phone: FakePhone, state: CallState = CallState.TALKING, party: Party = GRANDMA) -> str:
    """Return a call that was answered a second after the one before."""
    phone.now += 1
    call_id = phone.ring(party)
    phone.enter(call_id, CallState.TALKING)
    if state is not CallState.TALKING:
        phone.enter(call_id, state)
    phone.did.clear()
    return call_id


def talk_elsewhere(phone: FakePhone, state: CallState = CallState.TALKING, party: Party = NEIGHBOUR) -> str:
    """Return a call of a second account, whose id no call of the first one has."""
    for _ in range(20):
        phone.end(phone.ring())
    return talk(phone, state, party)


async def refusal(hass: HomeAssistant, action: str, **data: Any) -> str | None:
    """Perform an action that is refused and return the key of the text."""
    with pytest.raises(HomeAssistantError) as raised:
        await do(hass, action, **data)
    return raised.value.translation_key


def call_state(hass: HomeAssistant, entry: MockConfigEntry) -> State:
    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    entity_id = next(entity.entity_id for entity in entities if entity.translation_key == "call_state")
    state = hass.states.get(entity_id)
    assert state is not None
    return state


def told(events: list[Event], *kinds: str) -> list[tuple[str, str, list[str]]]:
    """Return kind, call and the names of those with whom it is joined of the events of some kinds."""
    return [
        (event.data["type"], event.data["call_id"], event.data["conference_with"])
        for event in events
        if event.data["type"] in kinds
    ]


# Swap


async def test_swap_holds_the_call_that_talks_and_resumes_the_newest_held_one(
    hass: HomeAssistant, phone: FakePhone
) -> None:
    talk(phone, CallState.HELD)
    held, active = talk(phone, CallState.HELD), talk(phone)
    answer = await act(hass, "swap")
    assert phone.did == [("hold", active), ("resume", held)]
    assert (answer["active"]["call_id"], answer["active"]["state"]) == (held, "talking")
    assert (answer["held"]["call_id"], answer["held"]["state"]) == (active, "held")
    await do(hass, "swap")
    assert phone.did[2:] == [("hold", held), ("resume", active)]


async def test_swap_takes_the_call_that_rings_where_none_is_held(hass: HomeAssistant, phone: FakePhone) -> None:
    active = talk(phone)
    ringing = phone.ring(NEIGHBOUR)
    answer = await act(hass, "swap")
    assert phone.did == [("hold", active), ("answer", ringing, None)]
    assert (answer["active"]["call_id"], answer["held"]["call_id"]) == (ringing, active)


async def test_swap_goes_on_with_the_call_that_is_named_of_whatever_account(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone, entry: MockConfigEntry
) -> None:
    active = talk(phone)
    other = talk_elsewhere(other_phone, CallState.HELD)
    await do(hass, "swap", config_entry_id=entry.entry_id, call_id=other)
    assert (phone.did, other_phone.did) == ([("hold", active)], [("resume", other)])


async def test_what_cannot_be_swapped_says_why(hass: HomeAssistant, phone: FakePhone) -> None:
    assert await refusal(hass, "swap") == "nothing_to_swap"
    held = talk(phone, CallState.HELD)
    assert await refusal(hass, "swap") == "nothing_to_swap"
    active = talk(phone)
    assert await refusal(hass, "swap", call_id=active) == "call_not_waiting"
    assert await refusal(hass, "swap", call_id="call99") == "call_not_found"
    assert phone.did == []
    await do(hass, "conference")
    phone.enter(talk(phone), CallState.HELD)
    assert await refusal(hass, "swap") == "joined_elsewhere"
    assert call_not_held(phone, held, active)


def call_not_held(phone: FakePhone, *calls: str) -> bool:
    return all(phone.calls[call_id].state is CallState.TALKING for call_id in calls)


async def test_a_swap_to_which_the_other_side_does_not_agree_goes_back(
    hass: HomeAssistant, phone: FakePhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.sip_ua.holding.HOLD_TIMEOUT", 0.02)
    held, active = talk(phone, CallState.HELD), talk(phone)
    phone.stubborn = held
    assert await refusal(hass, "swap") == "hold_not_agreed"
    assert phone.did == [("hold", active), ("resume", held), ("hold", held), ("resume", active)]
    assert phone.calls[active].state is CallState.TALKING


async def test_a_swap_with_a_call_that_ends_meanwhile_goes_back(hass: HomeAssistant, phone: FakePhone) -> None:
    held, active = talk(phone, CallState.HELD), talk(phone)
    phone.stubborn = held
    task = hass.async_create_task(refusal(hass, "swap"))
    await until(lambda: ("resume", held) in phone.did)
    phone.end(held)
    assert await task == "call_not_found"
    assert phone.calls[active].state is CallState.TALKING


# Conference


async def test_a_conference_joins_the_active_and_the_held_call_after_resuming_it(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, call_events: list[Event]
) -> None:
    held, active = talk(phone, CallState.HELD), talk(phone, party=NEIGHBOUR)
    answer = await act(hass, "conference")
    ((_, _, room, shared),) = [did for did in phone.did if did[:2] == ("join", active)]
    assert phone.did == [("resume", held), ("join", active, room, True), ("join", held, room, True)]
    assert shared
    assert [(call["call_id"], call["state"], call["conference_with"]) for call in answer["calls"]] == [
        (active, "talking", ["Grandma"]),
        (held, "talking", ["612"]),
    ]
    assert told(call_events, "joined") == [("joined", active, ["Grandma"]), ("joined", held, ["612"])]
    assert call_events[-1].data["conference_calls"] == [active]
    state = call_state(hass, entry)
    assert (state.state, state.attributes["conference_with"]) == ("talking", ["Grandma"])


async def test_a_third_call_joins_those_that_are_joined(hass: HomeAssistant, phone: FakePhone) -> None:
    first, second = talk(phone), talk(phone, party=NEIGHBOUR)
    await do(hass, "conference")
    third = talk(phone, party=Party("Plumber", "613", "sip:613@fritz.box"))
    answer = await act(hass, "conference")
    assert {call["call_id"] for call in answer["calls"]} == {first, second, third}
    assert all(len(call["conference_with"]) == 2 for call in answer["calls"])
    assert len({did[2] for did in phone.did if did[0] == "join"}) == 1
    assert await refusal(hass, "conference") == "already_joined"


async def test_calls_of_several_accounts_are_joined_by_their_names(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone
) -> None:
    here, there = talk(phone), talk_elsewhere(other_phone, CallState.HELD)
    await do(hass, "conference", calls=[there, here])
    assert [did[:2] for did in phone.did] == [("join", here)]
    assert [did[:2] for did in other_phone.did] == [("resume", there), ("join", there)]
    assert phone.did[0][2:] == other_phone.did[1][2:]


@pytest.mark.parametrize("hangup_last", [True, False])
async def test_the_last_call_of_a_conference_goes_on_or_is_ended(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, call_events: list[Event], *, hangup_last: bool
) -> None:
    calls = [talk(phone, party=Party(name, name, f"sip:{name}@fritz.box")) for name in ("a", "b", "c")]
    await do(hass, "conference", calls=calls, hangup_last=hangup_last)
    phone.did.clear()
    phone.end(calls[2])
    assert call_state(hass, entry).attributes["conference_with"] == ["a"]
    assert told(call_events, "parted") == []
    phone.end(calls[1])
    await settle()
    assert told(call_events, "parted") == [("parted", calls[0], [])]
    assert phone.did == [("part", calls[0]), *([("hangup", calls[0])] if hangup_last else [])]
    assert (calls[0] in phone.calls) is not hangup_last
    if not hangup_last:
        assert call_state(hass, entry).attributes["conference_with"] == []
        assert call_state(hass, entry).state == "talking"


async def test_a_call_that_is_put_on_hold_leaves_its_conference(
    hass: HomeAssistant, phone: FakePhone, call_events: list[Event]
) -> None:
    calls = [talk(phone) for _ in range(3)]
    await do(hass, "conference", calls=calls, hangup_last=True)
    await do(hass, "hold", call_id=calls[0])
    assert told(call_events, "parted") == [("parted", calls[0], [])]
    phone.enter(calls[1], CallState.REMOTE_HELD)
    assert len(told(call_events, "parted")) == 1
    await do(hass, "hold", call_id=calls[1])
    await settle()
    assert {call_id for _, call_id, _ in told(call_events, "parted")} == set(calls)
    assert set(phone.calls) == set(calls)


async def test_what_cannot_be_joined_says_why(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone, entry: MockConfigEntry
) -> None:
    for action in ("conference", "bridge"):
        assert await refusal(hass, action) == "no_second_call"
    alone = talk(phone)
    ringing = phone.ring()
    for action in ("conference", "bridge"):
        assert await refusal(hass, action) == "no_second_call"
    assert await refusal(hass, "conference", calls=[alone, ringing]) == "call_not_connected"
    assert await refusal(hass, "conference", calls=[alone, "call99"]) == "call_not_found"
    assert await refusal(hass, "bridge", call_id=alone, to_call_id=alone) == "same_call"
    for calls in ([alone], [alone, alone], [str(number) for number in range(MAX_JOINED + 1)]):
        with pytest.raises(vol.Invalid):
            await do(hass, "conference", calls=calls)
    away = talk(phone, CallState.REMOTE_HELD)
    assert await refusal(hass, "conference", calls=[alone, away]) == "held_by_other_side"
    elsewhere = talk_elsewhere(other_phone)
    assert await refusal(hass, "bridge", config_entry_id=entry.entry_id) == "held_by_other_side"
    phone.enter(away, CallState.TALKING)
    await do(hass, "bridge", call_id=alone, to_call_id=away)
    assert await refusal(hass, "bridge", call_id=away, to_call_id=alone) == "already_joined"
    assert await refusal(hass, "bridge", call_id=elsewhere, to_call_id=alone) == "joined_elsewhere"
    others = [talk(phone), talk(phone)]
    await do(hass, "conference", calls=others)
    assert await refusal(hass, "conference", calls=[others[0], alone]) == "joined_elsewhere"
    assert await refusal(hass, "split", call_id=elsewhere) == "not_joined"
    assert await refusal(hass, "split", call_id="call99") == "call_not_found"


async def test_no_more_calls_are_joined_than_can_be_mixed(hass: HomeAssistant, phone: FakePhone) -> None:
    calls = [talk(phone) for _ in range(MAX_JOINED + 1)]
    await do(hass, "conference", calls=calls[:MAX_JOINED])
    assert await refusal(hass, "conference", calls=calls[-2:]) == "too_many_joined"


async def test_calls_that_were_resumed_in_vain_are_held_again(
    hass: HomeAssistant, phone: FakePhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.sip_ua.holding.HOLD_TIMEOUT", 0.02)
    calls = [talk(phone, CallState.HELD) for _ in range(2)]
    phone.stubborn = calls[1]
    assert await refusal(hass, "conference", calls=calls) == "hold_not_agreed"
    assert phone.did == [("resume", calls[0]), ("resume", calls[1]), ("hold", calls[1]), ("hold", calls[0])]


async def test_a_call_that_ends_while_it_is_resumed_joins_nobody(hass: HomeAssistant, phone: FakePhone) -> None:
    held, active = talk(phone, CallState.HELD), talk(phone)
    phone.stubborn = held
    task = hass.async_create_task(refusal(hass, "conference"))
    await until(lambda: phone.did)
    phone.end(held)
    assert await task == "call_not_found"
    assert phone.did == [("resume", held)]
    assert phone.calls[active].state is CallState.TALKING


async def test_voices_that_cannot_be_joined_leave_no_conference(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone, entry: MockConfigEntry
) -> None:
    here, there = talk(phone), talk_elsewhere(other_phone)
    other_phone.error = MediaStoppedError("the media stream failed", MachineFault.VOICE_FAILED)
    assert await refusal(hass, "conference", calls=[here, there]) == "voice_failed"
    assert [did[0] for did in phone.did] == ["join", "part"]
    assert call_state(hass, entry).attributes["conference_with"] == []


# Bridge


async def test_a_bridge_joins_calls_of_two_accounts_and_ends_with_one_of_them(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone, entry: MockConfigEntry
) -> None:
    here, there = talk(phone), talk_elsewhere(other_phone, CallState.HELD)
    answer = await act(hass, "bridge")
    assert [call["call_id"] for call in answer["calls"]] == [here, there]
    assert {call["config_entry_id"] for call in answer["calls"]} == {
        entry.entry_id for entry in hass.config_entries.async_entries("sip_ua")
    }
    assert phone.did[0][3] is False
    other_phone.end(there)
    await until(lambda: here not in phone.calls)
    assert call_state(hass, entry).state == "idle"
    assert async_conferences(hass).count == 0


async def test_a_bridge_may_leave_the_other_call_and_let_us_take_part(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone
) -> None:
    here, there = talk(phone), talk_elsewhere(other_phone)
    await do(hass, "bridge", call_id=there, to_call_id=here, take_part=True, hangup_last=False)
    assert phone.did[0][3] is True
    other_phone.end(there)
    await settle()
    assert here in phone.calls


@pytest.mark.parametrize("field", ["call_id", "to_call_id"])
async def test_a_bridge_with_one_call_named_takes_the_other_one(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone, field: str
) -> None:
    here, there = talk(phone), talk_elsewhere(other_phone)
    answer = await act(hass, "bridge", **{field: there})
    assert [call["call_id"] for call in answer["calls"]] == ([there, here] if field == "call_id" else [here, there])


async def test_a_bridge_becomes_a_conference_with_a_third_call(hass: HomeAssistant, phone: FakePhone) -> None:
    first, second = talk(phone), talk(phone)
    await do(hass, "bridge")
    third = talk(phone)
    await do(hass, "conference")
    joined = [did[1:] for did in phone.did if did[0] == "join"]
    assert {call_id for call_id, _, shared in joined if shared} == {first, second, third}


async def test_an_account_that_is_switched_off_takes_its_calls_out_of_a_bridge(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone, entry: MockConfigEntry
) -> None:
    talk(phone)
    there = talk_elsewhere(other_phone)
    await do(hass, "bridge", hangup_last=False)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert there in other_phone.calls
    assert ("part", there) in other_phone.did
    assert async_conferences(hass).count == 0


# Split


async def test_split_takes_one_call_out_or_parts_all(
    hass: HomeAssistant, phone: FakePhone, entry: MockConfigEntry, call_events: list[Event]
) -> None:
    calls = [talk(phone) for _ in range(3)]
    await do(hass, "conference", calls=calls, hangup_last=True)
    answer = await act(hass, "split", call_id=calls[0])
    assert [(call["call_id"], call["conference_with"]) for call in answer["calls"]] == [(calls[0], [])]
    assert len(call_state(hass, entry).attributes["conference_with"]) == 1
    answer = await act(hass, "split")
    assert {call["call_id"] for call in answer["calls"]} == set(calls[1:])
    await settle()
    assert {call_id for _, call_id, _ in told(call_events, "parted")} == set(calls)
    assert call_not_held(phone, *calls)
    assert await refusal(hass, "split") == "no_conference"
    await do(hass, "conference", calls=calls)


async def test_one_who_takes_the_place_of_another_is_shown_to_the_others(
    hass: HomeAssistant, phone: FakePhone, other_phone: FakePhone, entry: MockConfigEntry
) -> None:
    talk(phone)
    there = talk_elsewhere(other_phone)
    await do(hass, "conference")
    assert call_state(hass, entry).attributes["conference_with"] == ["612"]
    other_phone.replace(there, Party("Plumber", "613", "sip:613@pbx.example"))
    assert call_state(hass, entry).attributes["conference_with"] == ["Plumber"]
