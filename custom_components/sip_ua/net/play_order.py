"""How a sound is to be played: where among the others, how often, how loud, and from when on."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Placement(StrEnum):
    """Where a sound goes among those that are there.

    `ADD` after all of them, `NEXT` after the present one, `PLAY` in place of the present one, `REPLACE` in place of
    all. `INTERRUPT` before the present one, which goes on until the new one is ready, and again when that is over.
    """

    ADD = "add"
    NEXT = "next"
    PLAY = "play"
    INTERRUPT = "interrupt"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayOrder:
    """One sound.

    `volume_db` is limited to -60 (nothing) to 30; what would go beyond full scale is turned down. With `at_answer` the
    sound is made ready while the far end rings, and heard from the answer on; else only a connected call takes it.
    """

    loop: bool = False
    volume_db: float = 0.0
    placement: Placement = Placement.ADD
    at_answer: bool = False


ONCE: Final = PlayOrder()
"""Once, as loud as it is, after what is there."""
