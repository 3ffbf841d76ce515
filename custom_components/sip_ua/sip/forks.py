"""The phones that ring for one INVITE of ours (RFC 3261 section 12.1.2, RFC 3262 section 4)."""

from dataclasses import dataclass

from .dialog_peer import DialogPeer
from .offer_answer import NegotiatedMedia, OfferAnswer


@dataclass(slots=True)
class Fork:
    """One phone: its early dialog, what was agreed with it, and how far its acknowledged answers came.

    `settled` tells that the answer to our offer was acknowledged, so that the 2xx need not repeat it.
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
