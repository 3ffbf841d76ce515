"""How telephone numbers of a country are written, and the one form in which two can be compared (ITU-T E.164)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_SEPARATORS = str.maketrans("", "", " -./()\N{NO-BREAK SPACE}")
_TRUNK_IN_BRACKETS = re.compile(r"\(\s*0\s*\)")
_is_number = re.compile(r"\+?[0-9]+").fullmatch
# An international number may stand behind a feature code, as in #31#+4930.
_is_keys = re.compile(r"([*#][0-9*#]*)?\+?[0-9*#]+").fullmatch

SUBSCRIBER_MINIMUM: Final = 6
"""Digits behind a trunk or international prefix: what is shorter is an extension, or a number of the exchange."""

UNMARKED_MINIMUM: Final = 8
"""Digits behind a calling code that nothing marks as such: no number without an area code is as long as the two."""


def plain_number(text: str) -> str:
    """Return a number without what people write for the eye (RFC 3966 section 5.1.1, and the slash and spaces).

    `+49 (0)30` and `0049 (0)30` have their zero for the eye only, too.
    """
    if "+" in text or text.lstrip().startswith("00"):
        text = _TRUNK_IN_BRACKETS.sub("", text)
    return text.translate(_SEPARATORS)


def is_keys(text: str) -> bool:
    """Return whether a text is what the keys of a telephone dial: a number, a feature code, an emergency number."""
    return _is_keys(plain_number(text)) is not None


@dataclass(frozen=True, slots=True)
class NumberPlan:
    """The rules of one country; without a calling code only international numbers are recognised.

    `lengths` are the digits of a national number that stand without any prefix, none where a trunk prefix is dialled.
    """

    calling_code: str = ""
    trunk: str = ""
    lengths: tuple[int, ...] = ()
    international: str = "00"

    def canonical(self, text: str) -> str:
        """Return the international form of a telephone number; an extension, code or name stays as it is."""
        number = plain_number(text)
        if not _is_number(number):
            return text.strip()
        if number.startswith("+"):
            return self._without_trunk(number)
        international = number.removeprefix(self.international)
        if international != number and len(international) >= SUBSCRIBER_MINIMUM:
            return self._without_trunk(f"+{international}")
        if not self.calling_code:
            return number
        return self._national(number)

    def is_international(self, digits: str) -> bool:
        """Return whether digits can be nothing but an international number of this country that has lost its +."""
        marked = self.trunk and digits.startswith(self.trunk)
        return not marked and self.canonical(digits) == f"+{digits}"

    def forms(self, text: str) -> frozenset[str]:
        """Return the ways to write a number that a pattern may mean: as it is, international, and as in its country.

        A number of this country is none that begins with the international prefix, with which others are dialled.
        """
        number = self.canonical(text)
        forms = {plain_number(text) if is_keys(text) else text.strip(), number}
        if not number.startswith("+"):
            return frozenset(forms)
        national = number.removeprefix(f"+{self.calling_code}")
        if not self.calling_code or national == number:
            forms.add(number.replace("+", self.international))
        elif self.lengths:
            forms |= {national, self.trunk + national}
        else:
            forms.add(self.trunk + national)
        return frozenset(forms)

    def pattern(self, text: str) -> str:
        """Return a pattern with the wildcards * and ? so that it can be compared with the forms of a number."""
        if "@" in text:
            return text
        if not ("*" in text or "?" in text):
            return self.canonical(text)
        home, prefix = f"+{self.calling_code}", f"{self.international}{self.calling_code}"
        begun = f"{home}{text.removeprefix(prefix)}" if text.startswith(prefix) else text
        if not self.calling_code or (self.trunk and not self.lengths and begun == f"{home}{self.trunk}*"):
            return text
        return self._without_trunk(begun)

    def _national(self, number: str) -> str:
        """Return a number that is written as in its own country."""
        code = self.calling_code
        national = number.removeprefix(self.trunk)
        if self.trunk and national != number and self._is_subscriber(national):
            return f"+{code}{national}"
        if len(number) in self.lengths:
            return f"+{code}{number}"
        unmarked = number.removeprefix(code)
        if unmarked != number and (
            len(unmarked) in self.lengths if self.lengths else len(unmarked) >= UNMARKED_MINIMUM
        ):
            return f"+{number}"
        return number

    def _is_subscriber(self, national: str) -> bool:
        return len(national) in self.lengths if self.lengths else len(national) >= SUBSCRIBER_MINIMUM

    def _without_trunk(self, number: str) -> str:
        """Return an international number of this country without the trunk prefix that some leave in it."""
        head = f"+{self.calling_code}{self.trunk}"
        if self.calling_code and self.trunk and not self.lengths and number.startswith(head):
            return f"+{self.calling_code}{number.removeprefix(head)}"
        return number


_ANY_COUNTRY: Final = NumberPlan()

# Calling code and trunk prefix of countries in which national numbers begin with that.
_TRUNK: Final[Mapping[str, tuple[str, str]]] = {
    "AE": ("971", "0"),
    "AL": ("355", "0"),
    "AR": ("54", "0"),
    "AT": ("43", "0"),
    "BA": ("387", "0"),
    "BE": ("32", "0"),
    "BG": ("359", "0"),
    "BR": ("55", "0"),
    "CH": ("41", "0"),
    "CN": ("86", "0"),
    "DE": ("49", "0"),
    "EG": ("20", "0"),
    "FI": ("358", "0"),
    "FR": ("33", "0"),
    "GB": ("44", "0"),
    "HR": ("385", "0"),
    "HU": ("36", "06"),
    "IE": ("353", "0"),
    "IL": ("972", "0"),
    "IN": ("91", "0"),
    "LT": ("370", "0"),
    "MA": ("212", "0"),
    "MD": ("373", "0"),
    "ME": ("382", "0"),
    "MK": ("389", "0"),
    "MY": ("60", "0"),
    "NL": ("31", "0"),
    "NZ": ("64", "0"),
    "PE": ("51", "0"),
    "PH": ("63", "0"),
    "RO": ("40", "0"),
    "RS": ("381", "0"),
    "SA": ("966", "0"),
    "SE": ("46", "0"),
    "SI": ("386", "0"),
    "SK": ("421", "0"),
    "TR": ("90", "0"),
    "UA": ("380", "0"),
    "VN": ("84", "0"),
    "ZA": ("27", "0"),
}

# Calling code and lengths of national numbers in countries that have no trunk prefix.
_CLOSED: Final[Mapping[str, tuple[str, tuple[int, ...]]]] = {
    "CL": ("56", (9,)),
    "CO": ("57", (10,)),
    "CY": ("357", (8,)),
    "CZ": ("420", (9,)),
    "DK": ("45", (8,)),
    "EE": ("372", (7, 8)),
    "ES": ("34", (9,)),
    "GR": ("30", (10,)),
    "IS": ("354", (7,)),
    "IT": ("39", (8, 9, 10, 11)),
    "LI": ("423", (7,)),
    "LU": ("352", (6, 8, 9)),
    "LV": ("371", (8,)),
    "MT": ("356", (8,)),
    "MX": ("52", (10,)),
    "NO": ("47", (8,)),
    "PL": ("48", (9,)),
    "PT": ("351", (9,)),
    "TN": ("216", (8,)),
}

PLANS: Final[Mapping[str, NumberPlan]] = {
    **{country: NumberPlan(code, trunk) for country, (code, trunk) in _TRUNK.items()},
    **{country: NumberPlan(code, "", lengths) for country, (code, lengths) in _CLOSED.items()},
    "AU": NumberPlan("61", "0", international="0011"),
    "BY": NumberPlan("375", "8", (9,), "810"),
    "CA": NumberPlan("1", "1", (10,), "011"),
    "HK": NumberPlan("852", "", (8,), "001"),
    "ID": NumberPlan("62", "0", international="001"),
    "JP": NumberPlan("81", "0", international="010"),
    "KR": NumberPlan("82", "0", international="001"),
    "KZ": NumberPlan("7", "8", (10,), "810"),
    "RU": NumberPlan("7", "8", (10,), "810"),
    "SG": NumberPlan("65", "", (8,), "001"),
    "TH": NumberPlan("66", "0", international="001"),
    "US": NumberPlan("1", "1", (10,), "011"),
}


def plan_of(country: str | None) -> NumberPlan:
    """Return the rules of a country by its code (ISO 3166-1); those of any country where it is not known."""
    return PLANS.get(country or "", _ANY_COUNTRY)
