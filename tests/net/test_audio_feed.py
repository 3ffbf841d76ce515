"""Streams of bytes from the event loop: early, bounded, and closed whatever happens."""

import asyncio
import gc
from collections.abc import AsyncIterator
from unittest.mock import patch

import pytest

from custom_components.sip_ua.net import audio_feed, worker_threads
from custom_components.sip_ua.net.audio import PreparedAudio, RawPcm, StreamSource, ToneSource, prepare
from custom_components.sip_ua.net.audio_feed import WINDOW, AudioFeed
from custom_components.sip_ua.net.audio_pipe import AudioReader
from custom_components.sip_ua.net.errors import AudioError, AudioFault
from custom_components.sip_ua.net.worker_threads import WorkerThreads

from .media_support import eventually, level_of, sine, wav

FRAME = 320


class Stream:
    """Chunks of bytes that come one at a time, and what became of the one who gives them."""

    def __init__(self, *chunks: bytes | Exception | None, endless: bytes = b"") -> None:
        self.chunks = chunks
        self.endless = endless
        self.given = 0
        self.closed = False
        self.go_on = asyncio.Event()

    async def __call__(self) -> AsyncIterator[bytes]:
        try:
            for chunk in self.chunks:
                if chunk is None:
                    await self.go_on.wait()
                elif isinstance(chunk, Exception):
                    raise chunk
                else:
                    self.given += len(chunk)
                    yield chunk
            while self.endless:
                self.given += len(self.endless)
                yield self.endless
        finally:
            self.closed = True


async def frames(reader: AudioReader, number: int = 10**9) -> bytes:
    """Read so many frames, or all."""
    taken: list[bytes] = []
    async with asyncio.timeout(10):
        while len(taken) < number:
            frame = reader.read(FRAME)
            if frame is not None:
                taken.append(frame)
            elif reader.finished:
                break
            else:
                await asyncio.sleep(0.002)
    return b"".join(taken)


@pytest.fixture
async def workers() -> AsyncIterator[WorkerThreads]:
    made = WorkerThreads()
    yield made
    made.cancel()
    await made.join(10)
    assert len(made) == 0


async def test_the_first_frames_are_there_before_the_stream_is_complete(workers: WorkerThreads) -> None:
    tone = sine(1000, 1.0, rate=22050)
    file = wav(tone, rate=22050)
    stream = Stream(file[:8000], None, file[8000:])
    reader = prepare(StreamSource(stream()), workers).take()

    first = await frames(reader, 4)
    assert stream.given == 8000
    stream.go_on.set()
    rest = await frames(reader)

    assert (len(first) + len(rest)) / 16000 == pytest.approx(1.0, abs=0.005)


@pytest.mark.parametrize("size", [1, 7, 1000, 100_000])
async def test_it_does_not_matter_how_the_stream_is_cut(workers: WorkerThreads, size: int) -> None:
    file = wav(sine(1000, 0.2))
    stream = Stream(*(file[at : at + size] for at in range(0, len(file), size)))

    assert await frames(prepare(StreamSource(stream()), workers).take()) == sine(1000, 0.2)
    await eventually(lambda: stream.closed)


async def test_a_stream_whose_header_does_not_know_its_length_is_played_to_its_end(workers: WorkerThreads) -> None:
    file = bytearray(wav(sine(1000, 0.2)))
    file[40:44] = b"\xff\xff\xff\xff"

    assert await frames(prepare(StreamSource(Stream(bytes(file))()), workers).take()) == sine(1000, 0.2)


async def test_an_endless_stream_is_read_only_as_far_as_needed(workers: WorkerThreads) -> None:
    stream = Stream(endless=bytes(10_000))
    prepared = prepare(StreamSource(stream(), RawPcm(16000)), workers)

    await asyncio.sleep(0.3)
    given = stream.given
    await asyncio.sleep(0.1)

    assert given == stream.given
    assert given <= WINDOW + 2.5 * 32000 + 20_000
    prepared.discard()
    await eventually(lambda: stream.closed)


