"""DTMF digits in INFO requests: application/dtmf-relay and application/dtmf (de facto formats over RFC 6086)."""

from typing import Final

from .errors import LocalFault, LocalProtocolError
from .message import Request

DTMF_RELAY = "application/dtmf-relay"
DTMF = "application/dtmf"
DIGITS = "0123456789*#ABCD"
DEFAULT_DURATION = 250
LONGEST_DURATION = 10_000
MAX_BODY = 256
MAX_DIGITS: Final = 64
PAUSE: Final = ","
PAUSE_MS: Final = 1000
_BY_EVENT = {str(number): digit for number, digit in enumerate(DIGITS)}


def check_digits(digits: str) -> str:
    """Return digits and pauses in upper case; raises LocalProtocolError for anything else, and for too many."""
    wanted = digits.upper()
    if not 1 <= len(wanted) <= MAX_DIGITS or not set(wanted) <= {*DIGITS, PAUSE}:
        raise LocalProtocolError(
            f"not 1 to {MAX_DIGITS} digits out of 0-9 * # A-D and comma", LocalFault.WRONG_DIGITS, limit=str(MAX_DIGITS)
        )
    return wanted


def write_dtmf(kind: str, digit: str, duration_ms: int) -> bytes:
    """Return the body of a content type for one digit; application/dtmf has no duration."""
    text = f"Signal={digit}\r\nDuration={duration_ms}\r\n" if kind == DTMF_RELAY else digit
    return text.encode()


def parse_dtmf(request: Request) -> tuple[str, int] | None:
    """Return the digit and its duration in milliseconds, None where the body holds none."""
    kind = request.content_type
    if kind not in {DTMF_RELAY, DTMF} or len(request.body) > MAX_BODY:
        return None
    text = request.body.decode("ascii", "replace")
    fields = {"signal": text.strip(), "duration": ""}
    if kind == DTMF_RELAY:
        fields = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition("=") for line in text.splitlines())
        }
    signal = fields.get("signal", "").upper()
    digit = signal if len(signal) == 1 and signal in DIGITS else _BY_EVENT.get(signal)
    if digit is None:
        return None
    duration = fields.get("duration", "")
    length = int(duration) if duration.isdecimal() and len(duration) < 6 else DEFAULT_DURATION
    return digit, min(length, LONGEST_DURATION)
