"""Mappings of tools' attributes to the catalogue's fields, and what an entry promises beside what its tools say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from catalogue.refusing import NotAllowed
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.words import instant, many, person
from monitoring import translating
from monitoring.attributes import told_by
from monitoring.beside import Beside, Pair
from monitoring.converting import FIELDS, TRANSFORMS, UNITS
from monitoring.models import AttributeMapping, Tool
from monitoring.translating import Observed
from monitoring.wording import field_words

MOST_TOOLS = 200


@dataclass(frozen=True, kw_only=True)
class ToolRow:
    tool: Link
    kind: str
    version: str
    mapped: int
    fields: str
    draft: str


@dataclass(frozen=True, kw_only=True)
class ToolsPage:
    sentence: str
    rows: tuple[ToolRow, ...]
    more: int


def tools_page(*, user: Any, moment: Moment) -> ToolsPage:
    """Every tool that the person may see with its mapping; the number of queries does not grow with them."""
    tools = list(Tool.objects.visible_to(user).order_by("name"))
    held: dict[int, AttributeMapping] = {}
    drafts: dict[int, AttributeMapping] = {}
    for row in AttributeMapping.objects.in_force(moment.at).filter(tool__in=tools):
        held.setdefault(row.tool_id, row)
    if not moment.past:
        waiting = AttributeMapping.objects.filter(tool__in=tools, state="draft").select_related("author")
        drafts = {row.tool_id: row for row in waiting}
    rows = [_tool_row(tool, held.get(tool.pk), drafts.get(tool.pk), moment) for tool in tools[:MOST_TOOLS]]
    return ToolsPage(
        sentence=f"{len(held)} of {many(len(tools), 'tool')} {'has' if len(held) == 1 else 'have'} a mapping.",
        rows=tuple(rows),
        more=max(0, len(tools) - MOST_TOOLS),
    )


def _tool_row(tool: Tool, held: AttributeMapping | None, draft: AttributeMapping | None, moment: Moment) -> ToolRow:
    names = list(dict.fromkeys(FIELDS[row["field"]].label for row in held.rows)) if held else []
    return ToolRow(
        tool=Link(str(tool), moment.href("mapping", tool.name)), kind=tool.get_kind_display(),
        version=f"version {held.number}" if held else "none", mapped=len(held.rows) if held else 0, fields=", ".join(names),
        draft=f"version {draft.number} by {person(draft.author)} waits" if draft else "",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class AttributeRow:
    number: int
    path: str
    sample: str
    count: int
    field: str
    unit: str
    transform: str
    words: str
    mapped: str
    how: str
    value: str
    problem: str


@dataclass(frozen=True, kw_only=True)
class VersionRow:
    number: int
    state: str
    author: str
    approver: str
    approved_at: SafeString | str
    reason: str
    changes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class MappingPage:
    tool: str
    name: str
    sentence: str
    answer: SafeString | None
    rows: tuple[AttributeRow, ...]
    unmapped: tuple[AttributeRow, ...]
    versions: tuple[VersionRow, ...]
    draft: int  # number of the draft that the rows show; 0 when they show the version in force
    draft_by: str
    may_write: bool
    why_not: str
    may_approve: bool
    approval: str  # why this person does not approve the draft
    reason: str
    fields: tuple[tuple[str, str], ...]
    units: tuple[tuple[str, str], ...]
    transforms: tuple[tuple[str, str], ...]
    problems: tuple[str, ...] = ()


def mapping_page(
    *, tool: Tool, user: Any, moment: Moment, typed: list[Mapping[str, Any]] | None = None, reason: str = "", problems: tuple[str, ...] = ()
) -> MappingPage:
    """A tool's attributes as its last answer tells them, with what the draft makes of them, else the version in force."""
    rows = list(
        AttributeMapping.objects.filter(tool=tool).select_related("author", "approver").order_by("-number")[:50]
    )  # fmt: skip
    held = next((row for row in rows if row.state == "approved" and row.approved_at and row.approved_at <= moment.at), None)
    draft = next((row for row in rows if row.state == "draft"), None) if not moment.past else None
    shown = typed if typed is not None else draft.rows if draft else held.rows if held else []
    told = told_by(tool, moment.at)
    observed = translating.observe(rows=shown, told=told, zone=tool.zone)
    lines = [_attribute(number, one) for number, one in enumerate(observed)]
    why_not = _refusal(lambda: translating.check_author(tool, user, moment.at))
    approval = _refusal(lambda: translating.check_approver(draft, user)) if draft else ""
    known = [row for row in rows if row.state != "approved" or (row.approved_at and row.approved_at <= moment.at)]
    return MappingPage(
        tool=tool.name,
        name=str(tool),
        sentence=_sentence(lines, held),
        answer=instant(told.at) if told else None,
        rows=tuple(line for line in lines if line.field),
        unmapped=tuple(line for line in lines if not line.field),
        versions=tuple(_version(row, rows) for row in known if not moment.past or row.state == "approved"),
        draft=draft.number if draft else 0,
        draft_by=person(draft.author) if draft else "",
        may_write=not moment.past and not why_not and (draft is None or draft.author_id == user.pk),
        why_not="" if moment.past else why_not,
        may_approve=bool(draft and not approval),
        approval=approval,
        reason=reason or (draft.reason if draft else ""),
        fields=tuple((name, one.label) for name, one in FIELDS.items()),
        units=tuple(UNITS.items()),
        transforms=tuple(TRANSFORMS.items()),
        problems=problems,
    )


