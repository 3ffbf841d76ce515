"""Asterisk (chan_pjsip) as an exchange: registrar, called party, holder, transferor, mail box and lamps."""

import asyncio
import contextlib
import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import override

from tests.interop.tone import Tone, measure, read_wav, sine, wav_seconds, write_wav

from .asterisk_messages import SeenMessage, read_messages
from .controlled import ControlledPeer
from .ports import LOOPBACK, free_ports
from .process import PeerError, require_program

CONFIGURATION = Path(__file__).with_name("asterisk_conf")
REALM = "asterisk"
MAIL_BOX = "1000@default"
RTP_PORTS = 40
RATE = 8_000
MUSIC_HZ = 620.0
MUSIC_SECONDS = 20.0
MUSIC_DBFS = -15.0
AMI_SECRET = "test"
AMI_SECONDS = 10.0
TONE_HZ = 1004.0
TONE_DBFS = -6.0
"""The tone of the extension `tone`."""


@dataclass(frozen=True, slots=True)
class User:
    """A telephone's account; `settings` are further lines of its endpoint, `login` and `place` of those sections."""

    name: str
    password: str
    settings: tuple[str, ...] = ()
    login: tuple[str, ...] = ()
    place: tuple[str, ...] = ()

    @property
    def sections(self) -> str:
        """Return the sections of pjsip.conf that make the account."""
        lines = [
            f"[{self.name}](telephone)",
            f"auth = {self.name}",
            f"aors = {self.name}",
            *self.settings,
            f"[{self.name}](login)",
            f"username = {self.name}",
            f"password = {self.password}",
            *self.login,
            f"[{self.name}](place)",
            *self.place,
        ]
        return "\n".join(lines) + "\n"


USERS = (
    User("ha", "hapw"),
    User("bob", "bobpw"),
    User("carol", "carolpw", settings=("direct_media = yes",)),
    User("sha256", "sha256pw", login=("supported_algorithms_uas = SHA-256",)),
    User("wide", "widepw", settings=("disallow = all", "allow = g722")),
    User("info", "infopw", settings=("dtmf_mode = info",)),
    User("inband", "inbandpw", settings=("dtmf_mode = inband",)),
    User("timed", "timedpw", settings=("timers = always", "timers_min_se = 90", "timers_sess_expires = 90")),
    User("patient", "patientpw", settings=("timers_min_se = 200", "timers_sess_expires = 300")),
    User("shown", "shownpw", settings=("send_pai = yes", "trust_id_outbound = yes")),
    User("passed", "passedpw", settings=("moh_passthrough = yes",)),
    User("direct", "directpw", settings=("direct_media = yes",)),
    User("reliable", "reliablepw", settings=("100rel = required",)),
    User("mailed", "mailedpw", place=(f"mailboxes = {MAIL_BOX}",)),
    User("told", "toldpw", settings=(f"mailboxes = {MAIL_BOX}",)),
    User("secret", "secretpw", settings=("media_encryption = sdes",)),
)
PASSWORDS = {user.name: user.password for user in USERS}


def message_id(path: Path) -> str:
    """Return the id of a message in the mail box, from its description."""
    found = re.search(r"^msg_id=(.+)$", path.read_text(), re.MULTILINE)
    if found is None:
        raise PeerError(f"{path} describes no message")
    return found[1].strip()


