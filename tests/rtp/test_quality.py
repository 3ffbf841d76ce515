"""The estimate of quality follows the E-model (ITU-T G.107)."""

import pytest

from custom_components.sip_ua.rtp.codecs import PCMA
from custom_components.sip_ua.rtp.figures import estimate
from custom_components.sip_ua.rtp.quality import mean_opinion_score, rating


def test_a_perfect_line_is_rated_as_the_recommendation_says() -> None:
    assert rating(loss=0, delay_ms=0, impairment=0, loss_robustness=25.1) == pytest.approx(93.2)
    assert mean_opinion_score(93.2) == pytest.approx(4.41, abs=0.01)


def test_delay_beyond_the_knee_hurts_more() -> None:
    def at(delay: float) -> float:
        return rating(loss=0, delay_ms=delay, impairment=0, loss_robustness=25.1)

    assert at(0) - at(100) == pytest.approx(2.4)
    assert at(200) - at(300) == pytest.approx(13.4)


def test_loss_hurts_by_the_robustness_of_the_codec() -> None:
    assert rating(loss=0.05, delay_ms=0, impairment=0, loss_robustness=25.1) == pytest.approx(93.2 - 95 * 5 / 30.1)


def test_the_score_stays_between_1_and_4_point_5_and_falls_with_loss() -> None:
    scores = [estimate(PCMA, loss=loss / 100, delay=0.1) for loss in range(101)]
    assert scores == sorted(scores, reverse=True)
    assert 1.0 <= scores[-1] <= scores[0] <= 4.5


def test_the_worst_is_bad() -> None:
    assert mean_opinion_score(0) == 1.0
    assert rating(loss=1, delay_ms=5000, impairment=50, loss_robustness=1) == 0.0
