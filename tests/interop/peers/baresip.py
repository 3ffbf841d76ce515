"""baresip as an independent user agent: registers, calls, answers, sends a tone, records what it hears."""

import array
import asyncio
import contextlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, override

from tests.interop.tone import Tone, measure, read_wav, sine, wav_seconds, write_wav

from .controlled import ControlledPeer
from .ports import LOOPBACK, free_ports
from .process import PeerError

MODULES = Path("/usr/lib/baresip/modules")
CODEC_RATES = {"pcmu": 8_000, "pcma": 8_000, "G722/16000/1": 16_000, "opus/48000/2": 48_000}
TONE_SECONDS = 60.0
TONE_DBFS = -15.0
RTP_PORTS = 24
COMMAND_SECONDS = 10.0
NETSTRING_CAP = 1 << 20
ENCRYPTED = re.compile(r"SRTP is Enabled \(cryptosuite=(\w+)\)")
REGISTERED = re.compile(r"200 OK .*\[\d+ bindings?\]")


@dataclass(frozen=True, slots=True)
class BaresipEvent:
    """An event as baresip tells it: REGISTER_OK, CALL_INCOMING, CALL_ESTABLISHED, CALL_CLOSED ..."""

    kind: str
    parameter: str
    peer: str
    call_id: str


@cache
def _tone(frequency_hz: float, rate: int) -> array.array[int]:
    """Return what a baresip says for a minute; the same ones are asked for again and again."""
    return sine(frequency_hz, TONE_SECONDS, rate, TONE_DBFS)


