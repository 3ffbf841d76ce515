"""Late answers to an INVITE of ours, acknowledged and hung up (RFC 3261 section 13.2.2.4).

Only calls that we placed ourselves and not long ago are dealt with, few phones of each, and only what comes from
where the call went: anything else would let strangers send requests through us.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from .address import Address, Hop
from .client import Handlers
from .core import Core, Failure
from .dialog import Dialog
from .dialog_peer import DialogPeer
from .errors import RemoteProtocolError
from .headers import Headers
from .message import Request, Response

MAX_REMEMBERED = 64
MAX_PHONES = 16


@dataclass(frozen=True, slots=True)
class _Past:
    """A call that is over: where its answers come from, and the phones that sent some."""

    places: frozenset[str]
    phones: dict[str, DialogPeer] = field(default_factory=dict)


class StrayAnswers:
    """Hangs up phones that answered after we gave up."""

    def __init__(self, core: Core) -> None:
        """Start without any call to remember."""
        self._core = core
        self._recent: OrderedDict[str, _Past] = OrderedDict()

    def remember(self, call_id: str, places: frozenset[str], ended_at: float) -> None:
        """Remember the Call-ID of a call that is over, and the numeric hosts that its INVITE went to."""
        self._recent[call_id] = _Past(places)
        if len(self._recent) > MAX_REMEMBERED:
            self._recent.popitem(last=False)
        # A cancelled INVITE of ours may be answered for 64*T1, and a phone repeats its 2xx as long.
        seconds = self._core.timers.timeout * (2 if places else 1)
        self._core.alarms.set(ended_at + seconds, lambda _now: self._forget(call_id))

    def _forget(self, call_id: str) -> None:
        self._recent.pop(call_id, None)

    def knows(self, call_id: str) -> bool:
        """Whether a call with this Call-ID ended not long ago."""
        return call_id in self._recent

    def receive(self, response: Response, source: Address, now: float) -> None:
        """Acknowledge and hang up, once for each phone; repeated answers get the same ACK."""
        past = self._recent.get(response.call_id)
        if past is None or source.host not in past.places:
            return
        tag = response.to.tag or ""
        known = past.phones.get(tag)
        if known is not None:
            known.repeat_ack(response.cseq.number)
            return
        if len(past.phones) >= MAX_PHONES:
            return
        invite = _invite_of(response)
        try:
            peer = past.phones[tag] = DialogPeer(self._core, Dialog.caller(invite, response))
        except RemoteProtocolError:
            return
        peer.acknowledge(response, invite, now)
        peer.request("BYE", Handlers(final=_ignore, failed=_ignore_failure), now)


def _invite_of(response: Response) -> Request:
    """Return as much of our INVITE as its answer repeats."""
    headers = Headers()
    for name in ("From", "To", "Call-ID", "CSeq"):
        headers.add(name, response.headers.get(name) or "")
    return Request("INVITE", str(response.to.uri), headers)


def _ignore(_response: Response, _hop: Hop, _now: float) -> None:
    """Do nothing: the phone is gone."""


def _ignore_failure(_failure: Failure, _now: float) -> None:
    """Do nothing: the phone gives up by itself."""
