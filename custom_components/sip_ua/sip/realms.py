"""Which challenges may be our own server's, and which a far end had passed on to us (RFC 3261 sections 22.1 and 22.3).

A proxy brings us whatever a far end answers, also a demand for a login with a nonce of its choice, from whose answer
a weak password can be guessed. A REGISTER goes to the registrar and no further: what it is asked for is the server's.
"""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from .account import Account
from .message import Request

MAX_REALMS: Final = 8


class Realms:
    """The realms of the account's servers: those that asked for the login of a REGISTER, and those named like them."""

    def __init__(self, account: Account) -> None:
        """Begin with the names of the servers as the owner gave them."""
        self._registers = account.registers
        self._names = frozenset(_names_of(account))
        self._learned: dict[str, None] = {}

    def may_ask(self, realm: str, request: Request, *, proxy: bool, rang: bool) -> bool:
        """Whether a login may be given for a realm that was asked for in answer to a request.

        `proxy` tells a Proxy-Authenticate from a WWW-Authenticate, `rang` that the request had been answered by more
        than a 100 before. A realm that nobody knows gets a login where nothing speaks against a proxy of our
        provider: before it sent a request outside a dialog on.
        """
        if request.method == "REGISTER":
            self._learn(realm)
            return True
        if not self._registers or self._is_ours(realm.lower()):
            return True
        return not request.to.tag and not rang and (proxy or not self._learned)

    def _learn(self, realm: str) -> None:
        realm = realm.lower()
        self._learned.pop(realm, None)
        self._learned[realm] = None
        if len(self._learned) > MAX_REALMS:
            del self._learned[next(iter(self._learned))]

    def _is_ours(self, realm: str) -> bool:
        return realm in self._learned or any(_belong_together(realm, name) for name in self._names)


def _names_of(account: Account) -> Iterator[str]:
    if account.domain:
        yield account.domain.lower()
    for server in (account.server, account.registrar, account.outbound_proxy):
        if server is not None:
            yield server.host.lower()


def _belong_together(one: str, other: str) -> bool:
    """Whether two names are the same, or one is of a host in the domain that the other names."""
    longer, shorter = sorted((one, other), key=len, reverse=True)
    if longer == shorter:
        return True
    # A top-level domain is nobody's, and parts of a numeric address are no domain.
    return "." in shorter and longer.endswith(f".{shorter}") and not _is_numeric(longer)


def _is_numeric(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