class Baresip(ControlledPeer):
    """One baresip with one account at a registrar; its control connection is open while it runs.

    It sends a sine of `tone_hz` at `TONE_DBFS` in every call and dumps what it receives. With `answer`
    true it answers by itself, else `accept` does. It obeys `transport` towards the registrar.
    """

    program = "baresip"

    def __init__(
        self,
        folder: Path,
        *,
        user: str,
        password: str = "",
        registrar: str = "",
        tone_hz: float = 440.0,
        codecs: Sequence[str] = ("pcma", "pcmu"),
        answer: bool = True,
        transport: str = "udp",
        register_seconds: int = 60,
        encryption: str = "",
        jitter_buffer: bool = True,
        certificate: Path | None = None,
        authority: Path | None = None,
        host: str = LOOPBACK,
    ) -> None:
        """Choose ports of `host`; `registrar` is `host:port`, and the domain of the identity; without it is no server.

        Over TLS it shows `certificate`, a file with its key, and trusts whom `authority` has signed for.
        With an `encryption` of "srtp" its voice is encrypted where the far end can, with "srtp-mand" always.
        """
        super().__init__(f"baresip-{user}", folder)
        self.user = user
        self.tone_hz = tone_hz
        self.events: list[BaresipEvent] = []
        self._jitter_buffer = jitter_buffer
        # It listens for TLS on the port after the one that it is given.
        self.sip_port = free_ports(2)
        self.control_port = free_ports()
        self.rtp_port = free_ports(RTP_PORTS, step=2)
        self.host = host
        self._tls = {"sip_certificate": certificate, "sip_cafile": authority}
        self._rate = CODEC_RATES[codecs[0]]
        # It says and keeps the sound of a codec with two channels in two.
        self._channels = 2 if codecs[0].endswith("/2") else 1
        self._registers = bool(registrar)
        domain, server = self.address, ";regint=0"
        if registrar:
            domain = registrar
            server = (
                f";auth_user={user};auth_pass={password};regint={register_seconds}"
                f';outbound="sip:{registrar};transport={transport}"'
            )
        self._account = (
            f"<sip:{user}@{domain};transport={transport}>{server};answermode={'auto' if answer else 'manual'}"
            f";audio_codecs={','.join(codecs)};dtmfmode=rtpevent{f';mediaenc={encryption}' if encryption else ''}\n"
        )
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._token = 0

    @property
    def uri(self) -> str:
        """Return the URI for direct calls."""
        return f"sip:{self.user}@{self.address}"

    @property
    def address(self) -> str:
        """Return `host:port` where it listens."""
        return f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.sip_port}"

    def _configuration(self, tone: Path) -> str:
        lines = {
            "poll_method": "epoll",
            "sip_listen": self.address,
            "call_local_timeout": "120",
            "call_max_calls": "4",
            # A player that nothing is attached to takes the sound without a sound card.
            "audio_player": f"aubridge,{self.user}-ear",
            "audio_source": f"aufile,{tone}",
            "audio_alert": f"aubridge,{self.user}-bell",
            "audio_level": "no",
            "statmode_default": "off",
            "menu_bell": "no",
            "rtp_ports": f"{self.rtp_port}-{self.rtp_port + RTP_PORTS - 1}",
            "rtp_stats": "yes",
            "rtcp_mux": "no",
            "jitter_buffer_delay": "2-10" if self._jitter_buffer else "0-0",
            "net_interface": self.host,
            "module_path": str(MODULES),
            "ctrl_tcp_listen": f"{LOOPBACK}:{self.control_port}",
            "snd_path": str(self.folder / "dump"),
            **{name: str(path) for name, path in self._tls.items() if path is not None},
        }
        modules = ("g711", "g722", "opus", "aubridge", "aufile", "sndfile", "srtp")
        applications = ("contact", "menu", "ctrl_tcp")
        return "".join(
            [
                *(f"{name} {value}\n" for name, value in lines.items()),
                *(f"module {name}.so\n" for name in modules),
                *(f"module_tmp {name}.so\n" for name in ("uuid", "account")),
                *(f"module_app {name}.so\n" for name in applications),
            ]
        )

    @override
    async def start(self) -> None:
        """Start and return once the registrar has accepted, where there is one."""
        await self.start_unregistered()
        # Its event for this may be told before anybody listens; the log keeps it.
        if self._registers:
            await self.until(lambda: REGISTERED.search(self.log), "baresip is registered")

    async def start_unregistered(self) -> None:
        """Start and return once the control connection is open."""
        (self.folder / "dump").mkdir(exist_ok=True)
        tone = write_wav(
            self.folder / "tone.wav",
            _tone(self.tone_hz, self._rate),
            self._rate,
            self._channels,
        )
        (self.folder / "config").write_text(self._configuration(tone))
        (self.folder / "accounts").write_text(self._account)
        (self.folder / "contacts").write_text("")
        self.launch("-6" if ":" in self.host else "-4", "-s", "-f", str(self.folder))
        await self.connect(self.control_port)

    @override
    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Read netstrings, `length:json,`, until the connection ends."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = int((await reader.readuntil(b":"))[:-1])
                if length > NETSTRING_CAP:
                    return
                message = json.loads((await reader.readexactly(length + 1))[:-1])
                if message.get("response"):
                    waiter = self._answers.pop(message.get("token", ""), None)
                    if waiter is not None and not waiter.done():
                        waiter.set_result(message)
                elif message.get("event"):
                    self.events.append(
                        BaresipEvent(
                            kind=message.get("type", ""),
                            parameter=message.get("param", ""),
                            peer=message.get("peeruri", ""),
                            call_id=message.get("id", ""),
                        )
                    )

    async def command(self, name: str, parameters: str = "") -> str:
        """Give a command of baresip's menu and return its answer; `PeerError` where it refuses."""
        if self._writer is None:
            raise PeerError(f"{self.name} is not running")
        self._token += 1
        token = f"t{self._token}"
        waiter = self._answers[token] = asyncio.get_running_loop().create_future()
        body = json.dumps({"command": name, "params": parameters, "token": token}).encode()
        self._writer.write(b"%d:%s," % (len(body), body))
        try:
            async with asyncio.timeout(COMMAND_SECONDS):
                answer = await waiter
        except TimeoutError:
            raise PeerError(f"{self.name} did not answer the command {name}{self.log_section()}") from None
        if not answer.get("ok"):
            raise PeerError(f"{self.name} refused {name} {parameters}: {answer.get('data')}{self.log_section()}")
        return str(answer.get("data", ""))

    async def dial(self, uri: str) -> None:
        """Call a URI."""
        await self.command("dial", uri)

    @property
    def suite(self) -> str:
        """Return the crypto suite that it says to use in the latest call, "" for plain voice."""
        found = ENCRYPTED.findall(self.log)
        return found[-1] if found else ""

    async def accept(self) -> None:
        """Answer the call that rings."""
        await self.command("accept")

    async def hangup(self) -> None:
        """End the call: BYE, CANCEL or a refusal, whichever its state asks for."""
        await self.command("hangup")

    async def hold(self) -> None:
        """Put the call on hold."""
        await self.command("hold")

    async def resume(self) -> None:
        """Take the call back from hold."""
        await self.command("resume")

    async def transfer(self, uri: str) -> None:
        """Have the far end call a URI instead."""
        await self.command("transfer", uri)

    async def send_digits(self, digits: str) -> None:
        """Send DTMF digits, each after the one before has been received or may have been."""
        for digit in digits:
            await self.command("sndcode", digit)
            await asyncio.sleep(0.2)

    def has(self, kind: str, since: int = 0) -> bool:
        """Say whether an event of this kind came, counted from the event number `since`."""
        return any(event.kind == kind for event in self.events[since:])

    async def until_event(self, kind: str, since: int = 0) -> BaresipEvent:
        """Wait for an event of this kind and return the first."""
        await self.until(lambda: self.has(kind, since), f"{self.name} tells {kind}")
        return next(event for event in self.events[since:] if event.kind == kind)

    @property
    def digits(self) -> str:
        """Return the DTMF digits received so far."""
        return "".join(event.parameter for event in self.events if event.kind == "CALL_DTMF_START")

    @property
    def _dump(self) -> Path | None:
        """Return the file of what it received in the latest call."""
        dumps = (self.folder / "dump").glob("*dec.wav")
        return max(dumps, key=lambda path: path.stat().st_mtime_ns, default=None)

    def heard(self) -> tuple[array.array[int], int]:
        """Return the samples and rate that it received in the latest call, none and 0 before the first."""
        dump = self._dump
        return (array.array("h"), 0) if dump is None else read_wav(dump)

    def heard_seconds(self) -> float:
        """Return how much sound it has received in the latest call."""
        dump = self._dump
        return 0.0 if dump is None else wav_seconds(dump, self._rate, self._channels)

    async def until_heard(self, seconds: float) -> Tone:
        """Wait until it has received a tone for so long in the latest call and return the measured tone."""
        wanted, found = seconds, 0.0
        while True:
            await self.until(partial(self._has_heard, wanted), f"{self.name} hears a tone for {seconds:g} s")
            # Silence so far is no failure yet: the tone may begin late.
            with contextlib.suppress(ValueError):
                tone = measure(*self.heard())
                if tone.seconds >= seconds:
                    return tone
                found = tone.seconds
            wanted = self.heard_seconds() + max(seconds - found, 0.2)

    def _has_heard(self, seconds: float) -> bool:
        return self.heard_seconds() >= seconds
