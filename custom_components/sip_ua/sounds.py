"""The sounds that are played into the calls of one account: what is heard, and who waits for its end."""

import asyncio
import contextlib
from collections.abc import Callable

from homeassistant.core import callback

from .const import Enqueue
from .net.audio import AudioSource
from .net.phone import Phone, PlaybackFinished, PlaybackStarted
from .net.play_order import Placement, PlayOrder
from .sip.errors import LocalProtocolError
from .waiting import Waiting

type SoundEnd = PlaybackFinished | None
"""How a sound ended; None where its call did."""


class SoundBook:
    """Knows every sound of every call from its order, or its beginning, to its end."""

    def __init__(self, phone: Phone, changed: Callable[[], None]) -> None:
        """Begin in silence; `changed` is called after every change of what is heard."""
        self._phone = phone
        self._changed = changed
        self._begun: dict[str, dict[int, bool]] = {}
        self._paused: set[str] = set()
        self._ends: Waiting[tuple[str, int], SoundEnd] = Waiting()

    # What is asked of it

    @callback
    def play(
        self,
        call_id: str,
        source: AudioSource,
        *,
        enqueue: Enqueue = Enqueue.ADD,
        loop: bool = False,
        volume: float = 0.0,
    ) -> int:
        """Play a sound into a call, from its answer on, and return its number; volume in dB.

        Raises LocalProtocolError for a call that is over or rings here, AudioError for what cannot be begun.
        """
        order = PlayOrder(loop=loop, volume_db=volume, placement=Placement(enqueue), at_answer=True)
        number = self._phone.play(call_id, source, order)
        self._begun.setdefault(call_id, {})[number] = False
        if enqueue in {Enqueue.PLAY, Enqueue.REPLACE}:
            self._paused.discard(call_id)
        return number

    @callback
    def until_end(self, call_id: str, playback_id: int) -> asyncio.Future[SoundEnd]:
        """Return the future of how a sound ends that goes on."""
        return self._ends.expect((call_id, playback_id))

    @callback
    def stop(self, call_id: str, playback_id: int | None = None) -> list[int]:
        """End one sound of a call, or all, and return the numbers of those that were known."""
        known = [number for number in self.of(call_id) if playback_id in {None, number}]
        with contextlib.suppress(LocalProtocolError):
            self._phone.stop_playback(call_id, playback_id)
        return known

    @callback
    def pause(self, call_id: str, *, paused: bool) -> None:
        """Let the sounds of a call stand still, or go on."""
        try:
            self._phone.pause_playback(call_id, paused=paused)
        except LocalProtocolError:
            return
        (self._paused.add if paused else self._paused.discard)(call_id)
        self._changed()

    @callback
    def set_volume(self, call_id: str, playback_id: int, volume: float) -> None:
        """Play a sound louder or softer from now on; volume in dB."""
        if playback_id in self.of(call_id):
            with contextlib.suppress(LocalProtocolError):
                self._phone.set_volume(call_id, playback_id, volume)

    # What is known

    def of(self, call_id: str) -> list[int]:
        """Return the numbers of the sounds of a call that play or wait."""
        return list(self._begun.get(call_id, ()))

    def is_heard(self, call_id: str) -> bool:
        """Return whether a sound of a call has begun and is not over."""
        return any(self._begun.get(call_id, {}).values())

    def is_paused(self, call_id: str) -> bool:
        """Return whether the sounds of a call stand still because somebody wants it."""
        return call_id in self._paused

    # What the phone tells

    @callback
    def handle_started(self, event: PlaybackStarted) -> None:
        """Note that the first packet of a sound is on its way."""
        self._begun.setdefault(event.call_id, {})[event.playback_id] = True
        self._changed()

    @callback
    def handle_finished(self, event: PlaybackFinished) -> None:
        """Note the end of a sound, and tell who waits for it."""
        sounds = self._begun.get(event.call_id, {})
        sounds.pop(event.playback_id, None)
        if not sounds:
            self._forget(event.call_id)
        self._ends.tell((event.call_id, event.playback_id), event)
        self._changed()

    @callback
    def handle_call_ended(self, call_id: str) -> None:
        """Forget the sounds of a call that is over."""
        self._forget(call_id)
        for key in self._ends.keys:
            if key[0] == call_id:
                self._ends.tell(key, None)

    @callback
    def cancel(self) -> None:
        """Let nobody wait any more."""
        self._ends.cancel()

    def _forget(self, call_id: str) -> None:
        self._begun.pop(call_id, None)
        self._paused.discard(call_id)