def _refusal(check: Any) -> str:
    try:
        check()
    except NotAllowed as error:
        return str(error)
    return ""


def _sentence(lines: list[AttributeRow], held: AttributeMapping | None) -> str:
    mapped = [line for line in lines if line.field]
    failed = sum(bool(line.problem) for line in mapped)
    told = f"{len(mapped)} of {many(len(lines), 'attribute')} {'is' if len(mapped) == 1 else 'are'} mapped"
    told += f", {failed} cannot be converted." if failed else "."
    return told if held else f"{told} No version is in force yet."


def _attribute(number: int, one: Observed) -> AttributeRow:
    words = ", ".join(f"{said}={means}" for said, means in (one.words or {}).items())
    return AttributeRow(
        number=number, path=one.path, sample=one.sample, count=one.count, field=one.field or "", unit=one.unit or "",
        transform=one.transform or "", words=words, mapped=FIELDS[one.field].label if one.field in FIELDS else one.field or "",
        how=f"{UNITS.get(one.unit, '')}, {TRANSFORMS.get(one.transform, '')}" if one.field else "",
        value="" if one.problem or not one.field else said(one.field, one.value), problem=one.problem,
    )  # fmt: skip


def _version(row: AttributeMapping, rows: list[AttributeMapping]) -> VersionRow:
    before = next((one.rows for one in rows if one.number < row.number and one.state == "approved"), [])
    return VersionRow(
        number=row.number, state=row.get_state_display(),
        author=person(row.author), approver=person(row.approver) if row.approver else "–",
        approved_at=instant(row.approved_at) if row.approved_at else "–", reason=row.reason,
        changes=tuple(translating.changes(before, row.rows)),
    )  # fmt: skip


def said(field: str, value: Any) -> str:
    """A value of a field in words; a dash where there is none."""
    return "–" if value is None else field_words(field, value)


@dataclass(frozen=True, kw_only=True)
class PairRow:
    label: str
    promised: str
    observed: str
    verdict: str  # empty for what is not promised
    words: str
    sources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class SourceRow:
    tool: Link
    version: str
    answer: SafeString | str
    unmapped: int
    problems: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class BesidePage:
    code: str
    name: str
    sentence: str
    pairs: tuple[PairRow, ...]
    sources: tuple[SourceRow, ...]


def beside_page(*, code: str, name: str, found: Beside, moment: Moment) -> BesidePage:
    """The entry's promises beside what its tools say; what could not be read or is not mapped is told below."""
    differing = sum(pair.agrees is False for pair in found.pairs)
    compared = sum(pair.agrees is not None for pair in found.pairs)
    verb = "is" if compared == 1 else "are"
    sentence = f"{compared - differing} of {many(compared, 'field')} that can be compared {verb} as promised, or better."
    return BesidePage(
        code=code, name=name, sentence=sentence if compared else "Nothing that is promised can be compared with what tools say yet.",
        pairs=tuple(_pair(pair) for pair in found.pairs),
        sources=tuple(
            SourceRow(
                tool=Link(str(one.tool), moment.href("mapping", one.tool.name)),
                version=f"version {one.mapping.number}" if one.mapping else "no mapping",
                answer=instant(one.told.at) if one.told else "none kept", unmapped=one.unmapped,
                problems=tuple(f"{each.path}: {each.problem}" for each in one.problems),
            )
            for one in found.sources
        ),
    )  # fmt: skip


def _pair(pair: Pair) -> PairRow:
    words = {True: "As promised", False: "Less than promised", None: "Not promised"}[pair.agrees]
    verdict = {True: "kept", False: "broken", None: ""}[pair.agrees]
    if pair.agrees is None and pair.promised is not None:
        words, verdict = "Not observed", "no_data"
    return PairRow(
        label=FIELDS[pair.field].label, promised=said(pair.field, pair.promised), observed=said(pair.field, pair.observed),
        verdict=verdict, words=words,
        sources=tuple(
            f"{one.job.name}: {one.attribute.problem or said(pair.field, one.attribute.value)}, from {one.attribute.path}"
            for one in pair.seen[:6]
        ),
    )  # fmt: skip


def words_read(text: str) -> dict[str, str]:
    """`repokey=at_rest, none=none` as a mapping; what has no equals sign means nothing."""
    parts = (each.partition("=") for each in text.replace(";", ",").split(","))
    return {name.strip(): meant.strip() for name, equals, meant in parts if equals and name.strip()}
