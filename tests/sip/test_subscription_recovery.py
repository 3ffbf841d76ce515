"""Subscriptions that a server lost are begun anew soon, one by one, and nobody is asked too often (RFC 6665)."""

import pytest

from custom_components.sip_ua.sip.account import Account, ServerAddress, Timing, Transport
from custom_components.sip_ua.sip.address import Address
from custom_components.sip_ua.sip.subscription_pauses import (
    CONFIRM_PAUSE_ELSEWHERE,
    FORGOTTEN_PAUSE,
    SPREAD,
    Pace,
)

from .agents import ALICE, AgentEnd, join
from .link import Link
from .notifier import Notifier, dialog_info, summary
from .registrar import NAME, SERVER

AT_HOME = Address(Transport.UDP, "192.168.178.1", 5060)
KEEP_ALIVE = 30
LINES = tuple(str(number) for number in range(20, 30))


class Home:
    """Alice's telephone, which watches her mail box and some lines, and a server that may forget all that."""

    def __init__(self, at: Address = AT_HOME, keep_alive: int = KEEP_ALIVE, lines: tuple[str, ...] = LINES) -> None:
        self.link = Link()
        self.server = Notifier(self.link, address=at)
        self.server.bodies = {"message-summary": summary(2), "dialog": dialog_info(0, "full")}
        account = Account(
            number="alice",
            domain=NAME,
            password="secret",
            server=ServerAddress(NAME),
            timing=Timing(keep_alive=keep_alive),
            mwi=True,
        )
        self.alice: AgentEnd = join(self.link, account, ALICE)
        self.alice.names[NAME] = [at]
        self.alice.command("register")
        for line in lines:
            self.alice.command("watch", line)
        self.link.run_for(5)
        self.wanted = len(lines) + 1
        assert len(self.server.told) == self.wanted

    def seconds_until_subscribed(self) -> float:
        """Let time pass until the server tells everything again, and return how long that took."""
        began = self.link.now
        self.link.run_until(lambda: len(self.server.told) == self.wanted, within=4000)
        return self.link.now - began

    def asked_since(self, moment: float) -> list[float]:
        """Return when a SUBSCRIBE came, with its login."""
        return [when for when, _ in self.server.subscribes() if when > moment]


@pytest.mark.parametrize("after", [0.1, 7.0, 29.0, 1000.0])
def test_a_server_at_home_that_forgot_us_tells_everything_again_after_the_keep_alive_interval(after: float) -> None:
    home = Home()
    home.link.run_for(after)
    restarted = home.link.now
    home.server.restart()
    assert home.seconds_until_subscribed() < KEEP_ALIVE + SPREAD + home.wanted * Pace.INTERVAL * 2 + 1
    times = home.asked_since(restarted)
    assert len(times) <= 3 * home.wanted, "each is refreshed in vain and begun anew"
    assert max(sum(moment <= other < moment + 1 for other in times) for moment in times) <= 2 / Pace.INTERVAL


@pytest.mark.parametrize("how", ["the network changes", "the server was away"])
def test_what_the_registration_notices_renews_all_one_after_the_other(how: str) -> None:
    home = Home()
    home.link.run_for(100)
    if how == "the network changes":
        home.alice.command("network_changed")
    else:
        home.server.silent = True
        home.link.run_for(KEEP_ALIVE + 40)
        home.server.silent = False
    began = home.link.now
    home.server.restart()
    assert home.seconds_until_subscribed() < 10
    times = home.asked_since(began)
    assert len(times) <= 3 * home.wanted
    assert max(sum(moment <= other < moment + 0.2 for other in times) for moment in times) <= 10


def test_a_provider_that_forgot_us_tells_everything_again_within_some_minutes() -> None:
    home = Home(SERVER)
    home.link.run_for(100)
    home.server.restart()
    assert home.seconds_until_subscribed() < CONFIRM_PAUSE_ELSEWHERE + 60


def test_subscriptions_alone_that_a_server_lost_are_found_too() -> None:
    home = Home(lines=())
    home.link.run_for(100)
    home.server.told.clear()
    assert home.seconds_until_subscribed() < KEEP_ALIVE + 2


@pytest.mark.parametrize(("at", "least", "most"), [(AT_HOME, 100, 120), (SERVER, 9, 15)])
def test_one_subscription_at_a_time_is_confirmed_each_in_its_turn(at: Address, least: int, most: int) -> None:
    home = Home(at, lines=LINES[:4])
    began = home.link.now
    home.link.run_for(3300)
    assert least <= len(home.asked_since(began)) <= most
    calls = [request.call_id for when, request in home.server.subscribes() if when > began]
    assert len(set(calls)) == home.wanted
    assert len(home.server.told) == home.wanted
    counts = [calls.count(call_id) for call_id in set(calls)]
    assert max(counts) - min(counts) <= 1


def test_without_keep_alive_nothing_is_confirmed() -> None:
    home = Home(keep_alive=0)
    began = home.link.now
    home.link.run_for(3000)
    assert home.asked_since(began) == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_notifier_that_refuses_to_be_asked_early_is_not_and_goes_on_telling(status: int) -> None:
    home = Home(lines=())
    began = home.link.now
    home.server.subscribe_script = [(status, {"Retry-After": "600"})]
    home.link.run_for(3000)
    assert len(home.asked_since(began)) == 1
    assert len(home.server.told) == 1
    home.link.run_for(4000)
    assert len(home.asked_since(began)) <= 4, "it is refreshed when that is due"
    assert home.server.told[0].until > home.link.now


def test_a_notifier_that_does_not_tell_when_it_is_asked_early_is_asked_so_once() -> None:
    home = Home(lines=())
    began = home.link.now
    home.server.mute = True
    home.link.run_until(lambda: bool(home.asked_since(began)), within=60)
    home.link.run_for(5)
    home.server.mute = False
    home.link.run_for(2000)
    assert len(home.asked_since(began)) == 2, "once early, and once anew"


def test_a_notifier_that_forgets_one_again_and_again_is_not_asked_for_all_each_time() -> None:
    home = Home()
    began = home.link.now
    while home.link.now < began + 3000:
        home.server.told = [told for told in home.server.told if told.event != "message-summary"]
        home.link.run_for(10)
    rounds = 3000 / FORGOTTEN_PAUSE + 1
    assert len(home.asked_since(began)) < rounds * home.wanted + 3000 / KEEP_ALIVE * 2.2
