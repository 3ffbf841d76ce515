"""What the answers of a registrar mean, and how long to wait after each (RFC 3261 sections 10.2.4 and 10.3)."""

from typing import Final

from .account import Account
from .address import Address, place_of
from .events import RegistrationFailure
from .headers import NameAddr
from .message import Response
from .redirection import places_of
from .text import clean_text
from .uri import SipUri, uri_equal

REFRESH_MARGIN: Final = 90.0
SHORTEST_REFRESH: Final = 2.0
EXPIRES_MIN_GRANTED: Final = 1
EXPIRES_MAX: Final = 2**31
CONFIRM_INTERVAL: Final = 55.0
"""Seconds between confirmations at a provider: a registrar that forgot us has us back within a minute."""
CONFIRM_FORGIVEN: Final = 86400.0
"""Seconds after which a refused confirmation does not count any more."""

# What a final answer other than 2xx means; any other code is the server's own trouble.
FAILURE_BY_STATUS: Final[dict[int, RegistrationFailure]] = {
    300: RegistrationFailure.REDIRECTED,
    301: RegistrationFailure.REDIRECTED,
    302: RegistrationFailure.REDIRECTED,
    305: RegistrationFailure.REDIRECTED,
    401: RegistrationFailure.LOGIN_REFUSED,
    403: RegistrationFailure.LOGIN_REFUSED,
    404: RegistrationFailure.NUMBER_UNKNOWN,
    407: RegistrationFailure.LOGIN_REFUSED,
    410: RegistrationFailure.NUMBER_UNKNOWN,
    408: RegistrationFailure.SERVER_BUSY,
    416: RegistrationFailure.WRONG_DOMAIN,
    429: RegistrationFailure.SERVER_BUSY,
    476: RegistrationFailure.WRONG_DOMAIN,
    478: RegistrationFailure.WRONG_DOMAIN,
    480: RegistrationFailure.SERVER_BUSY,
    484: RegistrationFailure.NUMBER_UNKNOWN,
    485: RegistrationFailure.NUMBER_UNKNOWN,
    486: RegistrationFailure.SERVER_BUSY,
    491: RegistrationFailure.SERVER_BUSY,
    503: RegistrationFailure.SERVER_BUSY,
    504: RegistrationFailure.SERVER_BUSY,
    604: RegistrationFailure.NUMBER_UNKNOWN,
}
# A server that comes back is to be found within five seconds: what reaches nobody burdens nobody. One that is in
# trouble, and does not say for how long, is found within a minute.
LONGEST_PAUSE: Final[dict[RegistrationFailure, float]] = {
    RegistrationFailure.NO_ROUTE: 4.0,
    RegistrationFailure.NO_ANSWER: 4.0,
    RegistrationFailure.CONNECTION_REFUSED: 4.0,
    RegistrationFailure.NAME_NOT_FOUND: 15.0,
    RegistrationFailure.SERVER_BUSY: 45.0,
    RegistrationFailure.SERVER_ERROR: 45.0,
    RegistrationFailure.REDIRECTED: 45.0,
    # A handshake costs the server something, and somebody has to put its certificate right.
    RegistrationFailure.CERTIFICATE: 45.0,
    RegistrationFailure.CERTIFICATE_NAME: 45.0,
    RegistrationFailure.CERTIFICATE_EXPIRED: 45.0,
    RegistrationFailure.CERTIFICATE_CHANGED: 45.0,
    RegistrationFailure.TLS_VERSION: 45.0,
}


def place_named(response: Response) -> str:
    """Return where a redirection wants the registration, as a person types it into the account; "" for nowhere."""
    uri = next((place for place in places_of(response) if isinstance(place, SipUri)), None)
    if uri is None:
        return ""
    transport = "TLS" if uri.secure else (uri.params.get("transport") or "").upper()
    return clean_text(place_of(uri.host, uri.port, transport))


def granted_seconds(response: Response, ours: NameAddr | None, asked: int) -> float:
    """Return the granted seconds: of our Contact, else of the Expires header field, else what we asked for."""
    granted: int | None = None
    for contact in response.contacts:
        expires = contact.params.get("expires")
        if ours is not None and uri_equal(contact.uri, ours.uri) and expires is not None and expires.isdecimal():
            granted = int(expires[:10])
    if granted is None:
        granted = response.expires
    if granted is None:
        granted = asked
    return float(min(max(granted, EXPIRES_MIN_GRANTED), EXPIRES_MAX))


def refresh_pause(granted: float) -> float:
    """Return after how many seconds a registration is renewed at the latest."""
    return max(granted - min(REFRESH_MARGIN, granted / 2), SHORTEST_REFRESH)


def confirm_pause(account: Account, server: Address) -> float | None:
    """Return after how many seconds to register again lest the server has forgotten us, None without keep-alive.

    A registrar over UDP that was restarted answers our OPTIONS as before. One in our own home may be asked as often
    as the way to it is kept open; a provider's, who has many customers, is asked less often. The end of a connection
    tells that the server was restarted, though not that a registrar behind it was.
    """
    keep_alive = float(account.timing.keep_alive)
    if not keep_alive:
        return None
    tells = server.transport.reliable
    return keep_alive if server.at_home and not tells else max(keep_alive, CONFIRM_INTERVAL)
