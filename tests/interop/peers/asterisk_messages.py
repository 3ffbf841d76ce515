"""The SIP messages in a log of Asterisk's."""

import re
from dataclasses import dataclass

_MESSAGE = re.compile(
    r"<--- (?P<way>Received|Transmitting) SIP (?:request|response) \(\d+ bytes\) (?:from|to) (?P<far>\S+) --->\n"
    r"(?P<text>.*?)\n(?=\n?<---|\n?\[|\s*==|\s*--|\Z)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """A SIP message that Asterisk sent or received."""

    sent: bool
    far: str
    """`TRANSPORT:address:port` of the other side."""
    text: str

    @property
    def start_line(self) -> str:
        """Return the request line or status line."""
        return self.text.partition("\n")[0].strip()

    @property
    def method(self) -> str:
        """Return the method of a request, "" of an answer."""
        return "" if self.start_line.startswith("SIP/2.0 ") else self.start_line.partition(" ")[0]

    @property
    def status(self) -> int:
        """Return the status of an answer, 0 of a request."""
        return 0 if self.method else int(self.start_line.split()[1])

    def header(self, name: str) -> str:
        """Return the first header field of a name, "" where there is none."""
        for line in self.text.splitlines()[1:]:
            found, colon, value = line.partition(":")
            if not line.strip():
                return ""
            if colon and found.strip().lower() == name.lower():
                return value.strip()
        return ""

    @property
    def answers(self) -> str:
        """Return the method of the request that an answer belongs to."""
        return "" if self.method else self.header("CSeq").partition(" ")[2].strip()


def read_messages(log: str) -> list[SeenMessage]:
    """Return the messages of a log, in their order."""
    return [
        SeenMessage(match["way"] == "Transmitting", match["far"], match["text"])
        for match in _MESSAGE.finditer(log.replace("\r", ""))
    ]
