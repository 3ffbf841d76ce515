"""One request on its way to a final answer: login, next server on failure, never a storm.

RFC 3261 sections 8.1.3, 18.1.1 (large requests) and 22.2 (login), RFC 3263 section 4.3 (failover: another branch
for another server).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from .account import Transport
from .address import Hop
from .core import NOWHERE, Core, Failure
from .errors import AuthenticationError
from .events import RegistrationFailure
from .message import Request, Response
from .party import is_private
from .transaction import ClientTransaction

MAX_LOGIN_ROUNDS = 3
_CHALLENGES = (401, 407)
STATUS_TRYING = 100
_TRY_NEXT_SERVER = 503
_SERVER_FAILURE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Handlers:
    """Who is told about the answers: every provisional one, and exactly one of final and failed.

    `sent` hears of every request that left, `challenged` of every 401 or 407 that a login answers. A login that
    cannot be had, is refused or may not go there ends as the final 401 or 407.
    Further 2xx of an INVITE also come to `final` (RFC 3261 section 13.2.2.4).
    """

    final: Callable[[Response, Hop, float], None]
    failed: Callable[[Failure, float], None]
    provisional: Callable[[Response, Hop, float], None] | None = None
    sent: Callable[[float], None] | None = None
    challenged: Callable[[Response, float], None] | None = None


class ClientRequest:
    """Sends what `build` makes to the first of `hops` that answers, with a login where one is asked for.

    `build(hop)` makes a new request with a new CSeq and no Via each time it is called.
    """

    def __init__(self, core: Core, build: Callable[[Hop], Request], handlers: Handlers) -> None:
        """Prepare; nothing is sent before `start`."""
        self._core = core
        self._build = build
        self._handlers = handlers
        self._hops: tuple[Hop, ...] = ()
        self._index = 0
        self._way = NOWHERE
        self._heard = False
        self._rang = False
        self._logins = 0
        self._stopped = False
        self.transaction: ClientTransaction | None = None
        self.login_error: AuthenticationError | None = None
        self._asked_past_proxies = False

    @property
    def hops(self) -> tuple[Hop, ...]:
        """Every server that the request may go to."""
        return self._hops

    @property
    def hop(self) -> Hop:
        """The server that the request went to last, as it was located."""
        return self._hops[self._index]

    @property
    def secure(self) -> bool:
        """Whether what was sent last went by TLS."""
        return self._way.remote.transport is Transport.TLS

    def is_answered_by(self, response: Response) -> bool:
        """Whether an answer belongs to what was sent last."""
        sent = None if self.transaction is None else self.transaction.request
        return sent is not None and (sent.call_id, sent.cseq) == (response.call_id, response.cseq)

    def start(self, hops: tuple[Hop, ...], now: float) -> None:
        """Send to the first hop."""
        self._hops = hops
        self._send(now)

    def abandon(self, now: float) -> None:
        """Forget the request, whose answer could not reach us any more: nobody is told what becomes of it."""
        self._stopped = True
        if self.transaction is not None:
            self.transaction.context = None
            self._core.layer.abandon(self.transaction, now)

    def stop(self) -> None:
        """Send nothing more: neither a login nor to another server; what still comes is passed on as it is."""
        self._stopped = True

    def _send(self, now: float) -> None:
        hop = self.hop
        request = self._build(hop)
        if self._core.may_log_in(hop):
            # A proxy takes out what answers it; what answers a server behind it would tell the far end our name.
            self._core.digest.authorize(request, proxies_only=is_private(request) and not self._asked_past_proxies)
        self._core.complete(request, hop)
        self._way = self._core.large_requests.way(request, hop, now)
        self._heard = self._rang = False
        self.transaction = self._core.layer.request(request, self._way.remote, now)
        self.transaction.context = self
        if self._handlers.sent is not None:
            self._handlers.sent(now)

    def response(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """Take one answer from the transaction layer."""
        current = transaction is self.transaction
        status = response.status
        if current:
            self._heard = True
            self._core.learn_address(self._way, response)
        if status < 200:
            self._rang = self._rang or (current and status > STATUS_TRYING)
            if current and self._handlers.provisional is not None:
                self._handlers.provisional(response, self.hop, now)
            return
        if not current and status >= 300:
            return
        if status == _TRY_NEXT_SERVER:
            self._core.let_rest(self.hop.remote, now + response.retry_after)
            if self._advance(now):
                return
        if self._index and status < _SERVER_FAILURE:
            self._core.preferred = self.hop.remote
        if status < 300:
            self._core.digest.succeeded(transaction.request, response)
        if status in _CHALLENGES and self._login(transaction, response, now):
            return
        self._handlers.final(response, self.hop, now)

    def timed_out(self, transaction: ClientTransaction, now: float) -> None:
        """No final answer came in time (timer B or F)."""
        self._unanswered(transaction, Failure(RegistrationFailure.NO_ANSWER, "no answer"), now)

    def transport_failed(self, transaction: ClientTransaction, failure: Failure, now: float) -> None:
        """Deal with a request that could not be sent."""
        if transaction is self.transaction and self._fall_back(now):
            return
        self._unanswered(transaction, failure, now)

    def _unanswered(self, transaction: ClientTransaction, failure: Failure, now: float) -> None:
        if transaction is not self.transaction or self._advance(now):
            return
        remote = self._way.remote
        self._handlers.failed(replace(failure, text=f"{remote}: {failure.text}", place=remote.place), now)

    def _fall_back(self, now: float) -> bool:
        """Send as a datagram what is too large for one, where nobody takes a connection."""
        way = self._way
        if way == self.hop or self._heard:
            return False
        self._core.large_requests.failed(way.remote, now)
        if self._stopped:
            return False
        self._send(now)
        return True

    def _advance(self, now: float) -> bool:
        """Try the next server, if there is one."""
        if self._stopped or self._index + 1 >= len(self._hops):
            return False
        self._index += 1
        self._send(now)
        return True

    def _login(self, transaction: ClientTransaction, response: Response, now: float) -> bool:
        """Send again with a login; False where that cannot help, or where none of ours may go."""
        if not self._core.may_log_in(self.hop):
            return False
        self._logins += 1
        self._asked_past_proxies = self._asked_past_proxies or "WWW-Authenticate" in response.headers
        try:
            self._core.digest.challenged(
                response,
                repeated=transaction.sent > 1,
                may_ask=lambda realm, proxy: self._core.realms.may_ask(
                    realm, transaction.request, proxy=proxy, rang=self._rang
                ),
            )
        except AuthenticationError as error:
            self.login_error = error
            return False
        if self._stopped or self._logins > MAX_LOGIN_ROUNDS:
            return False
        if self._handlers.challenged is not None:
            self._handlers.challenged(response, now)
        self._send(now)
        return True
