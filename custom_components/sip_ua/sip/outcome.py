"""What a final answer means to the person who placed the call (RFC 3261 section 21, RFC 3326, ITU-T Q.850)."""

from .events import CallOutcome
from .grammar import quote, split_params, unquote
from .headers import Headers
from .reasons import REASON_PHRASES
from .sdp import decimal
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
_COMPLETED_ELSEWHERE = {("sip", 200), ("q.850", 26)}
_MAX_CAUSE = 699
_MAX_PARAMS = 8
# What the causes of the telephone network mean that a person meets; that of an ordinary hang-up says nothing.
_Q850: dict[int, str] = {
    1: "number not assigned",
    3: "no route to destination",
    17: "user busy",
    18: "no user responding",
    19: "no answer",
    20: "subscriber absent",
    21: "call rejected",
    22: "number changed",
    27: "destination out of order",
    28: "invalid number",
    34: "no circuit available",
    38: "network out of order",
    41: "temporary failure",
    42: "switching equipment congestion",
    57: "not authorized",
    88: "incompatible destination",
    102: "recovery on timer expiry",
}
NO_ANSWER_REASON = f'Q.850;cause=19;text="{_Q850[19]}"'
"""The Reason header field of a call that rang too long."""


def outcome_of(status: int) -> CallOutcome:
    """Return what a final answer of 300 or above to an INVITE means."""
    return _OUTCOME_BY_STATUS.get(status, CallOutcome.FAILED)


def sip_reason(code: int, text: str) -> str:
    """Return the value of a Reason header field of ours."""
    return f"SIP;cause={code};text={quote(clean_text(text))}"


def reason_of(headers: Headers) -> str:
    """Return the text of the Reason header fields, or what their cause means; "" where there is none (RFC 3326).

    A call that another phone took reads `ANSWERED_ELSEWHERE`, whatever text came with it.
    """
    text = ""
    for value in headers.split("Reason"):
        protocol, *params = (part.strip() for part in split_params(value)[: _MAX_PARAMS + 1])
        protocol = protocol.lower()
        pairs: dict[str, str] = {}
        for param in params:
            name, _, content = param.partition("=")
            pairs.setdefault(name.rstrip().lower(), unquote(content.strip()))
        cause = decimal(pairs.get("cause", ""), _MAX_CAUSE) or 0
        if (protocol, cause) in _COMPLETED_ELSEWHERE:
            return ANSWERED_ELSEWHERE
        text = text or clean_text(pairs.get("text", "")) or _meaning(protocol, cause)
    return text


def _meaning(protocol: str, cause: int) -> str:
    if protocol == "q.850":
        return _Q850.get(cause, "")
    return REASON_PHRASES.get(cause, "") if protocol == "sip" else ""
