"""Which numbers call for help, so that nothing of ours holds such a call back."""

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
"""Of any country: who dials one of them where it is an extension loses nothing by being let through."""
_OUTSIDE_LINES: Final = ("", "0", "9")


def is_emergency(number: str) -> bool:
    """Return whether a dialled number may be one of an emergency service, behind an outside line's digit or not."""
    user = number.strip().lower().removeprefix("sips:").removeprefix("sip:").removeprefix("tel:")
    user = user.partition("@")[0].partition(";")[0]
    return any(user.removeprefix(line) in _NUMBERS for line in _OUTSIDE_LINES)
