"""The four transaction state machines as tables (RFC 3261 section 17, RFC 6026 section 7).

A pair of state and event that a table lacks cannot happen while this side behaves: it is an error, never silence.
Whatever a peer or the network can cause has an entry in every state, an empty one where nothing is to be done.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Final

from .transaction_timers import Timer


class State(StrEnum):
    """States of a transaction; its table says which of them it can be in."""

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    ACCEPTED = "accepted"
    TERMINATED = "terminated"


class Received(Enum):
    """What a peer or the network does to a transaction."""

    PROVISIONAL = auto()
    SUCCESS = auto()
    FAILURE = auto()
    REQUEST = auto()
    ACK = auto()
    CANCEL = auto()
    SEND_FAILED = auto()
    CONNECTION_LOST = auto()


class Command(Enum):
    """What the transaction user asks of a transaction."""

    PROVISIONAL = auto()
    RELIABLE_PROVISIONAL = auto()
    """A provisional answer that the user repeats until its PRACK (RFC 3262 section 3)."""
    SUCCESS = auto()
    FAILURE = auto()
    CANCEL = auto()
    ACKED = auto()


type Event = Timer | Received | Command


class Action(Enum):
    """What a transition does beside entering a state and setting timers."""

    SEND = auto()
    """Send the request, or the last answer where there is one."""
    SEND_TRYING = auto()
    SEND_ACK = auto()
    SLOW_DOWN = auto()
    """Repeat at intervals of T2 from now on."""
    REPORT_RESPONSE = auto()
    REPORT_STRAY = auto()
    REPORT_TIMEOUT = auto()
    REPORT_FAILED = auto()
    REPORT_ACK = auto()
    REPORT_ACK_MISSING = auto()
    REPORT_CANCEL = auto()


@dataclass(frozen=True, slots=True)
class Transition:
    """What happens on one event in one state; timers stop before others start."""

    state: State
    actions: tuple[Action, ...] = ()
    start: tuple[Timer, ...] = ()
    stop: tuple[Timer, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """One state machine: how it begins, and what each event does in each state."""

    name: str
    initial: Transition
    transitions: Mapping[tuple[State, Event], Transition]


_END: Final = Transition(State.TERMINATED)
_END_FAILED: Final = Transition(State.TERMINATED, (Action.REPORT_FAILED,))
_END_TIMED_OUT: Final = Transition(State.TERMINATED, (Action.REPORT_TIMEOUT,))


def _stay(state: State, *actions: Action) -> Transition:
    return Transition(state, actions)


_INVITE_SENDING: Final = (Timer.A, Timer.B)
_INVITE_CANCELLED: Final = (Timer.GIVE_UP,)


def _accepted(stop: tuple[Timer, ...]) -> Transition:
    return Transition(State.ACCEPTED, (Action.REPORT_RESPONSE,), start=(Timer.M,), stop=stop)


def _refused(stop: tuple[Timer, ...]) -> Transition:
    return Transition(State.COMPLETED, (Action.SEND_ACK, Action.REPORT_RESPONSE), start=(Timer.D,), stop=stop)


# Proceeding has no time-out: a telephone may ring for longer than 64*T1. A peer that can no longer be reached over
# UDP may still answer, one whose connection is gone hardly can.
CLIENT_INVITE: Final = Table(
    "INVITE client",
    Transition(State.CALLING, (Action.SEND,), start=(Timer.A, Timer.B)),
    {
        (State.CALLING, Timer.A): Transition(State.CALLING, (Action.SEND,), start=(Timer.A,)),
        (State.CALLING, Timer.B): _END_TIMED_OUT,
        (State.CALLING, Command.CANCEL): _stay(State.CALLING),
        (State.CALLING, Received.PROVISIONAL): Transition(
            State.PROCEEDING, (Action.REPORT_RESPONSE,), stop=_INVITE_SENDING
        ),
        (State.CALLING, Received.SUCCESS): _accepted(_INVITE_SENDING),
        (State.CALLING, Received.FAILURE): _refused(_INVITE_SENDING),
        (State.CALLING, Received.SEND_FAILED): _END_FAILED,
        (State.CALLING, Received.CONNECTION_LOST): _END_FAILED,
        (State.PROCEEDING, Command.CANCEL): Transition(State.PROCEEDING, start=(Timer.GIVE_UP,)),
        (State.PROCEEDING, Timer.GIVE_UP): _END_TIMED_OUT,
        (State.PROCEEDING, Received.PROVISIONAL): _stay(State.PROCEEDING, Action.REPORT_RESPONSE),
        (State.PROCEEDING, Received.SUCCESS): _accepted(_INVITE_CANCELLED),
        (State.PROCEEDING, Received.FAILURE): _refused(_INVITE_CANCELLED),
        (State.PROCEEDING, Received.SEND_FAILED): _stay(State.PROCEEDING),
        (State.PROCEEDING, Received.CONNECTION_LOST): _END_FAILED,
        (State.COMPLETED, Timer.D): _END,
        (State.COMPLETED, Received.PROVISIONAL): _stay(State.COMPLETED),
        (State.COMPLETED, Received.SUCCESS): _stay(State.COMPLETED, Action.REPORT_STRAY),
        (State.COMPLETED, Received.FAILURE): _stay(State.COMPLETED, Action.SEND_ACK),
        (State.COMPLETED, Received.SEND_FAILED): _END,
        (State.COMPLETED, Received.CONNECTION_LOST): _END,
        (State.ACCEPTED, Timer.M): _END,
        (State.ACCEPTED, Received.PROVISIONAL): _stay(State.ACCEPTED),
        (State.ACCEPTED, Received.SUCCESS): _stay(State.ACCEPTED, Action.REPORT_RESPONSE),
        (State.ACCEPTED, Received.FAILURE): _stay(State.ACCEPTED),
        (State.ACCEPTED, Received.SEND_FAILED): _stay(State.ACCEPTED),
        (State.ACCEPTED, Received.CONNECTION_LOST): _stay(State.ACCEPTED),
    },
)

_REQUEST_ANSWERED: Final = Transition(
    State.COMPLETED, (Action.REPORT_RESPONSE,), start=(Timer.K,), stop=(Timer.E, Timer.F)
)

CLIENT_NON_INVITE: Final = Table(
    "non-INVITE client",
    Transition(State.TRYING, (Action.SEND,), start=(Timer.E, Timer.F)),
    {
        (State.TRYING, Timer.E): Transition(State.TRYING, (Action.SEND,), start=(Timer.E,)),
        (State.TRYING, Timer.F): _END_TIMED_OUT,
        (State.TRYING, Received.PROVISIONAL): Transition(State.PROCEEDING, (Action.REPORT_RESPONSE, Action.SLOW_DOWN)),
        (State.TRYING, Received.SUCCESS): _REQUEST_ANSWERED,
        (State.TRYING, Received.FAILURE): _REQUEST_ANSWERED,
        (State.TRYING, Received.SEND_FAILED): _END_FAILED,
        (State.TRYING, Received.CONNECTION_LOST): _END_FAILED,
        (State.PROCEEDING, Timer.E): Transition(State.PROCEEDING, (Action.SEND,), start=(Timer.E,)),
        (State.PROCEEDING, Timer.F): _END_TIMED_OUT,
        (State.PROCEEDING, Received.PROVISIONAL): _stay(State.PROCEEDING, Action.REPORT_RESPONSE),
        (State.PROCEEDING, Received.SUCCESS): _REQUEST_ANSWERED,
        (State.PROCEEDING, Received.FAILURE): _REQUEST_ANSWERED,
        (State.PROCEEDING, Received.SEND_FAILED): _END_FAILED,
        (State.PROCEEDING, Received.CONNECTION_LOST): _END_FAILED,
        (State.COMPLETED, Timer.K): _END,
        (State.COMPLETED, Received.PROVISIONAL): _stay(State.COMPLETED),
        # The network may have doubled the request, and the server have refused the second copy as a replay.
        (State.COMPLETED, Received.SUCCESS): _stay(State.COMPLETED, Action.REPORT_STRAY),
        (State.COMPLETED, Received.FAILURE): _stay(State.COMPLETED),
        (State.COMPLETED, Received.SEND_FAILED): _stay(State.COMPLETED),
        (State.COMPLETED, Received.CONNECTION_LOST): _stay(State.COMPLETED),
    },
)

_RINGING: Final = (Timer.TRYING, Timer.PROGRESS)

# A failure to send never ends an INVITE server transaction (RFC 6026 section 7.1); its user is told as long as there
# is something left for it to do.
SERVER_INVITE: Final = Table(
    "INVITE server",
    Transition(State.PROCEEDING, start=(Timer.TRYING,)),
    {
        (State.PROCEEDING, Timer.TRYING): _stay(State.PROCEEDING, Action.SEND_TRYING),
        (State.PROCEEDING, Timer.PROGRESS): Transition(State.PROCEEDING, (Action.SEND,), start=(Timer.PROGRESS,)),
        (State.PROCEEDING, Command.PROVISIONAL): Transition(
            State.PROCEEDING, (Action.SEND,), start=(Timer.PROGRESS,), stop=_RINGING
        ),
        (State.PROCEEDING, Command.RELIABLE_PROVISIONAL): Transition(State.PROCEEDING, (Action.SEND,), stop=_RINGING),
        (State.PROCEEDING, Command.SUCCESS): Transition(
            State.ACCEPTED,
            (Action.SEND,),
            start=(Timer.REPEAT_2XX, Timer.WAIT_FOR_ACK, Timer.L),
            stop=_RINGING,
        ),
        (State.PROCEEDING, Command.FAILURE): Transition(
            State.COMPLETED, (Action.SEND,), start=(Timer.G, Timer.H), stop=_RINGING
        ),
        (State.PROCEEDING, Received.REQUEST): _stay(State.PROCEEDING, Action.SEND),
        (State.PROCEEDING, Received.ACK): _stay(State.PROCEEDING),
        (State.PROCEEDING, Received.CANCEL): _stay(State.PROCEEDING, Action.REPORT_CANCEL),
        (State.PROCEEDING, Received.SEND_FAILED): _stay(State.PROCEEDING, Action.REPORT_FAILED),
        (State.PROCEEDING, Received.CONNECTION_LOST): _stay(State.PROCEEDING, Action.REPORT_FAILED),
        (State.COMPLETED, Timer.G): Transition(State.COMPLETED, (Action.SEND,), start=(Timer.G,)),
        (State.COMPLETED, Timer.H): Transition(State.TERMINATED, (Action.REPORT_ACK_MISSING,)),
        (State.COMPLETED, Received.REQUEST): _stay(State.COMPLETED, Action.SEND),
        (State.COMPLETED, Received.ACK): Transition(State.CONFIRMED, start=(Timer.I,), stop=(Timer.G, Timer.H)),
        (State.COMPLETED, Received.CANCEL): _stay(State.COMPLETED),
        (State.COMPLETED, Received.SEND_FAILED): _stay(State.COMPLETED),
        (State.COMPLETED, Received.CONNECTION_LOST): _stay(State.COMPLETED),
        (State.CONFIRMED, Timer.I): _END,
        (State.CONFIRMED, Received.REQUEST): _stay(State.CONFIRMED),
        (State.CONFIRMED, Received.ACK): _stay(State.CONFIRMED),
        (State.CONFIRMED, Received.CANCEL): _stay(State.CONFIRMED),
        (State.CONFIRMED, Received.SEND_FAILED): _stay(State.CONFIRMED),
        (State.CONFIRMED, Received.CONNECTION_LOST): _stay(State.CONFIRMED),
        (State.ACCEPTED, Timer.REPEAT_2XX): Transition(State.ACCEPTED, (Action.SEND,), start=(Timer.REPEAT_2XX,)),
        (State.ACCEPTED, Timer.WAIT_FOR_ACK): Transition(
            State.ACCEPTED, (Action.REPORT_ACK_MISSING,), stop=(Timer.REPEAT_2XX,)
        ),
        (State.ACCEPTED, Timer.L): _END,
        (State.ACCEPTED, Command.SUCCESS): _stay(State.ACCEPTED, Action.SEND),
        (State.ACCEPTED, Command.ACKED): Transition(State.ACCEPTED, stop=(Timer.REPEAT_2XX, Timer.WAIT_FOR_ACK)),
        (State.ACCEPTED, Received.REQUEST): _stay(State.ACCEPTED),
        (State.ACCEPTED, Received.ACK): _stay(State.ACCEPTED, Action.REPORT_ACK),
        (State.ACCEPTED, Received.CANCEL): _stay(State.ACCEPTED),
        (State.ACCEPTED, Received.SEND_FAILED): _stay(State.ACCEPTED, Action.REPORT_FAILED),
        (State.ACCEPTED, Received.CONNECTION_LOST): _stay(State.ACCEPTED, Action.REPORT_FAILED),
    },
)

_ANSWER: Final = Transition(State.COMPLETED, (Action.SEND,), start=(Timer.J,), stop=(Timer.EXPIRE,))
_TOO_LATE: Final = Transition(State.COMPLETED, start=(Timer.J,))
_PROGRESS: Final = _stay(State.PROCEEDING, Action.SEND)

# A request that nobody answered in time is still remembered for its repetitions, which may be late as well.
SERVER_NON_INVITE: Final = Table(
    "non-INVITE server",
    Transition(State.TRYING, start=(Timer.EXPIRE,)),
    {
        (State.TRYING, Timer.EXPIRE): _TOO_LATE,
        (State.TRYING, Command.PROVISIONAL): _PROGRESS,
        (State.TRYING, Command.SUCCESS): _ANSWER,
        (State.TRYING, Command.FAILURE): _ANSWER,
        (State.TRYING, Received.REQUEST): _stay(State.TRYING),
        (State.TRYING, Received.SEND_FAILED): _stay(State.TRYING),
        (State.TRYING, Received.CONNECTION_LOST): _stay(State.TRYING),
        (State.PROCEEDING, Timer.EXPIRE): _TOO_LATE,
        (State.PROCEEDING, Command.PROVISIONAL): _PROGRESS,
        (State.PROCEEDING, Command.SUCCESS): _ANSWER,
        (State.PROCEEDING, Command.FAILURE): _ANSWER,
        (State.PROCEEDING, Received.REQUEST): _PROGRESS,
        (State.PROCEEDING, Received.SEND_FAILED): _END_FAILED,
        (State.PROCEEDING, Received.CONNECTION_LOST): _END_FAILED,
        (State.COMPLETED, Timer.J): _END,
        (State.COMPLETED, Received.REQUEST): _stay(State.COMPLETED, Action.SEND),
        (State.COMPLETED, Received.SEND_FAILED): _END,
        (State.COMPLETED, Received.CONNECTION_LOST): _END,
    },
)
