"""The extensions of the exchange: each is a telephone of its own that does one thing with every call."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass

from custom_components.sip_ua.net.ports import PortPool
from custom_components.sip_ua.rtp.session import RtpStatistics
from custom_components.sip_ua.sip.account import Account, Timing, Transport
from custom_components.sip_ua.sip.address import Address, Hop, HostPort
from custom_components.sip_ua.sip.agent import UserAgent
from custom_components.sip_ua.sip.errors import LocalProtocolError
from custom_components.sip_ua.sip.events import (
    CallEnded,
    CallSnapshot,
    CallState,
    CallStateChanged,
    Event,
    IncomingCall,
    MediaChanged,
)
from custom_components.sip_ua.sip.offer_answer import LocalMedia, codecs_named

from .voice import Sound, Voice

DAY = 86400
CODECS = ("PCMA", "PCMU")
DIGITS_AFTER = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """What an extension does; times in seconds, None for never.

    `refuses` is the final answer of one that takes no call, `calls_back` the number of the extension that rings back.
    """

    number: str
    name: str
    answers_after: float | None = None
    refuses: int | None = None
    sound: Sound = Sound.SILENCE
    digits: str = ""
    hangs_up_after: float | None = None
    calls_back: str | None = None


EXTENSIONS = (
    Manner(number="600", name="Echo", answers_after=0.4, sound=Sound.ECHO),
    Manner(number="601", name="Tone and digits", answers_after=0.4, sound=Sound.TONE, digits="1234"),
    Manner(number="605", name="Busy", refuses=486),
    Manner(number="606", name="Nobody home"),
    Manner(number="610", name="Call me back", answers_after=0.2, hangs_up_after=1.0, calls_back="555610"),
    Manner(number="555610", name="Grandma", answers_after=0.4, sound=Sound.TONE),
)


@dataclass(frozen=True, slots=True)
class CallReport:
    """A call at the exchange that ended: which extension had it, how it went, its voice, and the keys it heard."""

    extension: str
    call: CallSnapshot
    statistics: RtpStatistics | None
    digits: str


@dataclass(frozen=True, slots=True)
class Switchboard:
    """What the exchange does for its extensions."""

    local: HostPort
    ports: PortPool
    send: Callable[[Address, bytes], None]
    locate: Callable[[Address], Address]
    call_back: Callable[[str, str], None]
    ended: Callable[[CallReport], None]


class Extension:
    """One telephone: a user agent, its voices, and the one thing that it does."""

    def __init__(self, manner: Manner, board: Switchboard) -> None:
        """Wait for calls."""
        account = Account(
            number=manner.number,
            domain=board.local.host,
            display_name=manner.name,
            user_agent="SIP Phone development exchange",
            allow_direct_calls=True,
            codecs=CODECS,
            timing=Timing(ring_timeout=DAY),
        )
        self.manner = manner
        self._board = board
        self._agent = UserAgent(account, entropy=os.urandom)
        self._voices: dict[str, Voice] = {}
        self._plans: dict[str, asyncio.TimerHandle] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()

    async def settled(self) -> None:
        """Wait until no call goes on and every answer has come."""
        self._idle.clear()
        if not self._agent.idle:
            await self._idle.wait()

    def receive(self, data: bytes, source: Address) -> None:
        """Take a message that belongs to this extension."""
        self._agent.receive(data, Hop(source, self._board.local), self._now)
        self._pump()

    def call(self, target: str) -> str:
        """Call a SIP address and return the Call-ID; raises LocalProtocolError and NoPortError."""
        voice = self._open_voice()
        try:
            call_id = self._agent.dial(target, self._media(voice), self._now, ring_timeout=60)
        except LocalProtocolError:
            voice.close()
            raise
        self._voices[call_id] = voice
        sip_call_id = self._agent.calls[call_id].sip_call_id
        self._pump()
        return sip_call_id

    def hang_up(self) -> None:
        """End every call."""
        for call_id in tuple(self._agent.calls):
            self._hang_up(call_id)

    def close(self) -> None:
        """Let go of everything at once."""
        for plan in self._plans.values():
            plan.cancel()
        for voice in self._voices.values():
            voice.close()
        if self._timer is not None:
            self._timer.cancel()

    # Driving the user agent

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _pump(self) -> None:
        """Do what the agent wants until it wants nothing more."""
        agent = self._agent
        while True:
            lookups, events = agent.lookups(), agent.events()
            for send in agent.sends():
                self._board.send(send.address, send.data)
            if not lookups and not events:
                break
            for lookup in lookups:
                transport = lookup.transport or Transport.UDP
                address = Address(transport, lookup.host, lookup.port or transport.default_port)
                agent.looked_up(lookup.token, [Hop(self._board.locate(address), self._board.local)], self._now)
            for event in events:
                self._handle(event)
        if self._timer is not None:
            self._timer.cancel()
        if agent.idle:
            self._idle.set()
        when = agent.next_timer()
        self._timer = None if when is None else asyncio.get_running_loop().call_at(when, self._timer_fired)

    def _timer_fired(self) -> None:
        self._timer = None
        self._agent.handle_timer(self._now)
        self._pump()

    # What it does

    def _handle(self, event: Event) -> None:
        manner = self.manner
        match event:
            case IncomingCall(call=call):
                if manner.refuses is not None:
                    self._agent.reject(call.id, manner.refuses, self._now)
                elif manner.answers_after is not None:
                    self._plan(call.id, manner.answers_after, self._answer)
            case MediaChanged(call=call, media=media) if media is not None and call.id in self._voices:
                self._voices[call.id].configure(media)
            case CallStateChanged(call=CallSnapshot(state=CallState.TALKING) as call):
                self._plan(call.id, DIGITS_AFTER, self._talk)
            case CallEnded(call=call):
                self._ended(call)

    def _plan(self, call_id: str, delay: float, action: Callable[[str], None]) -> None:
        """Do something with a call later, in place of what was planned before."""
        if (plan := self._plans.pop(call_id, None)) is not None:
            plan.cancel()
        self._plans[call_id] = asyncio.get_running_loop().call_later(delay, action, call_id)

    def _answer(self, call_id: str) -> None:
        voice = self._voices[call_id] = self._open_voice()
        self._agent.answer(call_id, self._media(voice), self._now)
        self._pump()

    def _talk(self, call_id: str) -> None:
        if self.manner.digits and call_id in self._voices:
            self._voices[call_id].send_digits(self.manner.digits)
        if self.manner.hangs_up_after is not None:
            self._plan(call_id, self.manner.hangs_up_after, self._hang_up)

    def _hang_up(self, call_id: str) -> None:
        if call_id in self._agent.calls:
            self._agent.hangup(call_id, self._now)
            self._pump()

    def _ended(self, call: CallSnapshot) -> None:
        if (plan := self._plans.pop(call.id, None)) is not None:
            plan.cancel()
        voice = self._voices.pop(call.id, None)
        if voice is None:
            self._board.ended(CallReport(self.manner.number, call, None, ""))
        else:
            voice.close()
            self._board.ended(CallReport(self.manner.number, call, voice.statistics, voice.digits))
        if self.manner.calls_back is not None:
            self._board.call_back(call.remote.number, self.manner.calls_back)

    # Voice

    def _open_voice(self) -> Voice:
        return Voice(self._board.local.host, self._board.ports, self.manner.sound)

    def _media(self, voice: Voice) -> LocalMedia:
        return LocalMedia(self._board.local.host, voice.port, codecs_named(CODECS))
