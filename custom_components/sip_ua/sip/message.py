"""Requests and responses: parsed, checked, answered and written (RFC 3261 sections 7, 8.1.1, 8.2.6 and 20)."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, override

from .errors import LocalProtocolError, MessageError
from .grammar import MAX_MESSAGE, METHODS, SIP_VERSION, WHITE_SPACE, has_line_break, is_digits, is_token, split_list
from .header_names import SINGLE_HEADERS
from .headers import (
    CSeq,
    Headers,
    NameAddr,
    Via,
    parse_cseq,
    parse_name_addr,
    parse_name_addrs,
    parse_seconds,
    parse_via,
)
from .parser import LINE_ENDS, find_head_end, parse_content_length, read_head
from .plain_request import read_plain_request
from .reasons import REASON_PHRASES, reason_phrase
from .uri import Uri, parse_uri

__all__ = ["REASON_PHRASES", "Message", "Request", "Response", "check_request", "check_response", "parse_message"]

LONGEST_RETRY_AFTER: Final = 86400
"""Seconds of rest that are granted at most, whatever a peer asks for."""

_STATUS_LINE_START: Final = f"{SIP_VERSION} "
_DIALOG_METHODS: Final = frozenset({"INVITE", "SUBSCRIBE", "REFER", "NOTIFY"})


def _parse_top_via(values: list[str]) -> Via:
    if not values:
        raise MessageError("missing")
    return parse_via(split_list(values[0])[0])


def _parse_call_id(text: str) -> str:
    if not text or " " in text or "\t" in text:
        raise MessageError("empty, or with white space")
    return text


def _parse_contacts(values: list[str]) -> list[NameAddr]:
    return [] if values == ["*"] else parse_name_addrs(values)


def _parse_readable_contacts(values: list[str]) -> list[NameAddr]:
    """Leave out what cannot be read: a registrar repeats what other phones have registered."""
    contacts = []
    for piece in (piece for line in values for piece in split_list(line)):
        try:
            contacts.append(parse_name_addr(piece))
        except MessageError:
            continue
    return contacts


def _parse_media_type(values: list[str]) -> str | None:
    return values[0].partition(";")[0].replace(" ", "").lower() or None if values else None


class Message(ABC):
    """What requests and responses have in common.

    The typed properties are parsed when first asked for, and again after that header changed. Those of a message
    from `parse_message` have been checked; of others they raise MessageError where the header is missing or wrong.
    """

    __slots__ = ("body", "headers")

    def __init__(self, headers: Headers, body: bytes = b"") -> None:
        """Take header fields and body."""
        self.headers = headers
        self.body = body

    @property
    @abstractmethod
    def start_line(self) -> str:
        """The first line, without its end."""

    @abstractmethod
    def _check_start_line(self) -> None:
        """Raise LocalProtocolError where the first line would not be read as it is meant."""

    @property
    def via(self) -> Via:
        """The topmost Via."""
        return self.headers.typed("Via", _parse_top_via)

    @via.setter
    def via(self, via: Via) -> None:
        self.headers.replace_first("Via", str(via))

    @property
    def from_(self) -> NameAddr:
        """Who sent the request."""
        return self.headers.typed_only("From", parse_name_addr)

    @property
    def to(self) -> NameAddr:
        """Whom the request is for."""
        return self.headers.typed_only("To", parse_name_addr)

    @property
    def cseq(self) -> CSeq:
        """Sequence number and method."""
        return self.headers.typed_only("CSeq", parse_cseq)

    @property
    def call_id(self) -> str:
        """The identifier that all messages of a call or registration share."""
        return self.headers.typed_only("Call-ID", _parse_call_id)

    @property
    def contacts(self) -> list[NameAddr]:
        """Every Contact in order; none for `*` (see `contact_star`)."""
        return self.headers.typed("Contact", _parse_contacts)

    @property
    def contact_star(self) -> bool:
        """Whether Contact is `*`, which removes every binding (RFC 3261 section 10.2.2)."""
        return self.headers.get("Contact") == "*"

    @property
    def route(self) -> list[NameAddr]:
        """Every Route in order."""
        return self.headers.typed("Route", parse_name_addrs)

    @property
    def record_route(self) -> list[NameAddr]:
        """Every Record-Route in order."""
        return self.headers.typed("Record-Route", parse_name_addrs)

    @property
    def content_type(self) -> str | None:
        """The media type of the body in lower case, without parameters."""
        return self.headers.typed("Content-Type", _parse_media_type)

    @property
    def expires(self) -> int | None:
        """Expires in seconds; None where it is missing or unreadable."""
        return parse_seconds(self.headers.get("Expires"))

    def to_bytes(self) -> bytes:
        """Write the message; Content-Length is that of the body, whatever the headers say.

        Raises LocalProtocolError where the start line cannot be written.
        """
        self._check_start_line()
        lines = [self.start_line]
        lines += [f"{name}: {value}" for name, value in self.headers if name != "Content-Length"]
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body

    @override
    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Message)
            and self.start_line == other.start_line
            and self.headers == other.headers
            and self.body == other.body
        )

    __hash__ = None  # type: ignore[assignment]

    @override
    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.start_line!r}>"


class Request(Message):
    """A request; `uri` is the Request-URI as it is written.

    `before_answer(request)` is called once, when the first response is made: what only answers need can wait for it.
    """

    __slots__ = ("_parsed_uri", "before_answer", "method", "uri")

    def __init__(
        self, method: str, uri: str, headers: Headers, body: bytes = b"", parsed_uri: Uri | None = None
    ) -> None:
        """Take method, Request-URI, header fields and body; `parsed_uri` is what the Request-URI means if known."""
        self.headers = headers
        self.body = body
        self.method = method
        self.uri = uri
        self._parsed_uri = None if parsed_uri is None else (uri, parsed_uri)
        self.before_answer: Callable[[Request], None] | None = None

    @property
    @override
    def start_line(self) -> str:
        return f"{self.method} {self.uri} {SIP_VERSION}"

    @override
    def _check_start_line(self) -> None:
        if self.method not in METHODS and not is_token(self.method):
            raise LocalProtocolError("a method that cannot be written")
        if not self.uri or " " in self.uri or has_line_break(self.uri):
            raise LocalProtocolError("a Request-URI that cannot be written")

    @property
    def request_uri(self) -> Uri:
        """The Request-URI, parsed once for each change of it; raises MessageError."""
        if self._parsed_uri is None or self._parsed_uri[0] != self.uri:
            self._parsed_uri = (self.uri, parse_uri(self.uri))
        return self._parsed_uri[1]

    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards; None where it is missing or unreadable."""
        return parse_seconds(self.headers.get("Max-Forwards"))

    def create_response(self, status: int, reason: str | None = None, *, to_tag: str | None = None) -> Response:
        """Return a response with the headers that it repeats (RFC 3261 sections 8.2.6.2 and 12.1.1).

        `to_tag` is added to a To without a tag, save in a 100. Headers that the request lacks are left out.
        """
        if self.before_answer is not None:
            prepare, self.before_answer = self.before_answer, None
            prepare(self)
        names = ["Via", "From", "To", "Call-ID", "CSeq"]
        if status == 100:
            names.append("Timestamp")
        elif status < 300 and self.method in _DIALOG_METHODS:
            names.append("Record-Route")
        headers = Headers.from_wire([(name, value) for name in names for value in self.headers.get_all(name)])
        if to_tag and status != 100:
            self._add_to_tag(headers, to_tag)
        return Response(status, reason_phrase(status) if reason is None else reason, headers)

    def _add_to_tag(self, headers: Headers, tag: str) -> None:
        try:
            to = self.to
        except MessageError:
            return  # the answer to a broken To repeats it as it came
        if to.tag is None:
            headers.set("To", str(to.with_tag(tag)))

    def forget_parsed(self) -> None:
        """Let go of what was parsed, where the request is kept for long; it is parsed again for whoever asks."""
        self.headers.forget_parsed()
        self._parsed_uri = None

    def copy(self) -> Request:
        """Return a request that changes apart from this one."""
        return Request(self.method, self.uri, self.headers.copy(), self.body)


