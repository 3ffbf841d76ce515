"""Judges sound that came back against what was sent: delay, level and PESQ (ITU-T P.862, P.862.2); for `speech.py`.

Runs in an environment of its own, which has numpy and pesq. Standard input has one list of JSON: of each sound its
name, `sent` and `heard` (raw samples of 16 bits) and their `rate`. The delay is in ms, the level in dB, and the score
the mean over pieces of ten seconds.
"""

import json
import sys
from typing import Any

import numpy as np
from pesq import NoUtterancesError, pesq  # type: ignore[import-not-found]

PIECE_SECONDS = 10
QUIET = 200.0
"""Mean of what is no speech any more, of 32768."""


def delay_of(sent: np.ndarray, heard: np.ndarray) -> int:
    """Return by how many samples the heard sound is later."""
    size = 1 << (len(sent) + len(heard)).bit_length()
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(sent, size)), size)
    at = int(np.argmax(product))
    return at if at < size // 2 else at - size


def level_of(sent: np.ndarray, heard: np.ndarray, rate: int) -> float:
    """Return the gain in dB where there was speech."""
    frame = rate // 50
    count = min(len(sent), len(heard)) // frame
    before = (sent[: count * frame].reshape(count, frame) ** 2).mean(axis=1)
    after = (heard[: count * frame].reshape(count, frame) ** 2).mean(axis=1)
    loud = before > QUIET**2
    return float(10 * np.log10(after[loud].sum() / before[loud].sum()))


def judge(sound: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of one sound."""
    rate = sound["rate"]
    sent, heard = (np.fromfile(sound[name], dtype="<i2").astype(float) for name in ("sent", "heard"))
    delay = delay_of(sent, heard)
    heard = heard[delay:] if delay >= 0 else np.concatenate([np.zeros(-delay), heard])
    heard = np.concatenate([heard, np.zeros(max(0, len(sent) - len(heard)))])[: len(sent)]
    scores, strays = [], []
    step = PIECE_SECONDS * rate
    for start in range(0, len(sent) - step + 1, step):
        piece, came = sent[start : start + step], heard[start : start + step]
        strays.append(1000 * delay_of(piece, came) / rate)
        try:
            scores.append(pesq(rate, piece / 32768, came / 32768, "wb" if rate == 16000 else "nb"))
        except NoUtterancesError:
            scores.append(1.0)
    return {
        "name": sound["name"],
        "delay": 1000 * delay / rate,
        "wander": max(strays) - min(strays),
        "level": level_of(sent, heard, rate),
        "score": float(np.mean(scores)),
        "worst": float(min(scores)),
    }


json.dump([judge(sound) for sound in json.load(sys.stdin)], sys.stdout)
