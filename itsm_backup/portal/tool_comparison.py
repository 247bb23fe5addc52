"""Tools and kinds of tools side by side, weighed as one likes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.tool_pages import Line, latest, lines_shown, score_words
from monitoring import assessing, scoring
from monitoring.connectors.capabilities import CAPABILITIES
from monitoring.models import Tool
from monitoring.scoring import Found

MOST = 6


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One column: a connected tool with what was seen of it, or a kind with what its connector declares."""

    key: str
    name: Link
    standing: str
    score: float | None
    shown: str
    lines: tuple[Line, ...]
    best: bool = False


@dataclass(frozen=True, kw_only=True)
class Row:
    label: str
    asks: str
    name: str
    weight: int
    cells: tuple[tuple[str, str, str], ...]  # verdict, word, in words


@dataclass(frozen=True, kw_only=True)
class ComparisonPage:
    sentence: str
    candidates: tuple[Candidate, ...]
    rows: tuple[Row, ...]
    tools: tuple[tuple[str, str, bool], ...]
    kinds: tuple[tuple[str, str, bool], ...]
    own_weights: bool
    may_keep: bool
    problems: tuple[str, ...] = ()


def read_weights(sent: Mapping[str, str]) -> tuple[dict[str, int], list[str]]:
    """The weights that were sent, the standing ones for what was not, and what could not be read."""
    found, problems = assessing.weights(), []
    for name, one in CAPABILITIES.items():
        text = sent.get(f"w_{name}", "").strip()
        if text.isascii() and text.isdigit() and int(text) <= 10:
            found[name] = int(text)
        elif text:
            problems.append(f"{one.label}: “{text[:20]}” is no whole number from 0 to 10, so the standing weight was taken.")
    return found, problems


def comparison_page(*, user: Any, moment: Moment, chosen: list[str], sent: Mapping[str, str]) -> ComparisonPage:
    """Up to six candidates under the weights that were sent, else under the standing ones; the best first."""
    tools = {tool.name: tool for tool in Tool.objects.visible_to(user).defer("secrets").order_by("name")}
    kinds = assessing.candidates()
    weights, problems = read_weights(sent)
    keys = list(dict.fromkeys(key for key in chosen if _is_known(key, tools, kinds)))
    if not chosen:
        keys = [f"tool:{name}" for name in list(tools)[:MOST]]
    elif len(keys) > MOST:
        problems.append(f"{MOST} candidates fit side by side; the first {MOST} are shown.")
    columns = _columns(keys[:MOST], tools, kinds, weights, moment)
    return ComparisonPage(
        sentence=_sentence(columns), candidates=columns, rows=_rows(columns, weights),
        tools=tuple((f"tool:{name}", str(tool), f"tool:{name}" in keys) for name, tool in tools.items()),
        kinds=tuple((f"kind:{key}", label, f"kind:{key}" in keys) for key, label in sorted(kinds.items(), key=lambda one: one[1].lower())),
        own_weights=weights != assessing.weights(),
        may_keep=not moment.past and bool(user.has_perm("monitoring.change_capabilityweights")), problems=tuple(problems),
    )  # fmt: skip


def _is_known(key: str, tools: Mapping[str, Any], kinds: Mapping[str, str]) -> bool:
    what, _, name = key.partition(":")
    return (what == "tool" and name in tools) or (what == "kind" and name in kinds)


def _columns(
    keys: list[str], tools: Mapping[str, Tool], kinds: Mapping[str, str], weights: dict[str, int], moment: Moment
) -> tuple[Candidate, ...]:
    tried = latest([tools[key.partition(":")[2]] for key in keys if key.startswith("tool:")], moment.at)
    made = []
    for key in keys:
        what, _, name = key.partition(":")
        if what == "kind":
            made.append(_candidate(key, Link(kinds[name], ""), "not connected: as declared", assessing.lines_of_kind(name), weights))
            continue
        tool, trial = tools[name], tried.get(tools[name].pk)
        standing = f"tried {trial.at:%-d %b %Y}" if trial else "not tried yet: as declared"
        lines = assessing.lines_of(trial) if trial else scoring.as_declared(assessing.declared_of(tool))
        made.append(_candidate(key, Link(str(tool), moment.href("tool", tool.name)), f"{tool.connector.label}, {standing}", lines, weights))
    ranked = sorted(made, key=lambda one: -(one.score if one.score is not None else -1))
    return tuple(ranked)


def _candidate(key: str, name: Link, standing: str, lines: Iterable[Found], weights: dict[str, int]) -> Candidate:
    found = list(lines)
    score = scoring.score(found, weights)
    return Candidate(key=key, name=name, standing=standing, score=score, shown=score_words(score), lines=lines_shown(found, weights))


def _rows(columns: tuple[Candidate, ...], weights: dict[str, int]) -> tuple[Row, ...]:
    rows = []
    for name, one in CAPABILITIES.items():
        lines = [next(line for line in column.lines if line.name == name) for column in columns]
        rows.append(Row(label=one.label, asks=one.asks, name=name, weight=weights[name], cells=tuple(map(_cell, lines))))
    return tuple(rows)


def _cell(line: Line) -> tuple[str, str, str]:
    shown = line.verdict not in ("no_data", "held")
    word = line.seen if shown else f"Declared: {line.declared.lower()}"
    return line.verdict, word, line.seen_words if shown and line.seen_words else line.declared_words


def _sentence(columns: tuple[Candidate, ...]) -> str:
    if not columns:
        return "Choose what to compare."
    if len(columns) == 1:
        return f"{columns[0].name.words} scores {columns[0].shown} of 100."
    first, second = columns[0], columns[1]
    if first.score == second.score:
        return f"{first.name.words} and {second.name.words} score {first.shown} of 100 each."
    return f"{first.name.words} scores highest, {first.shown} of 100 against {second.shown} of {second.name.words}."
