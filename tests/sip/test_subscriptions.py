"""Subscriptions to a notifier on the fake link: what is told, refreshed, ended and begun anew (RFC 6665)."""

from dataclasses import replace
from itertools import pairwise

import pytest

from custom_components.sip_ua.sip.account import Account, ServerAddress, Timing
from custom_components.sip_ua.sip.address import Address, Hop, HostPort, Lookup
from custom_components.sip_ua.sip.agent import UserAgent
from custom_components.sip_ua.sip.digest_server import DigestServer
from custom_components.sip_ua.sip.errors import LocalProtocolError
from custom_components.sip_ua.sip.events import MessagesWaiting, RegistrationState, WatchedState, WatchedStateChanged
from custom_components.sip_ua.sip.message import parse_message
from custom_components.sip_ua.sip.subscriptions import MAX_WATCHES

from .agents import ALICE, AgentEnd, direct_account, entropy, join
from .link import Faults, Link
from .notifier import Notifier, Told, dialog_info, presence, summary
from .registrar import NAME, SERVER

IDLE, RINGING, TALKING, UNKNOWN = (
    WatchedState.IDLE,
    WatchedState.RINGING,
    WatchedState.TALKING,
    WatchedState.UNKNOWN,
)


def account(**changes: object) -> Account:
    """Return an account at the notifier, without keep-alive."""
    made = Account(
        number="alice", domain=NAME, password="secret", server=ServerAddress(NAME), timing=Timing(keep_alive=0)
    )
    return replace(made, **changes)  # type: ignore[arg-type]


class Home:
    """Alice's telephone and a server that registers it and tells it events."""

    def __init__(self, faults: Faults | None = None, seed: int = 0, **changes: object) -> None:
        self.link = Link(seed=seed) if faults is None else Link(seed=seed, faults=faults)
        self.server = Notifier(self.link)
        self.server.bodies = {"message-summary": summary(2, 8), "dialog": dialog_info(0, "full")}
        self.alice: AgentEnd = join(self.link, account(**changes), ALICE, seed=seed + 1)
        self.alice.names[NAME] = [SERVER]

    def start(self, *watched: str, seconds: float = 5) -> None:
        self.alice.command("register")
        for target in watched:
            self.alice.command("watch", target)
        self.link.run_for(seconds)

    @property
    def told(self) -> Told:
        (told,) = self.server.told
        return told

    def notify(self, body: bytes | None = None, state: str = "", kind: str = "", told: Told | None = None) -> None:
        self.server.notify(told or self.told, self.link.now, state, body, kind)
        self.link.run_for(1)

    def unasked(self, event: str, body: bytes, **options: object) -> None:
        self.server.notify_unasked(event, body, self.link.now, **options)  # type: ignore[arg-type]
        self.link.run_for(1)

    @property
    def statuses(self) -> list[int]:
        """Return what every NOTIFY was answered with."""
        return [status for _, status in self.server.answers]

    @property
    def counts(self) -> list[tuple[int | None, int | None]]:
        return [(event.new, event.old) for event in self.alice.events(MessagesWaiting)]

    @property
    def states(self) -> list[WatchedState]:
        return [event.state for event in self.alice.events(WatchedStateChanged)]

    @property
    def times(self) -> list[float]:
        """Return when every SUBSCRIBE came."""
        return [when for when, _ in self.server.subscribes()]

    @property
    def call_ids(self) -> list[str]:
        """Return the Call-IDs of the SUBSCRIBEs, each once, in their order."""
        return list(dict.fromkeys(request.call_id for _, request in self.server.subscribes()))


# The voice mail box


def test_asks_for_messages_waiting_once_it_is_registered() -> None:
    home = Home(mwi=True, mwi_expiration=1800)
    home.start()
    assert home.alice.agent.registration.state is RegistrationState.REGISTERED
    ((when, request),) = home.server.subscribes()
    assert when > home.server.registers()[-1][0]
    assert request.uri == "sip:alice@sip.example"
    assert request.headers.get("Event") == "message-summary"
    assert request.headers.get("Accept") == "application/simple-message-summary"
    assert request.expires == 1800
    assert [str(contact.uri) for contact in request.contacts] == [f"sip:alice@{ALICE.host}:5060"]
    (event,) = home.alice.events(MessagesWaiting)
    assert (event.waiting, event.new, event.old) == (True, 2, 8)
    assert home.alice.agent.subscriptions.messages == event
    assert home.statuses == [200]


