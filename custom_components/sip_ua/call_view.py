"""How calls are shown to Home Assistant: which of several, and what is told of one in events and answers."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from homeassistant.util import dt as dt_util

from .const import ATTR_CALL_ID, CallEventType
from .sip.events import (
    CallOutcome,
    CallSnapshot,
    CallState,
    CallStep,
    DigitReceived,
    MediaChanged,
    MessagesWaiting,
    Party,
    RegistrationChanged,
    TransferProgress,
)

# Which of several calls a person wants to see: one that rings here before one that talks, a held one last.
_RANK: dict[CallState, int] = {
    CallState.RINGING: 6,
    CallState.TALKING: 5,
    CallState.EARLY: 4,
    CallState.ALERTING: 3,
    CallState.DIALING: 2,
    CallState.REMOTE_HELD: 1,
    CallState.HELD: 0,
    CallState.ENDED: -1,
}

# Which of several calls is hung up: the one that a person is in before one that is placed, one that only rings last.
_HANG_UP_RANK: dict[CallState, int] = {
    CallState.TALKING: 4,
    CallState.EARLY: 3,
    CallState.ALERTING: 3,
    CallState.DIALING: 3,
    CallState.REMOTE_HELD: 2,
    CallState.HELD: 1,
    CallState.RINGING: 0,
    CallState.ENDED: -1,
}

STATUS_OK = 200

_CONNECTED = frozenset({CallState.TALKING, CallState.HELD, CallState.REMOTE_HELD})


def most_relevant(calls: Iterable[CallSnapshot]) -> CallSnapshot | None:
    """Return the call to show: the most urgent state, and the newest of those; None where there is no call."""
    shown: CallSnapshot | None = None
    for call in calls:
        if shown is None or relevance(call) >= relevance(shown):
            shown = call
    return shown


def relevance(call: CallSnapshot) -> tuple[int, float]:
    """Return by what calls are ordered: the one with the greatest value is the one to show."""
    return _RANK[call.state], call.started_at


def first_to_hang_up(call: CallSnapshot) -> tuple[int, float]:
    """Return by what calls are ordered for somebody who hangs up: the one with the greatest value is meant."""
    return _HANG_UP_RANK[call.state], call.started_at


def newest(calls: Iterable[CallSnapshot]) -> CallSnapshot | None:
    """Return the call that began last."""
    return max(calls, key=lambda call: call.started_at, default=None)


def is_connected(call: CallSnapshot) -> bool:
    """Return whether a call has been answered and goes on, held or not."""
    return call.state in _CONNECTED


def is_audible(call: CallSnapshot) -> bool:
    """Return whether the other side of a call can hear us: it has been answered, or has early media."""
    return is_connected(call) or call.state is CallState.EARLY


def can_be_played_to(call: CallSnapshot) -> bool:
    """Return whether a call may have a sound, at once or from the answer on: not one that rings here."""
    return call.state is not CallState.ENDED and call.state is not CallState.RINGING


def transition(before: CallSnapshot | None, call: CallSnapshot) -> CallEventType | None:
    """Return what a person would call the change of a call's state.

    None where there is nothing to tell, or where an event of its own tells it: `IncomingCall`, `CallEnded`.
    """
    if before is not None and before.state is call.state:
        return None
    match call.state:
        case CallState.DIALING:
            return CallEventType.OUTGOING
        case CallState.ALERTING:
            return CallEventType.RINGING
        case CallState.EARLY:
            return CallEventType.EARLY_MEDIA
        case CallState.TALKING:
            return CallEventType.RESUMED if before and is_connected(before) else CallEventType.ANSWERED
        case CallState.HELD:
            return CallEventType.HELD
        case CallState.REMOTE_HELD:
            return CallEventType.REMOTE_HELD
        case CallState.RINGING | CallState.ENDED:
            return None


def wall_clock(moment: float | None, now: float) -> datetime | None:
    """Return the time of day of a monotonic clock reading; `now` is that clock's reading of this moment."""
    return None if moment is None else dt_util.utcnow() + timedelta(seconds=moment - now)


def call_data(call: CallSnapshot) -> dict[str, Any]:
    """Return what every event and answer says of a call."""
    return person_data(call) | {"sip_call_id": call.sip_call_id, "state": str(call.state)}


def person_data(call: CallSnapshot) -> dict[str, Any]:
    """Return what people are told of a call beside its state."""
    remote = call.remote
    return {
        ATTR_CALL_ID: call.id,
        "direction": str(call.direction),
        "name": remote.name,
        "number": remote.number,
        "uri": remote.uri,
        "called": call.called,
        "encrypted": call.encrypted,
    }


