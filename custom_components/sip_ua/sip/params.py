"""Parameters behind a semicolon, of URIs and of header values (RFC 3261 sections 7.3.1 and 19.1.1)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, override

from .errors import MessageError
from .grammar import WHITE_SPACE, end_of_quoted, is_token, split_params, unquote

# Names that need no second look.
_COMMON_NAMES: Final = frozenset(
    {"branch", "rport", "received", "tag", "lr", "transport", "user", "maddr", "expires", "q"}
)

_new = object.__new__


class Params(Mapping[str, str | None]):
    """Parameters in their order, names in lower case; None is the value of a parameter that is only a name.

    Values are looked up without the quotes of a quoted-string and kept with them. It never changes:
    `with_param` and `without` make new ones. Of a name that comes twice the first counts.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str | None] | Iterable[tuple[str, str | None]] = ()) -> None:
        """Take names and values as they are to be written: a value that is no token needs `grammar.quote`."""
        self._values: dict[str, str | None] = {}
        if isinstance(values, Params):
            values = values._values  # noqa: SLF001
        for name, value in values.items() if isinstance(values, Mapping) else values:
            self._values.setdefault(name.lower(), value)

    @classmethod
    def parse(cls, text: str) -> Params:
        """Parse `name[=value]*(;name[=value])`, white space around each part allowed.

        One semicolon too many at the end is common and forgiven. Raises MessageError.
        """
        if '"' in text or " " in text or "\t" in text:
            values = _parse_unusual(text)
        else:
            pieces = text.split(";")
            if not pieces[-1] and len(pieces) > 1:
                pieces.pop()
            values = {}
            for piece in pieces:
                name, equals, value = piece.partition("=")
                if name not in _COMMON_NAMES:
                    name = _checked_name(name)
                if name not in values:
                    values[name] = value if equals else None
        params = _new(cls)
        params._values = values  # noqa: SLF001
        return params

    @override
    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        value = self._values.get(name.lower(), default)
        return unquote(value) if value and value[0] == '"' else value

    @override
    def __getitem__(self, name: str) -> str | None:
        value = self._values[name.lower()]
        return unquote(value) if value and value[0] == '"' else value

    @override
    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    @override
    def __len__(self) -> int:
        return len(self._values)

    @override
    def __eq__(self, other: object) -> bool:
        return self._values == other._values if isinstance(other, Params) else NotImplemented

    @override
    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    @override
    def __str__(self) -> str:
        """Write every parameter with its semicolon before it; empty where there is none."""
        return "".join([f";{name}" if value is None else f";{name}={value}" for name, value in self._values.items()])

    @override
    def __repr__(self) -> str:
        return f"Params({self._values!r})"

    def with_param(self, name: str, value: str | None = None) -> Params:
        """Return these parameters with one set, at its old place or at the end."""
        return Params({**self._values, name.lower(): value})

    def with_values(self, **values: str | None) -> Params:
        """Return these parameters with several set at once; the names are in lower case."""
        params = Params.__new__(Params)
        params._values = {**self._values, **values}  # noqa: SLF001
        return params

    def without(self, *names: str) -> Params:
        """Return these parameters without some."""
        left_out = {name.lower() for name in names}
        return Params((name, value) for name, value in self._values.items() if name not in left_out)


NO_PARAMS: Final = Params()


def _parse_unusual(text: str) -> dict[str, str | None]:
    """Parse parameters with white space around them or quotes in them."""
    values: dict[str, str | None] = {}
    pieces = split_params(text)
    if len(pieces) > 1 and not pieces[-1].strip(WHITE_SPACE):
        pieces.pop()
    for piece in pieces:
        name, equals, value = piece.partition("=")
        name = _checked_name(name.strip(WHITE_SPACE))
        if name not in values:
            values[name] = _checked_value(value) if equals else None
    return values


def _checked_name(name: str) -> str:
    if not is_token(name):
        raise MessageError("a parameter name that is no token")
    return name.lower()


def _checked_value(text: str) -> str:
    """Return a value without the white space around it; it is a quoted-string or has neither quotes nor spaces."""
    value = text.strip(WHITE_SPACE)
    if '"' in value:
        if value[0] != '"' or end_of_quoted(value, 0) != len(value):
            raise MessageError("a parameter value with quotes inside")
    elif " " in value or "\t" in value:
        raise MessageError("a parameter value with white space inside")
    return value
