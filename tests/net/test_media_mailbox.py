"""Reports from other threads: in order, bounded, none lost that somebody waits for."""

import asyncio
import threading
from unittest.mock import patch

from custom_components.sip_ua.net import mailbox as mailbox_module
from custom_components.sip_ua.net.mailbox import Mailbox

from .media_support import eventually


async def test_reports_of_many_threads_all_arrive_and_each_in_its_order() -> None:
    seen: list[tuple[int, int]] = []
    mailbox = Mailbox[tuple[int, int]](seen.append)

    def post(sender: int) -> None:
        for number in range(500):
            mailbox.post((sender, number), vital=True)

    threads = [threading.Thread(target=post, args=(sender,)) for sender in range(4)]
    for thread in threads:
        thread.start()
    await eventually(lambda: len(seen) == 2000)

    for thread in threads:
        thread.join()
    for sender in range(4):
        assert [number for who, number in seen if who == sender] == list(range(500))


async def test_a_blocked_loop_does_not_fill_the_memory() -> None:
    seen: list[int] = []
    mailbox = Mailbox[int](seen.append)

    with patch.object(mailbox_module, "MAX_WAITING", 10):
        for number in range(25):
            mailbox.post(number)
        mailbox.post(99, vital=True)
    await asyncio.sleep(0.01)

    assert seen == [*range(10), 99]
    assert mailbox.dropped == 15


def test_a_closed_loop_is_no_error() -> None:
    async def make() -> Mailbox[int]:
        return Mailbox[int](lambda _: None)

    loop = asyncio.new_event_loop()
    mailbox = loop.run_until_complete(make())
    loop.close()

    mailbox.post(1)
    mailbox.post(2)

    assert mailbox.dropped == 0
