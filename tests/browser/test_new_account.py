"""Somebody sets the telephone up by its forms, calls by a button, and automates: all at a real browser."""

import pytest

from scripts.development.browser import TEXT_FIELD
from scripts.development.calls import Calls
from scripts.development.dashboard import make_dashboard
from scripts.development.person import DASHBOARD, DESKTOP, TALL, TALL_DEVICE
from tests.interop.conftest import Peers
from tests.interop.peers import LOOPBACK, REALM, Baresip, Kamailio, free_ports

from .conftest import House

pytestmark = [
    pytest.mark.interop,
    pytest.mark.peer("chromium", "chromedriver", "home-assistant", "kamailio", "baresip"),
]

US, THEM = "620", "611"
USERS = {US: "telephone-620", THEM: "telephone-611"}
MESSAGE = "Nobody is at home. What you say after the tone is recorded."
ACCOUNT, CONTACT = f"{US}@{REALM}", "Grandma"
AUTOMATION = {
    "alias": "The telephone rings",
    "description": "",
    "triggers": [{"trigger": "sip_ua.call_ringing", "options": {"caller": [CONTACT]}}],
    "conditions": [{"condition": "sip_ua.registered"}],
    "actions": [
        {
            "action": "persistent_notification.create",
            "data": {"title": "The telephone rings", "message": "{{ trigger.name }} is calling."},
        }
    ],
    "mode": "single",
}


async def test_an_account_is_typed_a_contact_is_called_and_an_automation_rings(house: House, peers: Peers) -> None:
    kamailio = await peers.kamailio(users=USERS)
    grandma = await peers.baresip(kamailio, THEM)
    await type_a_wrong_port(house, kamailio)
    await type_a_wrong_password(house, kamailio)
    await type_the_right_one(house, kamailio)
    calls = await add_a_contact(house)
    await call_by_its_button(house, calls, grandma)
    await automate(house)
    await let_it_ring(house, calls, grandma, kamailio)
    await read_the_logbook(house)
    await let_a_message_answer(house)


async def type_a_wrong_port(house: House, kamailio: Kamailio) -> None:
    """Add an account whose server is at another port: the section that has the port opens, and says what to do."""
    person, browser = house.person, house.browser
    await person.add_integration()
    await browser.resize(*TALL)
    await house.picture("account-setup")
    await person.type("SIP number", US)
    await person.type("SIP server address", LOOPBACK)
    await person.type("SIP service domain", REALM)
    await person.type("Password", "wrong")
    await person.unfold("Servers", "SIP server port")
    wrong = free_ports()
    await person.type("SIP server port", str(wrong))
    await person.fold("Servers", "SIP server port")
    await person.submit()
    await browser.field(TEXT_FIELD, "SIP server port")
    error = await browser.text_of("ha-alert")
    assert error.startswith("Nothing accepts SIP there")
    assert f"{LOOPBACK}:{wrong} UDP" in error
    assert not await browser.shows_field("SIP local port"), "a section with nothing to put right stays folded"
    await house.picture("account-wrong-port")
    await person.type("SIP server port", str(kamailio.port))
    await person.fold("Servers", "SIP server port")


async def type_a_wrong_password(house: House, kamailio: Kamailio) -> None:
    """Submit what is right but for the password: what is wrong is told beside the field, and nothing is made."""
    person = house.person
    await person.type("Password", "wrong")
    await person.submit()
    await house.browser.find("ha-alert", "The server refused the login")
    error = await house.browser.text_of("ha-alert")
    assert f"refused the login of {ACCOUNT} with: 40" in error
    await house.picture("account-refused")
    assert kamailio.contacts(US) == []


async def type_the_right_one(house: House, kamailio: Kamailio) -> None:
    """Put the password right in the form that still holds the rest: its device shows what it can do."""
    person, browser = house.person, house.browser
    await person.type("Password", USERS[US])
    await person.submit()
    await browser.click("ha-button", "Skip and finish")
    await browser.gone("step-flow-create-entry")
    calls = await house.account()
    await calls.wait_state("sensor.registration", "registered")
    assert len(kamailio.contacts(US)) == 1
    await browser.resize(*TALL_DEVICE)
    await person.open(await house.device(ACCOUNT))
    for name, value in (("Answer", "Press"), ("Dial", "Press"), ("Call state", "Idle"), ("Registration", "Registered")):
        await browser.until_row(name, value)
    await house.picture("account-device")


