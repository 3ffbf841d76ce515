"""The phones that ring for one INVITE of ours, and those that answer it too late.

RFC 3261 sections 12.1.2 and 13.2.2.4, RFC 3262 section 4.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .address import Hop
from .client import Handlers
from .core import Core, Failure
from .dialog import Dialog
from .dialog_media import STATUS_SERVER_ERROR
from .dialog_peer import DialogPeer
from .errors import RemoteProtocolError
from .message import Request, Response
from .offer_answer import NegotiatedMedia, OfferAnswer

MAX_PRACKS = 3
MAX_FORKS = 16


@dataclass(slots=True)
class Fork:
    """One phone: its early dialog, what was agreed with it, and how far its acknowledged answers came.

    `settled` tells that what was agreed has been acknowledged, so that the 2xx need not repeat it.
    """

    peer: DialogPeer
    agreement: OfferAnswer | None = None
    media: NegotiatedMedia | None = None
    settled: bool = False
    rseq: int | None = None

    def in_order(self, rseq: int) -> bool:
        """Take the number of an answer; False for one that was repeated, or overtook the one before it."""
        if self.rseq is not None and rseq != self.rseq + 1:
            return False
        self.rseq = rseq
        return True

    def agree(self, offer: OfferAnswer, body: bytes) -> bytes:
        """Take the answer to our offer, or where we made none their offer, and return the answer to that.

        Raises RemoteProtocolError where nothing fits; what was agreed before stands then.
        """
        agreement = offer.fork()
        if agreement.has_local_offer:
            answer, media = b"", agreement.receive_answer(body)
        else:
            answer, media = agreement.receive_offer(body)
        self.agreement, self.media = agreement, media
        return answer

    def acknowledge(
        self, rack: str, body: bytes, now: float, answered: Callable[[], None], attempts: int = MAX_PRACKS
    ) -> None:
        """Send a PRACK, again where a later request of ours came before it; `answered()` is called at the end."""

        def final(response: Response, _hop: Hop, later: float) -> None:
            if response.status == STATUS_SERVER_ERROR and attempts > 1:
                self.acknowledge(rack, body, later, answered, attempts - 1)
            else:
                answered()

        def failed(_failure: Failure, _later: float) -> None:
            answered()

        self.peer.request("PRACK", Handlers(final=final, failed=failed), now, headers=(("RAck", rack),), body=body)


class Forks:
    """The phones that ring, by their tags."""

    def __init__(self, core: Core) -> None:
        """Begin with none."""
        self._core = core
        self._ringing: dict[str, Fork] = {}

    def get(self, tag: str | None) -> Fork | None:
        """Return the phone that has a tag."""
        return self._ringing.get(tag or "")

    def heard_from(self, response: Response, invite: Request) -> Fork | None:
        """Return whose provisional answer this is, a new one for each phone that rings; None of too many."""
        if not (tag := response.to.tag):
            return None
        fork = self._ringing.get(tag)
        if fork is None and len(self._ringing) < MAX_FORKS:
            try:
                dialog = Dialog.caller(invite, response)
            except RemoteProtocolError:
                return None
            fork = self._ringing[tag] = Fork(DialogPeer(self._core, dialog))
        if fork is not None:
            fork.peer.note_allowed(response)
        return fork

    def answered_by(self, response: Response, invite: Request) -> Fork:
        """Return whose 2xx this is, with its dialog confirmed; raises RemoteProtocolError where it makes none."""
        fork = self.get(response.to.tag)
        if fork is None:
            fork = Fork(DialogPeer(self._core, Dialog.caller(invite, response)))
        else:
            fork.peer.dialog.confirm(response)
        fork.peer.note_allowed(response)
        return fork


class LatePhones:
    """Phones that answered when the call was over, or had another answer; each is acknowledged and hung up."""

    def __init__(self) -> None:
        """Begin with none."""
        self._peers: dict[str, DialogPeer] = {}

    def get(self, tag: str) -> DialogPeer | None:
        """Return a phone that was hung up."""
        return self._peers.get(tag)

    def hang_up(self, peer: DialogPeer, response: Response, invite: Request, now: float) -> bool:
        """Acknowledge the 2xx of a phone and hang it up; False where there were too many of them."""
        if len(self._peers) >= MAX_FORKS:
            return False
        self._peers[response.to.tag or ""] = peer
        peer.acknowledge(response, invite, now)
        peer.request("BYE", Handlers(final=_settled, failed=_settled_badly), now)
        return True


def _settled(_response: Response, _hop: Hop, _now: float) -> None:
    """Do nothing: whatever the answer was, the late phone is gone."""


def _settled_badly(_failure: Failure, _now: float) -> None:
    """Do nothing: without an answer the late phone gives up by itself."""
