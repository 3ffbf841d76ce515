"""A far end that answers each request as a test says, message by message."""

from collections.abc import Callable

from custom_components.sip_ua.sip.address import Address, Send
from custom_components.sip_ua.sip.message import Request, parse_message

from .link import Link

SDP = (
    "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
)

type Script = Callable[[Request], list[bytes]]


def answer(request: Request, status: int, tag: str = "", *, port: int = 0, **headers: str) -> bytes:
    """Return an answer; `tag` names the fork, a `port` adds a session description."""
    response = request.create_response(status, to_tag=tag or None)
    if 100 < status < 300:
        response.headers.add("Contact", f"<sip:{tag}@192.0.2.2:5060>")
    for name, value in headers.items():
        response.headers.add(name.replace("_", "-"), value)
    if port:
        response.headers.add("Content-Type", "application/sdp")
        response.body = SDP.format(port=port).encode()
    return response.to_bytes()


class Responder:
    """Plays a script at an address of the link."""

    def __init__(self, link: Link, address: Address, script: Script, *others: Address) -> None:
        """Join the link, under an address for each transport."""
        self.script = script
        self.asked: list[Request] = []
        self._peer: Address | None = None
        self._out: list[Send] = []
        link.join(self, address, *others, deliver=self.deliver)

    def handle_timer(self, now: float) -> None:
        """Have no timer."""

    def next_timer(self) -> float | None:
        """Have no timer."""
        return None

    def sends(self) -> list[Send]:
        """Return what the script wants to be sent."""
        out, self._out = self._out, []
        return out

    def deliver(self, data: bytes, source: Address, _now: float) -> None:
        """Take a request and play the script."""
        message = parse_message(data)
        if isinstance(message, Request):
            self.asked.append(message)
            self.send(source, *self.script(message))

    def send(self, destination: Address, *messages: bytes) -> None:
        """Send messages."""
        self._out += [Send(destination, message) for message in messages]

    def methods(self) -> list[str]:
        """Return the methods that came, in their order."""
        return [request.method for request in self.asked]
