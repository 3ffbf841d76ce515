"""Late answers to an INVITE of ours, acknowledged and hung up (RFC 3261 section 13.2.2.4).

Only calls that we placed ourselves and not long ago are dealt with: anything else would let strangers send
requests through us.
"""

from collections import OrderedDict

from .address import Hop
from .client import Handlers
from .core import Core, Failure
from .dialog import Dialog
from .dialog_peer import DialogPeer
from .errors import RemoteProtocolError
from .headers import Headers
from .message import Request, Response

MAX_REMEMBERED = 64


class StrayAnswers:
    """Hangs up phones that answered after we gave up."""

    def __init__(self, core: Core) -> None:
        """Start without any call to remember."""
        self._core = core
        self._recent: OrderedDict[str, dict[str, DialogPeer]] = OrderedDict()

    def remember(self, call_id: str) -> None:
        """Remember the Call-ID of a call that is over."""
        self._recent[call_id] = {}
        if len(self._recent) > MAX_REMEMBERED:
            self._recent.popitem(last=False)

    def knows(self, call_id: str) -> bool:
        """Whether a call with this Call-ID ended not long ago."""
        return call_id in self._recent

    def receive(self, response: Response, now: float) -> None:
        """Acknowledge and hang up, once for each phone; repeated answers get the same ACK."""
        peers = self._recent.get(response.call_id)
        if peers is None:
            return
        tag = response.to.tag or ""
        known = peers.get(tag)
        if known is not None:
            known.repeat_ack(response.cseq.number)
            return
        invite = _invite_of(response)
        try:
            peer = peers[tag] = DialogPeer(self._core, Dialog.caller(invite, response))
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