def test_an_account_that_does_not_want_messages_asks_for_none() -> None:
    home = Home()
    home.start()
    home.unasked("message-summary", summary(1))
    assert not home.server.subscribes()
    assert not home.alice.events(MessagesWaiting)
    assert home.statuses == [489]


def test_tells_a_summary_only_where_it_is_news() -> None:
    home = Home(mwi=True)
    home.start()
    for body in (summary(2, 8), summary(0, 10), summary(0, 10)):
        home.notify(body)
    assert home.counts == [(2, 8), (0, 10)]


def test_takes_a_summary_that_nobody_asked_for_from_the_server() -> None:
    home = Home(mwi=True)
    home.server.events = ()
    home.start()
    assert not home.counts
    home.unasked("message-summary", summary(3, 1))
    assert home.counts == [(3, 1)]
    assert home.statuses == [200]


def test_a_summary_nobody_asked_for_that_was_overtaken_changes_nothing() -> None:
    home = Home(mwi=True)
    home.server.events = ()
    home.start()
    home.unasked("message-summary", summary(3), number=8)
    home.unasked("message-summary", summary(1), number=7)
    assert home.counts == [(3, 0)]
    home.unasked("message-summary", summary(4), number=1, call_id="u2")
    assert home.counts == [(3, 0), (4, 0)]


def test_what_nobody_asked_for_and_cannot_be_read_is_refused() -> None:
    home = Home(mwi=True)
    home.start()
    home.unasked("message-summary", b"nonsense")
    home.unasked("message-summary", b"", number=2)
    assert home.statuses == [200, 400, 415]
    assert home.counts == [(2, 8)]


def test_a_stranger_cannot_tell_of_messages() -> None:
    home = Home(mwi=True, allow_direct_calls=True)
    home.start()
    request = (
        f"NOTIFY sip:alice@{ALICE.host} SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.66;branch=z9hG4bK1\r\n"
        f"From: <sip:x@y>;tag=1\r\nTo: <sip:alice@{ALICE.host}>\r\nCall-ID: x\r\nCSeq: 1 NOTIFY\r\n"
        "Max-Forwards: 70\r\nEvent: message-summary\r\nSubscription-State: active\r\n"
        "Content-Type: application/simple-message-summary\r\nContent-Length: 23\r\n\r\nMessages-Waiting: yes\r\n"
    )
    home.alice.deliver(request.encode(), Address(ALICE.transport, "203.0.113.66", 5060), home.link.now)
    home.link.run_for(1)
    assert home.counts == [(2, 8)]
    assert home.link.sent("403", ALICE)


@pytest.mark.parametrize(
    ("event", "status"), [("keep-alive", 489), ("", 489), ("dialog", 481), ("presence", 481), ("refer", 481)]
)
def test_a_notify_outside_any_subscription_is_refused(event: str, status: int) -> None:
    home = Home(mwi=True)
    home.start()
    home.unasked(event, b"x")
    assert home.statuses[-1] == status
    refusal = parse_message(home.link.sent(str(status), ALICE)[-1].data)
    allowed = refusal.headers.get("Allow-Events")
    assert allowed == ("message-summary, dialog, presence, refer" if status == 489 else None)


def test_a_notify_of_a_dialog_that_we_do_not_have_gets_481() -> None:
    home = Home(mwi=True)
    home.start()
    home.unasked("message-summary", summary(9), tag="nobody")
    assert home.statuses[-1] == 481
    assert home.counts == [(2, 8)]


def test_bodies_that_cannot_be_read_are_refused_and_the_subscription_lives() -> None:
    home = Home(mwi=True)
    home.start()
    home.notify(b"nonsense")
    home.notify(b"x" * 9000)
    home.notify(b"<a/>", kind="application/xml")
    home.notify(summary(5))
    assert home.statuses == [200, 400, 413, 415, 200]
    assert home.counts == [(2, 8), (5, 0)]


# Lines that are watched


def test_watches_a_line_through_its_calls() -> None:
    home = Home()
    home.server.bodies["dialog"] = dialog_info(0, "full")
    home.start("20")
    ((_, request),) = home.server.subscribes()
    assert request.uri == "sip:20@sip.example"
    home.notify(dialog_info(1, "full", ("a", "early", "recipient")))
    home.notify(dialog_info(2, "full", ("a", "confirmed", "recipient")))
    home.notify(dialog_info(3, "full", ("a", "terminated", "recipient")))
    assert home.states == [IDLE, RINGING, TALKING, IDLE]
    (event, *_) = home.alice.events(WatchedStateChanged)
    assert event.uri == "20"
    assert home.alice.agent.subscriptions.watched == {event.id: IDLE}