class Asterisk(ControlledPeer):
    """An exchange with the telephones of `USERS` on one free loopback port, UDP and TCP.

    With a `certificate`, a file that holds the key too, it listens for TLS on the next port.
    `qualify` is how many seconds lie between its OPTIONS to registered telephones, 0 for none. A registration for
    less than `shortest_registration` seconds is made one for so long. Modules in `without` are not loaded. There are
    telephones of `further` users as well, and what `dialplan` says.
    """

    program = "asterisk"

    def __init__(
        self,
        folder: Path,
        *,
        qualify: int = 0,
        shortest_registration: int = 2,
        certificate: Path | None = None,
        without: tuple[str, ...] = (),
        further: tuple[User, ...] = (),
        dialplan: str = "",
    ) -> None:
        """Choose ports; the configuration is written by `start`."""
        super().__init__("asterisk", folder)
        self.port = free_ports(2)
        self.ami_port = free_ports()
        self.rtp_port = free_ports(RTP_PORTS, step=2)
        self.events: list[Mapping[str, str]] = []
        self._qualify = qualify
        self._shortest = shortest_registration
        self._certificate = certificate
        self._without = without
        self._users = (*USERS, *further)
        self._dialplan = dialplan
        self._ids = itertools.count(1)
        self._answers: dict[str, asyncio.Future[Mapping[str, str]]] = {}

    @property
    def users(self) -> Mapping[str, str]:
        """Return the passwords by user name."""
        return {user.name: user.password for user in self._users}

    @property
    def address(self) -> str:
        """Return `host:port` as it goes into a URI."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def tls_port(self) -> int:
        """Return the port of TLS."""
        return self.port + 1

    # Its life

    @override
    async def start(self) -> None:
        """Start, or start again on the same port; what was registered is forgotten."""
        self.events.clear()
        self._write_configuration()
        self.launch("-f", "-C", str(self.folder / "etc" / "asterisk.conf"))
        await self.connect(self.ami_port)
        await self.action("Login", Username="test", Secret=AMI_SECRET)
        await self.until(lambda: self._has("FullyBooted"), "Asterisk is fully booted")

    def _write_configuration(self) -> None:
        binary = Path(require_program(self.program)).resolve()
        roots = [root for root in binary.parents[1:3] if (root / "usr/lib").is_dir()]
        modules = next((found for root in roots for found in root.glob("usr/lib/*/asterisk/modules")), None)
        if modules is None:
            raise PeerError(f"{binary} has no modules")
        for name in ("etc", "lib", "spool", "run", "log", "music"):
            (self.folder / name).mkdir(exist_ok=True)
        write_wav(self.folder / "music" / "tone.wav", sine(MUSIC_HZ, MUSIC_SECONDS, RATE, MUSIC_DBFS), RATE)
        # What was stored of telephones that were registered does not outlive a restart here.
        for left in (self.folder / "lib").glob("astdb*"):
            left.unlink()
        values = {
            "FOLDER": str(self.folder),
            "MODULES": str(modules),
            "DATA": str(modules.parents[3] / "share" / "asterisk"),
            "ADDRESS": LOOPBACK,
            "PORT": str(self.port),
            "AMI_PORT": str(self.ami_port),
            "AMI_SECRET": AMI_SECRET,
            "RTP_START": str(self.rtp_port),
            "RTP_END": str(self.rtp_port + RTP_PORTS - 1),
            "QUALIFY": str(self._qualify),
            "SHORTEST": str(self._shortest),
            "TLS": self._tls_section(),
            "USERS": "\n".join(user.sections for user in self._users),
        }
        for template in CONFIGURATION.glob("*.conf"):
            text = template.read_text()
            for name, value in values.items():
                text = text.replace(f"@{name}@", value)
            for module in self._without:
                text = text.replace(f"load = {module}\n", "")
            (self.folder / "etc" / template.name).write_text(text)
        with (self.folder / "etc" / "extensions.conf").open("a") as extensions:
            extensions.write(f"\n{self._dialplan}\n")

    def _tls_section(self) -> str:
        if self._certificate is None:
            return ""
        return (
            f"[tls]\ntype = transport\nprotocol = tls\nbind = {LOOPBACK}:{self.tls_port}\nmethod = tlsv1_2\n"
            f"cert_file = {self._certificate}\npriv_key_file = {self._certificate}\n"
        )

    @override
    async def stop(self) -> None:
        """End Asterisk and close the control connection."""
        # It keeps nothing that matters, and takes a second to end politely.
        self.kill()
        await super().stop()

    # Control

    @override
    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Read blocks of `Name: value` lines until the connection ends."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readline()
            while True:
                block = (await reader.readuntil(b"\r\n\r\n")).decode(errors="replace")
                fields: dict[str, str] = {}
                for line in block.splitlines():
                    name, colon, value = line.partition(":")
                    if colon:
                        known = fields.get(name)
                        fields[name] = value.strip() if known is None else f"{known}\n{value.strip()}"
                waiter = self._answers.pop(fields.get("ActionID", ""), None) if "Response" in fields else None
                if waiter is not None and not waiter.done():
                    waiter.set_result(fields)
                elif "Event" in fields:
                    self.events.append(fields)

    async def action(self, name: str, **fields: str) -> Mapping[str, str]:
        """Perform an action of the manager interface and return its answer; `PeerError` where it is refused."""
        if self._writer is None:
            raise PeerError("Asterisk is not running")
        action_id = str(next(self._ids))
        waiter: asyncio.Future[Mapping[str, str]] = asyncio.get_running_loop().create_future()
        self._answers[action_id] = waiter
        lines = {"Action": name, "ActionID": action_id, **fields}
        self._writer.write("".join(f"{key}: {value}\r\n" for key, value in lines.items()).encode() + b"\r\n")
        try:
            async with asyncio.timeout(AMI_SECONDS):
                answer = await waiter
        except TimeoutError:
            raise PeerError(f"Asterisk did not answer {name}{self.log_section()}") from None
        if answer["Response"] == "Error":
            raise PeerError(f"Asterisk refused {name}: {answer.get('Message')}")
        return answer

    async def command(self, text: str) -> str:
        """Give a command of its console and return what it printed."""
        return (await self.action("Command", Command=text)).get("Output", "")

    async def settled(self) -> None:
        """Wait until all that has happened so far stands in the log, which is written a moment later."""
        mark = f"settled {next(self._ids)}"
        await self.action("Setvar", Variable="MARK", Value=mark)
        await self.until(lambda: f"to '{mark}'" in self.log, "the log is written")

    async def originate(self, user: str, extension: str) -> None:
        """Let Asterisk call a telephone, and connect it to an extension once it has answered."""
        await self._originate(f"PJSIP/{user}", extension)

    async def originate_at(self, called: str, extension: str, context: str = "phones") -> None:
        """Connect two extensions; what the first one dials in its context is called."""
        await self._originate(f"Local/{called}@{context}", extension)

    async def _originate(self, channel: str, extension: str) -> None:
        await self.action(
            "Originate",
            Channel=channel,
            Context="phones",
            Exten=extension,
            Priority="1",
            CallerID='"Exchange" <700>',
            Async="true",
        )

    async def hang_up(self, user: str) -> None:
        """End a telephone's call, or give up calling it."""
        await self.action("Hangup", Channel=await self.channel_of(user), Cause="16")

    async def set_target(self, uri: str) -> None:
        """Set where the extensions `moves` and `redirects` send their callers."""
        await self.action("Setvar", Variable="TARGET", Value=uri)

    async def forget_messages(self) -> None:
        """Take every message out of the mail box."""
        number, context = MAIL_BOX.split("@")
        inbox = self.folder / "spool" / "voicemail" / context / number / "INBOX"
        for path in inbox.glob("msg*.txt"):
            await self.action("VoicemailRemove", Mailbox=number, Context=context, Folder="INBOX", ID=message_id(path))

    async def switch_lamp(self, state: str) -> None:
        """Set the state of the extension `lamp`: NOT_INUSE, RINGING, INUSE ..."""
        await self.command(f"devstate change Custom:lamp {state}")

    async def channel_of(self, user: str) -> str:
        """Return the name of the channel of a telephone's call."""
        for name, *_ in await self.channels():
            if name.startswith(f"PJSIP/{user}-"):
                return name
        raise PeerError(f"{user} has no call{self.log_section()}")

    async def channels(self) -> list[list[str]]:
        """Return name, context, extension and further fields of every channel."""
        listed = await self.command("core show channels concise")
        return [line.split("!") for line in listed.splitlines() if "!" in line]

    async def contacts(self, user: str) -> list[str]:
        """Return the URIs under which a telephone is registered."""
        found = re.findall(rf"Contact:\s+{user}/(\S+)", await self.command("pjsip show contacts"))
        return [str(uri) for uri in found]

    # What happened

    def _has(self, event: str, fields: Iterable[tuple[str, str]] = ()) -> bool:
        wanted = {"Event": event, **dict(fields)}.items()
        return any(wanted <= seen.items() for seen in self.events)

    async def until_event(self, event: str, **fields: str) -> Mapping[str, str]:
        """Wait for an event of the manager interface that has these fields, and return the first."""
        wanted = {"Event": event, **fields}.items()
        await self.until(lambda: self._has(event, fields.items()), f"Asterisk tells {event} {fields}")
        return next(seen for seen in self.events if wanted <= seen.items())

    @property
    def digits(self) -> str:
        """Return the DTMF digits that it received so far."""
        return "".join(
            event["Digit"]
            for event in self.events
            if event["Event"] == "DTMFEnd" and event.get("Direction") == "Received"
        )

    @property
    @override
    def log(self) -> str:
        """Return its log, which holds every SIP message, after what it printed."""
        full = self.folder / "log" / "full"
        return super().log + (full.read_text(errors="replace") if full.exists() else "")

    def messages(self, method: str = "", *, sent: bool | None = None, status: int | None = None) -> list[SeenMessage]:
        """Return SIP messages in their order: requests of a method, or with a `status` the answers to it."""
        return [
            message
            for message in read_messages(self.log)
            if sent in (None, message.sent)
            and (status is None or message.status == status)
            and (not method or method == (message.method if status is None else message.answers))
        ]

    # Sound

    def heard(self) -> Path:
        """Return the file of what the extension `tone` hears."""
        return self.folder / "heard.wav"

    async def until_heard(self, seconds: float) -> Tone:
        """Wait until the extension `tone` has heard so much and return the tone in it."""
        path = self.heard()
        await self.until(lambda: wav_seconds(path, RATE) >= seconds, f"Asterisk hears {seconds:g} s")
        return measure(*read_wav(path))
