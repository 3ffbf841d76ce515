"""What transaction a message belongs to, where answers go (RFC 3261 sections 8.2.2.2, 17.1.3, 17.2.3 and 18.2)."""

from dataclasses import replace
from hashlib import sha256
from typing import Final

from .account import Transport
from .address import Address
from .grammar import BRANCH_COOKIE
from .headers import Via
from .message import Request, Response

type Key = tuple[str | int | None, ...]

_TAG_LENGTH: Final = 16


def client_key(message: Request | Response) -> Key:
    """Return what a request of ours and the answers to it have in common (section 17.1.3).

    The sent-by is part of it: an answer that names another one is not ours (section 18.1.2).
    """
    via = message.via
    return via.branch, via.host, via.port, message.cseq.method


def server_key(request: Request, transport: Transport, method: str | None = None) -> Key:
    """Return what a request of a peer, its repetitions, its ACK and, as `method` INVITE, its CANCEL have in common.

    Branch, sent-by and method would do (section 17.2.3), but some proxies put one constant branch into whatever they
    forward without state, so Call-ID and sequence number count as well. Peers of RFC 2543 send no branch that could
    be relied upon: there From tag and Request-URI are compared too. The To tag is left out, since an ACK carries the
    one of our answer. The transport that they came by counts as well, that a datagram cancels nothing which came by
    TLS: all of them take the same hop.
    """
    if method is None:
        method = "INVITE" if request.method == "ACK" else request.method
    via = request.via
    branch = via.branch
    key = (transport, branch, via.host, via.port, method, request.call_id, request.cseq.number)
    return key if _is_unique(branch) else (*key, request.from_.tag, request.uri)


def has_unique_branch(request: Request) -> bool:
    """Tell whether the branch was made by the rules of RFC 3261, so that it alone names the transaction."""
    return _is_unique(request.via.branch)


def _is_unique(branch: str | None) -> bool:
    return branch is not None and branch.startswith(BRANCH_COOKIE) and branch != BRANCH_COOKIE


def merge_key(request: Request) -> Key | None:
    """Return what copies of one request that came over different paths have in common (section 8.2.2.2).

    None inside a dialog, where nothing is forked.
    """
    if request.to.tag:
        return None
    return request.call_id, request.from_.tag, request.cseq.number, request.method


def answer_key(request: Request, to_tag: str) -> Key:
    """Return what an INVITE that was answered by 2xx and the ACK of that answer have in common (section 13.3.1.4)."""
    return request.call_id, request.from_.tag, to_tag, request.cseq.number


def note_source(request: Request, source: Address) -> None:
    """Write where a request came from into its topmost Via (RFC 3261 section 18.2.1, RFC 3581 section 4).

    What a peer claims there itself does not count.
    """
    via = request.via
    if via.wants_rport:
        params = via.params.with_values(received=source.host, rport=str(source.port))
        noted = Via(via.transport, via.host, via.port, params)
    elif via.host != source.host:
        noted = via.with_param("received", source.host)
    elif "received" in via.params:
        noted = replace(via, params=via.params.without("received"))
    else:
        return
    request.via = noted


def response_destination(request: Request, source: Address) -> Address:
    """Return where answers to a request go (RFC 3261 section 18.2.2, RFC 3581 section 4).

    Over a connection: back through it. Else to the address the request came from, and to the port it came from where
    the peer asked for that. `maddr` does not count: it would send our answers to whom a peer likes.
    """
    if source.transport is not Transport.UDP or request.via.wants_rport:
        return source
    return listening_address(request, source)


def listening_address(request: Request, source: Address) -> Address:
    """Return where the sender of a request says that it listens, at the host that the request came from."""
    return Address(source.transport, source.host, request.via.port or source.transport.default_port)


def stateless_tag(request: Request) -> str:
    """Return a To tag that is the same each time the same request is answered (section 8.2.7)."""
    via = request.via
    text = f"{request.call_id}\n{request.from_.tag}\n{request.cseq.number}\n{via.branch}\n{via.host}"
    return sha256(text.encode(errors="surrogateescape")).hexdigest()[:_TAG_LENGTH]
