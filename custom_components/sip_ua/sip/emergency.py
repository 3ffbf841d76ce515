"""Which numbers call for help: what must get through whatever our rules say, and what nobody dials who was misheard.

The first question lets through too much rather than too little, for an extension of that number loses nothing by it.
The second refuses too much rather than too little, for a person can still dial by hand; it covers all of the first.
"""

import re
from typing import Final

_NUMBERS: Final = frozenset(
    {
        *("000", "08", "15", "17", "18", "100", "101", "102", "103", "104", "106", "108", "110", "111", "112", "113"),
        *("114", "115", "116", "117", "118", "119", "120", "122", "123", "124", "125", "127", "128", "129", "130"),
        *("131", "132", "133", "140", "141", "143", "144", "147", "150", "155", "158", "166", "190", "191", "192"),
        *("193", "194", "195", "196", "197", "198", "199", "911", "917", "919", "933", "990", "991", "992", "993"),
        *("994", "995", "996", "997", "998", "999", "10111", "10177"),
    }
)
"""Those of any country."""
_OUTSIDE_LINES: Final = ("", "0", "9")
# Up to three digits, also behind the zeros that lead out of an exchange; the best known behind any one digit, and one
# with its last digit heard twice.
_is_near_one = re.compile(r"\+?(0*[0-9]{1,3}|[0-9](000|110|112|911|999)|1122)").fullmatch


def must_get_through(number: str) -> bool:
    """Return whether a dialled number or address may call for help, also behind the digit of an outside line.

    Such a call is held back by nothing, goes out as it was dialled, and shows who calls.
    """
    user = number.strip().lower().removeprefix("sips:").removeprefix("sip:").removeprefix("tel:")
    user = user.partition("@")[0].partition(";")[0]
    return any(user.removeprefix(line) in _NUMBERS for line in _OUTSIDE_LINES)


def must_not_be_misheard(number: str) -> bool:
    """Return whether a number is so near to one that calls for help that nobody dials it who was only heard."""
    return must_get_through(number) or _is_near_one(number) is not None
