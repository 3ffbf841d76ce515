"""The files of recordings: WAV whose header is always right, and Opus in Ogg (RFC 7845), playable wherever they end."""

import contextlib
import errno
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from .audio_pipe import SAMPLE_BYTES
from .errors import RecordingError, RecordingFault
from .recording_order import RecordingFormat, RecordingOrder
from .resample import little_endian, load_pyav
from .wav_header import LARGEST_SIZE, write_wav_header

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

SAME_NAMES: Final = 99
"""How many files may have one name but for a number behind it."""

OPUS_RATES: Final = (8000, 12000, 16000, 24000, 48000)
OPUS_BIT_RATES: Final = {1: 32_000, 2: 64_000}
"""By the number of channels: speech, with hardly anything lost of it."""

OGG_OPTIONS: Final = {"flush_packets": "1", "page_duration": "1000000"}
"""Each second is on the disk at once, and no more than that is lost with the power."""

_FAULTS: Final = {
    errno.ENOSPC: RecordingFault.DISK_FULL,
    errno.EDQUOT: RecordingFault.DISK_FULL,
    errno.EFBIG: RecordingFault.DISK_FULL,
    errno.EACCES: RecordingFault.NOT_WRITABLE,
    errno.EPERM: RecordingFault.NOT_WRITABLE,
    errno.EROFS: RecordingFault.NOT_WRITABLE,
    errno.ENOENT: RecordingFault.NOT_WRITABLE,
    errno.ENOTDIR: RecordingFault.NOT_WRITABLE,
    errno.ELOOP: RecordingFault.NOT_WRITABLE,
    errno.ENAMETOOLONG: RecordingFault.NOT_WRITABLE,
}


class SoundFile(Protocol):
    """What a recorder writes to; `finish` makes the file whole, also after an error."""

    def write(self, pcm: bytes) -> None:
        """Append whole samples of every channel."""

    def finish(self) -> None:
        """Make the file whole."""


def create(order: RecordingOrder) -> tuple[Path, io.FileIO]:
    """Open the file of a recording and return its path; raises OSError and `RecordingError`."""
    path = order.path
    if order.root is None:
        return path, io.FileIO(path, "w")
    root = order.root.resolve()
    # Resolved before anything is made: a link must not lead out of the root.
    folder = path.parent.resolve()
    if not folder.is_relative_to(root):
        raise RecordingError(RecordingFault.OUTSIDE, f"{path.parent} is outside of {order.root}")
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, SAME_NAMES + 1):
        chosen = folder / (path.name if number == 1 else f"{path.stem} ({number}){path.suffix}")
        with contextlib.suppress(FileExistsError):
            return path.with_name(chosen.name), io.FileIO(chosen, "x")
    raise RecordingError(RecordingFault.NAMES_TAKEN, f"there are {SAME_NAMES} recordings named {path.name}")


def fault_of(error: Exception) -> RecordingFault:
    """Return what kind of fault an error is."""
    if isinstance(error, RecordingError):
        return error.fault
    if isinstance(error, OSError) and error.errno is not None:
        return _FAULTS.get(error.errno, RecordingFault.FAILED)
    return RecordingFault.FAILED


def check_encoder(file_format: RecordingFormat) -> None:
    """Raise `RecordingError` where this machine cannot write the format; may take long, as it loads PyAV."""
    if file_format is RecordingFormat.WAV:
        return
    try:
        load_pyav()
        from av.codec import Codec  # noqa: PLC0415 - loaded in a worker thread, by those who need it

        Codec("libopus", "w")
    except (ImportError, ValueError, OSError) as error:
        raise RecordingError(RecordingFault.NO_ENCODER, "this machine has no encoder for Opus") from error


def open_sound(file: io.FileIO, file_format: RecordingFormat, rate: int, channels: int) -> SoundFile:
    """Begin a file of sound; its rate is at best `rate` Hz, see `file_rate`."""
    kind = WavFile if file_format is RecordingFormat.WAV else OpusFile
    return kind(file, rate, channels)


