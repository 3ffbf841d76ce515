"""Home Assistant hears of messages and of watched lines, asked for and unasked, through a real proxy."""

import pytest
from homeassistant.core import HomeAssistant, callback

from custom_components.sip_ua.const import EVENT_LINE, EVENT_MESSAGES

from .conftest import Peers
from .home import registered
from .peers import until

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio", "sipp")]


async def test_messages_that_the_exchange_tells_unasked_are_counted(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio()
    told: list[tuple[str, int]] = []
    hass.bus.async_listen(EVENT_MESSAGES, callback(lambda event: told.append((event.data["type"], event.data["new"]))))
    home = await registered(hass, kamailio, mwi=True)
    mail_box = await peers.sipp("uac_leaves_messages", kamailio.address, service="ha")
    await mail_box.require_success()
    await home.until_state("messages_waiting", "0")
    assert told == [("changed", 2), ("new_message", 3), ("changed", 0)]
    assert home.state("messages_waiting").attributes["old"] == 4
    assert home.state("voice_mail").attributes["new"] == 3


async def test_messages_that_are_asked_for_are_counted_until_nobody_asks_any_more(
    hass: HomeAssistant, peers: Peers
) -> None:
    kamailio = await peers.kamailio()
    mail_box = await peers.sipp("uas_tells_messages")
    kamailio.add_contact("mailbox", f"sip:mailbox@{mail_box.address}")
    home = await registered(hass, kamailio, mwi=True)
    await home.until_state("messages_waiting", "3")
    assert home.state("messages_waiting").attributes["new_urgent"] == 1
    assert home.state("voice_mail").attributes["event_type"] == "new_message"
    assert await hass.config_entries.async_unload(home.entry.entry_id)
    await mail_box.require_success()


async def test_a_watched_line_is_seen_free_ringing_and_in_use(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio()
    kitchen = await peers.sipp("uas_shows_its_line")
    kamailio.add_contact("612", f"sip:612@{kitchen.address}")
    told: list[str] = []
    hass.bus.async_listen(EVENT_LINE, callback(lambda event: told.append(event.data["state"])))
    home = await registered(hass, kamailio, lines={"612": "Kitchen"})
    await until(lambda: len(told) == 4, "the line was seen in every state")
    assert told == ["idle", "ringing", "talking", "idle"]
    assert home.state("line").state == "off"
    assert await hass.config_entries.async_unload(home.entry.entry_id)
    await kitchen.require_success()
