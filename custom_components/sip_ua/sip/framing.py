"""Messages and keep-alives cut out of a stream of octets (RFC 3261 section 18.3, RFC 5626 section 3.5.1)."""

from enum import Enum, auto
from typing import Final

from .errors import MessageError
from .grammar import MAX_MESSAGE
from .headers import Headers
from .parser import find_head_end, parse_content_length, read_head

PING: Final = b"\r\n\r\n"
"""What keeps a connection alive, and asks for `PONG`."""
PONG: Final = b"\r\n"

# How much of an empty line may be there already when more arrives.
_OVERLAP: Final = 2
_LINE_END_OCTETS: Final = (b"\r", b"\n")
# How many bare line feeds are passed over at once.
_RUN: Final = 256


class KeepAlive(Enum):
    """Empty lines between messages."""

    PING = auto()
    PONG = auto()


class StreamFramer:
    """Cuts one connection's octets into messages by their Content-Length.

    Holds at most one message that is not complete. A stream in which the next message cannot be found is lost:
    every `feed` raises MessageError from then on, and the connection has to be closed.
    """

    __slots__ = ("_buffer", "_length", "_lost", "_searched")

    def __init__(self) -> None:
        """Begin with an empty stream."""
        self._buffer = bytearray()
        self._searched = 0
        self._length: int | None = None  # of the message at the head of the buffer, once that is known
        self._lost: MessageError | None = None

    def feed(self, data: bytes) -> list[bytes | KeepAlive]:
        """Take octets as they arrived, return what they complete.

        Several pings, or pongs, in a row are told as one; a ping is one only where it arrives in one piece. Raises
        MessageError where the stream is lost, by the next call if this one has something to return.
        """
        if self._lost:
            raise self._lost
        self._buffer += data
        found: list[bytes | KeepAlive] = []
        try:
            while (frame := self._next()) is not None:
                if isinstance(frame, bytes) or frame not in found[-1:]:
                    found.append(frame)
        except MessageError as err:
            self._lost = err
            self._buffer.clear()
            if not found:
                raise
        return found

    def _next(self) -> bytes | KeepAlive | None:
        buffer = self._buffer
        if self._length is None:
            if buffer.startswith(_LINE_END_OCTETS):
                return self._skip_empty_lines()
            ends = find_head_end(buffer, self._searched)
            if ends is None:
                self._searched = max(0, len(buffer) - _OVERLAP)
                if len(buffer) > MAX_MESSAGE:
                    raise MessageError("a message that is too large", 513)
                return None
            self._length = self._measure(*ends)
        if len(buffer) < self._length:
            return None
        frame = bytes(buffer[: self._length])
        del buffer[: self._length]
        self._searched = 0
        self._length = None
        return frame

    def _skip_empty_lines(self) -> KeepAlive | None:
        buffer = self._buffer
        if buffer.startswith(b"\n"):
            head = buffer[:_RUN]
            del buffer[: len(head) - len(head.lstrip(b"\n"))]
            return KeepAlive.PONG
        for lines, kind in ((PING, KeepAlive.PING), (PONG, KeepAlive.PONG)):
            if buffer.startswith(lines):
                del buffer[: len(lines)]
                return kind
        if len(buffer) > 1:
            raise MessageError("a CR without its LF between messages")
        return None

    def _measure(self, end: int, body: int) -> int:
        """Return the length of the whole message."""
        headers = Headers.from_wire(read_head(bytes(self._buffer[:end])).fields)
        length = headers.typed("Content-Length", parse_content_length)
        if length is None:
            raise MessageError("a message without Content-Length in a stream")
        if body + length > MAX_MESSAGE:
            raise MessageError("a message that is too large", 513)
        return body + length
