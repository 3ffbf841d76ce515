"""DTMF digits in INFO requests: application/dtmf-relay and application/dtmf (de facto formats over RFC 6086)."""

from .message import Request

DTMF_RELAY = "application/dtmf-relay"
DTMF = "application/dtmf"
DIGITS = "0123456789*#ABCD"
DEFAULT_DURATION = 250
LONGEST_DURATION = 10_000
MAX_BODY = 256
_BY_EVENT = {str(number): digit for number, digit in enumerate(DIGITS)}


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
