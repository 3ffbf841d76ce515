"""Independent SIP software, started and stopped by the tests."""

from .asterisk import Asterisk
from .baresip import Baresip, BaresipEvent
from .kamailio import REALM, Contact, Kamailio, SeenAnswer, SeenRequest, assert_record_routed
from .pjsua import Pjsua, SeenMessage
from .ports import LOOPBACK, free_ports
from .process import PeerError, PeerProcess, open_descriptors, require_program, until
from .sipp import Sipp, SippResult

__all__ = [
    "LOOPBACK",
    "REALM",
    "Asterisk",
    "Baresip",
    "BaresipEvent",
    "Contact",
    "Kamailio",
    "PeerError",
    "PeerProcess",
    "Pjsua",
    "SeenAnswer",
    "SeenMessage",
    "SeenRequest",
    "Sipp",
    "SippResult",
    "assert_record_routed",
    "free_ports",
    "open_descriptors",
    "require_program",
    "until",
]