def test_partial_states_that_miss_one_are_completed_by_asking_again() -> None:
    home = Home()
    home.start("20")
    home.server.bodies["dialog"] = dialog_info(9, "full", ("b", "confirmed", ""))
    home.notify(dialog_info(1, "partial", ("a", "early", "recipient")))
    home.notify(dialog_info(3, "partial", ("a", "terminated", "recipient")))
    home.link.run_for(10)
    assert home.states == [IDLE, RINGING, TALKING]
    assert len(home.call_ids) == 1
    assert len(home.times) == 2


def test_a_notifier_that_never_tells_the_full_state_is_asked_ever_more_rarely() -> None:
    home = Home()
    home.server.bodies["dialog"] = dialog_info(5, "partial", ("a", "early", ""))
    home.start("20", seconds=3600)
    assert len(home.times) < 15
    assert home.states == []


def test_asks_for_presence_where_dialogs_are_not_told() -> None:
    home = Home()
    home.server.events = ("presence",)
    home.server.bodies["presence"] = presence("open")
    home.start("20")
    assert [request.headers.get("Event") for _, request in home.server.subscribes()] == ["dialog", "presence"]
    home.notify(presence("open", activity="on-the-phone"))
    home.notify(presence("closed"))
    assert home.states == [IDLE, TALKING, UNKNOWN]


def test_a_notifier_that_knows_neither_is_left_alone() -> None:
    home = Home()
    home.server.events = ()
    home.start("20", seconds=20_000)
    assert len(home.times) == 2


def test_a_watch_that_is_given_up_unsubscribes_and_tells_no_more() -> None:
    home = Home()
    home.start("20")
    (watch_id,) = home.alice.agent.subscriptions.watched
    home.server.bodies["dialog"] = dialog_info(1, "full", ("a", "confirmed", ""))
    home.alice.command("unwatch", watch_id)
    assert home.alice.agent.subscriptions.ending
    home.link.run_for(5)
    assert home.server.subscribes()[-1][1].expires == 0
    assert home.statuses == [200, 200]
    assert home.states == [IDLE]
    assert home.alice.agent.idle
    assert not home.alice.agent.subscriptions.dialogs
    with pytest.raises(LocalProtocolError):
        home.alice.command("unwatch", watch_id)


@pytest.mark.parametrize("moment", [0.0, 0.003, 0.006, 0.009, 0.012, 0.02, 0.03, 0.04])
def test_a_watch_that_is_given_up_at_once_leaves_nothing_behind(moment: float) -> None:
    home = Home()
    home.start()
    home.alice.command("watch", "20")
    home.link.run_for(moment)
    (watch_id,) = home.alice.agent.subscriptions.watched
    home.alice.command("unwatch", watch_id)
    home.link.run_for(100)
    assert not [told for told in home.server.told if told.until > home.link.now]
    assert home.alice.agent.idle
    assert not home.alice.agent.subscriptions.dialogs


def test_watches_without_a_server_ask_the_line_itself() -> None:
    link = Link()
    server = Notifier(link, login=False)
    server.bodies = {"dialog": dialog_info(0, "full", ("a", "confirmed", ""))}
    alice = join(link, direct_account("alice"), ALICE)
    alice.command("watch", f"sip:door@{SERVER.host}")
    link.run_for(5)
    assert not link.transcript
    for _ in range(2):
        alice.command("register")
        link.run_for(5)
        assert len(server.told) == 1
        before = len(server.subscribes())
        alice.command("network_changed")
        link.run_for(1)
        assert len(server.subscribes()) == before + 1
        alice.command("unregister")
        link.run_for(5)
        assert not server.told
    assert [event.state for event in alice.events(WatchedStateChanged)] == [TALKING]


def test_a_line_whose_server_cannot_be_found_is_looked_for_ever_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    link = Link()
    alice = join(link, direct_account("alice"), ALICE)
    looked_up: list[float] = []
    alice.command("register")
    alice.command("watch", "sip:door@nowhere.example")
    lookups = alice.agent.lookups

    def counted() -> list[Lookup]:
        found = lookups()
        looked_up.extend([link.now] * len(found))
        return found

    monkeypatch.setattr(alice.agent, "lookups", counted)
    link.run_for(3600)
    assert 15 < len(looked_up) < 30
    alice.names["nowhere.example"] = [SERVER]
    server = Notifier(link, login=False)
    server.bodies = {"dialog": dialog_info(0, "full")}
    link.run_for(300)
    assert [event.state for event in alice.events(WatchedStateChanged)] == [IDLE]


