"""Errors of the runtime, in the one tree of `sip.errors`, so that a caller has a single base to catch."""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, override

from ..sip.errors import SipError
from ..sip.events import RegistrationFailure


class MachineFault(StrEnum):
    """What this machine, or the program itself, does not give the telephone.

    The details of `NO_PORT` are the bounds `first` and `last`, of `NO_ADDRESS` the `address`, of `PORT_IN_USE` the
    `local_port`. `VOICE_ENDED`: the voice of a call is over. `VOICE_FAILED`: it broke down. `VOICES_STUCK`: that of no
    call is sent.
    """

    NO_PORT = "no_port"
    NO_ADDRESS = "no_address"
    PORT_IN_USE = "port_in_use"
    VOICE_ENDED = "voice_ended"
    VOICE_FAILED = "voice_failed"
    VOICES_STUCK = "voices_stuck"


class NoPortError(SipError):
    """No even RTP port with an odd RTCP port after it is free in the range of the account (RFC 3550 section 11)."""

    fault = MachineFault.NO_PORT

    def __init__(self, bind_address: str, first: int, last: int) -> None:
        """Name the address and the inclusive bounds of the range."""
        super().__init__(f"no pair of free UDP ports on {bind_address} between {first} and {last}")
        self.bind_address = bind_address
        self.first = first
        self.last = last

    @property
    @override
    def details(self) -> Mapping[str, str]:
        return {"first": str(self.first), "last": str(self.last)}


class MediaStoppedError(SipError):
    """The media thread is gone or does not answer, or the stream is closed."""

    def __init__(self, text: str, fault: MachineFault = MachineFault.VOICES_STUCK) -> None:
        """Say whether that is one voice, or all."""
        super().__init__(text)
        self.fault: MachineFault = fault


class AudioFault(StrEnum):
    """What is wrong with a sound that cannot be played.

    `NO_SOUND`: it is no sound, or of a kind that nobody knows. `EMPTY`: there is nothing in it. `UNREADABLE`: a file
    that cannot be opened. `UNREACHABLE`: an address that gives nothing. `TIMED_OUT`: it gave nothing for too long.
    `ENGINE`: the one who speaks failed. `BROKEN`: it breaks off. `TOO_MANY`: there are too many of them at once.
    `TOO_LONG`: it is too long to be kept for being repeated. `OTHER`: anything else, as the text says.
    """

    NO_SOUND = "no_sound"
    EMPTY = "empty"
    UNREADABLE = "unreadable"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"
    ENGINE = "engine"
    BROKEN = "broken"
    TOO_MANY = "too_many"
    TOO_LONG = "too_long"
    OTHER = "other"


class AudioError(SipError):
    """A sound that cannot be played; the text says why, for logs, and `fault` for people."""

    def __init__(self, text: str, fault: AudioFault = AudioFault.OTHER) -> None:
        """Say why."""
        super().__init__(text)
        self.fault: AudioFault = fault


class RecordingFault(StrEnum):
    """Why a recording broke off or did not begin."""

    DISK_FULL = "disk_full"
    NOT_WRITABLE = "not_writable"
    NO_FOLDER = "no_folder"
    OUTSIDE = "outside"
    NAMES_TAKEN = "names_taken"
    NO_ENCODER = "no_encoder"
    REMOVED = "removed"
    TOO_LONG = "too_long"
    TOO_SLOW = "too_slow"
    FAILED = "failed"


class RecordingError(SipError):
    """A recording that cannot be written; the text says why, for logs, and `fault` for people."""

    def __init__(self, fault: RecordingFault, text: str) -> None:
        """Keep the kind of fault beside the text."""
        super().__init__(text)
        self.fault: RecordingFault = fault


class LocalPortInUseError(SipError):
    """Another program has the SIP port that the account asks for, or the system forbids it."""

    fault = MachineFault.PORT_IN_USE

    def __init__(self, port: int) -> None:
        """Name the port."""
        super().__init__(f"the SIP port {port} of this machine is in use")
        self.port = port

    @property
    @override
    def details(self) -> Mapping[str, str]:
        return {"local_port": str(self.port)}


class LocalAddressError(SipError):
    """The address to bind to is not, or not yet, one of this machine."""

    fault = MachineFault.NO_ADDRESS

    def __init__(self, address: str) -> None:
        """Name the address."""
        super().__init__(f"{address} is no address of this machine")
        self.address = address

    @property
    @override
    def details(self) -> Mapping[str, str]:
        return {"address": self.address}


class ResolutionError(SipError):
    """A server whose address cannot be found (RFC 3263); the text is for logs, `place` is what was looked for."""

    failure: ClassVar[RegistrationFailure] = RegistrationFailure.NAME_NOT_FOUND
    """What that means for a registration."""

    def __init__(self, name: str, text: str) -> None:
        """Keep the name beside the text."""
        super().__init__(text)
        self.name = self.place = name


class NoRouteError(ResolutionError):
    """A server whose address is known, but to which no network of this machine leads."""

    failure = RegistrationFailure.NO_ROUTE

    def __init__(self, name: str, host: str) -> None:
        """Name the server and its numeric address."""
        super().__init__(name, f"this machine has no way to {host}")
        self.place = host
