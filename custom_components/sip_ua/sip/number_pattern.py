"""Patterns of numbers and addresses, as the lists of an account have them: who may ring, where transfers may lead."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache

_KEPT = 512


def fits(patterns: Iterable[str], number: str) -> bool:
    """Return whether one of the patterns means a number or an address; neither tells upper from lower case.

    `*` stands for any characters, `?` for one. A pattern that begins with * or # is a code of the exchange like
    `**610`, whose stars are keys, except for one at the end; a single `*` means everybody, and an address such as
    `*@192.168.1.5` is no code.
    """
    number = number.casefold()
    return any(fnmatchcase(number, _glob(pattern)) for pattern in patterns)


@lru_cache(maxsize=_KEPT)
def _glob(pattern: str) -> str:
    """Return what fnmatch takes for a pattern."""
    literal = pattern.casefold().replace("[", "[[]")
    if len(pattern) > 1 and pattern.startswith(("*", "#")) and "@" not in pattern:
        return literal[:-1].replace("*", "[*]") + literal[-1]
    return literal