def test_a_line_that_is_watched_no_more_before_its_server_is_found_is_never_asked() -> None:
    agent = UserAgent(direct_account("alice"), entropy=entropy(1))
    agent.register(1.0)
    watch_id = agent.watch("sip:door@door.example", 1.0)
    agent.handle_timer(1.0)
    (lookup,) = agent.lookups()
    agent.unwatch(watch_id, 2.0)
    assert not agent.idle
    agent.looked_up(lookup.token, [Hop(SERVER, HostPort(ALICE.host, ALICE.port))], 3.0)
    assert not agent.sends()
    assert agent.idle


@pytest.mark.parametrize("target", ["", "mailto:x@y", "a\nb"])
def test_what_cannot_be_dialled_cannot_be_watched(target: str) -> None:
    home = Home()
    with pytest.raises(LocalProtocolError):
        home.alice.command("watch", target)


def test_the_number_of_watches_is_bounded_and_they_do_not_begin_all_at_once() -> None:
    home = Home()
    home.start(*(f"{number}" for number in range(MAX_WATCHES)), seconds=60)
    with pytest.raises(LocalProtocolError):
        home.alice.command("watch", "one more")
    assert len(home.states) == MAX_WATCHES
    seconds = [int(when) for when in home.times]
    assert max(map(seconds.count, seconds)) <= 21


# Refresh and expiry


def test_refreshes_in_the_dialog_before_the_granted_time_is_over() -> None:
    home = Home(mwi=True)
    home.server.longest = 120
    home.start(seconds=1200)
    assert len(home.call_ids) == 1
    assert all(later - earlier < 120 for earlier, later in pairwise(home.times))
    assert 10 <= len(home.times) <= 30
    numbers = [request.cseq.number for _, request in home.server.subscribes()]
    assert numbers == sorted(set(numbers))
    assert all(request.to.tag for _, request in home.server.subscribes()[1:])


def test_a_notify_may_shorten_the_time() -> None:
    home = Home(mwi=True)
    home.start()
    home.notify(state="active;expires=100")
    home.link.run_for(90)
    assert len(home.times) == 2


@pytest.mark.parametrize("granted", ["0", "1", "99999999999", "x"])
def test_odd_times_that_are_granted_make_no_storm(granted: str) -> None:
    home = Home(mwi=True)
    home.server.state_script = [f"active;expires={granted}"] * 1000
    home.start(seconds=600)
    assert 1 <= len(home.times) <= 150


def test_asks_for_longer_where_the_time_is_too_brief() -> None:
    home = Home(mwi=True, mwi_expiration=120)
    home.server.shortest = 600
    home.start()
    assert [request.expires for _, request in home.server.subscribes()] == [120, 600]
    assert home.counts == [(2, 8)]


def test_a_notifier_that_always_finds_it_too_brief_is_left_alone_for_a_while() -> None:
    home = Home(mwi=True)
    home.server.subscribe_script = [(423, {"Min-Expires": str(4000 + number)}) for number in range(50)]
    home.start(seconds=60)
    assert len([request for _, request in home.server.asked if request.method == "SUBSCRIBE"]) <= 8


def test_a_refresh_that_is_refused_for_now_leaves_the_subscription_alone() -> None:
    home = Home(mwi=True)
    home.server.longest = 200
    home.start()
    home.server.subscribe_script = [(500, {}), (503, {"Retry-After": "15"})]
    home.link.run_for(180)
    assert len(home.call_ids) == 1
    asked = [when for when, request in home.server.asked if request.method == "SUBSCRIBE"]
    assert asked[-1] - asked[-2] >= 15
    assert home.counts == [(2, 8)]


def test_a_notifier_that_keeps_the_dialog_and_lost_the_subscription_is_subscribed_to_anew() -> None:
    home = Home()
    home.start("20", seconds=100)
    home.server.subscribe_script = [(500, {}), (500, {})]
    home.alice.command("network_changed")
    home.link.run_for(15)
    assert len(home.call_ids) == 2
    assert home.states == [IDLE]


