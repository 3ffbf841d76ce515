"""The way that a registrar wants our requests to take (RFC 3608 sections 5 and 6.1)."""

from typing import Final

from .errors import MessageError
from .headers import NameAddr, parse_name_addrs
from .message import Response
from .uri import SipUri

MAX_PROXIES: Final = 8


def service_route_of(response: Response) -> tuple[NameAddr, ...]:
    """Return the Service-Route of a 2xx to REGISTER, in its order.

    One that cannot be followed as it stands is as good as none: not readable, too long, or not made of loose routers.
    """
    try:
        route = parse_name_addrs(response.headers.get_all("Service-Route"))
    except MessageError:
        return ()
    follows = all(isinstance(hop.uri, SipUri) and hop.uri.loose_router for hop in route)
    return tuple(route) if follows and len(route) <= MAX_PROXIES else ()
