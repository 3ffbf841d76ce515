"""Requests as nearly all telephones and servers write them, read in one go (RFC 3261 sections 7 and 8.1.1).

Whatever is not as plain as that is left to the full grammar, which reads what is plain in the very same way.
"""

from typing import Any, Final

from .errors import MessageError
from .grammar import METHODS, SIP_VERSION
from .header_names import SINGLE_HEADERS
from .headers import CSeq, Headers, plain_name_addr, plain_via
from .parser import read_plain_lines
from .uri import SipUri, plain_sip_uri

type PlainRequest = tuple[str, str, Headers, bytes, SipUri]

_HEAD_END: Final = b"\r\n\r\n"
_LINE_TAIL: Final = f" {SIP_VERSION}"
_PLAIN_DIGITS: Final = 9
_ADDRESS_LISTS: Final = ("Contact", "Record-Route", "Route")


def read_plain_request(data: bytes) -> PlainRequest | None:
    """Return method, Request-URI, header fields, body and parsed Request-URI of a request in which nothing is wrong.

    The header fields hold what was parsed of them. None where the full grammar has to say what is meant, or wrong.
    """
    head, end, body = data.partition(_HEAD_END)
    read = read_plain_lines(head) if end else None
    if read is None:
        return None
    start_line, fields = read
    first = dict(fields)
    if len(first) != len(fields):
        if _repeats_what_it_may_not(fields):
            return None
        first = dict(reversed(fields))
    method, _, uri = start_line.removesuffix(_LINE_TAIL).partition(" ")
    number, _, cseq_method = first.get("CSeq", "").partition(" ")
    call_id = first.get("Call-ID", "")
    length = str(len(body))
    if (
        method not in METHODS
        or not start_line.endswith(_LINE_TAIL)
        or cseq_method != method
        or not (number.isdecimal() and number.isascii() and len(number) <= _PLAIN_DIGITS)
        or not call_id
        or " " in call_id
        or "\t" in call_id
        or first.get("Content-Length", length) != length
    ):
        return None
    try:
        via = plain_via(first.get("Via", ""))
        from_ = plain_name_addr(first.get("From", ""))
        to = plain_name_addr(first.get("To", ""))
        request_uri = plain_sip_uri(uri)
        if via is None or from_ is None or to is None or request_uri is None:
            return None
        cseq = CSeq(int(number), method)
        parsed: dict[str, Any] = {"Via": via, "From": from_, "To": to, "Call-ID": call_id, "CSeq": cseq}
        for name in _ADDRESS_LISTS:
            if name in first:
                lines = [value for kept, value in fields if kept == name]
                parsed[name] = [None if "," in line else plain_name_addr(line) for line in lines]
                if not all(parsed[name]):
                    return None
        return method, uri, Headers.from_wire(fields, first, parsed), body, request_uri
    except MessageError:
        return None


def _repeats_what_it_may_not(fields: list[tuple[str, str]]) -> bool:
    names = [name for name, _ in fields]
    return any(names.count(name) > 1 for name in SINGLE_HEADERS)