def test_a_retry_after_is_obeyed_even_beyond_the_expiry() -> None:
    home = Home()
    home.server.longest = 100
    home.start("20")
    home.server.subscribe_script = [(503, {"Retry-After": "300"})]
    home.link.run_for(280)
    assert home.states == [IDLE, UNKNOWN]
    home.link.run_for(200)
    asked = [when for when, request in home.server.asked if request.method == "SUBSCRIBE"]
    assert asked[2] - asked[1] >= 299
    assert home.states == [IDLE, UNKNOWN, IDLE]


def test_a_notifier_that_forgot_us_is_subscribed_to_anew_at_once() -> None:
    home = Home()
    home.server.longest = 200
    home.start("20")
    home.server.told.clear()
    home.link.run_for(200)
    assert len(home.call_ids) == 2
    assert home.states == [IDLE], "nothing was lost that a person would notice"


def test_a_refresh_without_an_answer_is_tried_until_the_time_is_over_and_then_anew() -> None:
    home = Home()
    home.server.longest = 200
    home.start("20")
    home.server.silent = True
    home.link.run_for(400)
    assert home.states == [IDLE, UNKNOWN]
    home.server.silent = False
    home.server.told.clear()
    home.link.run_for(300)
    assert home.states == [IDLE, UNKNOWN, IDLE]


def test_a_refresh_that_nobody_confirms_by_a_notify_is_begun_anew_unnoticed() -> None:
    home = Home()
    home.server.longest = 400
    home.start("20")
    home.server.mute = True
    home.link.run_until(lambda: len(home.times) == 2, within=400)
    home.link.run_for(2)
    home.server.mute = False
    home.link.run_for(35)
    assert len(home.call_ids) == 2
    assert home.states == [IDLE]


@pytest.mark.parametrize("stale", [False, True])
def test_a_refresh_that_is_under_way_at_the_end_becomes_the_goodbye(stale: bool) -> None:
    home = Home(mwi=True)
    home.server.longest = 200
    home.start()
    before = len(home.link.sent("SUBSCRIBE", ALICE))
    home.link.run_until(lambda: len(home.link.sent("SUBSCRIBE", ALICE)) > before)
    if stale:
        home.server.digest = DigestServer(NAME, "SHA-256", entropy(7))
    home.alice.command("unregister")
    home.link.run_for(40)
    assert home.server.subscribes()[-1][1].expires == 0
    assert not home.server.told
    assert home.alice.agent.idle
    assert home.statuses == [200] * len(home.statuses)


def test_an_end_that_nobody_answers_comes_all_the_same() -> None:
    home = Home()
    home.start("20")
    (watch_id,) = home.alice.agent.subscriptions.watched
    home.server.silent = True
    home.alice.command("unwatch", watch_id)
    home.link.run_for(40)
    assert home.alice.agent.idle
    assert not home.alice.agent.subscriptions.dialogs


def test_a_watch_that_waits_for_its_time_is_given_up_without_a_word() -> None:
    home = Home()
    home.start("20")
    home.notify(state="terminated;reason=probation;retry-after=60")
    (watch_id,) = home.alice.agent.subscriptions.watched
    home.alice.command("unwatch", watch_id)
    assert home.alice.agent.idle
    home.link.run_for(100)
    assert len(home.times) == 1


def test_what_was_ended_for_good_is_asked_for_again_by_a_person_only() -> None:
    home = Home(mwi=True)
    home.start()
    home.notify(state="terminated;reason=rejected")
    home.alice.command("unregister")
    home.link.run_for(5)
    assert len(home.times) == 1
    home.alice.command("register")
    home.link.run_for(5)
    assert len(home.call_ids) == 2


def test_an_end_during_a_refresh_without_an_answer_is_believed_and_nothing_after_it() -> None:
    home = Home()
    home.server.longest = 200
    home.start("20")
    home.link.lose("SUBSCRIBE", 20)
    refreshes = len(home.link.sent("SUBSCRIBE", ALICE))
    home.link.run_until(lambda: len(home.link.sent("SUBSCRIBE", ALICE)) > refreshes)
    told = home.told
    home.notify(state="terminated;reason=probation")
    home.notify(dialog_info(5, "full", ("a", "early", "")), told=told)
    assert home.statuses == [200, 200, 481]
    assert home.states == [IDLE, UNKNOWN]
    home.link.run_for(100)
    assert home.states == [IDLE, UNKNOWN, IDLE]
    assert len(home.call_ids) == 2


