"""What transfers are written with: Refer-To, Replaces, sipfrag (RFC 3515, RFC 3891, RFC 3420), and the owner's rule."""

from dataclasses import dataclass, replace
from typing import override

from .account import Account, ReferPolicy
from .errors import MessageError, RemoteProtocolError
from .grammar import SIP_VERSION, is_digits, is_token
from .headers import parse_name_addr
from .message import Request
from .number_pattern import fits
from .reasons import reason_phrase
from .text import clean_text
from .uri import SipUri, TelUri, escape

SIPFRAG_TYPE = "message/sipfrag"
MAX_FRAGMENT = 4096
MAX_PARAMS = 8
MAX_TARGET = 1024


@dataclass(frozen=True, slots=True)
class Replaces:
    """Which dialog an INVITE takes over, as the receiver of the INVITE names it (RFC 3891 section 6.1)."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @override
    def __str__(self) -> str:
        """Return the header field value."""
        early = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"


def parse_replaces(text: str) -> Replaces:
    """Parse a Replaces header field; raises MessageError."""
    call_id, *params = (part.strip() for part in text.split(";"))
    values: dict[str, str] = {}
    for param in params[:MAX_PARAMS]:
        name, _, value = param.partition("=")
        if name.strip().lower() in values:
            raise MessageError("Replaces: a parameter twice")
        values[name.strip().lower()] = value.strip()
    to_tag, from_tag = values.get("to-tag", ""), values.get("from-tag", "")
    if not call_id.isprintable() or not call_id or " " in call_id or not is_token(to_tag) or not is_token(from_tag):
        raise MessageError("Replaces: without a Call-ID or a tag")
    return Replaces(call_id, to_tag, from_tag, early_only="early-only" in values)


@dataclass(frozen=True, slots=True)
class ReferTarget:
    """Whom a REFER tells us to call, and which of its calls we are to take over."""

    uri: SipUri | TelUri
    replaces: Replaces | None = None

    @override
    def __str__(self) -> str:
        """Return the Refer-To header field value."""
        if self.replaces is None or isinstance(self.uri, TelUri):
            return f"<{self.uri}>"
        return f"<{replace(self.uri, headers=f'Replaces={escape(str(self.replaces))}')}>"

    @property
    def number(self) -> str:
        """The telephone number, or the user part of the address."""
        return self.uri.digits if isinstance(self.uri, TelUri) else self.uri.user or ""


def parse_refer_to(request: Request) -> ReferTarget:
    """Return the target of a REFER; raises RemoteProtocolError, with status 400 or 416 (RFC 3515 section 2.4.2)."""
    values = request.headers.get_all("Refer-To")
    if len(values) != 1:
        raise RemoteProtocolError("a REFER needs one Refer-To")
    uri = parse_name_addr(values[0]).uri
    if len(str(uri)) > MAX_TARGET:
        raise RemoteProtocolError("a target that is too long", 414)
    if isinstance(uri, TelUri):
        return ReferTarget(uri)
    if not isinstance(uri, SipUri):
        raise RemoteProtocolError("a target that cannot be called", 416)
    if (uri.params.get("method") or "INVITE").upper() != "INVITE":
        raise RemoteProtocolError("a REFER to anything but a call", 403)
    text = uri.header("Replaces")
    replaces = None if text is None else parse_replaces(text)
    return ReferTarget(replace(uri, headers="", params=uri.params.without("method")), replaces)


def may_be_called(account: Account, server_hosts: frozenset[str], target: ReferTarget) -> bool:
    """Whether the owner's rule lets a far end transfer us to this target."""
    policy, uri = account.refer_policy, target.uri
    if policy is ReferPolicy.OFF or not fits(account.allowed_numbers, target.number):
        return False
    if isinstance(uri, TelUri):
        return account.registers
    named = {address.host.lower() for address in (account.server, account.registrar) if address is not None}
    return policy is ReferPolicy.ANYWHERE or uri.host in {account.domain.lower(), *named, *server_hosts}


def sipfrag(status: int, reason: str = "") -> bytes:
    """Return the status line that tells a transferor how the call goes (RFC 3515 section 2.4.5)."""
    return f"{SIP_VERSION} {status} {clean_text(reason) or reason_phrase(status)}\r\n".encode()


def parse_sipfrag(request: Request) -> tuple[int, str] | None:
    """Return status and reason phrase that a NOTIFY tells of, None where it holds none."""
    if request.content_type != SIPFRAG_TYPE or len(request.body) > MAX_FRAGMENT:
        return None
    line = request.body.partition(b"\n")[0].decode("utf-8", "replace").strip()
    version, _, rest = line.partition(" ")
    status, _, reason = rest.strip().partition(" ")
    if version.upper() != SIP_VERSION or len(status) != 3 or not is_digits(status) or not "100" <= status <= "699":
        return None
    return int(status), clean_text(reason)