async def test_the_reason_of_a_stream_that_fails_is_told(workers: WorkerThreads) -> None:
    stream = Stream(wav(sine(1000, 1.0))[:4000], ValueError("no such voice"))
    reader = prepare(StreamSource(stream()), workers).take()

    await frames(reader)

    assert reader.error == "the sound could not be fetched: no such voice"


async def test_a_stream_that_gives_nothing_is_an_error(workers: WorkerThreads) -> None:
    reader = prepare(StreamSource(Stream()()), workers).take()

    assert await frames(reader) == b""
    assert reader.error == "there is nothing in it"


@pytest.mark.parametrize(("limit", "begins"), [("FIRST_TIMEOUT", b""), ("STREAM_TIMEOUT", wav(sine(1000, 1.0))[:4000])])
async def test_a_stream_that_hangs_ends_with_a_reason(workers: WorkerThreads, limit: str, begins: bytes) -> None:
    stream = Stream(begins, None)
    with patch.object(audio_feed, limit, 0.1):
        reader = prepare(StreamSource(stream()), workers).take()
        await frames(reader)

    assert (reader.error, reader.fault) == ("nothing came for 0.1 seconds", AudioFault.TIMED_OUT)
    await eventually(lambda: stream.closed)


async def test_a_stream_is_repeated_from_memory(workers: WorkerThreads) -> None:
    sound = sine(1000, 0.3)
    reader = prepare(StreamSource(Stream(wav(sound)[:1000], wav(sound)[1000:])()), workers, loop=True).take()

    heard = await frames(reader, 3 * len(sound) // FRAME)
    reader.close()

    assert [level_of(heard[start : start + len(sound)]) for start in range(0, 3 * len(sound), len(sound))] == [
        pytest.approx(-10, abs=0.3)
    ] * 3


async def test_a_stream_that_is_too_long_to_be_kept_is_played_once(workers: WorkerThreads) -> None:
    with patch.object(audio_feed, "MAX_KEPT", 1000):
        reader = prepare(StreamSource(Stream(wav(sine(1000, 0.3)))()), workers, loop=True).take()
        heard = await frames(reader)

    assert len(heard) == pytest.approx(4800, abs=200)
    assert reader.error == "it is too long to be repeated"


async def test_a_sound_that_is_not_needed_lets_go_of_its_stream(workers: WorkerThreads) -> None:
    stream = Stream(None)
    prepared = prepare(StreamSource(stream()), workers)
    await asyncio.sleep(0)

    prepared.discard()
    prepared.discard()

    await eventually(lambda: stream.closed and not len(workers))
    with pytest.raises(AudioError, match="before"):
        prepared.take()


async def test_a_forgotten_sound_lets_go_of_its_worker(workers: WorkerThreads) -> None:
    prepared: PreparedAudio | None = prepare(ToneSource(440), workers)
    await asyncio.sleep(0.02)
    assert len(workers) == 1
    assert prepared is not None

    prepared = None
    gc.collect()

    await eventually(lambda: not len(workers))


async def test_a_sound_is_played_once(workers: WorkerThreads) -> None:
    prepared = prepare(ToneSource(440), workers)
    prepared.take().close()

    with pytest.raises(AudioError, match="before"):
        prepared.take()


async def test_the_number_of_workers_is_bounded(workers: WorkerThreads) -> None:
    stream = Stream(None)
    with patch.object(worker_threads, "MAX_WORKERS", 4):
        prepared = [prepare(ToneSource(440), workers) for _ in range(4)]
        with pytest.raises(AudioError, match="more than 4 sounds"):
            prepare(StreamSource(stream()), workers)

    for one in prepared:
        one.discard()
    await eventually(lambda: not len(workers))
    replacement = prepare(ToneSource(440), workers)
    replacement.discard()


async def test_a_feed_can_be_read_after_its_event_loop_is_done_with_it() -> None:
    feed = AudioFeed(Stream(b"abc", b"def")())
    await asyncio.sleep(0.01)

    assert [feed.read(2), feed.read(2), feed.read(10), feed.read(10), feed.read(10)] == [b"ab", b"c", b"def", b"", b""]