def test_a_registration_while_the_last_notify_is_awaited_begins_anew_after_it() -> None:
    home = Home(mwi=True)
    home.start()
    home.server.mute = True
    home.alice.command("unregister")
    home.link.run_for(2)
    home.server.mute = False
    home.alice.command("register")
    home.link.run_for(60)
    assert len(home.call_ids) == 2
    assert len([told for told in home.server.told if told.until > home.link.now]) == 1


def test_a_notify_after_the_last_is_refused() -> None:
    home = Home(mwi=True)
    home.start()
    told = home.told
    home.notify(state="terminated;reason=noresource")
    home.notify(summary(9), told=told)
    assert home.statuses == [200, 200, 481]
    assert home.counts == [(2, 8)]


def test_a_notify_that_ends_the_subscription_while_it_is_given_up_is_enough() -> None:
    home = Home(mwi=True)
    home.start()
    home.link.lose("SUBSCRIBE", 5)
    home.alice.command("unregister")
    home.server.notify(home.told, home.link.now, "terminated;reason=timeout")
    home.link.run_for(60)
    assert home.alice.agent.idle
    assert not home.alice.agent.subscriptions.dialogs


# The end, by its reason


@pytest.mark.parametrize("reason", ["deactivated", "timeout"])
def test_what_was_ended_to_be_begun_anew_is_begun_at_once(reason: str) -> None:
    home = Home()
    home.start("20")
    home.notify(state=f"terminated;reason={reason};retry-after=500")
    home.link.run_for(1)
    assert len(home.call_ids) == 2
    assert home.states == [IDLE]


@pytest.mark.parametrize("reason", ["probation", "giveup"])
def test_what_was_ended_for_a_while_waits_as_long_as_it_was_told(reason: str) -> None:
    home = Home()
    home.start("20")
    home.notify(state=f"terminated;reason={reason};retry-after=200")
    assert home.states == [IDLE, UNKNOWN]
    home.link.run_for(190)
    assert len(home.call_ids) == 1
    home.link.run_for(60)
    assert len(home.call_ids) == 2
    assert home.states == [IDLE, UNKNOWN, IDLE]


@pytest.mark.parametrize("reason", ["", ";reason=something"])
def test_an_end_without_a_known_reason_waits_a_little(reason: str) -> None:
    home = Home()
    home.start("20")
    home.notify(state=f"terminated{reason}")
    assert len(home.call_ids) == 1
    home.link.run_for(10)
    assert len(home.call_ids) == 2


@pytest.mark.parametrize("reason", ["rejected", "noresource", "invariant"])
def test_what_was_ended_for_good_is_never_begun_again(reason: str) -> None:
    home = Home(timing=Timing(keep_alive=0, expiration=86400))
    home.start("20")
    home.notify(state=f"terminated;reason={reason}")
    home.link.run_for(50_000)
    assert len(home.call_ids) == 1
    assert home.states == [IDLE, UNKNOWN]


def test_a_notifier_that_ends_everything_at_once_is_asked_ever_more_rarely() -> None:
    home = Home(mwi=True)
    home.server.state_script = ["terminated;reason=deactivated"] * 1000
    home.start(seconds=3600)
    assert 5 < len(home.times) < 20


@pytest.mark.parametrize("status", [403, 404, 501, 603])
def test_a_refusal_is_not_asked_for_again_within_the_hour(status: int) -> None:
    home = Home(mwi=True)
    home.server.subscribe_script = [(status, {})]
    home.start(seconds=2000)
    asked = [request for _, request in home.server.asked if request.method == "SUBSCRIBE"]
    assert len(asked) == 1
    home.link.run_for(3000)
    assert home.counts == [(2, 8)]


def test_a_login_that_is_refused_ends_in_a_long_pause() -> None:
    home = Home(mwi=True)
    home.start(seconds=0.015)
    home.server.password = "another"
    home.link.run_for(1000)
    asked = [request for _, request in home.server.asked if request.method == "SUBSCRIBE"]
    assert len(asked) <= 4
    assert not home.counts


def test_a_server_that_fails_is_asked_ever_more_rarely() -> None:
    home = Home(mwi=True)
    home.server.subscribe_script = [(500, {})] * 1000
    home.start(seconds=3600)
    asked = [when for when, request in home.server.asked if request.method == "SUBSCRIBE"]
    assert 5 < len(asked) < 20
    gaps = [later - earlier for earlier, later in pairwise(asked)]
    assert gaps[3] > gaps[0] * 3


