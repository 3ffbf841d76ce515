"""What is kept of a call that is over: the other side, how it went, its ladder and how it sounded."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final, Self

import voluptuous as vol
from homeassistant.util import dt as dt_util

from .call_view import outcome_data, wall_clock
from .sip.events import (
    CallDirection,
    CallOutcome,
    CallSnapshot,
    CallState,
    CallStep,
    EndedBy,
    LadderStep,
    Party,
)

STEPS_MAX: Final = 32
TEXT_MAX: Final = 128
URI_MAX: Final = 256
YEARS: Final = range(2000, 2200)
VOICE: Final = "voice"
"""The step of the ladder at which both sides hear each other; it is no message."""

QUALITY: Final = (
    *("mos", "loss", "jitter_ms", "round_trip_ms", "remote_loss"),
    *("packets_sent", "packets_received", "send_codec", "receive_codec"),
)
"""Those figures of a call's voice that tell how it sounded."""

_MISSED: Final = (CallOutcome.MISSED.value,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the ladder: ours where `sent`, with the seconds since the call began."""

    step: str
    sent: bool
    elapsed: float
    code: int = 0
    reason: str = ""

    @classmethod
    def of(cls, event: CallStep) -> Self:
        """Return the step that an event tells of."""
        return cls(
            step=event.step.value,
            sent=event.sent,
            elapsed=round(max(event.at - event.call.started_at, 0.0), 4),
            code=event.code,
            reason=event.reason[:TEXT_MAX],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """A call that is over; durations in seconds. Names are those that were known while it went on.

    Of one that is `blocked` nobody has heard: a rule or the phone book turned its caller away.
    """

    call_id: str
    sip_call_id: str
    direction: str
    name: str
    number: str
    uri: str
    called: str
    started_at: datetime
    ring_duration: float | None
    talk_duration: float | None
    outcome: str
    code: int
    reason: str
    ended_by: str | None
    answered_by: str | None
    encrypted: bool
    blocked: bool = False
    steps: tuple[Step, ...] = ()
    quality: Mapping[str, Any] | None = None

    @property
    def missed(self) -> bool:
        """Whether somebody called and nobody answered."""
        return self.outcome in _MISSED

    @classmethod
    def of(cls, call: CallSnapshot, steps: Iterable[Step], now: float, *, blocked: bool = False) -> Self:
        """Return the record of a call that has just ended; `now` is the reading of its clock."""
        outcome = outcome_data(call)
        started_at = wall_clock(call.started_at, now)
        assert started_at is not None  # noqa: S101 - a call has begun
        return cls(
            call_id=call.id[:TEXT_MAX],
            sip_call_id=call.sip_call_id[:URI_MAX],
            direction=call.direction.value,
            name=call.remote.name[:TEXT_MAX],
            number=call.remote.number[:TEXT_MAX],
            uri=call.remote.uri[:URI_MAX],
            called=call.called[:URI_MAX],
            started_at=started_at,
            ring_duration=outcome["ring_duration"],
            talk_duration=outcome["talk_duration"],
            outcome=outcome["outcome"] or CallOutcome.FAILED.value,
            code=outcome["code"],
            reason=outcome["reason"][:TEXT_MAX],
            ended_by=outcome["ended_by"],
            answered_by=outcome["answered_by"][:URI_MAX] if outcome["answered_by"] else None,
            encrypted=call.encrypted,
            blocked=blocked,
            steps=tuple(steps),
        )

    def with_step(self, step: Step) -> Self:
        """Return the record with one more step, such as the answer to a BYE."""
        return self if len(self.steps) >= STEPS_MAX else replace(self, steps=(*self.steps, step))

    def with_quality(self, figures: Mapping[str, Any]) -> Self:
        """Return the record with how the voice sounded here."""
        return replace(self, quality={key: figures.get(key) for key in QUALITY})

    @property
    def remote(self) -> Party:
        """Return the other side."""
        return Party(self.name, self.number, self.uri)

    def snapshot(self, now: float, today: datetime) -> CallSnapshot:
        """Return the call as it was told at its end, on the clock that reads `now` at the time of day `today`."""
        rung, talked = self.ring_duration, self.talk_duration
        started_at = now - (today - self.started_at).total_seconds()
        answered_at = started_at + (rung or 0.0)
        return CallSnapshot(
            id=self.call_id,
            sip_call_id=self.sip_call_id,
            direction=CallDirection(self.direction),
            state=CallState.ENDED,
            remote=self.remote,
            called=self.called,
            started_at=started_at,
            ringing_at=None if rung is None else started_at,
            answered_at=None if talked is None else answered_at,
            ended_at=answered_at + (talked or 0.0),
            outcome=CallOutcome(self.outcome),
            code=self.code,
            reason=self.reason,
            ended_by=EndedBy(self.ended_by) if self.ended_by else None,
            answered_by=Party("", self.answered_by, self.answered_by) if self.answered_by else None,
            encrypted=self.encrypted,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the record as it is stored and told."""
        return asdict(self) | {
            "started_at": self.started_at.isoformat(timespec="milliseconds"),
            "steps": [asdict(step) for step in self.steps],
            "quality": dict(self.quality) if self.quality is not None else None,
        }


def voice_step(steps: Iterable[Step]) -> list[Step]:
    """Return the steps of a call whose sides heard each other, with the voice between answer and goodbye."""
    ladder = list(steps)
    agreed = {LadderStep.OK.value, LadderStep.ACK.value}
    at = max((index for index, step in enumerate(ladder) if step.step in agreed), default=None)
    if at is not None and len(ladder) < STEPS_MAX:
        ladder.insert(at + 1, Step(step=VOICE, sent=True, elapsed=ladder[at].elapsed))
    return ladder


def parse_record(data: Any) -> CallRecord | None:
    """Return the record that was stored, None for what is none."""
    try:
        fields: dict[str, Any] = _RECORD(data)
    except vol.Invalid:
        return None
    steps = tuple(Step(**step) for step in fields.pop("steps")[:STEPS_MAX])
    return CallRecord(**fields, steps=steps)


def _text(limit: int) -> Any:
    return vol.All(str, vol.Length(max=limit))


def _moment(value: Any) -> datetime:
    moment = dt_util.parse_datetime(value) if isinstance(value, str) else None
    if moment is None or moment.tzinfo is None or moment.year not in YEARS:
        raise vol.Invalid("not a moment")
    return dt_util.as_utc(moment)


_SECONDS: Final = vol.All(vol.Any(int, float), vol.Coerce(float), vol.Range(min=0, max=1e8))
_FIGURE: Final = vol.Any(None, int, float, _text(TEXT_MAX))
_RECORD: Final = vol.Schema(
    {
        vol.Required("call_id"): _text(TEXT_MAX),
        vol.Required("sip_call_id"): _text(URI_MAX),
        vol.Required("direction"): vol.In([direction.value for direction in CallDirection]),
        vol.Required("name"): _text(TEXT_MAX),
        vol.Required("number"): _text(TEXT_MAX),
        vol.Required("uri"): _text(URI_MAX),
        vol.Required("called"): _text(URI_MAX),
        vol.Required("started_at"): _moment,
        vol.Required("ring_duration"): vol.Any(None, _SECONDS),
        vol.Required("talk_duration"): vol.Any(None, _SECONDS),
        vol.Required("outcome"): vol.In([outcome.value for outcome in CallOutcome]),
        vol.Required("code"): int,
        vol.Required("reason"): _text(TEXT_MAX),
        vol.Required("ended_by"): vol.Any(None, vol.In([side.value for side in EndedBy])),
        vol.Required("answered_by"): vol.Any(None, _text(URI_MAX)),
        vol.Required("encrypted"): bool,
        vol.Optional("blocked", default=False): bool,
        vol.Required("steps"): [
            vol.Schema(
                {
                    vol.Required("step"): vol.In([VOICE, *(step.value for step in LadderStep)]),
                    vol.Required("sent"): bool,
                    vol.Required("elapsed"): _SECONDS,
                    vol.Required("code"): int,
                    vol.Required("reason"): _text(TEXT_MAX),
                },
                extra=vol.REMOVE_EXTRA,
            )
        ],
        vol.Required("quality"): vol.Any(
            None, vol.Schema({vol.Required(key): _FIGURE for key in QUALITY}, extra=vol.REMOVE_EXTRA)
        ),
    },
    extra=vol.REMOVE_EXTRA,
)
