"""What a final answer means to the person who placed the call (RFC 3261 section 21, RFC 3326, ITU-T Q.850)."""

from .events import CallOutcome
from .headers import Headers
from .text import clean_text

# Codes with a meaning of their own; the rest go by their class.
_OUTCOME_BY_STATUS: dict[int, CallOutcome] = {
    403: CallOutcome.DECLINED,
    404: CallOutcome.UNREACHABLE,
    408: CallOutcome.NO_ANSWER,
    410: CallOutcome.UNREACHABLE,
    480: CallOutcome.NO_ANSWER,
    484: CallOutcome.UNREACHABLE,
    485: CallOutcome.UNREACHABLE,
    486: CallOutcome.BUSY,
    487: CallOutcome.CANCELLED,
    502: CallOutcome.UNREACHABLE,
    503: CallOutcome.UNREACHABLE,
    504: CallOutcome.UNREACHABLE,
    600: CallOutcome.BUSY,
    603: CallOutcome.DECLINED,
    604: CallOutcome.UNREACHABLE,
    607: CallOutcome.DECLINED,
    608: CallOutcome.DECLINED,
}

ANSWERED_ELSEWHERE = "answered elsewhere"
_COMPLETED_ELSEWHERE_CAUSE = "200"


def outcome_of(status: int) -> CallOutcome:
    """Return what a final answer of 300 or above to an INVITE means."""
    return _OUTCOME_BY_STATUS.get(status, CallOutcome.FAILED)


def reason_of(headers: Headers) -> str:
    """Return the text of the Reason header fields, "" where there is none (RFC 3326).

    A call that another phone took (cause 200) reads `ANSWERED_ELSEWHERE`, whatever text came with it.
    """
    text = ""
    for value in headers.split("Reason"):
        protocol, *params = (part.strip() for part in value.split(";"))
        pairs = dict(part.partition("=")[::2] for part in params[:8])
        if protocol.lower() == "sip" and pairs.get("cause", "").strip() == _COMPLETED_ELSEWHERE_CAUSE:
            return ANSWERED_ELSEWHERE
        text = text or clean_text(pairs.get("text", "").strip().strip('"'))
    return text
