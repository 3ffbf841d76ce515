"""Who may reach us, and how much strangers may make us do (RFC 3261 sections 26.1 and 26.2).

With a server, requests come from it, or belong to a dialog; from others only where the account takes direct calls, or
where the owner has listed them as reached directly.
What a stranger gets from us stays a small multiple of what he sent, for a datagram may name anybody as its sender.
"""

from dataclasses import dataclass
from typing import Final
from weakref import WeakKeyDictionary

from .account import Transport
from .address import Address
from .calls import Calls
from .core import Core
from .dialog_call import DialogCall
from .message import Request
from .rate_limit import RateLimit
from .subscription import Subscription
from .subscriptions import Subscriptions
from .transaction_server import ANY_TERMS, Terms

STRANGER_RATE: Final = 50.0
STRANGER_BURST: Final = 100
FAR_END_RATE: Final = 50.0
"""Requests a second in one call or subscription, where they do not come from a server of ours."""
FAR_END_BURST: Final = 200
STRANGER_CALL_RATE: Final = 10.0
STRANGER_CALL_BURST: Final = 30
ALLOWANCE: Final = 3
"""How many times as much as a stranger sent our answers may come to before they are repeated no more.

So much may go to an address that proved nothing in RFC 9000 section 8.1. The final answer goes out once in any case.
"""
_RESPONSE_START = b"SIP/2.0 "


@dataclass(slots=True)
class Counters:
    """What was dropped without an answer, refused as unreadable, or refused since there was too much to do."""

    strangers: int = 0
    malformed: int = 0
    limited: int = 0
    overloads: int = 0


class Admission:
    """Decides on each message before it is dealt with; `takes_all` tells whether anybody may call."""

    def __init__(self, core: Core, calls: Calls, subscriptions: Subscriptions) -> None:
        """Know the servers of `core` and the dialogs of the others."""
        self.counters = Counters()
        account = core.account
        self.takes_all = account.allow_direct_calls or not account.registers
        self._direct_hosts = account.direct_hosts
        self._core = core
        self._calls = calls
        self._subscriptions = subscriptions
        self._limits = {
            "INVITE": RateLimit(STRANGER_CALL_RATE, STRANGER_CALL_BURST),
            "": RateLimit(STRANGER_RATE, STRANGER_BURST),
        }
        self._of_dialogs: WeakKeyDictionary[DialogCall | Subscription, RateLimit] = WeakKeyDictionary()

    def expects(self, host: str) -> bool:
        """Whether anything that a numeric host may send would be read."""
        return bool(self._calls.dialogs) or self._may_call(host) or host in self._core.server_hosts

    def knows(self, source: Address) -> bool:
        """Whether an address may send us what belongs to nothing yet."""
        return self._core.is_server(source) or self._may_call(source.host)

    def _may_call(self, host: str) -> bool:
        """Whether calls of a numeric host are taken although they come by no server.

        What claims to come from a server without being its, as a datagram may where that is spoken to by TLS, is none.
        """
        if host in self._core.server_hosts:
            return False
        return self.takes_all or host in self._direct_hosts

    def reads(self, data: bytes, source: Address) -> bool:
        """Whether to look at all at a message that comes from no server of ours."""
        if self._may_call(source.host) or self._calls.dialogs or data.startswith(_RESPONSE_START):
            return True
        self.counters.strangers += 1
        return False

    def terms(self, request: Request, source: Address, size: int, now: float) -> Terms | None:
        """Return the terms on which to take in the request that is dealt with, of `size` octets; None to leave it."""
        core = self._core
        key = request.call_id, request.to.tag or ""
        dialog = self._calls.dialogs.get(key) or self._subscriptions.dialogs.get(key)
        is_server = core.from_server
        if not self._admits(request, source, dialog, now, is_server=is_server):
            return None
        unlimited = is_server or dialog is not None or source.transport is not Transport.UDP
        no_calls = request.method == "INVITE" and core.overload.refuses(request.call_id, now)
        return ANY_TERMS if unlimited and not no_calls else Terms(None if unlimited else ALLOWANCE * size, no_calls)

    def _admits(
        self,
        request: Request,
        source: Address,
        dialog: DialogCall | Subscription | None,
        now: float,
        *,
        is_server: bool,
    ) -> bool:
        """Whether to deal with a request: the server's all, of a dialog's far end and of anybody else a few."""
        if dialog is not None and dialog.takes_from(source):
            return is_server or self._is_moderate(dialog, now)
        if dialog is None and is_server:
            return True
        if dialog is not None or not self._may_call(source.host):
            # What was said by TLS alone is known to nobody else: in such a dialog it gets no answer, whoever may call.
            self.counters.strangers += 1
            return False
        if request.method == "ACK" or (
            request.method == "CANCEL" and self._core.layer.knows_invite_of(request, source)
        ):
            return True
        return self._allows(self._limits.get(request.method, self._limits[""]), now)

    def _is_moderate(self, dialog: DialogCall | Subscription, now: float) -> bool:
        """Whether a far end asks no more than a telephone does: what it asks is remembered for a while."""
        return self._allows(self._of_dialogs.setdefault(dialog, RateLimit(FAR_END_RATE, FAR_END_BURST)), now)

    def _allows(self, limit: RateLimit, now: float) -> bool:
        allowed = limit.allow(now)
        self.counters.limited += not allowed
        return allowed
