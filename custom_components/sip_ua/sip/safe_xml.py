"""XML documents of event packages, read without any of what makes XML dangerous (RFC 4235 and RFC 3863 bodies).

A document type is refused, and with it every entity, default attribute and outside reference. The encoding is UTF-8
whatever the document says. Size, depth and the number of elements are capped, and the work is linear in the size.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from .errors import EventBodyError

MAX_DOCUMENT = 65535
"""Largest document in bytes: no more fits into a datagram, and a stream gets no more room."""
MAX_DEPTH = 16
MAX_ELEMENTS = 4096
MAX_NAMESPACE = 256
"""Longest name of a namespace: expat writes it out again for every element in it."""
MAX_NAMESPACES = 256
_SEPARATOR = " "


@dataclass(slots=True)
class Element:
    """One element; `name` and `namespace` are apart, `text` is that directly inside it."""

    namespace: str
    name: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text of the element without that of its children, and without the space around it."""
        return "".join(self.pieces).strip()

    def find(self, namespace: str, name: str) -> Element | None:
        """Return the first child of a name."""
        return next(self.find_all(namespace, name), None)

    def find_all(self, namespace: str, name: str) -> Iterator[Element]:
        """Yield the children of a name."""
        return (child for child in self.children if child.name == name and child.namespace == namespace)


class _Builder:
    """Makes elements out of what expat tells."""

    def __init__(self) -> None:
        """Start without any element."""
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0
        self._namespaces = 0

    def declare(self, _prefix: str | None, namespace: str | None) -> None:
        """Take the declaration of a namespace."""
        self._namespaces += 1
        if self._namespaces > MAX_NAMESPACES or len(namespace or "") > MAX_NAMESPACE:
            raise EventBodyError("an XML document with too many namespaces, or one that is too long")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Open an element."""
        self._count += 1
        if len(self._open) >= MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise EventBodyError("an XML document that is too deep or has too many elements")
        namespace, _, local = name.rpartition(_SEPARATOR)
        element = Element(namespace, local, attributes)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, _name: str) -> None:
        """Close the innermost element."""
        self._open.pop()

    def text(self, text: str) -> None:
        """Take text inside the innermost element."""
        self._open[-1].pieces.append(text)


def _refuse(*_: object) -> None:
    raise EventBodyError("an XML document with a document type")


def parse_xml(data: bytes) -> Element:
    """Return the outermost element of a document; raises EventBodyError and nothing else."""
    if len(data) > MAX_DOCUMENT:
        raise EventBodyError("an XML document that is too large", 413)
    builder = _Builder()
    parser = expat.ParserCreate("utf-8", _SEPARATOR)
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.StartNamespaceDeclHandler = builder.declare
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    try:
        parser.Parse(data, True)  # noqa: FBT003
    except expat.ExpatError as error:
        raise EventBodyError(f"no XML document: {expat.ErrorString(error.code)}") from None
    if builder.root is None:
        raise EventBodyError("an XML document without an element")
    return builder.root