def test_an_accepted_subscription_without_any_notify_is_a_failure() -> None:
    home = Home(mwi=True)
    home.server.mute = True
    home.start(seconds=30)
    assert len(home.call_ids) == 1
    home.link.run_for(15)
    assert len(home.call_ids) == 2, "after timer N, 32 s"
    home.link.run_for(3600)
    assert len(home.call_ids) < 12


# Crossings


def test_a_notify_that_overtakes_the_answer_makes_the_dialog() -> None:
    home = Home(mwi=True)
    home.server.overtake = True
    home.start()
    home.notify(summary(1))
    assert home.statuses == [200, 200]
    assert home.counts == [(2, 8), (1, 0)]
    home.alice.command("unregister")
    home.link.run_for(5)
    assert home.server.subscribes()[-1][1].expires == 0
    assert len(home.call_ids) == 1


def test_the_dialog_is_that_of_the_notify_and_not_that_of_the_answer() -> None:
    home = Home(mwi=True)
    home.server.fork_tag = "fork"
    home.server.longest = 120
    home.start(seconds=150)
    assert home.statuses == [200] * len(home.statuses)
    assert [request.to.tag for _, request in home.server.subscribes()[1:]] == ["fork"] * (len(home.times) - 1)
    assert len(home.call_ids) == 1


def test_a_second_notifier_of_the_same_subscription_is_refused() -> None:
    home = Home(mwi=True)
    home.start()
    home.told.dialog.local = home.told.dialog.local.with_tag("other")
    home.notify(summary(7))
    assert home.statuses == [200, 481]
    assert home.counts == [(2, 8)]


def test_a_notify_that_was_overtaken_by_a_later_one_changes_nothing() -> None:
    home = Home(mwi=True)
    home.start()
    told = home.told
    told.dialog.local_sequence += 1
    home.notify(summary(4))
    told.dialog.local_sequence -= 2
    home.notify(summary(3))
    assert home.statuses == [200, 200, 500]
    assert home.counts == [(2, 8), (4, 0)]


def test_a_notify_of_another_event_in_the_dialog_is_refused() -> None:
    home = Home(mwi=True)
    home.start()
    home.told.event = "presence"
    home.notify(presence("open"))
    assert home.statuses == [200, 489]


def test_a_subscription_that_ends_while_it_is_refreshed_is_begun_anew_once() -> None:
    home = Home()
    home.server.longest = 200
    home.start("20")
    home.link.lose("SUBSCRIBE", 3)
    refreshes = len(home.link.sent("SUBSCRIBE", ALICE))
    home.link.run_until(lambda: len(home.link.sent("SUBSCRIBE", ALICE)) > refreshes)
    home.server.notify(home.told, home.link.now, "terminated;reason=timeout")
    home.link.run_for(20)
    assert len(home.call_ids) == 2
    assert home.states == [IDLE]


@pytest.mark.parametrize("overtake", [False, True])
def test_a_first_notify_that_says_it_is_over_is_believed(overtake: bool) -> None:
    home = Home(mwi=True)
    home.server.overtake = overtake
    home.server.state_script = ["terminated;reason=noresource"]
    home.start(seconds=5000)
    assert len(home.times) == 1
    assert home.statuses == [200]
    assert home.counts == [(2, 8)], "the last state is a state"


def test_a_pending_subscription_tells_nothing_until_it_is_active() -> None:
    home = Home()
    home.server.bodies["dialog"] = b""
    home.server.state_script = ["pending;expires=3600"]
    home.start("20", seconds=100)
    assert home.states == []
    assert len(home.times) == 1
    home.notify(dialog_info(0, "full"))
    assert home.states == [IDLE]


# The registration and the network


def test_unregistering_unsubscribes_first_and_registering_begins_anew() -> None:
    home = Home(mwi=True)
    home.start("20")
    home.alice.command("unregister")
    home.link.run_for(5)
    goodbyes = [passage.label for passage in home.link.transcript if b"\r\nExpires: 0\r\n" in passage.data]
    assert goodbyes[:3] == ["SUBSCRIBE", "SUBSCRIBE", "REGISTER"]
    assert home.alice.agent.idle
    assert not home.server.told
    home.link.run_until_quiet()
    home.alice.command("register")
    home.link.run_for(5)
    assert len(home.server.told) == 2


def test_registering_again_while_the_end_is_awaited_begins_anew() -> None:
    home = Home(mwi=True)
    home.start()
    home.alice.command("unregister")
    home.alice.command("register")
    home.link.run_for(60)
    assert len(home.server.told) == 1
    assert len(home.call_ids) == 2


