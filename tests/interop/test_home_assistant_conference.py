"""Home Assistant with several calls to real telephones: swapped, joined, split, and bridged from account to account."""

import array
import cmath
import logging
import math

import pytest
from homeassistant.core import HomeAssistant

from .conftest import USERS, Peers
from .home import Home, set_up
from .peers import Baresip, Kamailio, until
from .peers.baresip import TONE_DBFS
from .tone import FULL_SCALE

pytestmark = [pytest.mark.interop, pytest.mark.peer("kamailio", "baresip")]

_LOGGER = logging.getLogger(__name__)

ALL_USERS = {**USERS, "carol": "carolpw", "ha2": "ha2pw"}
CODECS = {"bob": ("pcma",), "alice": ("G722/16000/1",), "carol": ("opus/48000/2",)}
HERTZ = {"bob": 440.0, "alice": 700.0, "carol": 1200.0}
SECONDS = 1.0
WINDOW = 0.1
SILENT_DBFS = -50.0


def levels(samples: array.array[int], rate: int) -> dict[str, float]:
    """Return the level of everybody's tone in the last second, as RMS in dB of full scale."""
    size = round(rate * WINDOW)
    last = samples[-round(rate * SECONDS) :]
    windows = [last[start : start + size] for start in range(0, len(last) - size + 1, size)]

    def level(window: array.array[int], hertz: float) -> float:
        turn = -2j * math.pi * hertz / rate
        amplitude = abs(sum(sample * cmath.exp(turn * at) for at, sample in enumerate(window))) / size
        return 10 * math.log10(max(2 * (amplitude / FULL_SCALE) ** 2, 1e-12))

    return {
        name: sorted(level(window, hertz) for window in windows)[len(windows) // 2] for name, hertz in HERTZ.items()
    }


async def assert_hears(listener: Baresip, *others: str) -> None:
    """Assert that a telephone hears these others, at the level at which they speak within 1 dB, and nobody else."""

    def as_wanted(level: float, name: str) -> bool:
        return abs(level - TONE_DBFS) < 1 if name in others else level < SILENT_DBFS

    def reached() -> bool:
        samples, rate = listener.heard()
        return len(samples) > rate * SECONDS and all(
            as_wanted(level, name) for name, level in levels(samples, rate).items()
        )

    await until(reached, f"{listener.user} hears {others}")
    _LOGGER.info("%s hears %s", listener.user, levels(*listener.heard()))


async def telephones(peers: Peers, kamailio: Kamailio, *names: str) -> list[Baresip]:
    return [await peers.baresip(kamailio, name, tone_hz=HERTZ[name], codecs=CODECS[name]) for name in names]


async def home_at(hass: HomeAssistant, kamailio: Kamailio, number: str = "ha") -> Home:
    """Return an account of Home Assistant that is registered."""
    home = await set_up(
        hass,
        port=kamailio.port,
        password=ALL_USERS[number],
        number=number,
        options={"voice": {"codecs": ["OPUS", "G722", "PCMA"]}},
    )
    await home.until_state("registration", "registered")
    return home


async def dial(home: Home, number: str) -> str:
    return str((await home.call("dial", number=number, wait="answered"))["call_id"])


async def test_each_of_three_hears_the_two_others_and_not_itself(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio(users=ALL_USERS)
    bob, alice, carol = await telephones(peers, kamailio, "bob", "alice", "carol")
    home = await home_at(hass, kamailio)
    await dial(home, "bob")
    await dial(home, "alice")
    await home.call("conference")
    assert home.state("call_state").attributes["conference_with"] == ["bob"]
    await assert_hears(bob, "alice")
    await assert_hears(alice, "bob")
    last = await dial(home, "carol")
    await home.call("conference", hangup_last=True)
    assert home.state("calls_active").state == "3"
    await assert_hears(bob, "alice", "carol")
    await assert_hears(alice, "bob", "carol")
    await assert_hears(carol, "bob", "alice")

    await home.call("split", call_id=last)
    await assert_hears(carol)
    await assert_hears(bob, "alice")
    await bob.hangup()
    await alice.until_event("CALL_CLOSED")
    await until(lambda: home.state("calls_active").state == "1", "carol is left")
    assert home.state("call_state").attributes["call_id"] == last
    await home.call("hangup")


async def test_two_calls_are_swapped(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio(users=ALL_USERS)
    await telephones(peers, kamailio, "bob", "alice")
    home = await home_at(hass, kamailio)
    first = await dial(home, "bob")
    await home.call("hold")
    second = await dial(home, "alice")
    for active, held in ((first, second), (second, first)):
        answer = await home.call("swap")
        assert (answer["active"]["call_id"], answer["active"]["state"]) == (active, "talking")
        assert (answer["held"]["call_id"], answer["held"]["state"]) == (held, "held")
        assert home.state("call_state").attributes["call_id"] == active
    for _ in range(2):
        await home.call("hangup")


@pytest.mark.peer("pjsua")
async def test_a_call_of_one_account_is_bridged_with_a_held_one_of_another(hass: HomeAssistant, peers: Peers) -> None:
    kamailio = await peers.kamailio(users=ALL_USERS)
    (bob,) = await telephones(peers, kamailio, "bob")
    alice = await peers.pjsua("alice", kamailio=kamailio, tone_hz=HERTZ["alice"])
    home, other = await home_at(hass, kamailio), await home_at(hass, kamailio, "ha2")
    await dial(home, "bob")
    await dial(other, "alice")
    await other.call("hold")
    await hass.services.async_call("sip_ua", "bridge", {}, blocking=True)
    assert home.state("call_state").attributes["conference_with"] == ["alice"]
    assert other.state("call_state").attributes["conference_with"] == ["bob"]
    await alice.speak()
    await assert_hears(bob, "alice")
    heard = await alice.until_heard(SECONDS)
    assert abs(heard.frequency_hz - bob.tone_hz) < 1
    assert abs(heard.level_dbfs - TONE_DBFS) < 1
    await bob.hangup()
    await alice.until_state("DISCONNECTED")
    for account in (home, other):
        await account.until_state("call_state", "idle")
