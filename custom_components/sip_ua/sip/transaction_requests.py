"""The two requests that travel inside another request's path (RFC 3261 sections 9.1 and 17.1.1.3)."""

from typing import Final

from .grammar import MAX_FORWARDS
from .headers import Headers
from .message import Request, Response

_COPIED: Final = ("From", "To", "Call-ID")


def create_ack(invite: Request, response: Response) -> Request:
    """Return the ACK to a final answer of 300 or above: same branch, same route, the To of the answer."""
    ack = _along(invite, "ACK")
    ack.headers.set("To", response.headers.get("To") or "")
    return ack


def create_cancel(invite: Request, extra: Headers | None = None) -> Request:
    """Return the CANCEL of an INVITE: same branch, same route; `extra` adds header fields such as Reason."""
    cancel = _along(invite, "CANCEL")
    for name, value in extra or ():
        cancel.headers.add(name, value)
    return cancel


def _along(invite: Request, method: str) -> Request:
    """Return a request that takes the very path of the INVITE: one Via, its own, and its Route."""
    headers = Headers()
    headers.add("Via", str(invite.via))
    for route in invite.headers.get_all("Route"):
        headers.add("Route", route)
    headers.add("Max-Forwards", MAX_FORWARDS)
    for name in _COPIED:
        headers.add(name, invite.headers.get(name) or "")
    headers.add("CSeq", f"{invite.cseq.number} {method}")
    return Request(method, invite.uri, headers)