def test_a_registrar_that_was_restarted_is_asked_again_once_it_is_back() -> None:
    home = Home(mwi=True, timing=Timing(keep_alive=30))
    home.start("20")
    home.server.silent = True
    home.link.run_for(120)
    home.server.restart()
    home.server.silent = False
    home.server.bodies["message-summary"] = summary(3)
    home.link.run_for(45)
    assert home.alice.agent.registration.state is RegistrationState.REGISTERED
    assert len(home.server.told) == 2
    assert home.counts == [(2, 8), (3, 0)]


def test_a_change_of_the_network_renews_every_subscription() -> None:
    home = Home(mwi=True)
    home.start("20")
    before = len(home.times)
    home.alice.command("network_changed")
    home.link.run_for(5)
    assert len(home.times) == before + 2
    assert len(home.call_ids) == 2


def test_a_move_that_the_server_sees_renews_every_subscription() -> None:
    home = Home(mwi=True)
    home.server.max_expires = 120
    home.start()
    public = Address(ALICE.transport, "203.0.113.7", 6000)
    home.server.seen_from = lambda source: public if source == ALICE else source
    home.link.join(home.alice.agent, public, deliver=home.alice.deliver, react=home.alice.react)
    home.link.run_for(200)
    _, request = home.server.subscribes()[-1]
    assert [str(contact.uri) for contact in request.contacts] == ["sip:alice@203.0.113.7:6000"]
    assert len(home.call_ids) == 1


def test_a_change_of_the_network_while_a_refresh_is_under_way_asks_once_more() -> None:
    home = Home(mwi=True)
    home.server.longest = 200
    home.start()
    before = len(home.link.sent("SUBSCRIBE", ALICE))
    home.link.lose("SUBSCRIBE")
    home.link.run_until(lambda: len(home.link.sent("SUBSCRIBE", ALICE)) > before)
    home.alice.command("network_changed")
    home.link.run_for(5)
    assert home.statuses == [200] * 3, "the first, the refresh, and the one after it"
    assert len(home.call_ids) == 1


def test_not_even_a_change_of_the_network_shortens_the_wait_that_a_notifier_wants() -> None:
    home = Home()
    home.start("20")
    home.notify(state="terminated;reason=probation;retry-after=600")
    home.alice.command("network_changed")
    home.link.run_for(500)
    assert len(home.times) == 1
    home.link.run_for(200)
    assert home.states == [IDLE, UNKNOWN, IDLE]


def test_a_pause_of_our_own_is_over_once_the_registration_recovers() -> None:
    home = Home()
    home.start("20")
    home.notify(state="terminated;reason=probation")
    home.alice.command("network_changed")
    home.link.run_for(1)
    assert home.states == [IDLE, UNKNOWN, IDLE]


def test_a_renewed_registration_renews_nothing() -> None:
    home = Home(mwi=True)
    home.server.max_expires = 120
    home.start(seconds=1000)
    assert len(home.server.registers()) > 10
    assert len(home.times) == 1


@pytest.mark.parametrize("seed", range(20))
def test_comes_to_the_right_state_whatever_the_network_does(seed: int) -> None:
    faults = Faults(loss=0.2, duplication=0.2, reordering=0.3, delay=(0.01, 0.3))
    home = Home(faults=faults, seed=seed, mwi=True)
    home.server.longest = 300
    home.start("20", seconds=200)
    for version in range(1, 21):
        word = ("early", "confirmed", "terminated")[version % 3]
        home.server.bodies["dialog"] = dialog_info(version, "full", ("a", word, "recipient"))
        home.server.bodies["message-summary"] = summary(version)
        for told in [told for told in home.server.told if told.until > home.link.now]:
            home.server.notify(told, home.link.now)
        home.link.run_for(30)
    home.server.bodies["dialog"] = dialog_info(99, "full", ("b", "confirmed", ""))
    home.link.run_for(600)
    assert home.counts[-1] == (20, 0)
    assert home.states[-1] is TALKING
    times = [passage.sent_at for passage in home.link.sent("SUBSCRIBE", ALICE)]
    assert len(times) < 200
    home.alice.command("unregister")
    home.link.run_for(200)
    assert home.alice.agent.idle
    assert not home.alice.agent.subscriptions.dialogs
    home.link.run_until_quiet()


def test_no_secret_is_told() -> None:
    home = Home(mwi=True, password="geheim-123")
    home.server.password = "geheim-123"
    home.start("20")
    assert home.counts
    assert all("geheim-123" not in repr(event) for event in home.alice.told)
