"""Messages and keep-alives cut out of a stream."""

import pytest
from hypothesis import given, settings, strategies as st

from custom_components.sip_ua.sip.errors import MessageError
from custom_components.sip_ua.sip.framing import PING, PONG, KeepAlive, StreamFramer
from custom_components.sip_ua.sip.grammar import MAX_MESSAGE
from custom_components.sip_ua.sip.message import parse_message

from .wire import LINEAR, growth, options

EMPTY = options()
WITH_BODY = options("l: 9", without="Content-Length", body=b"a\r\n\r\nb\r\nc")
FOLDED = options("Content-Length  :\r\n  4", without="Content-Length", body=b"\r\n\r\n")
BARE = options("L:3", without="Content-Length", body=b"abc").replace(b"\r\n", b"\n")
MESSAGES = [EMPTY, WITH_BODY, FOLDED, BARE]


def test_messages_are_cut_by_their_length() -> None:
    assert StreamFramer().feed(b"".join(MESSAGES)) == MESSAGES
    assert [parse_message(message).body for message in MESSAGES] == [b"", b"a\r\n\r\nb\r\nc", b"\r\n\r\n", b"abc"]


def test_octets_one_by_one_make_the_same_messages() -> None:
    framer = StreamFramer()
    found = [frame for octet in b"".join(MESSAGES) for frame in framer.feed(bytes([octet]))]
    assert found == MESSAGES


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([*MESSAGES, PING, PONG]), max_size=6),
    st.lists(st.integers(0, 1200), max_size=8).map(sorted),
)
def test_it_does_not_matter_how_the_stream_is_cut(frames: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(frames)
    framer = StreamFramer()
    found = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += framer.feed(stream[begin:end])
    assert [frame for frame in found if isinstance(frame, bytes)] == [frame for frame in frames if frame in MESSAGES]


def test_keep_alives_are_told() -> None:
    framer = StreamFramer()
    assert framer.feed(PING) == [KeepAlive.PING]
    assert framer.feed(PONG) == [KeepAlive.PONG]
    assert framer.feed(EMPTY + PING + WITH_BODY + PONG) == [EMPTY, KeepAlive.PING, WITH_BODY, KeepAlive.PONG]
    assert framer.feed(PING * 1000 + PONG) == [KeepAlive.PING, KeepAlive.PONG]
    assert framer.feed(b"\r") == []
    assert framer.feed(b"\n") == [KeepAlive.PONG]


def test_a_message_is_not_given_out_before_it_is_complete() -> None:
    framer = StreamFramer()
    assert framer.feed(WITH_BODY[:-1]) == []
    assert framer.feed(WITH_BODY[-1:] + EMPTY[:5]) == [WITH_BODY]
    assert framer.feed(EMPTY[5:]) == [EMPTY]


@pytest.mark.parametrize(
    "length", ["", "l: -1", "l: x", "l: 3\r\nl: 3", "l: 99999", f"l: {MAX_MESSAGE}", "l: 9" + "9" * 5000]
)
def test_a_stream_without_a_usable_length_is_lost_for_good(length: str) -> None:
    framer = StreamFramer()
    with pytest.raises(MessageError):
        framer.feed(options(*[length] * bool(length), without="Content-Length"))
    with pytest.raises(MessageError):
        framer.feed(EMPTY)


def test_what_came_before_the_loss_is_given_out_first() -> None:
    framer = StreamFramer()
    assert framer.feed(EMPTY + options(without="Content-Length")) == [EMPTY]
    with pytest.raises(MessageError):
        framer.feed(b"")


def test_a_broken_header_does_not_lose_the_stream() -> None:
    broken = options("no colon")
    assert StreamFramer().feed(broken + EMPTY) == [broken, EMPTY]


@pytest.mark.parametrize("data", [b"\rX", b"x" * (MAX_MESSAGE + 1), b"A: b\r\n" * (MAX_MESSAGE // 6 + 1)])
def test_a_stream_that_never_becomes_a_message_is_lost(data: bytes) -> None:
    framer = StreamFramer()

    def feed() -> None:
        for begin in range(0, len(data), 1000):
            framer.feed(data[begin : begin + 1000])

    with pytest.raises(MessageError):
        feed()


def test_the_largest_message_passes() -> None:
    head = options("l: 00000", without="Content-Length")
    body = b"x" * (MAX_MESSAGE - len(head))
    message = head.replace(b"00000", str(len(body)).encode()) + body
    assert len(message) == MAX_MESSAGE
    assert StreamFramer().feed(message) == [message]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.binary(max_size=40) | st.sampled_from([EMPTY, b"\r\n", b"l: 3", b"\n\n"]), max_size=10))
def test_any_octets_are_framed_or_refused(pieces: list[bytes]) -> None:
    framer = StreamFramer()
    try:
        for piece in pieces:
            for frame in framer.feed(piece):
                assert isinstance(frame, KeepAlive) or len(frame) <= MAX_MESSAGE
    except MessageError as error:
        with pytest.raises(MessageError, match="^" + str(error).split("(", maxsplit=1)[0]):
            framer.feed(b"")


@pytest.mark.parametrize("piece", ["A: b\r\n", "\r\n", "\r\n ", "x", "\n", "OPTIONS sip:a SIP/2.0\r\nl: 0\r\n\r\n"])
def test_a_stream_in_small_pieces_takes_linear_time(piece: str) -> None:
    def work(text: str) -> None:
        framer = StreamFramer()
        data = text.encode()
        for begin in range(0, len(data), 64):
            framer.feed(data[begin : begin + 64])

    assert growth(work, lambda size: piece * (size // len(piece))) < LINEAR
