"""Whom a list calls where there are several accounts, and where it stands in one text."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from homeassistant.config_entries import ConfigSubentryDataWithId
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.script import Script
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.sip_ua.callees import split_lists
from custom_components.sip_ua.sip.events import CallOutcome, CallState, RegistrationFailure

from .conftest import OTHER_TYPED, act, contact, make_entry, settle, until
from .phone import FakePhone, Phones

GRANDMA = contact("Grandma", "030111")
AUNT = contact("Aunt", "030222")
BEN = contact("Uncle Ben", "700")


@dataclass
class House:
    """Two accounts, and what an action that calls several says in the end."""

    hass: HomeAssistant
    entries: list[MockConfigEntry]
    phones: list[FakePhone]

    def call_out(self, *numbers: str, **data: Any) -> asyncio.Task[dict[str, Any]]:
        wanted = {"numbers": list(numbers), "pause": 0, "confirm": "none"} | data
        return self.hass.async_create_task(act(self.hass, "call_out", **wanted))

    async def refuse(self, phone: FakePhone, number: str) -> None:
        """Wait until a number is called, and let nobody have time."""
        call_id = await until(
            lambda: next((call.id for call in phone.calls.values() if call.remote.number == number), None)
        )
        phone.end(call_id, CallOutcome.BUSY, code=486)

    @property
    def dialed(self) -> list[list[str]]:
        return [[what[1] for what in phone.did if what[0] == "dial"] for phone in self.phones]


async def make_house(
    hass: HomeAssistant,
    phones: Phones,
    first: Sequence[ConfigSubentryDataWithId],
    second: Sequence[ConfigSubentryDataWithId],
) -> House:
    house = House(hass, [make_entry(subentries=first), make_entry(OTHER_TYPED, second)], [])
    house.entries[0].add_to_hass(hass)
    assert await hass.config_entries.async_setup(house.entries[0].entry_id)
    await hass.async_block_till_done()
    house.entries[1].add_to_hass(hass)
    assert await hass.config_entries.async_setup(house.entries[1].entry_id)
    await hass.async_block_till_done()
    house.phones.extend(phones)
    for phone in house.phones:
        phone.register()
    return house


def faults(answer: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(one["number"], one.get("fault")) for one in answer["attempts"]]


async def test_each_contact_is_called_by_the_account_that_has_it(hass: HomeAssistant, phones: Phones) -> None:
    house = await make_house(hass, phones, [GRANDMA], [BEN])
    first, second = house.phones
    task = house.call_out("Grandma", "Uncle Ben", confirm="1")
    await house.refuse(first, "030111")
    call_id = await until(lambda: next(iter(second.calls), None))
    second.enter(call_id, CallState.TALKING)
    await settle()
    second.press(call_id, "1")
    answer = await task
    assert (answer["accepted"], answer["number"], answer["call_id"]) == (True, "700", call_id)
    assert answer["config_entry_id"] == house.entries[1].entry_id
    assert [one["config_entry_id"] for one in answer["attempts"]] == [entry.entry_id for entry in house.entries]
    assert house.dialed == [["030111"], ["700"]]
    assert ("hangup", call_id) in [what[:2] for what in second.did]
    assert second.calls == {}


async def test_the_account_that_has_most_contacts_of_a_list_calls_the_others_too(
    hass: HomeAssistant, phones: Phones
) -> None:
    house = await make_house(hass, phones, [GRANDMA], [contact("Grandma", "0999"), BEN])
    task = house.call_out("Grandma", "Uncle Ben", "0301234", "Aunt Emma")
    for number in ("0999", "700", "0301234"):
        await house.refuse(house.phones[1], number)
    answer = await task
    assert not answer["accepted"]
    assert faults(answer) == [("0999", None), ("700", None), ("0301234", None), ("Aunt Emma", "contact_unknown")]
    assert house.dialed == [[], ["0999", "700", "0301234"]]


async def test_a_contact_that_is_gone_does_not_keep_two_accounts_from_calling(
    hass: HomeAssistant, phones: Phones
) -> None:
    house = await make_house(hass, phones, [GRANDMA], [contact("Grandma", "0999")])
    task = house.call_out("Grandma", "Uncle Ben", "0301234")
    for number in ("030111", "0301234"):
        await house.refuse(house.phones[0], number)
    assert faults(await task) == [("030111", None), ("Uncle Ben", "contact_unknown"), ("0301234", None)]


async def test_where_nothing_tells_which_account_is_meant_a_number_is_told_and_the_others_are_called(
    hass: HomeAssistant, phones: Phones
) -> None:
    house = await make_house(hass, phones, [GRANDMA], [BEN])
    task = house.call_out("Grandma", "0301234", "Uncle Ben", mode="at_once")
    await house.refuse(house.phones[0], "030111")
    await house.refuse(house.phones[1], "700")
    assert faults(await task) == [("030111", None), ("0301234", "account_required"), ("700", None)]


@pytest.mark.parametrize("numbers", [["0301234"], ["Nobody", "0301234"], ["Aunt"], ["Aunt", "0301234"]])
async def test_where_nobody_can_be_called_the_account_is_asked_for(
    hass: HomeAssistant, phones: Phones, numbers: list[str]
) -> None:
    house = await make_house(hass, phones, [GRANDMA, AUNT], [AUNT, BEN])
    with pytest.raises(ServiceValidationError) as raised:
        await house.call_out(*numbers)
    assert raised.value.translation_key == "account_required"
    assert raised.value.translation_placeholders == {"accounts": "620@fritz.box, 100@pbx.example"}
    assert house.dialed == [[], []]


async def test_an_account_that_is_not_registered_leaves_its_contacts_to_one_that_is(
    hass: HomeAssistant, phones: Phones
) -> None:
    house = await make_house(hass, phones, [GRANDMA, AUNT], [contact("Aunt", "0888"), BEN])
    house.phones[0].fail(RegistrationFailure.NO_ANSWER)
    task = house.call_out("Grandma", "Aunt", "Uncle Ben")
    await house.refuse(house.phones[1], "0888")
    await house.refuse(house.phones[1], "700")
    assert faults(await task) == [("030111", "not_registered"), ("0888", None), ("700", None)]
    house.phones[1].fail(RegistrationFailure.NO_ANSWER)
    with pytest.raises(HomeAssistantError) as raised:
        await house.call_out("Grandma")
    assert raised.value.translation_key == "not_registered"


@pytest.mark.parametrize("mode", ["in_order", "at_once"])
async def test_an_account_that_is_switched_off_meanwhile_does_not_end_the_calls_of_the_other(
    hass: HomeAssistant, phones: Phones, mode: str
) -> None:
    house = await make_house(hass, phones, [GRANDMA, AUNT], [BEN])
    first, second = house.phones
    task = house.call_out("Grandma", "Uncle Ben", "Aunt", mode=mode)
    if mode == "in_order":
        await house.refuse(first, "030111")
    await until(lambda: second.calls)
    await hass.config_entries.async_unload(house.entries[1].entry_id)
    if mode == "at_once":
        await house.refuse(first, "030111")
    await house.refuse(first, "030222")
    answer = await task
    assert [one["number"] for one in answer["attempts"]] == ["030111", "700", "030222"]
    assert {one["result"] for one in answer["attempts"]} == {"not_answered"}


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (["611,612"], ["611", "612"]),
        (["611; +49 30 1234;*21#"], ["611", "+49 30 1234", "*21#"]),
        (["611\n612, 613\n\nGrandma\n"], ["611", "612", "613", "Grandma"]),
        (["611,"], ["611"]),
        (["sip:a@b.c, 612, sip:c@d.e;transport=tcp"], ["sip:a@b.c", "612", "sip:c@d.e;transport=tcp"]),
        (["sip:a,b@b.c;transport=tcp"], ["sip:a,b@b.c;transport=tcp"]),
        (["tel:611;phone-context=b.c"], ["tel:611;phone-context=b.c"]),
        (["0301234,,12"], ["0301234,,12"]),
        (["Doe, John"], ["Doe, John"]),
        ([(611, 612), 613], [611, 612, 613]),
        ([" ", ","], [" ", ","]),
    ],
)
def test_a_list_in_one_text_is_taken_apart_where_it_can_be_nothing_else(values: list[Any], wanted: list[Any]) -> None:
    assert split_lists(values) == wanted


@pytest.mark.parametrize("numbers", ["611,612", "{{ '611,612' }}", "{{ ['611', '612'] }}", "{{ '611;612' }}"])
async def test_everybody_of_a_list_in_one_text_is_called(hass: HomeAssistant, phone: FakePhone, numbers: str) -> None:
    data = {"numbers": numbers, "mode": "at_once", "confirm": "none"}
    script = Script(hass, cv.SCRIPT_SCHEMA([{"action": "sip_ua.call_out", "data": data}]), "test", "test")
    task = hass.async_create_task(script.async_run(context=Context()))
    await until(lambda: len(phone.calls) == 2)
    assert [what[1] for what in phone.did if what[0] == "dial"] == ["611", "612"]
    for call_id in [*phone.calls]:
        phone.end(call_id)
    await task


async def test_names_in_one_text_are_called_and_a_name_with_a_comma_is_one(hass: HomeAssistant, phones: Phones) -> None:
    doe = contact("Doe, John", "800")
    house = await make_house(hass, phones, [GRANDMA, doe], [])
    task = house.call_out("Doe, John", "Grandma; 611", "Grandma, Nobody there")
    for number in ("800", "030111", "611"):
        await house.refuse(house.phones[0], number)
    assert faults(await task) == [
        ("800", None),
        ("030111", None),
        ("611", None),
        ("Grandma, Nobody there", "contact_unknown"),
    ]
