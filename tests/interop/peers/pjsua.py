"""pjsua as an independent user agent: the strictest one, with every message that it saw or sent."""

import array
import asyncio
import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import override

from tests.interop.tone import Tone, measure, read_wav, sine, wav_seconds, write_wav

from .controlled import ControlledPeer
from .ports import LOOPBACK, free_ports
from .process import PeerError

TONE_SECONDS = 60.0
TONE_DBFS = -15.0
RTP_PORTS = 16
IPV6_OFFSET = 10
COMMAND_SECONDS = 10.0
READ_OCTETS = 65_536
PROMPT = "vm> "
TELNET_NOISE = re.compile(rb"\xff[\xfb-\xfe].|\x07", re.DOTALL)
MESSAGE = re.compile(
    r"^(?:vm> )*[\d:.]+ +pjsua_core\.c +[.!]*(?P<way>TX|RX) \d+ bytes (?:Request|Response) msg "
    r"(?P<code>\d+/)?(?P<method>[A-Z]+)/cseq=(?P<cseq>\d+) .*?:\n(?P<text>.*?)\n--end msg--",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """A message as pjsua saw or sent it; `code` is 0 for requests."""

    sent: bool
    method: str
    code: int
    cseq: int
    text: str

    def header(self, name: str) -> str:
        """Return the value of the first header field of this name, "" where there is none."""
        found = re.search(rf"^{re.escape(name)}:[ ]*(.*?)\r?$", self.text, re.IGNORECASE | re.MULTILINE)
        return found[1] if found else ""


class Pjsua(ControlledPeer):
    """One pjsua; its control connection is open while it runs and tells all that it logs.

    It sends a sine of `tone_hz` at `TONE_DBFS` once it is told to `speak`. `codecs` are those that it offers, in their
    order. With `answer` it answers by itself. Without a `registrar` (`host:port`) it has no server at all.
    """

    program = "pjsua"

    def __init__(
        self,
        folder: Path,
        *,
        user: str = "bob",
        password: str = "",
        registrar: str = "",
        tone_hz: float = 440.0,
        codecs: Sequence[str] = ("PCMA", "PCMU"),
        answer: bool = True,
        address: str = LOOPBACK,
        options: Sequence[str] = (),
    ) -> None:
        """Choose ports; nothing runs yet."""
        super().__init__(f"pjsua-{user}", folder)
        self.user = user
        self.tone_hz = tone_hz
        self.host = f"[{address}]" if ":" in address else address
        # Over IPv6 it listens ten ports above the one that it is given, which is for IPv4.
        own_port = free_ports(IPV6_OFFSET + 1)
        self.sip_port = own_port + IPV6_OFFSET if ":" in address else own_port
        self._codecs = codecs
        self._rate = 16_000 if "G722" in codecs else 8_000
        self._control_port = free_ports()
        self._registrar = registrar
        self._told = ""
        self._prompts = 0
        self._recordings = 0
        self._recording: Path | None = None
        self._commands = asyncio.Lock()
        identity = registrar or f"{self.host}:{self.sip_port}"
        self._arguments = [
            *("--id", f"sip:{user}@{identity}", "--local-port", str(own_port)),
            *("--rtp-port", str(free_ports(RTP_PORTS, step=2))),
            *("--null-audio", "--no-vad", "--no-tones", "--clock-rate", str(self._rate), "--max-calls", "4"),
            *("--use-cli", "--cli-telnet-port", str(self._control_port), "--no-cli-console", "--no-color"),
            *("--log-level", "4", "--app-log-level", "4"),
            *(("--auto-answer", "200") if answer else ()),
            # It binds IPv4 too, so that there is no address for both.
            *(("--ipv6",) if ":" in address else ("--bound-addr", address, "--ip-addr", address)),
            *options,
        ]
        if registrar:
            self._arguments += [
                *("--registrar", f"sip:{registrar}", "--realm", "*", "--username", user, "--password", password)
            ]

    @property
    def uri(self) -> str:
        """Return the URI for direct calls."""
        return f"sip:{self.user}@{self.host}:{self.sip_port}"

    @property
    @override
    def log(self) -> str:
        """Return all that it has told over its control connection, and what it wrote when that was not open."""
        return super().log + self._told

    @override
    async def start(self) -> None:
        """Start and return once it takes commands, and once the registrar has accepted."""
        write_wav(self._tone, sine(self.tone_hz, TONE_SECONDS, self._rate, TONE_DBFS), self._rate)
        self.launch(*self._arguments)
        await self.connect(self._control_port)
        await self.until(lambda: self._prompts, "pjsua takes commands")
        # Those that it does not know are none of ours either.
        for name in ("PCMU", "PCMA", "G722"):
            priority = 200 - self._codecs.index(name) if name in self._codecs else 0
            await self.command(f"audio codec_prio {name} {priority}")
        if self._registrar:
            # What it said before this connection was open it has told nobody.
            await self.command("acc reg")
            await self.until(lambda: self.answers("REGISTER", 200), "pjsua is registered")

    @property
    def _tone(self) -> Path:
        return self.folder / "tone.wav"

    @override
    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(READ_OCTETS):
                text = TELNET_NOISE.sub(b"", data).decode(errors="replace").replace("\r\n", "\n")
                # A prompt may come in two pieces.
                self._told += text
                self._prompts = self._told.count(PROMPT)

    async def command(self, text: str) -> str:
        """Give a command and return what was told until the next prompt."""
        if self._writer is None:
            raise PeerError(f"{self.name} is not running")
        async with self._commands:
            before, prompts = len(self._told), self._prompts
            self._writer.write(f"{text}\r\n".encode())
            await self.until(
                lambda: self._prompts > prompts, f"{self.name} obeys the command {text}", seconds=COMMAND_SECONDS
            )
            answer = self._told[before:]
        # It points at the word that it does not understand, not always with words of its own.
        if re.search(r"^ *\^$", answer, re.MULTILINE):
            raise PeerError(f"{self.name} does not know the command {text}{self.log_section()}")
        return answer

    # What it does

    async def dial(self, uri: str) -> None:
        """Call a URI."""
        await self.command(f"call new {uri}")

    async def answer(self, code: int = 200, contact: str = "") -> None:
        """Answer the call that rings, with a `contact` for 3xx."""
        await self.command(f"call answer {code} {contact}".rstrip())

    async def hangup(self) -> None:
        """End the current call."""
        await self.command("call hangup")

    async def hold(self) -> None:
        """Put the current call on hold."""
        await self.command("call hold")

    async def reinvite(self) -> None:
        """Send a re-INVITE, which takes the call back from hold."""
        await self.command("call reinvite")

    async def update(self) -> None:
        """Send an UPDATE with an offer."""
        await self.command("call update")

    async def send_digits(self, digits: str, *, by_info: bool = False) -> None:
        """Press keys in the current call, as telephone events or by INFO requests."""
        await self.command(f"call {'d_info' if by_info else 'd_2833'} {digits}")

    async def transfer(self, uri: str) -> None:
        """Transfer the far end of the current call to a URI."""
        await self.command(f"call transfer {uri}")

    async def transfer_to_first(self) -> None:
        """Send the far end of the call that it placed last to that of its first one, in its own place."""
        await self.command("call transfer_replaces 0")

    async def prefer(self, codec: str) -> None:
        """Offer this codec alone from now on."""
        for name in ("PCMU", "PCMA", "G722"):
            await self.command(f"audio codec_prio {name} {255 if name == codec else 0}")

    async def speak(self) -> None:
        """Send its tone in the current call."""
        await self.command(f"call playwav start -1 {self._tone}")

    async def listen(self) -> None:
        """Record what it hears in the current call into a new file."""
        self._recordings += 1
        self._recording = self.folder / f"heard-{self._recordings}.wav"
        await self.command(f"call recwav start -1 {self._recording}")

    # What it saw

    @property
    def messages(self) -> list[SeenMessage]:
        """Return every message that it sent or got since the control connection is open."""
        return [
            SeenMessage(
                sent=found["way"] == "TX",
                method=found["method"],
                code=int(found["code"][:-1]) if found["code"] else 0,
                cseq=int(found["cseq"]),
                text=found["text"],
            )
            for found in MESSAGE.finditer(self._told)
        ]

    def requests(self, method: str, *, sent: bool = False) -> list[SeenMessage]:
        """Return the requests of one method that it got, or sent."""
        return [seen for seen in self.messages if (seen.sent, seen.method, seen.code) == (sent, method, 0)]

    def answers(self, method: str, code: int, *, sent: bool = False) -> list[SeenMessage]:
        """Return the answers to one method with one code that it got, or sent."""
        return [seen for seen in self.messages if (seen.sent, seen.method, seen.code) == (sent, method, code)]

    async def until_told(self, text: str, times: int = 1) -> None:
        """Wait until its log has a text so often."""
        await self.until(lambda: self._told.count(text) >= times, f"{self.name} tells {text!r}")

    def count_state(self, state: str) -> int:
        """Return how often calls came into a state: CALLING, EARLY, CONFIRMED, DISCONNECTED."""
        # The last one is told in other words, and with the answer's code.
        return self._told.count(" is DISCONNECTED" if state == "DISCONNECTED" else f"state changed to {state}")

    async def until_state(self, state: str, times: int = 1) -> None:
        """Wait until calls were so often in a state."""
        await self.until(lambda: self.count_state(state) >= times, f"{self.name} has a call {state}")

    async def until_message(self, find: Callable[[], list[SeenMessage]], what: str) -> SeenMessage:
        """Wait until `find` gives a message and return the last."""
        return (await self.until(find, what))[-1]

    async def until_ringing(self) -> None:
        """Wait for a call that comes in."""
        await self.until(lambda: self.requests("INVITE"), f"{self.name} is called")
        await self.until_told("Incoming call for account")

    @property
    def digits(self) -> str:
        """Return the DTMF digits received so far."""
        return "".join(re.findall(r"Incoming DTMF on call \d+: (\S)", self._told))

    async def until_heard(self, seconds: float) -> Tone:
        """Listen anew until a tone came for so long, and return the measured tone."""
        await self.listen()
        found, wanted = 0.0, seconds + 0.3
        while True:
            await self.until(partial(self._has_recorded, wanted), f"{self.name} hears a tone for {seconds:g} s")
            samples, rate = self._heard()
            with contextlib.suppress(ValueError):
                tone = measure(samples, rate)
                if tone.seconds >= seconds:
                    await self.command("call recwav stop -1")
                    return tone
                found = tone.seconds
            wanted = self._recorded_seconds() + max(seconds - found, 0.2)

    def _heard(self) -> tuple[array.array[int], int]:
        return (array.array("h"), 0) if self._recording is None else read_wav(self._recording)

    def _recorded_seconds(self) -> float:
        return 0.0 if self._recording is None else wav_seconds(self._recording, self._rate)

    def _has_recorded(self, seconds: float) -> bool:
        return self._recorded_seconds() >= seconds
