"""Another network, or the same after a sleep, is noticed by itself; the clocks and routes are the test's."""

import asyncio
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from custom_components.sip_ua.net import network_watch
from custom_components.sip_ua.net.network_watch import SHORTEST_PAUSE, SLEEP, Clocks, NetworkWatch

SERVER, OTHER = "198.51.100.5", "198.51.100.6"


@dataclass
class Machine:
    """What the watch sees, and what it told."""

    awake: float = 100.0
    slept: float = 5000.0
    ways: dict[str, str | None] = field(default_factory=lambda: {SERVER: "192.0.2.1", OTHER: "192.0.2.1"})
    hosts: list[str] = field(default_factory=lambda: [SERVER, OTHER])
    told: int = 0

    def __post_init__(self) -> None:
        self.watch = NetworkWatch(lambda: self.hosts, self.tell, route=self.ways.get, read_clocks=self.read)
        self.watch.look()

    def read(self) -> Clocks:
        return Clocks(self.awake, self.awake + self.slept)

    def tell(self) -> None:
        self.told += 1

    def look(self, seconds: float = 5.0) -> int:
        """Let time pass, look, and return how often anything was told so far."""
        self.awake += seconds
        self.watch.look()
        return self.told


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_nothing_is_told_where_nothing_happens(machine: Machine) -> None:
    assert [machine.look() for _ in range(100)] == [0] * 100


def test_another_address_towards_a_server_is_told_once(machine: Machine) -> None:
    machine.ways[SERVER] = "192.0.2.99"
    assert [machine.look(), machine.look()] == [1, 1]


def test_a_network_that_changes_right_after_a_server_became_known_is_told(machine: Machine) -> None:
    machine.hosts = ["203.0.113.1"]
    machine.ways["203.0.113.1"] = "10.0.0.1"
    machine.watch.notice()
    machine.ways["203.0.113.1"] = "10.0.0.2"
    assert machine.look() == 1


def test_a_way_that_is_lost_is_told_when_it_is_back_even_with_the_same_address(machine: Machine) -> None:
    machine.ways[SERVER] = None
    assert [machine.look(), machine.look()] == [0, 0]
    machine.ways[SERVER] = "192.0.2.1"
    assert [machine.look(), machine.look()] == [1, 1]


def test_another_server_is_no_other_network(machine: Machine) -> None:
    machine.hosts = ["203.0.113.1"]
    machine.ways["203.0.113.1"] = "10.0.0.1"
    assert machine.look() == 0


async def test_while_no_server_is_known_whatever_happens_counts() -> None:
    machine = Machine(hosts=[])
    assert machine.look() == 0
    machine.watch.stirred()
    assert [machine.look(), machine.look()] == [1, 1]
    machine.watch.close()


async def test_what_happens_elsewhere_on_the_machine_does_not_count(machine: Machine) -> None:
    machine.watch.stirred()
    assert machine.look() == 0
    machine.watch.close()


@pytest.mark.parametrize(("seconds", "told"), [(2, 0), (60, 1), (86400, 1)])
def test_a_sleep_is_told(machine: Machine, seconds: float, told: int) -> None:
    machine.slept += seconds
    assert [machine.look(), machine.look()] == [told, told]


def test_a_clock_that_is_set_back_is_no_sleep(machine: Machine) -> None:
    machine.slept -= 4000
    assert machine.look() == 0


@pytest.mark.parametrize("step", [7.0, 3600.0, -3600.0])
def test_a_time_of_day_that_is_set_is_no_sleep(monkeypatch: pytest.MonkeyPatch, step: float) -> None:
    before = Clocks.read()
    day = time.time()
    monkeypatch.setattr(time, "time", lambda: day + step)
    assert Clocks.read().slept_since(before) < SLEEP


@pytest.mark.parametrize("lacks_clock", [False, True])
def test_a_sleep_is_seen_by_the_clock_that_goes_on_and_elsewhere_by_the_time_of_day(
    monkeypatch: pytest.MonkeyPatch, lacks_clock: bool
) -> None:
    clocks = {time.CLOCK_MONOTONIC: 100.0, time.CLOCK_BOOTTIME: 100.0}

    def read(clock: int) -> float:
        if lacks_clock and clock == time.CLOCK_BOOTTIME:
            raise OSError
        return clocks[clock]

    monkeypatch.setattr(time, "clock_gettime", read)
    monkeypatch.setattr(time, "monotonic", lambda: clocks[time.CLOCK_MONOTONIC])
    monkeypatch.setattr(time, "time", lambda: 1_000.0 + clocks[time.CLOCK_BOOTTIME])
    before = Clocks.read()
    clocks[time.CLOCK_MONOTONIC] += 5
    clocks[time.CLOCK_BOOTTIME] += 65
    assert Clocks.read().slept_since(before) == 60


def test_a_network_that_comes_and_goes_is_told_with_pauses_and_in_the_end(machine: Machine) -> None:
    machine.look()
    for number in range(100):
        machine.ways[SERVER] = f"192.0.2.{number % 2 + 10}"
        machine.look(0.1)
    assert machine.told <= 10 / SHORTEST_PAUSE + 1
    told = machine.told
    machine.ways[SERVER] = "192.0.2.77"
    machine.awake += 0.1
    assert machine.watch.look() == SHORTEST_PAUSE, "it looks again as soon as it may tell"
    assert machine.look(SHORTEST_PAUSE) > told


def test_the_clocks_of_the_system_know_no_sleep_between_two_readings() -> None:
    assert abs(Clocks.read().slept_since(Clocks.read())) < 1


async def test_looks_by_itself_until_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_watch, "LOOK_INTERVAL", 0.01)
    told = asyncio.Event()
    ways: dict[str, str | None] = {SERVER: "192.0.2.1"}
    watch = NetworkWatch(lambda: [SERVER], told.set, route=ways.get)
    watch.start()
    ways[SERVER] = "192.0.2.2"
    async with asyncio.timeout(5):
        await told.wait()
    watch.close()
    watch.close()
    told.clear()
    ways[SERVER] = "192.0.2.3"
    await asyncio.sleep(0.05)
    assert not told.is_set()


async def test_a_system_that_tells_nothing_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(socket, "socket", refuse)
    watch = NetworkWatch(lambda: [SERVER], lambda: None, route=lambda _host: "192.0.2.1")
    watch.start()
    watch.close()


async def test_an_error_in_a_look_is_not_the_last_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_watch, "LOOK_INTERVAL", 0.01)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    looked = asyncio.Event()
    answers: Iterator[str | OSError] = iter(["192.0.2.1", OSError()])

    def route(_host: str) -> str | None:
        answer = next(answers, None)
        if isinstance(answer, OSError):
            raise answer
        if answer is None:
            looked.set()
        return answer

    watch = NetworkWatch(lambda: [SERVER], lambda: None, route=route)
    watch.start()
    async with asyncio.timeout(5):
        await looked.wait()
    watch.close()