class Response(Message):
    """A response."""

    __slots__ = ("reason", "status")

    def __init__(self, status: int, reason: str, headers: Headers, body: bytes = b"") -> None:
        """Take status code, reason phrase, header fields and body."""
        super().__init__(headers, body)
        self.status = status
        self.reason = reason

    @property
    @override
    def start_line(self) -> str:
        return f"{SIP_VERSION} {self.status} {self.reason}"

    @override
    def _check_start_line(self) -> None:
        if not 100 <= self.status <= 699 or has_line_break(self.reason):
            raise LocalProtocolError("a status or reason phrase that cannot be written")

    @property
    @override
    def contacts(self) -> list[NameAddr]:
        """Every Contact in order that can be read."""
        return self.headers.typed("Contact", _parse_readable_contacts)

    @property
    def retry_after(self) -> int:
        """Seconds in which nothing is to be asked again, a day at most; 0 where none are named (section 20.33)."""
        named = (self.headers.get("Retry-After") or "").partition("(")[0]
        return min(parse_seconds(named) or 0, LONGEST_RETRY_AFTER)

    def copy(self) -> Response:
        """Return a response that changes apart from this one."""
        return Response(self.status, self.reason, self.headers.copy(), self.body)


def parse_message(data: bytes | bytearray | memoryview) -> Request | Response:
    """Parse one message, as a datagram or a frame of a stream has it; empty lines before it are skipped.

    Octets behind Content-Length are left out (RFC 3261 section 18.3). The message has been checked as by
    `check_request` or `check_response`. Raises MessageError, with `request` where that can be answered: where it is
    no ACK and has a Via.
    """
    if len(data) > MAX_MESSAGE:
        raise MessageError("a message that is too large", 513)
    if type(data) is not bytes:
        data = bytes(data)
    plain = read_plain_request(data)
    return parse_by_grammar(data) if plain is None else Request(*plain)


