"""How often a secret code may be guessed."""

from custom_components.sip_ua.guesses import (
    CALLERS_TOGETHER,
    FORGOTTEN_AFTER,
    LONGEST_PAUSE,
    MAX_CALLERS,
    PAUSE,
    Guesses,
)

LIMIT = 3


def guess(guesses: Guesses, caller: str, times: int, now: float) -> list[bool]:
    return [guesses.wrong(caller, now) for _ in range(times)]


def test_one_guess_too_many_begins_a_pause() -> None:
    guesses = Guesses(LIMIT)
    assert guess(guesses, "a", LIMIT, 0.0) == [False, False, True]
    assert guesses.is_barred("a", 0.0)
    assert guesses.is_barred("a", PAUSE - 1)
    assert not guesses.is_barred("a", PAUSE)
    assert not guesses.is_barred("b", 0.0)


def test_each_further_pause_is_longer_up_to_the_longest() -> None:
    guesses, now, pauses = Guesses(LIMIT), 0.0, []
    for _ in range(30):
        guess(guesses, "a", LIMIT, now)
        began = now
        while guesses.is_barred("a", now):
            now += PAUSE
        pauses.append(now - began)
    assert pauses[:4] == [PAUSE, 2 * PAUSE, 4 * PAUSE, 8 * PAUSE]
    assert set(pauses[4:]) == {LONGEST_PAUSE}


def test_who_knows_the_secret_begins_anew() -> None:
    guesses = Guesses(LIMIT)
    guess(guesses, "a", LIMIT - 1, 0.0)
    guesses.right("a")
    guess(guesses, "a", LIMIT - 1, 0.0)
    assert not guesses.is_barred("a", 0.0)


def test_wrong_guesses_of_long_ago_are_forgotten() -> None:
    guesses = Guesses(LIMIT)
    guess(guesses, "a", LIMIT - 1, 0.0)
    guess(guesses, "a", LIMIT - 1, FORGOTTEN_AFTER)
    assert not guesses.is_barred("a", FORGOTTEN_AFTER)
    guess(guesses, "a", 1, FORGOTTEN_AFTER + 1)
    assert guesses.is_barred("a", FORGOTTEN_AFTER + 1)


def test_a_forged_number_for_each_guess_does_not_help_for_long() -> None:
    guesses = Guesses(LIMIT)
    begins = [guesses.wrong(str(number), 0.0) for number in range(LIMIT * CALLERS_TOGETHER)]
    assert begins.index(True) == len(begins) - 1
    assert guesses.is_barred("somebody else", 0.0)
    guesses.right("1")
    assert guesses.is_barred("1", 0.0), "one right guess does not end the pause of all"


def test_only_so_many_callers_are_remembered() -> None:
    guesses = Guesses(MAX_CALLERS)
    guess(guesses, "a", MAX_CALLERS - 1, 0.0)
    guess(guesses, "z", MAX_CALLERS - 1, 0.0)
    for number in range(MAX_CALLERS - 2):
        guesses.wrong(str(number), 0.0)
    assert guess(guesses, "z", 1, 0.0) == [True]
    assert guess(guesses, "a", 1, 0.0) == [False], "the oldest made way"
