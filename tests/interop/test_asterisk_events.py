"""What Asterisk tells without a call: messages waiting in the voice mail box, and what watched lines do."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from custom_components.sip_ua.net.audio import FileSource
from custom_components.sip_ua.sip.account import Timing
from custom_components.sip_ua.sip.events import (
    CallState,
    MessagesWaiting,
    RegistrationState,
    WatchedState,
    WatchedStateChanged,
)

from .agent import Agent, account_at
from .conftest import Peers
from .peers import Asterisk
from .tone import sine, write_wav

pytestmark = [pytest.mark.interop, pytest.mark.peer("asterisk")]

MESSAGE_PACKETS = 125
KEEP_ALIVE = 10
STATES: Mapping[str, WatchedState] = {
    "RINGING": WatchedState.RINGING,
    "INUSE": WatchedState.TALKING,
    "RINGINUSE": WatchedState.RINGING,
    "ONHOLD": WatchedState.TALKING,
    "BUSY": WatchedState.TALKING,
    "NOT_INUSE": WatchedState.IDLE,
}


async def leave_message(asterisk: Asterisk, ours: Agent, folder: Path) -> None:
    """Speak into the mail box for a while."""
    before = asterisk.log.count("Recording the message")
    call_id = await ours.phone.dial("mail")
    await ours.until_state(call_id, CallState.TALKING)
    tone = write_wav(folder / "message.wav", sine(440.0, 30.0, 8_000, -15.0), 8_000)
    ours.phone.play(call_id, FileSource(tone))
    await asterisk.until(lambda: asterisk.log.count("Recording the message") > before, "the mail box listens")
    await ours.until_packets(call_id, sent=MESSAGE_PACKETS)
    await ours.phone.hangup(call_id)
    await ours.until_ended(call_id)


async def until_messages(ours: Agent, new: int) -> MessagesWaiting:
    """Wait until the mail box tells of so many new messages."""
    await ours.until(lambda: (told := ours.phone.messages) is not None and told.new == new, f"{new} new messages")
    return ours.told(MessagesWaiting)[-1]


@pytest.mark.parametrize("user", ["mailed", "told"])
async def test_messages_in_the_mail_box_are_told(peers: Peers, tmp_path: Path, user: str) -> None:
    asterisk = await peers.asterisk()
    account = replace(account_at(asterisk, user, timing=Timing(keep_alive=0)), mwi=True)
    async with Agent(account) as ours:
        await ours.until_registered()
        await until_messages(ours, 0)
        await leave_message(asterisk, ours, tmp_path)
        told = await until_messages(ours, 1)
        assert (told.waiting, told.old) == (True, 0)
        await leave_message(asterisk, ours, tmp_path)
        assert (await until_messages(ours, 2)).waiting
        await asterisk.forget_messages()
        assert not (await until_messages(ours, 0)).waiting
    await asterisk.settled()
    subscribed = asterisk.messages("SUBSCRIBE", status=200)
    assert len(subscribed) == (2 if user == "mailed" else 0)


async def until_shown(ours: Agent, watch_id: str, state: WatchedState) -> None:
    """Wait until the lamp of a watched line shows a state."""
    await ours.until(lambda: ours.phone.watched[watch_id] is state, f"the lamp shows {state}")


@pytest.mark.parametrize("without", [(), ("res_pjsip_dialog_info_body_generator.so",)])
async def test_a_lamp_follows_a_line(peers: Peers, without: tuple[str, ...]) -> None:
    asterisk = await peers.asterisk(without=without)
    await asterisk.switch_lamp("NOT_INUSE")
    async with Agent(account_at(asterisk)) as ours:
        await ours.until_registered()
        watch_id = ours.phone.watch("lamp")
        await until_shown(ours, watch_id, WatchedState.IDLE)
        for state, shown in STATES.items():
            await asterisk.switch_lamp(state)
            await until_shown(ours, watch_id, shown)
        await asterisk.settled()
        event = asterisk.messages("NOTIFY", sent=True)[-1].header("Event")
        assert event.partition(";")[0] == ("presence" if without else "dialog")
        ours.phone.unwatch(watch_id)
        await asterisk.until(
            lambda: "terminated" in asterisk.messages("NOTIFY", sent=True)[-1].header("Subscription-State"),
            "the subscription has ended",
        )
    await asterisk.settled()
    answers = [message.status for message in asterisk.messages(sent=False) if message.answers == "NOTIFY"]
    assert set(answers) == {200}


async def test_a_lamp_follows_the_calls_of_a_telephone(peers: Peers) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk)) as ours, Agent(account_at(asterisk, "bob")) as bob:
        await ours.until_registered()
        watch_id = ours.phone.watch("bob")
        await bob.until_registered()
        await until_shown(ours, watch_id, WatchedState.IDLE)
        await asterisk.originate("bob", "silent")
        call = (await bob.until_incoming()).call
        await until_shown(ours, watch_id, WatchedState.RINGING)
        await bob.phone.answer(call.id)
        await until_shown(ours, watch_id, WatchedState.TALKING)
        await bob.phone.hangup(call.id)
        await until_shown(ours, watch_id, WatchedState.IDLE)
        states = [event.state for event in ours.told(WatchedStateChanged)]
        assert states[-4:] == [WatchedState.IDLE, WatchedState.RINGING, WatchedState.TALKING, WatchedState.IDLE]


async def test_a_line_that_nobody_has_is_unknown(peers: Peers) -> None:
    asterisk = await peers.asterisk()
    async with Agent(account_at(asterisk)) as ours:
        await ours.until_registered()
        watch_id = ours.phone.watch("0")
        await asterisk.until(lambda: asterisk.messages("SUBSCRIBE", status=404), "Asterisk refuses")
        assert ours.phone.watched[watch_id] is WatchedState.UNKNOWN


async def test_watching_goes_on_after_asterisk_was_away(peers: Peers) -> None:
    asterisk = await peers.asterisk()
    await asterisk.switch_lamp("NOT_INUSE")
    async with Agent(account_at(asterisk, timing=Timing(expiration=6, resend=2, keep_alive=5))) as ours:
        await ours.until_registered()
        watch_id = ours.phone.watch("lamp")
        await until_shown(ours, watch_id, WatchedState.IDLE)
        asterisk.kill()
        await asterisk.stop()
        await ours.until_registration(RegistrationState.FAILED)
        await asterisk.start()
        await asterisk.switch_lamp("INUSE")
        await until_shown(ours, watch_id, WatchedState.TALKING)


def begun(asterisk: Asterisk) -> set[str]:
    """Return the Call-IDs of the subscriptions that it accepted."""
    return {message.header("Call-ID") for message in asterisk.messages("SUBSCRIBE", status=200)}


async def test_what_asterisk_lost_in_a_restart_that_nobody_noticed_is_asked_for_again(peers: Peers) -> None:
    asterisk = await peers.asterisk()
    await asterisk.switch_lamp("NOT_INUSE")
    account = replace(account_at(asterisk, "mailed", timing=Timing(keep_alive=KEEP_ALIVE)), mwi=True)
    async with Agent(account) as ours, Agent(account_at(asterisk, "bob")):
        await ours.until_registered()
        lamp, bob = ours.phone.watch("lamp"), ours.phone.watch("bob")
        await until_messages(ours, 0)
        await until_shown(ours, lamp, WatchedState.IDLE)
        await until_shown(ours, bob, WatchedState.IDLE)
        before = len(asterisk.messages("SUBSCRIBE", sent=False))
        asterisk.kill()
        await asterisk.stop()
        await asterisk.start()
        await asterisk.switch_lamp("INUSE")
        restarted = asyncio.get_running_loop().time()
        await until_shown(ours, lamp, WatchedState.TALKING)
        assert asyncio.get_running_loop().time() - restarted < KEEP_ALIVE + 5
        await asterisk.until(lambda: len(begun(asterisk)) >= 6, "three subscriptions are begun anew")
        assert RegistrationState.FAILED not in {event.state for event in ours.registrations}
        await asterisk.settled()
        assert len(asterisk.messages("SUBSCRIBE", sent=False)) - before < 20
