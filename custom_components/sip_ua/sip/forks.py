"""The phones that ring for one INVITE of ours (RFC 3261 section 12.1.2, RFC 3262 section 4)."""

from collections.abc import Callable
from dataclasses import dataclass

from .address import Hop
from .client import Handlers
from .core import Failure
from .dialog_media import STATUS_SERVER_ERROR
from .dialog_peer import DialogPeer
from .message import Response
from .offer_answer import NegotiatedMedia, OfferAnswer

MAX_PRACKS = 3


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
