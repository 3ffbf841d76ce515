"""The RIFF header of a WAV file with plain PCM, read from and written to a stream of bytes."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

PCM: Final = 1
UNKNOWN_SIZE: Final = 0xFFFFFFFF
LONGEST_HEADER: Final = 64 * 1024

_OVERHEAD: Final = 36
LARGEST_SIZE: Final = UNKNOWN_SIZE - _OVERHEAD
"""Octets of PCM whose number a header can tell."""

_RIFF: Final = struct.Struct("<4sI4s")
_CHUNK: Final = struct.Struct("<4sI")
_FORMAT: Final = struct.Struct("<HHIIHH")


@dataclass(frozen=True, slots=True)
class WavFormat:
    """PCM as a header tells it; `size` in bytes is None where the writer did not know it (a stream)."""

    sample_rate: int
    channels: int
    bits: int
    size: int | None


def read_wav_header(read: Callable[[int], bytes]) -> WavFormat | None:
    """Read up to the first sample; None where this is no WAV file or one of other than plain PCM.

    `read` is asked for exact numbers of bytes and may give less at the end only.
    """
    opening = read(_RIFF.size)
    if len(opening) < _RIFF.size or opening[:4] != b"RIFF" or opening[8:] != b"WAVE":
        return None
    found: tuple[int, int, int] | None = None
    left = LONGEST_HEADER
    while len(head := read(_CHUNK.size)) == _CHUNK.size:
        name, size = _CHUNK.unpack(head)
        if name == b"data":
            return WavFormat(*found, None if size in (0, UNKNOWN_SIZE) else size) if found else None
        left -= size + size % 2
        if left < 0:
            return None
        body = read(size + size % 2)
        if name == b"fmt ":
            found = _plain_format(body)
            if found is None:
                return None
    return None


def _plain_format(body: bytes) -> tuple[int, int, int] | None:
    """Return rate, channels and bits of a format chunk that says PCM."""
    if len(body) < _FORMAT.size:
        return None
    tag, channels, rate, _, _, bits = _FORMAT.unpack_from(body)
    if tag != PCM or not 1 <= channels <= 8 or not 1000 <= rate <= 384000 or bits not in (8, 16, 24, 32):
        return None
    return rate, channels, bits


def write_wav_header(sample_rate: int, channels: int, size: int | None) -> bytes:
    """Return the 44 bytes before `size` bytes of PCM of 16 bits; None and more than 4 GB are written as unknown."""
    if size is None or size > LARGEST_SIZE:
        size = UNKNOWN_SIZE
    block = 2 * channels
    return (
        _RIFF.pack(b"RIFF", min(_OVERHEAD + size, UNKNOWN_SIZE), b"WAVE")
        + _CHUNK.pack(b"fmt ", _FORMAT.size)
        + _FORMAT.pack(PCM, channels, sample_rate, sample_rate * block, block, 16)
        + _CHUNK.pack(b"data", size)
    )