def file_rate(file_format: RecordingFormat, rate: int) -> int:
    """Return the sample rate at which sound of `rate` Hz is written."""
    return rate if file_format is RecordingFormat.WAV or rate in OPUS_RATES else OPUS_RATES[-1]


class Disk:
    """A file that takes all or nothing of what is written; after its first error it takes nothing more."""

    def __init__(self, file: io.FileIO) -> None:
        """Write to the end of an unbuffered file."""
        self._file = file
        self._size = 0
        self._error: OSError | None = None

    def write(self, data: bytes) -> int:
        """Append; what does not fit is taken away again, and the error raised by `check`."""
        if self._error is None:
            try:
                self._append(data)
            except OSError as error:
                self._error = error
                with contextlib.suppress(OSError):
                    self._file.truncate(self._size)
            else:
                self._size += len(data)
        return len(data)

    def _append(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) or 0 :]

    def rewrite(self, data: bytes) -> None:
        """Put other octets at the beginning, where there is room already."""
        os.pwrite(self._file.fileno(), data, 0)

    def check(self) -> None:
        """Raise the first error of writing, or that somebody has removed the file."""
        if self._error is not None:
            raise self._error
        if not os.fstat(self._file.fileno()).st_nlink:
            raise RecordingError(RecordingFault.REMOVED, "the file was removed")


class WavFile:
    """PCM behind a header that tells the length every second."""

    def __init__(self, file: io.FileIO, rate: int, channels: int) -> None:
        """Write the header."""
        self._disk = Disk(file)
        self._rate = rate
        self._channels = channels
        self._size = 0
        self._told = 0
        self._disk.write(write_wav_header(rate, channels, None))
        self._disk.check()

    def write(self, pcm: bytes) -> None:
        """Append samples."""
        if self._size + len(pcm) > LARGEST_SIZE:
            raise RecordingError(RecordingFault.TOO_LONG, "a WAV file cannot be longer than 4 GB")
        self._disk.write(pcm)
        self._disk.check()
        self._size += len(pcm)
        if self._size - self._told >= SAMPLE_BYTES * self._channels * self._rate:
            self.finish()

    def finish(self) -> None:
        """Tell the length in the header."""
        self._told = self._size
        self._disk.rewrite(write_wav_header(self._rate, self._channels, self._size))


class OpusFile:
    """Opus in Ogg, coded by PyAV."""

    def __init__(self, file: io.FileIO, rate: int, channels: int) -> None:
        """Open the encoder; `rate` is one of Opus."""
        import av  # noqa: PLC0415 - loaded in a worker thread, by those who need it

        self._disk = Disk(file)
        self._layout = "stereo" if channels == 2 else "mono"
        self._frame_bytes = SAMPLE_BYTES * channels
        self._rate = rate
        self._samples = 0
        self._container = av.open(self._disk, "w", format="ogg", container_options=OGG_OPTIONS)
        self._stream = self._container.add_stream("libopus", rate=rate, layout=self._layout)
        self._stream.bit_rate = OPUS_BIT_RATES[channels]
        self._stream.codec_context.options = {"application": "voip"}

    def write(self, pcm: bytes) -> None:
        """Append samples."""
        if pcm:
            self._encode(self._frame(pcm))
            self._disk.check()

    def finish(self) -> None:
        """Write what the encoder holds back, and the last page; without any sound there would be no header either."""
        if not self._samples:
            self.write(bytes(self._frame_bytes * self._rate // 50))
        self._encode(None)
        self._container.close()
        self._disk.check()

    def _encode(self, frame: AudioFrame | None) -> None:
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def _frame(self, pcm: bytes) -> AudioFrame:
        """Wrap samples as PyAV has them."""
        from av.audio.frame import AudioFrame  # noqa: PLC0415 - as above

        samples = len(pcm) // self._frame_bytes
        frame = AudioFrame(format="s16", layout=self._layout, samples=samples)
        frame.sample_rate = self._rate
        frame.pts = self._samples
        frame.planes[0].update(little_endian(pcm))
        self._samples += samples
        return frame