def outcome_data(call: CallSnapshot) -> dict[str, Any]:
    """Return how a call went so far: outcome, final answer, who ended or answered it, and durations in seconds.

    The final answer of an answered call is 200 OK, unless the core knows why the call broke; a reason that the
    far end gave for its end stands in place of "OK" (RFC 3326).
    """
    ended_at = call.ended_at
    rung_until = call.answered_at or ended_at
    outcome, code, reason = call.outcome, call.code, call.reason
    if outcome is None and is_connected(call):
        outcome = CallOutcome.ANSWERED
    if outcome is CallOutcome.ANSWERED and not code:
        code, reason = STATUS_OK, reason or "OK"
    return {
        "outcome": outcome.value if outcome else None,
        "code": code,
        "reason": reason,
        "ended_by": call.ended_by.value if call.ended_by else None,
        "answered_by": (call.answered_by.number or call.answered_by.uri) if call.answered_by else None,
        "ring_duration": _seconds(call.ringing_at, rung_until),
        "talk_duration": _seconds(call.answered_at, ended_at),
    }


def digit_data(event: DigitReceived) -> dict[str, Any]:
    """Return a key that the far end pressed; duration in milliseconds."""
    return {"digit": event.digit, "duration": event.duration, "method": event.method.value}


def step_data(event: CallStep) -> dict[str, Any]:
    """Return one step of the call progression, with its time and the seconds since the call began."""
    return {
        "step": event.step.value,
        "sent": event.sent,
        "code": event.code,
        "reason": event.reason,
        "time": dt_util.utcnow().isoformat(timespec="milliseconds"),
        "elapsed": round(event.at - event.call.started_at, 4),
    }


@dataclass(frozen=True, slots=True)
class Voice:
    """How the voice of a call is coded, and the address and port that it goes to."""

    codec: str
    clock_rate: int
    peer: str


def voice_of(event: MediaChanged) -> Voice | None:
    """Return what the voice of a call is from now on, None where it stopped."""
    if (media := event.media) is None:
        return None
    return Voice(media.codec.name, media.codec.clock_rate, f"{media.remote_address} {media.remote_port}")


def media_data(event: MediaChanged) -> dict[str, Any]:
    """Return what the voice of a call is from now on; None where it stopped."""
    media = event.media
    return {
        "codec": media.codec.name if media else None,
        "clock_rate": media.codec.clock_rate if media else None,
        "sends": bool(media and media.direction.sends),
        "receives": bool(media and media.direction.receives),
    }


def replaced_data(previous: Party) -> dict[str, Any]:
    """Return who was at the other side of a call before."""
    return {"previous_name": previous.name, "previous_number": previous.number}


def transfer_data(event: TransferProgress) -> dict[str, Any]:
    """Return to whom a transfer of ours leads, and the answer of the target or the refusal of the other side."""
    return {"target": event.target, "code": event.code, "reason": event.reason}


def messages_data(messages: MessagesWaiting) -> dict[str, Any]:
    """Return what waits in the voice mail box; None where the box does not count."""
    return {
        "waiting": messages.waiting,
        "new": messages.new,
        "old": messages.old,
        "new_urgent": messages.new_urgent,
        "old_urgent": messages.old_urgent,
        "mail_box": messages.account,
    }


def has_new_message(before: MessagesWaiting | None, now: MessagesWaiting) -> bool:
    """Return whether a message came in; what waits already when the phone is switched on is none."""
    if before is None:
        return False
    if before.new is None or now.new is None:
        return now.waiting and not before.waiting
    return now.new > before.new


def registration_data(
    status: RegistrationChanged, expires: datetime | None, next_attempt: datetime | None
) -> dict[str, Any]:
    """Return what is told of the registration; its times as times of day."""
    return {
        "state": status.state.value,
        "code": status.code,
        "reason": status.reason,
        "failure": status.failure.value if status.failure else None,
        "failures": status.failures,
        "detail": status.detail,
        "expires_at": expires.isoformat(timespec="seconds") if expires else None,
        "next_attempt_at": next_attempt.isoformat(timespec="seconds") if next_attempt else None,
    }


def _seconds(start: float | None, end: float | None) -> float | None:
    """Return the seconds between two clock readings, None where one of them is not there."""
    return round(max(end - start, 0.0), 3) if start is not None and end is not None else None