def parse_by_grammar(data: bytes) -> Request | Response:
    """Parse one message by the full grammar; as `parse_message` otherwise."""
    if data[:1] in (b"\r", b"\n"):
        data = data.lstrip(LINE_ENDS)
    ends = find_head_end(data)
    if ends is None:
        raise MessageError("a message without the empty line behind its headers")
    start_line, fields, problem = read_head(data[: ends[0]])
    headers = Headers.from_wire(fields)
    body = data[ends[1] :]
    if start_line[: len(_STATUS_LINE_START)].upper() == _STATUS_LINE_START:
        response = _read_status_line(start_line, headers, body)
        if problem:
            raise problem
        _cut_body(response)
        check_response(response)
        return response
    request, version = _read_request_line(start_line, headers, body)
    try:
        if version != SIP_VERSION:
            raise MessageError("another version of SIP", 505)  # noqa: TRY301
        if problem:
            raise problem
        _cut_body(request)
        check_request(request)
    except MessageError as err:
        if "Via" in headers and request.method != "ACK":
            err.request = request
        raise
    return request


def _read_status_line(line: str, headers: Headers, body: bytes) -> Response:
    status, _, reason = line[len(_STATUS_LINE_START) :].partition(" ")
    if len(status) != 3 or not is_digits(status) or not "100" <= status <= "699":
        raise MessageError("a status line without a status")
    return Response(int(status), reason, headers, body)


def _read_request_line(line: str, headers: Headers, body: bytes) -> tuple[Request, str]:
    method, _, rest = line.rstrip(WHITE_SPACE).partition(" ")
    uri, _, version = rest.rpartition(" ")
    version = version.upper()
    if not version.startswith("SIP/") or (method not in METHODS and not is_token(method)):
        raise MessageError("no start line of SIP")
    return Request(method, uri, headers, body), version


def _cut_body(message: Message) -> None:
    length = message.headers.typed("Content-Length", parse_content_length)
    if length is None or length == len(message.body):
        return
    if length > len(message.body):
        raise MessageError("Content-Length: more than there is")
    message.body = message.body[:length]


def check_request(request: Request) -> None:
    """Check what every request must have (RFC 3261 section 8.1.1) and whether it can be read.

    Raises MessageError, with the status that answers it.
    """
    headers = request.headers
    if _check_common(headers).method != request.method:
        raise MessageError("CSeq: another method than the request's")
    request.request_uri  # noqa: B018
    headers.typed("Contact", _parse_contacts)
    headers.typed("Route", parse_name_addrs)
    if name := headers.repeated(SINGLE_HEADERS):
        raise MessageError(f"{name}: given more than once")


def check_response(response: Response) -> None:
    """Check what every response must have (RFC 3261 section 8.2.6.2); raises MessageError."""
    _check_common(response.headers)


def _check_common(headers: Headers) -> CSeq:
    headers.typed("Via", _parse_top_via)
    headers.typed_only("From", parse_name_addr)
    headers.typed_only("To", parse_name_addr)
    headers.typed_only("Call-ID", _parse_call_id)
    headers.typed("Record-Route", parse_name_addrs)
    return headers.typed_only("CSeq", parse_cseq)
