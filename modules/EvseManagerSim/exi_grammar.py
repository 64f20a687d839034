"""Schema-informed EXI: writes and reads elements by tables of what may stand in them.

Pure. `Type` is such a table, `Tree` the neutral shape of an element's content. Default options: an event code has as
many bits as the productions of the state and one escape need, and a state lists its productions in the order
attributes, elements as in the schema, end, characters (EXI 8.5.4). Escapes (xsi:type, comments, what no schema knows)
are not understood, nor are elements whose type is None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import ParamSpec, TypeAlias, TypeVar

from .exi import BitReader, BitWriter, ExiError, bits_for

P = ParamSpec("P")
T = TypeVar("T")


class Kind(Enum):
    """Representations of values."""

    TEXT = "string"
    BINARY = "binary"
    INTEGER = "integer"


Value: TypeAlias = str | bytes | int
Tree: TypeAlias = "list[tuple[str, Value | Tree]]"
"""Content in order: `@Name` an attribute, `#` the characters, else a child element with its content."""
Simple: TypeAlias = "Kind | tuple[str, ...]"
"""How a value is written; a tuple: an enumeration of these."""
END, MIXED, ANY = "/", "#mixed", "*"
"""Productions without a name of their own: end of the element, characters between elements, any element."""


@dataclass(frozen=True)
class Part:
    """One of `choices` (name and content), `least` to `most` times; most None: without limit."""

    choices: tuple[tuple[str, Type | Simple | None], ...]
    least: int = 1
    most: int | None = 1


@dataclass(frozen=True)
class Type:
    """The parts of an element in order; `mixed`: characters may stand beside them.

    space: namespace of its attributes; only string tables tell attributes of one name apart by it.
    """

    parts: tuple[Part, ...]
    mixed: bool = False
    space: str = ""

    def owner(self, name: str, element: str) -> str:
        """Who has the strings of the attribute or the characters `name` of such an `element`."""
        return element if name == "#" else self.space + name


def one(name: str, content: Type | Simple | None) -> Part:
    return Part(((name, content),))


def maybe(name: str, content: Type | Simple | None) -> Part:
    return Part(((name, content),), least=0)


def many(name: str, content: Type | Simple | None, *, least: int = 1, most: int | None = None) -> Part:
    return Part(((name, content),), least, most)


def characters(kind: Simple, *attributes: Part, space: str = "") -> Type:
    """An element that holds a value."""
    return Type((*attributes, one("#", kind)), space=space)


Production: TypeAlias = "tuple[str, Type | Simple | None, int]"
"""Name, content, index of the part."""


def productions(type: Type, at: int, seen: int) -> list[Production]:
    """What may come, by event code, where the part `at` has been there `seen` times."""
    found: list[Production] = []
    for index, part in enumerate(type.parts[at:], at):
        count = seen if index == at else 0
        if part.most is None or count < part.most:
            found += [(name, content, index) for name, content in part.choices]
        if count < part.least:
            return found
    end = len(type.parts)
    return [*found, (END, None, end)] + ([(MIXED, None, end)] if type.mixed else [])


class _Place:
    """Where in an element of `type` the walk is."""

    def __init__(self, type: Type) -> None:
        self._type = type
        self._at = self._seen = 0
        self.productions = productions(type, 0, 0)

    @property
    def width(self) -> int:
        return bits_for(len(self.productions) + 1)

    def step(self, index: int) -> None:
        self._seen = self._seen + 1 if index == self._at else 1
        self._at = index
        self.productions = productions(self._type, self._at, self._seen)


# --- writing


def write_element(bits: BitWriter, type: Type, element: str, content: Tree) -> None:
    """Content and end of `element`. Errors: ExiError for a content that does not fit its type."""
    place = _Place(type)
    for name, value in [*content, (END, "")]:
        names = [production[0] for production in place.productions]
        if name not in names:
            raise ExiError(f"{element}: {name} is not one of {', '.join(names)}")
        code = names.index(name)
        bits.number(code, place.width)
        if name == END:
            return
        _, kind, index = place.productions[code]
        match kind, value:
            case Type(), list():
                write_element(bits, kind, name, value)
            case Kind.TEXT, str():
                bits.text(type.owner(name, element), value)
            case _:
                _write(bits, f"{element}/{name}", kind, value)
        place.step(index)


def _write(bits: BitWriter, where: str, kind: Type | Simple | None, value: Value | Tree) -> None:
    match kind, value:
        case Kind.BINARY, bytes():
            bits.binary(value)
        case Kind.INTEGER, int():
            bits.integer(value)
        case tuple(), str() if value in kind:
            bits.number(kind.index(value), bits_for(len(kind)))
        case _:
            raise ExiError(f"{where}: {value!r} cannot be written as {kind}")


# --- reading


def read_element(bits: BitReader, type: Type, where: str) -> Tree:
    """Content of an element up to its end. where: its path, for errors. Errors: ExiError."""
    place = _Place(type)
    content: Tree = []
    while True:
        name, kind, index = _event(bits, place, where)
        if name == END:
            return content
        owner = type.owner(name, where.rpartition("/")[-1])
        content.append((name, _read(bits, owner, kind, f"{where}/{name}")))
        place.step(index)


def _event(bits: BitReader, place: _Place, where: str) -> Production:
    code = _at(where, bits.number, place.width)
    if code >= len(place.productions):
        expected = ", ".join(name for name, _, _ in place.productions)
        raise ExiError(f"{where}: event {code} is none of the schema (that has {expected})")
    return place.productions[code]


def _read(bits: BitReader, owner: str, kind: Type | Simple | None, where: str) -> Value | Tree:
    match kind:
        case Type():
            return read_element(bits, kind, where)
        case Kind.TEXT:
            return _at(where, bits.text, owner)
        case Kind.BINARY:
            return _at(where, bits.binary)
        case Kind.INTEGER:
            return _at(where, bits.integer)
        case tuple():
            code = _at(where, bits.number, bits_for(len(kind)))
            if code < len(kind):
                return kind[code]
            raise ExiError(f"{where}: value {code} of an enumeration of {len(kind)}")
    raise ExiError(f"{where} is not understood here")


def _at(where: str, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """read(...) with the place in its error."""
    try:
        return read(*args, **kwargs)
    except ExiError as error:
        raise ExiError(f"{where}: {error}") from error


# --- looking into a tree


def child(content: Tree, *path: str) -> Tree:
    """The content of the first element at `path`. Errors: ExiError where there is none."""
    for name in path:
        found = next((value for key, value in content if key == name), None)
        if not isinstance(found, list):
            raise ExiError(f"{name} of {'/'.join(path)} is missing")
        content = found
    return content


def children(content: Tree, name: str) -> list[Tree]:
    """Contents of all child elements of that name."""
    return [value for key, value in content if key == name and isinstance(value, list)]


def octets(content: Tree, *path: str) -> bytes:
    """The characters of a binary element."""
    value = dict(child(content, *path)).get("#")
    if not isinstance(value, bytes):
        raise ExiError(f"{'/'.join(path)} holds no octets")
    return value


def text(content: Tree, *path: str, key: str = "#") -> str:
    """The characters of an element, or its attribute `key`; empty without."""
    value = dict(child(content, *path)).get(key, "")
    return value if isinstance(value, str) else ""
