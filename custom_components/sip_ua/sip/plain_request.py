"""Requests as nearly all telephones and servers write them, read in one go (RFC 3261 sections 7 and 8.1.1).

Whatever is not as plain as that is left to the full grammar, which reads what is plain in the very same way.
"""

import re
from typing import Any, Final

from .errors import MessageError
from .grammar import METHODS, SIP_VERSION
from .header_names import SINGLE_HEADERS
from .headers import CSeq, Headers, plain_name_addr, plain_via
from .parser import read_plain_lines
from .uri import PLAIN_SIP_URI, SipUri, plain_sip_uri

type PlainRequest = tuple[str, str, Headers, bytes, SipUri]

_is_plain_line = re.compile(rf"([A-Z]++) ({PLAIN_SIP_URI}) {re.escape(SIP_VERSION)}").fullmatch
_is_plain_cseq = re.compile(r"([0-9]{1,9}+) ([A-Z]++)").fullmatch
_is_plain_call_id = re.compile(r"[^ \t]++").fullmatch
_HEAD_END: Final = b"\r\n\r\n"
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
    first = dict(reversed(fields))
    line = _is_plain_line(start_line)
    cseq = _is_plain_cseq(first.get("CSeq", ""))
    call_id = first.get("Call-ID", "")
    if line is None or cseq is None or not _is_plain_call_id(call_id):
        return None
    method, uri, *parts = line.groups()
    length = first.get("Content-Length")
    if method not in METHODS or cseq[2] != method or not (length is None or length == str(len(body))):
        return None
    if len(first) != len(fields) and _repeats_what_it_may_not(fields):
        return None
    try:
        typed: dict[str, Any] = {
            "Via": plain_via(first.get("Via", "")),
            "From": plain_name_addr(first.get("From", "")),
            "To": plain_name_addr(first.get("To", "")),
            "Call-ID": call_id,
            "CSeq": CSeq(int(cseq[1]), method),
        }
        if not all(typed.values()):
            return None
        for name in _ADDRESS_LISTS:
            lines = [value for kept, value in fields if kept == name] if name in first else []
            typed[name] = [plain_name_addr(line) for line in lines if "," not in line]
            if len(typed[name]) < len(lines) or not all(typed[name]):
                return None
        return method, uri, Headers.from_wire(fields, first, typed), body, plain_sip_uri(uri, *parts)
    except MessageError:
        return None


def _repeats_what_it_may_not(fields: list[tuple[str, str]]) -> bool:
    names = [name for name, _ in fields]
    return any(names.count(name) > 1 for name in SINGLE_HEADERS)
