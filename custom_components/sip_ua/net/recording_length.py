"""How long a recording is, read from a few octets of its file: WAV and Opus in Ogg (RFC 7845)."""

import struct
from pathlib import Path
from typing import BinaryIO, Final

from .audio_pipe import SAMPLE_BYTES
from .wav_header import read_wav_header

OPUS_CLOCK: Final = 48000
"""Hz in which Ogg counts Opus, whatever the rate of its sound (RFC 7845 section 4)."""

LONGEST_PAGE: Final = 65307
_PAGE: Final = struct.Struct("<4sBBq")
_PRE_SKIP: Final = struct.Struct("<8sBBH")


def length_of(path: Path) -> float | None:
    """Return the length in seconds; None for a file that is no recording or cannot be read. Blocks."""
    try:
        with path.open("rb") as file:
            return _ogg_length(file) if path.suffix == ".ogg" else _wav_length(file)
    except OSError, struct.error:
        return None


def _wav_length(file: BinaryIO) -> float | None:
    header = read_wav_header(file.read)
    if header is None:
        return None
    size = header.size
    if size is None:
        begin = file.tell()
        size = file.seek(0, 2) - begin
    return size / (SAMPLE_BYTES * header.channels * header.sample_rate)


def _ogg_length(file: BinaryIO) -> float | None:
    """Return the position of the last page less what is skipped at the beginning (section 4.2)."""
    head = file.read(LONGEST_PAGE)
    identity = head.find(b"OpusHead")
    if not head.startswith(b"OggS") or identity < 0:
        return None
    skipped: int = _PRE_SKIP.unpack_from(head, identity)[3]
    end = file.seek(0, 2)
    file.seek(max(0, end - LONGEST_PAGE))
    tail = file.read(LONGEST_PAGE)
    at = tail.rfind(b"OggS")
    while at >= 0:
        if len(tail) - at >= _PAGE.size:
            position: int = _PAGE.unpack_from(tail, at)[3]
            # A page in which no packet ends has no position.
            if position >= 0:
                return max(0, position - skipped) / OPUS_CLOCK
        at = tail.rfind(b"OggS", 0, at)
    return None
