"""One call's state as people see it, and the events that tell of it; what both directions share.

RFC 3261 sections 13 (INVITE) and 15 (BYE). The message exchanges inside the dialog stand in `dialog_call`.
"""

from collections.abc import Callable
from dataclasses import replace

from .core import Core
from .events import (
    CallDirection,
    CallEnded,
    CallEvent,
    CallOutcome,
    CallReplaced,
    CallSnapshot,
    CallState,
    CallStateChanged,
    CallStep,
    EndedBy,
    LadderStep,
    MediaChanged,
    Party,
    VoiceReleased,
)
from .offer_answer import MediaDirection, NegotiatedMedia
from .text import clean_text

_FAR_END_HOLDS = frozenset({MediaDirection.RECVONLY, MediaDirection.INACTIVE})


class Call:
    """State and events of one call, from the first message to the last."""

    proven = True
    """Whether the far end has shown that it is where its messages seem to come from: until then our voice waits.

    Anybody can write another sender into a datagram, and name that one for the voice, who would be flooded. The tag of
    our answer, which an ACK or PRACK names, gets only who is there.
    """
    private = False
    """Whether the far end must not learn who we are (RFC 3323)."""

    def __init__(
        self, core: Core, *, sip_call_id: str, direction: CallDirection, remote: Party, called: str, now: float
    ) -> None:
        """Begin; nothing is told before the first state change."""
        self.core = core
        self.handed_over = False
        self.forget: Callable[[Call], None] = nobody
        self.media: NegotiatedMedia | None = None
        self.held = False
        state, ringing_at = (
            (CallState.RINGING, now) if direction is CallDirection.INCOMING else (CallState.DIALING, None)
        )
        # By keywords this takes twice as long.
        self.snapshot = CallSnapshot(core.token(), sip_call_id, direction, state, remote, called, now, ringing_at)

    @property
    def id(self) -> str:
        """Return our name of the call."""
        return self.snapshot.id

    @property
    def ended(self) -> bool:
        """Whether the call is over for people; signalling may still have to finish."""
        return self.snapshot.state is CallState.ENDED

    @property
    def established(self) -> bool:
        """Whether somebody answered and nobody has hung up yet."""
        return self.snapshot.answered_at is not None and not self.ended

    @property
    def holds(self) -> bool:
        """Whether both sides agreed that we hold the far end; `held` is what we want."""
        return False

    def tell(self, event: CallEvent) -> None:
        """Tell of an event; of a call that another one continues nothing more is told."""
        if not self.handed_over:
            self.core.emit(event)

    def announce(self, now: float) -> None:
        """Tell of the state that the call begins in."""
        self.tell(CallStateChanged(at=now, call=self.snapshot))

    def enter(self, state: CallState, now: float) -> None:
        """Enter a state and tell of it; entering the present state is no news."""
        snapshot = self.snapshot
        if snapshot.state is state or self.ended:
            return
        ringing_at = snapshot.ringing_at
        if state is CallState.ALERTING and ringing_at is None:
            ringing_at = now
        self.snapshot = replace(snapshot, state=state, ringing_at=ringing_at)
        self.announce(now)

    def answered(self, now: float, by: Party) -> None:
        """Note that the call was answered."""
        if not self.ended and self.snapshot.answered_at is None:
            self.snapshot = replace(self.snapshot, answered_at=now, answered_by=by)

    def connected_to(self, remote: Party, now: float) -> None:
        """Note who is at the other end by now; whom we know to be there is no news (RFC 5876)."""
        before = self.snapshot
        outgoing = before.direction is CallDirection.OUTGOING
        known = (before.remote, before.answered_by if outgoing else None)
        if not self.established or any(party is not None and _is_same(party, remote) for party in known):
            return
        self.snapshot = replace(before, remote=remote, answered_by=remote if outgoing else before.answered_by)
        self.tell(CallReplaced(at=now, call=self.snapshot, previous=before.remote))

    def enter_talking(self, now: float) -> None:
        """Enter the state that follows from who holds the call."""
        if self.holds:
            state = CallState.HELD
        elif self.media is not None and (self.media.held or self.media.direction in _FAR_END_HOLDS):
            state = CallState.REMOTE_HELD
        else:
            state = CallState.TALKING
        self.enter(state, now)

    def step(self, step: LadderStep, now: float, *, sent: bool, code: int = 0, reason: str = "") -> None:
        """Tell of one step of the call progression."""
        reason = clean_text(reason)
        self.tell(CallStep(at=now, call=self.snapshot, step=step, sent=sent, code=code, reason=reason))

    def set_media(self, media: NegotiatedMedia | None, now: float) -> None:
        """Tell what the voice of the call is from now on."""
        if media == self.media or (self.ended and media is not None):
            return
        self.media = media
        if media is not None:
            self.snapshot = replace(self.snapshot, encrypted=media.security is not None)
        withheld = media is not None and not self.proven
        self.tell(MediaChanged(at=now, call=self.snapshot, media=media, withheld=withheld))

    def prove(self, now: float) -> None:
        """Learn that the far end is where it seemed to be: our voice need not wait any longer."""
        waited, self.proven = not self.proven, True
        if waited and self.media is not None:
            self.tell(VoiceReleased(at=now, call=self.snapshot))

    def end(self, outcome: CallOutcome, now: float, *, by: EndedBy, code: int = 0, reason: str = "") -> None:
        """End the call for people, once; what the wire still owes goes on by itself."""
        if self.ended:
            return
        self.set_media(None, now)
        self.stop_timers()
        self.snapshot = replace(
            self.snapshot,
            state=CallState.ENDED,
            ended_at=now,
            outcome=CallOutcome.ANSWERED if self.snapshot.answered_at is not None else outcome,
            code=code,
            reason=clean_text(reason),
            ended_by=by,
        )
        self.tell(CallEnded(at=now, call=self.snapshot))
        self.forget(self)

    def stop_timers(self) -> None:
        """Cancel every alarm of the call."""


def _is_same(party: Party, other: Party) -> bool:
    """Whether two identities name the same person: hosts differ by who tells, numbers do not."""
    return (party.number or party.uri) == (other.number or other.uri)


def nobody(_call: Call) -> None:
    """Nobody asked to be told."""
