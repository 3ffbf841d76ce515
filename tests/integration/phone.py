"""A telephone that a test plays by hand: it keeps to the methods of the real one and sends nothing."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from custom_components.sip_ua.net.audio import AudioSource
from custom_components.sip_ua.net.errors import AudioFault, NoPortError, RecordingFault
from custom_components.sip_ua.net.media import MediaEngine, Room
from custom_components.sip_ua.net.phone import (
    CallStatistics,
    MediaTimedOut,
    PhoneEvent,
    PlaybackFinished,
    PlaybackStarted,
    RecordingFinished,
    RecordingStarted,
)
from custom_components.sip_ua.net.play_order import ONCE, Placement, PlayOrder
from custom_components.sip_ua.net.recording_order import RecordingOrder
from custom_components.sip_ua.net.stream_events import RecordingFinished as Finished
from custom_components.sip_ua.sip.account import Account
from custom_components.sip_ua.sip.admission import Counters
from custom_components.sip_ua.sip.errors import LocalFault, LocalProtocolError
from custom_components.sip_ua.sip.events import (
    CallDirection,
    CallEnded,
    CallOutcome,
    CallReplaced,
    CallSnapshot,
    CallState,
    CallStateChanged,
    CallStep,
    DigitMethod,
    DigitReceived,
    EndedBy,
    IncomingCall,
    LadderStep,
    MediaChanged,
    MessagesWaiting,
    Party,
    RegistrationChanged,
    RegistrationFailure,
    RegistrationState,
    TransferProgress,
    TransferRefused,
    TransferRequested,
    TransferState,
    WatchedState,
    WatchedStateChanged,
)
from custom_components.sip_ua.sip.excerpt import Excerpt, excerpt
from custom_components.sip_ua.sip.info import check_digits
from custom_components.sip_ua.sip.offer_answer import NegotiatedMedia
from custom_components.sip_ua.sip.trace import Trace

GRANDMA = Party("Grandma", "+49301234", "sip:+49301234@fritz.box")
NEIGHBOUR = Party("", "612", "sip:612@fritz.box")


class FakeHearing:
    """What the far end says, which is nothing, as long as the call goes on."""

    def __init__(self) -> None:
        self.over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        await asyncio.sleep(0)
        if self.over:
            raise StopAsyncIteration
        return bytes(640)

    def forget(self) -> None:
        pass

    def close(self) -> None:
        self.over = True


class FakePhone:
    """Stands in for `net.phone.Phone`; `did` holds what was asked of it."""

    def __init__(self, account: Account, media: MediaEngine, listener: Callable[[PhoneEvent], None]) -> None:
        self.account = account
        self.media = media
        self.listener = listener
        self.now = 1000.0
        self.registration = RegistrationChanged(at=self.now, state=RegistrationState.UNREGISTERED)
        self.calls: dict[str, CallSnapshot] = {}
        self.did: list[tuple[Any, ...]] = []
        self.error: Exception | None = None
        self.running = False
        self.answers_at_once = False
        self.plays_at_once = False
        self.hearings: dict[str, FakeHearing] = {}
        self.agrees = True
        self.stubborn: str | None = None
        self.watched: dict[str, str] = {}
        self.playback_id = 0
        self.certificate_dates: tuple[str, str] | None = None
        self.behind_nat = False
        self.kept = Trace() if account.trace else None
        self.counters = Counters(strangers=7, overloads=2)
        self.present_statistics: Any = None
        self.orders: dict[str, RecordingOrder] = {}
        self.stops_recordings = True
        self.on_send: Callable[[], None] = lambda: None
        self._numbers = iter(range(1, 1000))

    # The methods of the real one

    async def start(self) -> None:
        if self.error:
            raise self.error
        self.running = True

    async def stop(self) -> None:
        for call_id in tuple(self.calls):
            # The end of one may have been the end of another.
            if call_id in self.calls:
                self.end(call_id, by=EndedBy.LOCAL)
        self.running = False
        self.did.append(("stop",))

    def send_now(self) -> None:
        self.on_send()

    async def dial(
        self,
        target: str,
        *,
        source: AudioSource | None = None,
        ring_timeout: float | None = None,
        caller_id: bool | None = None,
    ) -> str:
        self._ask("dial", target, source, ring_timeout, *(() if caller_id is None else (caller_id,)))
        call_id = self.place(Party("", target, f"sip:{target}@fritz.box"))
        if self.answers_at_once:
            self.enter(call_id, CallState.TALKING)
            self._play_at_once(call_id, source)
        return call_id

    async def answer(self, call_id: str, *, source: AudioSource | None = None) -> None:
        self._ask("answer", call_id, source)
        self.enter(call_id, CallState.TALKING)
        self._play_at_once(call_id, source)

    async def play_early(self, call_id: str, source: AudioSource) -> None:
        self._ask("play_early", call_id, source)

    async def reject(self, call_id: str, code: int = 486) -> None:
        self._ask("reject", call_id, code)
        self.end(call_id, CallOutcome.DECLINED, code=code, by=EndedBy.LOCAL)

    def turn_away(self, call_id: str, code: int, *, missed: bool) -> None:
        self._ask("turn_away", call_id, code)
        self.step(call_id, LadderStep.INVITE, sent=False)
        self.step(call_id, LadderStep.REJECTED, sent=True, code=code)
        self.end(call_id, CallOutcome.MISSED if missed else CallOutcome.DECLINED, code=code, by=EndedBy.LOCAL)

    def redirect(self, call_id: str, target: str) -> None:
        self._ask("redirect", call_id, target)
        self.step(call_id, LadderStep.REJECTED, sent=True, code=302)
        self.end(call_id, CallOutcome.DECLINED, code=302, by=EndedBy.LOCAL)

    async def hangup(self, call_id: str) -> None:
        self._ask("hangup", call_id)
        if call_id not in self.calls:
            raise LocalProtocolError("there is no such call any more", LocalFault.CALL_OVER)
        self.end(call_id, by=EndedBy.LOCAL)

    async def hold(self, call_id: str) -> None:
        self._ask("hold", call_id)
        if self.agrees:
            self.enter(call_id, CallState.HELD)

    async def resume(self, call_id: str) -> None:
        self._ask("resume", call_id)
        if self.agrees and call_id != self.stubborn:
            self.enter(call_id, CallState.TALKING)

    def join(self, call_id: str, room: Room) -> None:
        self._ask("join", call_id, room.number, room.shared)

    def part(self, call_id: str) -> None:
        if call_id not in self.calls:
            raise LocalProtocolError("the call is not connected", LocalFault.NOT_CONNECTED)
        self._ask("part", call_id)

    async def transfer(self, call_id: str, target: str) -> None:
        self._ask("transfer", call_id, target)

    async def transfer_to(self, call_id: str, other: str) -> None:
        self._ask("transfer_to", call_id, other)

    def watch(self, target: str) -> str:
        if not target.isalnum():
            raise LocalProtocolError("no number", LocalFault.NOT_DIALABLE, number=target)
        watch_id = f"watch{next(self._numbers)}"
        self.watched[watch_id] = target
        return watch_id

    def send_digits(self, call_id: str, digits: str, *, duration_ms: int = 160, gap_ms: int = 100) -> None:
        self._ask("send_digits", call_id, check_digits(digits), duration_ms, gap_ms)

    def trace(self, sip_call_id: str | None = None) -> Excerpt | None:
        return excerpt(self.kept, sip_call_id)

    def play(self, call_id: str, source: AudioSource, order: PlayOrder = ONCE) -> int:
        elsewhere = () if order.placement is Placement.ADD else (order.placement,)
        self._ask("play", call_id, source, order.loop, order.volume_db, *elsewhere)
        if call_id not in self.calls:
            raise LocalProtocolError("the call is not connected", LocalFault.NOT_CONNECTED)
        self.playback_id = next(self._numbers)
        self._play_at_once(call_id, source)
        return self.playback_id

    def _play_at_once(self, call_id: str, source: AudioSource | None) -> None:
        """Tell soon that a sound was heard, where the test does not."""
        if self.plays_at_once and source is not None:
            asyncio.get_running_loop().call_soon(self.finish, call_id, self.playback_id)

    async def hear(self, call_id: str, rate: int) -> FakeHearing:
        self._ask("hear", call_id, rate)
        if call_id not in self.calls:
            raise LocalProtocolError("the call is not connected")
        self.hearings[call_id] = FakeHearing()
        return self.hearings[call_id]

    async def statistics(self, call_id: str) -> Any:
        return self.present_statistics

    def stop_playback(self, call_id: str, playback_id: int | None = None) -> None:
        self._ask("stop_playback", call_id, playback_id)

    def pause_playback(self, call_id: str, *, paused: bool) -> None:
        self._ask("pause" if paused else "go_on", call_id)

    def set_volume(self, call_id: str, playback_id: int, volume_db: float) -> None:
        self._ask("set_volume", call_id, playback_id, volume_db)

    def record_as(self, call_id: str, order: RecordingOrder) -> None:
        self._ask("record", call_id, order)
        self.orders[call_id] = order

    def stop_recording(self, call_id: str) -> None:
        self._ask("stop_recording", call_id)
        if self.stops_recordings:
            self.end_recording(call_id)

    def _ask(self, *what: Any) -> None:
        if self.error:
            raise self.error
        self.did.append(what)

    # What happens on the line

    def register(self, expires: float = 3600) -> None:
        self.change(
            state=RegistrationState.REGISTERED,
            expires_at=self.now + expires,
            next_attempt_at=self.now + expires - 90,
            code=200,
            reason="OK",
            detail="192.0.2.1 port 5060 over UDP",
            place="192.0.2.1:5060 UDP",
        )

    def fail(
        self,
        failure: RegistrationFailure,
        code: int = 0,
        reason: str = "",
        *,
        state: RegistrationState = RegistrationState.FAILED,
    ) -> None:
        self.change(
            state=state,
            failure=failure,
            code=code,
            reason=reason,
            failures=self.registration.failures + 1,
            next_attempt_at=None if state is RegistrationState.REFUSED else self.now + 30,
            detail="192.0.2.1 port 5060 over UDP",
            place="192.0.2.1:5060 UDP",
        )

    def change(self, **status: Any) -> None:
        self.registration = RegistrationChanged(at=self.now, **status)
        self.listener(self.registration)

    def ring(
        self, party: Party = GRANDMA, headers: tuple[tuple[str, str], ...] = (), *, past_server: bool = False
    ) -> str:
        call = self._new(CallDirection.INCOMING, CallState.RINGING, party, ringing_at=self.now, past_server=past_server)
        self.listener(IncomingCall(at=self.now, call=call, read_headers=lambda _event: headers))
        if call.id not in self.calls:
            return call.id
        self.step(call.id, LadderStep.INVITE, sent=False)
        self.step(call.id, LadderStep.RINGING, sent=True, code=180, reason="Ringing")
        return call.id

    def place(self, party: Party) -> str:
        call = self._new(CallDirection.OUTGOING, CallState.DIALING, party)
        self.step(call.id, LadderStep.INVITE, sent=True)
        return call.id

    def enter(self, call_id: str, state: CallState) -> None:
        before = self.calls[call_id]
        changes: dict[str, Any] = {"state": state}
        if state is CallState.ALERTING:
            changes["ringing_at"] = self.now
        if state is CallState.TALKING and before.answered_at is None:
            changes |= {"answered_at": self.now, "answered_by": before.remote}
        self.calls[call_id] = replace(before, **changes)
        self.listener(CallStateChanged(at=self.now, call=self.calls[call_id]))

    def encrypt(self, call_id: str) -> None:
        self.calls[call_id] = replace(self.calls[call_id], encrypted=True)
        self.listener(MediaChanged(at=self.now, call=self.calls[call_id], media=None))

    def step(self, call_id: str, step: LadderStep, *, sent: bool, code: int = 0, reason: str = "") -> None:
        self.listener(CallStep(at=self.now, call=self.calls[call_id], step=step, sent=sent, code=code, reason=reason))

    def press(self, call_id: str, digit: str) -> None:
        event = DigitReceived(
            at=self.now, call=self.calls[call_id], digit=digit, duration=120, method=DigitMethod.RFC4733
        )
        self.listener(event)

    def agree_on(self, call_id: str, media: NegotiatedMedia | None) -> None:
        self.listener(MediaChanged(at=self.now, call=self.calls[call_id], media=media))

    def replace(self, call_id: str, party: Party) -> None:
        before = self.calls[call_id]
        self.calls[call_id] = replace(before, remote=party)
        self.listener(CallReplaced(at=self.now, call=self.calls[call_id], previous=before.remote))

    def progress(self, call: CallSnapshot, state: TransferState, code: int = 0, reason: str = "") -> None:
        event = TransferProgress(at=self.now, call=call, state=state, target="612", code=code, reason=reason)
        self.listener(event)

    def be_transferred(self, call_id: str, target: str = "sip:612@fritz.box") -> None:
        self.listener(TransferRequested(at=self.now, call=self.calls[call_id], transfer_id="t", target=target))

    def refuse_transfer(self, call_id: str, reason: str = "", target: str = "sip:0900@fritz.box") -> None:
        self.listener(TransferRefused(at=self.now, call=self.calls[call_id], target=target, reason=reason))

    def leave_messages(self, *, waiting: bool = True, **counts: int) -> None:
        self.listener(MessagesWaiting(at=self.now, waiting=waiting, account="sip:620@fritz.box", **counts))

    def show_line(self, number: str, state: WatchedState) -> None:
        (watch_id,) = (known for known, target in self.watched.items() if target == number)
        self.listener(WatchedStateChanged(at=self.now, id=watch_id, uri=number, state=state))

    def begin(self, call_id: str, playback_id: int) -> None:
        self.listener(PlaybackStarted(call_id, playback_id))

    def finish(
        self,
        call_id: str,
        playback_id: int = 1,
        error: str | None = None,
        *,
        stopped: bool = False,
        fault: AudioFault | None = None,
    ) -> None:
        self.listener(PlaybackFinished(call_id, playback_id, error, stopped=stopped, fault=fault))

    def begin_recording(self, call_id: str) -> Path:
        path = self.orders[call_id].path
        self.listener(RecordingStarted(call_id, path))
        return path

    def end_recording(self, call_id: str, seconds: float = 2.5, fault: RecordingFault | None = None) -> None:
        path = self.orders.pop(call_id).path
        error = f"the recording could not be written: {fault}" if fault else None
        self.listener(RecordingFinished(call_id, Finished(path, seconds, error, fault, size=1000)))

    def fall_silent(self, call_id: str) -> None:
        self.listener(MediaTimedOut(call_id))

    def end(
        self,
        call_id: str,
        outcome: CallOutcome = CallOutcome.ANSWERED,
        *,
        code: int = 0,
        reason: str = "",
        by: EndedBy = EndedBy.REMOTE,
    ) -> None:
        if call_id in self.hearings:
            self.hearings.pop(call_id).close()
        call = replace(
            self.calls.pop(call_id),
            state=CallState.ENDED,
            ended_at=self.now,
            outcome=outcome,
            code=code,
            reason=reason,
            ended_by=by,
        )
        self.listener(CallEnded(at=self.now, call=call))

    def tell_statistics(self, call_id: str, statistics: Any) -> None:
        self.listener(CallStatistics(call_id, statistics))

    def _new(
        self,
        direction: CallDirection,
        state: CallState,
        party: Party,
        ringing_at: float | None = None,
        *,
        past_server: bool = False,
    ) -> CallSnapshot:
        number = next(self._numbers)
        call = CallSnapshot(
            id=f"call{number}",
            sip_call_id=f"{number}@192.0.2.7",
            direction=direction,
            state=state,
            remote=party,
            called="620",
            started_at=self.now,
            ringing_at=ringing_at,
            past_server=past_server,
        )
        self.calls[call.id] = call
        return call


class Phones(list[FakePhone]):
    """Every telephone that was made, the newest last; `error` is what the next ones raise at their start."""

    error: Exception | None = None

    def make(self, account: Account, media: MediaEngine, listener: Callable[[PhoneEvent], None]) -> FakePhone:
        phone = FakePhone(account, media, listener)
        phone.error = self.error
        self.append(phone)
        return phone


NO_PORT = NoPortError("0.0.0.0", 51000, 51001)

type Data = Mapping[str, Any]
