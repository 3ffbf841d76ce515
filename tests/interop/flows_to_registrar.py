"""Flows in which SIPp is the registrar: logins, times too short, a server that is busy (RFC 3261 section 10)."""

from custom_components.sip_ua.sip.events import RegistrationState

from .agent import Agent
from .flows_to_us import Flow
from .peers import Sipp
from .steps import expect, respond

BINDING = "[last_Contact:]"
GONE = (expect("REGISTER", ("Contact", "expires=0|[^;]*")), respond(200))


async def registered(ours: Agent, _sipp: Sipp) -> None:
    """Wait until that is done, and switch off."""
    await ours.until_registration(RegistrationState.REGISTERED)
    await ours.phone.stop()


def granted(seconds: int = 3600) -> str:
    """Return how SIPp accepts."""
    return respond(200, BINDING, f"Expires: {seconds}")


def challenge(nonce: str, more: str = "") -> str:
    """Return how SIPp asks for a login."""
    return respond(401, f'WWW-Authenticate: Digest realm="sip.test", nonce="{nonce}", qop="auth"{more}')


FLOWS = (
    Flow(
        "a time that is too short for the registrar is asked for anew",
        (
            *(expect("REGISTER"), respond(423, "Min-Expires: 7200")),
            *(expect("REGISTER", ("Expires", "7200"), ("CSeq", "2 REGISTER")), granted(7200), *GONE),
        ),
        act=registered,
    ),
    Flow(
        "a login whose nonce has grown old is done again with the new one",
        (
            *(expect("REGISTER"), challenge("n1")),
            *(expect("REGISTER", ("Authorization", 'nonce="n1"')), challenge("n2", ", stale=true")),
            *(expect("REGISTER", ("Authorization", 'nonce="n2".*nc=00000001')), granted()),
            *(expect("REGISTER", ("Authorization", 'nonce="n2".*nc=00000002')), respond(200)),
        ),
        act=registered,
    ),
    Flow(
        "a registrar that is busy is asked again when it said",
        (*(expect("REGISTER"), respond(503, "Retry-After: 1")), *(expect("REGISTER"), granted()), *GONE),
        act=registered,
    ),
)
