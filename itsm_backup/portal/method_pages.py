"""How every figure is calculated: the list of methods, and one page a method with its worked example."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.words import many
from monitoring.methods import METHODS, MODULES, measure
from monitoring.methods.examples import examples
from monitoring.methods.registry import Method

_STRESS = re.compile(r"\*(\w+)\*")


@dataclass(frozen=True, kw_only=True)
class MethodRow:
    method: Link
    title: str
    formula: SafeString
    version: str


@dataclass(frozen=True, kw_only=True)
class MethodGroup:
    title: str
    rows: tuple[MethodRow, ...]


@dataclass(frozen=True, kw_only=True)
class MethodsPage:
    sentence: str
    groups: tuple[MethodGroup, ...]


@dataclass(frozen=True, kw_only=True)
class ExampleShown:
    note: str
    inputs: str
    expected: str
    agrees: bool


@dataclass(frozen=True, kw_only=True)
class MethodPage:
    id: str
    version: str
    title: str
    formula: SafeString
    edges: tuple[SafeString, ...]
    source: SafeString | str
    example: ExampleShown | None
    versions: tuple[Link, ...]


def methods_page(*, moment: Moment) -> MethodsPage:
    """Every published method in the order of docs/methods.md; asks the database for nothing."""
    groups = []
    for module in MODULES:
        own = [one for one in METHODS.values() if one.calculate.__module__ == module.__name__]
        groups.append(MethodGroup(title=(module.__doc__ or "").strip(), rows=tuple(_row(one, moment) for one in own)))
    return MethodsPage(sentence=f"Every figure is counted by one of {many(len(METHODS), 'published method')}.", groups=tuple(groups))


def _row(one: Method, moment: Moment) -> MethodRow:
    formula = _worded(_paragraphs(one)[0])
    return MethodRow(method=Link(one.id, href_of(one.id, one.version, moment)), title=one.title, formula=formula, version=one.version)


def href_of(method_id: str, version: str, moment: Moment) -> str:
    """The address of a method's page."""
    return moment.href("method", method_id, version)


def method_page(*, method: Method, moment: Moment) -> MethodPage:
    """The page of one version of a method, its example worked out on the spot; asks the database for nothing."""
    first, *rest = _paragraphs(method)
    edges, source = [], ""
    for paragraph in rest:
        told, found, behind = paragraph.partition("Source: ")
        source = behind if found else source
        if told.strip():
            edges.append(_worded(told.strip()))
    versions = (version for name, version in METHODS if name == method.id)
    return MethodPage(
        id=method.id,
        version=method.version,
        title=method.title,
        formula=_worded(first),
        edges=tuple(edges),
        source=_worded(source) if source else "",
        example=_example(method),
        versions=tuple(Link(f"version {one}", href_of(method.id, one, moment)) for one in versions),
    )


def _paragraphs(method: Method) -> list[str]:
    return [" ".join(part.split()) for part in method.published.split("\n\n")]


def _worded(text: str) -> SafeString:
    """The docstring's `words` as code and its *stress*, everything escaped."""
    parts = escape(text).split("`")
    coded = "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
    return mark_safe(_STRESS.sub(r"<em>\1</em>", coded))  # noqa: S308 - escaped above


def _example(method: Method) -> ExampleShown | None:
    one = examples().get((method.id, method.version))
    if one is None:
        return None
    found = measure(method.id, one.inputs, version=method.version)
    return ExampleShown(note=one.note, inputs=_json(one.inputs), expected=_json(found), agrees=alike(found, one.expected))


def alike(found: Any, expected: Any) -> bool:
    """Whether two results agree: numbers to 1e-6, everything else exactly."""
    if isinstance(expected, dict):
        return isinstance(found, dict) and found.keys() == expected.keys() and all(alike(found[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        return isinstance(found, list) and len(found) == len(expected) and all(map(alike, found, expected))
    numbers = not isinstance(expected, bool) and isinstance(expected, int | float) and isinstance(found, int | float)
    return abs(found - expected) <= 1e-6 if numbers else bool(found == expected)


def _json(value: Any) -> str:
    """JSON that people can read: one line a field, and one a row of a list."""
    if not isinstance(value, dict):
        return _rows(value, "")
    lines = [f"  {json.dumps(key)}: {_rows(each, '  ')}" for key, each in value.items()]
    return "{\n" + ",\n".join(lines) + "\n}"


def _rows(value: Any, indent: str) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict | list):
        return "[\n" + ",\n".join(f"{indent}  {json.dumps(row, ensure_ascii=False)}" for row in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False)
