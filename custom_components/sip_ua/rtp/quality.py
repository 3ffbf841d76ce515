"""An estimate of how a call sounds: the E-model in its short form (ITU-T G.107, G.113 appendix I)."""

from typing import Final

BASE_RATING: Final = 93.2
DELAY_KNEE_MS: Final = 177.3
_DELAY_SLOPE: Final = 0.024
_LATE_SLOPE: Final = 0.11
_WORST_IMPAIRMENT: Final = 95.0


def rating(*, loss: float, delay_ms: float, impairment: float, loss_robustness: float) -> float:
    """Give the transmission rating R, 0 to 100.

    `loss` is the fraction of packets not played, `delay_ms` mouth to ear one way; `impairment` (Ie) and
    `loss_robustness` (Bpl) belong to the codec with its concealment.
    """
    delay_impairment = _DELAY_SLOPE * delay_ms + _LATE_SLOPE * max(0.0, delay_ms - DELAY_KNEE_MS)
    percent = 100 * loss
    equipment = impairment + (_WORST_IMPAIRMENT - impairment) * percent / (percent + loss_robustness)
    return min(100.0, max(0.0, BASE_RATING - delay_impairment - equipment))


def mean_opinion_score(r: float) -> float:
    """Give the MOS (1 to 4.5) of a rating (G.107 annex B)."""
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)
