"""What a tool's words mean: the map in force, the draft with its effect, and the versions before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from django.utils.safestring import SafeString

from catalogue.refusing import NotAllowed
from itsm_backup.common.time import parse_instant
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.words import OUTCOME_VERDICTS, STATUSES, instant, many, person, size
from monitoring import meaning, redefining, restating
from monitoring.connectors.map_document import UNITS
from monitoring.meaning import Meaning
from monitoring.models import StatusMap, Tool
from monitoring.restating import Effect

SPARE = 3  # empty lines for words that no kept answer holds


@dataclass(frozen=True, kw_only=True)
class WordRow:
    number: int
    said: str
    count: int
    connector: str
    means: str
    known: bool


@dataclass(frozen=True, kw_only=True)
class RunRow:
    run: int
    job: str
    at: SafeString
    before: tuple[str, str]
    after: tuple[str, str]
    sizes: str


@dataclass(frozen=True, kw_only=True)
class EffectShown:
    tried: SafeString
    since: SafeString
    sentence: str
    moves: tuple[tuple[str, int], ...]
    turned_good: int
    warning: str
    rows: tuple[RunRow, ...]
    services: tuple[tuple[str, str, tuple[str, str], tuple[str, str]], ...]
    quarantine: str
    left_out: int


@dataclass(frozen=True, kw_only=True)
class VersionRow:
    number: int
    state: str
    author: str
    approver: str
    approved_at: SafeString | str
    reason: str
    changes: tuple[str, ...]
    effect: str


@dataclass(frozen=True, kw_only=True)
class MeaningPage:
    tool: str
    name: str
    sentence: str
    words: tuple[WordRow, ...]
    units: tuple[tuple[str, str, str], ...]  # number, in words, unit
    all_units: tuple[str, ...]
    outcomes: tuple[str, ...]
    draft: int
    draft_by: str
    changes: tuple[str, ...]
    effect: EffectShown | None
    versions: tuple[VersionRow, ...]
    may_write: bool
    why_not: str
    may_approve: bool
    approval: str
    reason: str
    problems: tuple[str, ...] = ()


def meaning_page(
    *, tool: Tool, user: Any, moment: Moment, typed: Meaning | None = None, reason: str = "", problems: tuple[str, ...] = ()
) -> MeaningPage:
    """The draft with its effect, else the version in force, over the words that the latest kept answers hold."""
    rows = list(StatusMap.objects.filter(tool=tool).select_related("author", "approver").order_by("-number")[:50])
    known = [row for row in rows if row.state == "approved" and row.approved_at and row.approved_at <= moment.at]
    held = known[0] if known else None
    draft = next((row for row in rows if row.state == "draft"), None) if not moment.past else None
    shown = typed or redefining.meaning_of(draft or held)
    why_not = _refusal(lambda: redefining.check_author(tool, user, moment.at))
    approval = _refusal(lambda: redefining.check_approver_of(draft, user)) if draft else ""
    return MeaningPage(
        tool=tool.name, name=str(tool), sentence=_sentence(held), words=_words(tool, shown, moment),
        units=tuple((name, label.capitalize(), shown.units.get(name, "B")) for name, label in meaning.NUMBERS.items()),
        all_units=tuple(UNITS), outcomes=meaning.OUTCOMES, draft=draft.number if draft else 0,
        draft_by=person(draft.author) if draft else "",
        changes=tuple(meaning.changes(redefining.meaning_of(held), redefining.meaning_of(draft))) if draft else (),
        effect=_effect(draft) if draft else None,
        versions=tuple(_version(row, rows) for row in rows if row in known or (not moment.past and row.state != "approved")),
        may_write=not moment.past and not why_not and (draft is None or draft.author_id == user.pk), why_not="" if moment.past else why_not,
        may_approve=bool(draft and not approval), approval=approval, reason=reason or (draft.reason if draft else ""), problems=problems,
    )  # fmt: skip


def _refusal(check: Any) -> str:
    try:
        check()
    except NotAllowed as error:
        return str(error)
    return ""


def _sentence(held: StatusMap | None) -> str:
    if held is None:
        return "No map is in force: every word means what the connector says."
    count = len(held.words) + len(held.units)
    own = many(count, "word or number means something of its own here", "words and numbers mean something of their own here")
    return f"Version {held.number} is in force: {own}."


def _words(tool: Tool, shown: Meaning, moment: Moment) -> tuple[WordRow, ...]:
    found: dict[str, WordRow] = {}
    for word, outcome, count in restating.told(tool, moment.at):
        if word not in found:
            means = shown.words.get(word, "")
            found[word] = WordRow(number=len(found), said=word, count=count, connector=outcome, means=means, known=True)
    for word, means in shown.words.items():
        if word not in found:
            found[word] = WordRow(number=len(found), said=word, count=0, connector="", means=means, known=False)
    spare = (WordRow(number=len(found) + n, said="", count=0, connector="", means="", known=False) for n in range(SPARE))
    return (*found.values(), *spare)


def _effect(draft: StatusMap) -> EffectShown | None:
    if not draft.effect or draft.tried_at is None:
        return None
    told = msgspec.convert(draft.effect, Effect)
    bad = f"{many(told.turned_good, 'run')} that did not go well would count as good." if told.turned_good else ""
    return EffectShown(
        tried=instant(draft.tried_at), since=instant(parse_instant(told.since)), sentence=restating.sentence(told),
        moves=tuple(sorted(told.moves.items(), key=lambda one: -one[1])), turned_good=told.turned_good, warning=bad,
        rows=tuple(
            RunRow(
                run=one.run, job=one.job, at=instant(parse_instant(one.at)), before=_outcome(one.before), after=_outcome(one.after),
                sizes=_sizes(one.before, one.after),
            )
            for one in told.examples
        ),
        services=tuple((one["code"], one["name"], _status(one["before"]), _status(one["after"])) for one in told.services),
        quarantine=restating.quarantine_sentence(told), left_out=told.left_out,
    )  # fmt: skip


def _outcome(side: Mapping[str, Any]) -> tuple[str, str]:
    outcome = side.get("outcome")
    return OUTCOME_VERDICTS.get(outcome or "", ("held", "Not over" if side else "Not read"))


def _status(word: str) -> tuple[str, str]:
    words, verdict = STATUSES[word]
    return ("broken" if verdict == "outage" else verdict), words


def _sizes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    names = [name for name in meaning.NUMBERS if before.get(name) != after.get(name)]
    return ", ".join(f"{meaning.NUMBERS[name]} {size(before.get(name)) or '–'} → {size(after.get(name)) or '–'}" for name in names)


def _version(row: StatusMap, rows: list[StatusMap]) -> VersionRow:
    before = next((one for one in rows if one.number < row.number and one.state == "approved"), None)
    told = msgspec.convert(row.effect, Effect) if row.effect else Effect(since="")
    return VersionRow(
        number=row.number, state=row.get_state_display(), author=person(row.author),
        approver=person(row.approver) if row.approver else "–", approved_at=instant(row.approved_at) if row.approved_at else "–",
        reason=row.reason, changes=tuple(meaning.changes(redefining.meaning_of(before), redefining.meaning_of(row))),
        effect=", ".join(f"{count:,} {move}" for move, count in sorted(told.moves.items())) or ("sizes" if told.sizes else "nothing"),
    )  # fmt: skip