async def add_a_contact(house: House) -> Calls:
    """Put somebody into the phone book, who gets a device with a button."""
    person, browser = house.person, house.browser
    await browser.resize(*TALL)
    await person.open("/config/integrations/integration/sip_ua")
    await browser.click("ha-button", "Add contact")
    await browser.find("step-flow-form")
    await person.type("Name", CONTACT)
    await person.type("Number", THEM)
    await person.type("Speed dial", "1")
    await house.picture("contact-setup")
    await person.submit()
    await browser.click("ha-button", "Finish")
    await browser.gone("step-flow-create-entry")
    await browser.resize(*DESKTOP)
    await house.picture("phone-book")
    calls = await house.account()
    await calls.wait_state("button.speed_dial", "unknown")
    return calls


async def call_by_its_button(house: House, calls: Calls, grandma: Baresip) -> None:
    """Press the contact's button: the telephone rings, answers, and the account's page shows it and hangs up."""
    person, browser = house.person, house.browser
    await person.open(await house.device(CONTACT))
    await browser.until_row("Call", "Press")
    await house.picture("contact-device")
    await browser.press("Call")
    await grandma.until_event("CALL_ESTABLISHED")
    await calls.wait_state("sensor.call_state", "talking")
    await browser.resize(*TALL_DEVICE)
    await person.open(await house.device(ACCOUNT))
    await browser.until_row("Call state", "Talking")
    await browser.until_row("Remote name", CONTACT)
    await house.picture("call-by-speed-dial")
    await browser.press("Hang up")
    await grandma.until_event("CALL_CLOSED")
    await browser.until_row("Call state", "Idle")
    await browser.until_row("Last call", "Answered")


async def automate(house: House) -> None:
    """Store an automation as the editor does, and open it there: trigger and condition have their names."""
    await house.client.request("POST", "/api/config/automation/config/ringing", AUTOMATION)
    await house.browser.resize(*DESKTOP)
    await house.person.open("/config/automation/edit/ringing")
    await house.browser.find("*", "Call rings")
    await house.browser.find("*", "Account is registered")
    await house.picture("automation-editor")


async def let_it_ring(house: House, calls: Calls, grandma: Baresip, kamailio: Kamailio) -> None:
    """Let the contact call: a dashboard shows who it is, and the automation tells of it."""
    person, browser = house.person, house.browser
    dashboard = await make_dashboard(house.client, house.entities)
    await grandma.dial(f"sip:{US}@{kamailio.address}")
    await calls.wait_state("sensor.call_state", "ringing")
    await browser.resize(*DASHBOARD)
    await person.open(dashboard)
    await browser.find("*", "Ringing")
    await browser.find("*", CONTACT)
    await house.picture("dashboard")
    await person.show_sidebar(shown=True)
    await browser.resize(*DESKTOP)
    await person.open(await house.device(ACCOUNT))
    await browser.until_row("Call state", "Ringing")
    await browser.click(".item-text", "Notifications")
    await browser.find("*", f"{CONTACT} is calling.")
    assert await house.notifications() == [f"{CONTACT} is calling."]
    await house.picture("automation-fired")
    await grandma.hangup()
    await calls.wait_state("sensor.call_state", "idle")
    await calls.wait_state("sensor.last_call", "missed")


async def read_the_logbook(house: House) -> None:
    """Open the logbook: its lines are sentences about the account, also where only its device is asked for."""
    person, browser = house.person, house.browser
    await person.show_sidebar(shown=False)
    await browser.resize(*DESKTOP)
    await person.open(await house.device(ACCOUNT))
    await browser.until_logbook(f"{ACCOUNT} missed a call from {CONTACT} ({THEM})")
    await person.open("/logbook")
    await browser.until_logbook(f"{ACCOUNT} missed a call from {CONTACT} ({THEM})")
    await browser.until_logbook(f"{ACCOUNT} is called by {CONTACT} ({THEM})")
    await house.picture("logbook")


async def let_a_message_answer(house: House) -> None:
    """Choose in the options that a message answers: the next page asks for what a message needs, and it is kept."""
    person, browser = house.person, house.browser
    await browser.resize(*TALL)
    await person.open("/config/integrations/integration/sip_ua")
    await browser.click_field("ha-icon-button", "Configure")
    await person.choose_from_menu("Answering")
    await person.choose("Answered by", "A message")
    await house.picture("answering")
    await person.submit("Next")
    await person.type("Message", MESSAGE)
    await browser.click("ha-switch")
    await house.picture("answering-message")
    await person.submit()
    await browser.gone("step-flow-form")
    assert (await house.suggested("answering"))["answered_by"] == "message"
