"""An estate file as plain data, with the line of everything in it; all that is wrong is said at once, with line and remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import yaml

from itsm_backup.estate.schema import schema

Place = tuple[str | int, ...]
MOST_BYTES = 10_000_000
MOST_NODES = 500_000
_NOT_YET = {
    "configuration items": ("cis", "configuration_items"),
}


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong: where, and a sentence with the remedy."""

    line: int | None
    place: str
    sentence: str

    def __str__(self) -> str:
        where = ", ".join(filter(None, [f"line {self.line}" if self.line else "", self.place]))
        return f"{where}: {self.sentence}" if where else self.sentence


class Unusable(Exception):
    """The file cannot be loaded; nothing was changed. `problems` are in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.line or 0)
        super().__init__("\n".join(map(str, self.problems)))


class Follows(Exception):
    """Something cannot be done because of a problem that is told already."""


class Estate(msgspec.Struct, frozen=True):
    """The content of a file that agrees with the schema."""

    path: Path
    data: dict[str, Any]
    lines: dict[Place, int]

    def problem(self, place: Place, sentence: str) -> Problem:
        return Problem(line_of(self.lines, place), words_of(place), sentence)


def read(path: Path) -> Estate:
    """The estate in the file. Raises Unusable with every problem that can be seen without the database."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise Unusable([Problem(None, "", f"{path} is larger than {MOST_BYTES // 1_000_000} MB. Split it into several files.")])
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Unusable([Problem(None, "", f"{path} cannot be read: {error.strerror}.")]) from None
    except UnicodeDecodeError:
        raise Unusable([Problem(None, "", f"{path} is not written in UTF-8. Save it as UTF-8.")]) from None
    reader = _Reader()
    data = reader.read(text)
    problems = reader.problems or list(_schema_problems(data, reader.lines))
    if problems:
        raise Unusable(problems)
    return Estate(path, data, reader.lines)


def line_of(lines: dict[Place, int], place: Place) -> int | None:
    """The line of the place, or of the nearest thing around it."""
    while place not in lines and place:
        place = place[:-1]
    return lines.get(place)


def words_of(place: Place) -> str:
    """`services[2].commitments.rpo`; entries of lists are counted from 1, as people count."""
    text = ""
    for part in place:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


class _Loader(yaml.SafeLoader):
    """YAML without surprises: 13:30 and 2026-08-01 stay texts, `no` and `on` too."""

    yaml_implicit_resolvers: dict[str, Any] = {}


for _tag, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^-?(?:0|[1-9][0-9]{0,17})$", list("-0123456789")),
    ("float", r"^-?[0-9]+\.[0-9]+$", list("-0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)
_SCALARS: dict[str, Callable[[str], Any]] = {
    "null": lambda _: None,
    "bool": lambda text: text.lower() == "true",
    "int": int,
    "float": float,
    "str": str,
}
_TAGS = {*_SCALARS, "seq", "map"}


class _Reader:
    """Turns the nodes of one document into plain data and notes the line of each."""

    def __init__(self) -> None:
        self.lines: dict[Place, int] = {}
        self.problems: list[Problem] = []
        self._open: set[int] = set()

    def read(self, text: str) -> Any:
        try:
            node = yaml.compose(text, Loader=_Loader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            told = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read")
            sentence = f"This is not YAML: {told}. Check indentation (spaces, no tabs), colons and quotes there."
            self.problems.append(Problem(mark.line + 1 if mark else None, "", sentence))
            return None
        except RecursionError:
            self.problems.append(Problem(None, "", "The file is nested far too deeply for an estate."))
            return None
        return {} if node is None else self._plain(node, ())

    def _plain(self, node: yaml.Node, place: Place) -> Any:
        self.lines.setdefault(place, node.start_mark.line + 1)
        if id(node) in self._open or len(self.lines) > MOST_NODES:
            self._wrong(node, place, "An alias leads to itself, or to far too much. Write the values out.")
            return None
        tag = node.tag.removeprefix("tag:yaml.org,2002:")
        if tag not in _TAGS:
            self._wrong(node, place, f"The tag {node.tag} is not used in an estate file. Write the plain value.")
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, _SCALARS[tag], place)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self._plain(child, (*place, index)) for index, child in enumerate(node.value)]
            return self._mapping(node, place) if isinstance(node, yaml.MappingNode) else None
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._wrong(key, place, "A key must be a plain word.")
                continue
            name, inner = str(key.value), (*place, str(key.value))
            if name in found:
                self._wrong(key, inner, f"{name} stands here twice, first in line {self.lines[inner]}. Keep one.")
                continue
            self.lines[inner] = key.start_mark.line + 1
            found[name] = self._plain(value, inner)
        return found

    def _scalar(self, node: yaml.ScalarNode, make: Callable[[str], Any], place: Place) -> Any:
        if "\x00" in node.value:
            self._wrong(node, place, "It holds a NUL character, which no field can store. Take it out.")
        return make(node.value)

    def _wrong(self, node: yaml.Node, place: Place, sentence: str) -> None:
        self.problems.append(Problem(node.start_mark.line + 1, words_of(place), sentence))


def _schema_problems(data: Any, lines: dict[Place, int]) -> Iterator[Problem]:
    for error in jsonschema.Draft202012Validator(schema()).iter_errors(data):
        place: Place = tuple(error.absolute_path)
        rule: Any = error.schema
        if error.validator == "additionalProperties":
            known = rule.get("properties", {})
            for key in sorted(error.instance.keys() - known.keys()):
                inner = (*place, key)
                yield Problem(line_of(lines, inner), words_of(inner), _unknown(key, list(known), place))
        elif error.validator == "required":
            missing = next(name for name in rule["required"] if name not in error.instance and f"'{name}'" in error.message)
            yield Problem(line_of(lines, place), words_of(place), f"{missing} is missing. {_description(rule['properties'][missing])}")
        else:
            yield Problem(line_of(lines, place), words_of(place), _sentence(error, place))


def _unknown(key: str, known: list[str], place: Place) -> str:
    for what, keys in _NOT_YET.items():
        if not place and key in keys:
            return f"An estate file cannot declare {what} in this version. Take this part out; everything else can be loaded without it."
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    guess = f" Do you mean {near[0]}?" if near else ""
    return f"{key} is not known here.{guess} Known: {', '.join(known) or 'nothing'}."


def _sentence(error: jsonschema.ValidationError, place: Place) -> str:
    rule: Any = error.schema
    limit: Any = error.validator_value
    remedy = _description(rule)
    if "secrets" in place[-2:]:  # what stands there may be a secret
        return f"This is no place where a secret is found. {remedy}"
    shown = _shown(error.instance)
    match error.validator:
        case "type":
            wanted = limit if isinstance(limit, list) else [limit]
            kinds = {"string": "a text", "integer": "a whole number", "array": "a list", "object": "a mapping", "boolean": "true or false",
                     "number": "a number", "null": "null"}  # fmt: skip
            quote = " Put it in quotes." if "string" in wanted and isinstance(error.instance, int | float) else ""
            return f"{shown} stands where {' or '.join(kinds[kind] for kind in wanted)} is expected.{quote} {remedy}"
        case "enum":
            return f"{shown} is not one of {', '.join(map(str, limit))}."
        case "minLength" | "maxLength":
            refused = "be empty" if error.validator == "minLength" else f"be longer than {limit} characters"
            return f"It cannot {refused}. {remedy}"
        case "minimum" | "maximum":
            return f"{shown} is outside {rule['minimum']} to {rule['maximum']}. {remedy}"
        case "minProperties" | "maxProperties":
            return f"It needs a field and exactly one of is, starts_with, contains or matches. {remedy}"
        case _:
            return f"{shown} cannot be read. {remedy}"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "A mapping"
    if isinstance(value, list):
        return "A list"
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return f"“{text[:60]}…”" if len(text) > 60 else f"“{text}”"


def _description(part: dict[str, Any]) -> str:
    return str(part.get("description", ""))
