"""Work on many entries: what would happen, how far it is, what came of each; and what waits for one's approval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, IntegerField, Q, QuerySet, Value, When

from catalogue import batching, importing
from catalogue.models import Batch, BatchItem, Service, ServiceVersion
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.service_list import Paging, paging_of
from itsm_backup.portal.words import instant, many, person

PAGE = 50
MOST_AT_ONCE = 2_000
State = BatchItem.State
_DEED = {"draft": ("Make {} drafts", "Make {} draft"), "submit": ("Submit {} drafts", "Submit {} draft"),
         "approve": ("Approve {} versions", "Approve {} version")}  # fmt: skip
_DONE = {"draft": "made", "submit": "submitted", "approve": "approved"}
_VERDICT = {State.DONE: ("kept", "Done"), State.REFUSED: ("broken", "Not done"), State.NOTHING: ("no_data", "Nothing to do")}


@dataclass(frozen=True, kw_only=True)
class ItemRow:
    place: int
    verdict: str
    state: str
    entry: Link
    words: str
    told: str
    problems: tuple[tuple[str, str], ...]
    doubts: tuple[tuple[str, str], ...]
    stops: tuple[tuple[str, str], ...]  # code and sentence of what cannot hold, while nothing has happened


@dataclass(frozen=True, kw_only=True)
class BatchPage:
    pk: int
    title: str
    sentence: str
    reason: str
    by: str
    asked_at: Any
    state: str  # proposed, running, stopped, finished
    waiting: int
    done: int
    refused: int
    nothing: int
    total: int
    rows: tuple[ItemRow, ...]
    paging: Paging
    mine: bool
    start_words: str
    partly: bool
    approves: bool
    doubtful: int  # rows that can be done and hold a word that is hardly meant
    unholdable: str  # how many rows cannot hold, and what that means; empty where all of them can
    submit_words: str

    @property
    def decided(self) -> int:
        return self.total - self.waiting


def find(*, pk: int, user: Any) -> Batch | None:
    return Batch.objects.visible_to(user).select_related("by").filter(pk=pk).first()


def batch_page(*, batch: Batch, user: Any, moment: Moment, page: int) -> BatchPage:
    """One batch with its entries, those with problems first; the same queries for ten entries and for thousands."""
    items = batch.items.filter(Q(service=None) | Q(service__in=Service.objects.visible_to(user)))
    counts = dict(batch.items.order_by().values_list("state").annotate(count=Count("pk")))
    total, state = sum(counts.values()), batch.stage
    shown = items.count()
    first = PAGE * (min(max(1, page), max(1, -(-shown // PAGE))) - 1)
    worst = Case(
        When(state=State.REFUSED, then=Value(0)), When(~Q(stops=[]), state=State.WAITING, then=Value(1)),
        When(state=State.WAITING, doubts=[], then=Value(3)), When(state=State.WAITING, then=Value(2)),
        default=Value(4), output_field=IntegerField(),
    )  # fmt: skip
    rows = list(items.select_related("service", "version").order_by(worst, "place")[first : first + PAGE])
    waiting, refused, done = (counts.get(each, 0) for each in (State.WAITING, State.REFUSED, State.DONE))
    open_ones = items.filter(state=State.WAITING)
    told = {"doubtful": Count("pk", filter=~Q(doubts=[])), "unholdable": Count("pk", filter=~Q(stops=[]))}
    doubts = open_ones.aggregate(**told) if state == "proposed" else dict.fromkeys(told, 0)
    mine = batch.by_id == user.pk
    return BatchPage(
        pk=batch.pk, title=batch.title, sentence=_sentence(batch, state, counts, total, doubts["unholdable"]),
        reason=batch.reason, by=person(batch.by),
        asked_at=instant(batch.asked_at),
        state=state, waiting=waiting, done=done, refused=refused, nothing=counts.get(State.NOTHING, 0),
        total=total, rows=tuple(_row(item, state, moment) for item in rows),
        paging=paging_of(first, len(rows), shown, PAGE, lambda number: moment.href("batch", batch.pk, page=number)),
        mine=mine, start_words=_start_words(batch.act, waiting), partly=bool(refused) and state == "proposed",
        approves=batch.act == Batch.Act.APPROVE, doubtful=doubts["doubtful"],
        unholdable=_unholdable(batch.act, doubts["unholdable"]),
        submit_words=_submit_words(batch) if mine and state == "finished" and done else "",
    )  # fmt: skip


def _unholdable(act: str, count: int) -> str:
    if not count:
        return ""
    told = f"{many(count, 'row')} {'promises' if count == 1 else 'promise'} what cannot hold, the other rows counted in"
    they = "it" if count == 1 else "they"
    if act == Batch.Act.APPROVE:
        return f"{told}: {they} will be refused, unless a deviation is granted before."
    verb = "made" if act == Batch.Act.DRAFT else "submitted"
    return f"{told}: {they} can be {verb}, but not approved until {they} {'is' if count == 1 else 'are'} changed or a deviation is granted."


def _start_words(act: str, count: int) -> str:
    return _DEED[act][count == 1].format(f"{count:,}")


def _sentence(batch: Batch, state: str, counts: Mapping[str, int], total: int, unholdable: int) -> str:
    waiting, refused, done = (counts.get(each, 0) for each in (State.WAITING, State.REFUSED, State.DONE))
    if state == "proposed":
        if batch.act == Batch.Act.APPROVE:  # what cannot hold is refused
            waiting, refused = waiting - unholdable, refused + unholdable
        nothing = counts.get(State.NOTHING, 0)
        same = f", {many(nothing, 'says nothing new', 'say nothing new')}" if nothing else ""
        bad = f", {refused:,} cannot be done as {'it is' if refused == 1 else 'they are'}" if refused else ""
        return f"{batch.title}: {waiting:,} of {many(total, 'entry', 'entries')} can be done{same}{bad}."
    if state == "finished":
        left = f", {refused:,} not" if refused else ""
        return f"{batch.title}: {done:,} of {total:,} {_DONE[batch.act]}{left}."
    stopped = " Stopped." if state == "stopped" else ""
    return f"{batch.title}: {total - waiting:,} of {total:,} decided.{stopped}"


def _row(item: BatchItem, state: str, moment: Moment) -> ItemRow:
    stops = item.stops if state == "proposed" and item.state == State.WAITING else ()
    fresh = ("at_risk", "Cannot hold") if stops else ("kept", "Good") if state == "proposed" else ("held", "Waits")
    verdict, words = _VERDICT.get(item.state, fresh)
    href = ""
    if item.version is not None and item.service is not None:
        href = moment.href("version", item.service.code, item.version.number)
    elif item.service is not None:
        href = moment.href("versions", item.service.code)
    return ItemRow(
        place=item.place, verdict=verdict, state=words, entry=Link(item.code or "–", href), words=item.words, told=item.told,
        problems=tuple((column, told) for column, told in item.problems), doubts=tuple((column, told) for column, told in item.doubts),
        stops=tuple((code, told) for code, told in stops),
    )  # fmt: skip


def _submit_words(batch: Batch) -> str:
    """What follows on drafts: they are submitted for approval; empty when none of them waits for that."""
    if batch.act != Batch.Act.DRAFT:
        return ""
    left = batch.items.filter(state=State.DONE, version__state="draft").count()
    return f"Submit {many(left, 'draft')} for approval" if left else ""


def batches_page(*, user: Any, moment: Moment, page: int) -> dict[str, Any]:
    """Every batch one may see, newest first, with how far it is."""
    rows = Batch.objects.visible_to(user).select_related("by")
    total = rows.count()
    first = PAGE * (min(max(1, page), max(1, -(-total // PAGE))) - 1)
    waiting = Count("items", filter=Q(items__state=State.WAITING))
    shown = rows.annotate(total=Count("items"), waiting=waiting).order_by("-pk")[first : first + PAGE]
    listed = [
        {
            "link": Link(batch.title, moment.href("batch", batch.pk)), "by": person(batch.by), "at": instant(batch.asked_at),
            "state": batch.stage, "decided": batch.total - batch.waiting, "total": batch.total,
        }
        for batch in shown
    ]  # fmt: skip
    paging = paging_of(first, len(listed), total, PAGE, lambda number: moment.href("batches", page=number))
    return {"rows": listed, "paging": paging, "sentence": f"{many(total, 'piece')} of work on many entries." if total else "Nothing yet."}


def approvable(user: Any, asked: Mapping[str, str]) -> QuerySet[ServiceVersion]:
    """Versions in review on which the person may decide, of a batch, a department or a text where asked for; longest waiting first."""
    rows = ServiceVersion.objects.filter(state="in_review", service__in=Service.objects.visible_to(user, "approve"))
    if (batch := asked.get("batch", "")).isdigit() and len(batch) < 18:
        rows = rows.filter(pk__in=BatchItem.objects.filter(batch=batch).values("version"))
    if department := asked.get("department", "").strip():
        rows = rows.filter(department=department)
    if text := asked.get("text", "").strip():
        rows = rows.filter(Q(name__icontains=text) | Q(service__code__icontains=text))
    return rows.order_by("submitted_at", "pk")


def approvals_page(*, user: Any, moment: Moment, asked: Mapping[str, str], page: int) -> dict[str, Any]:
    """What waits for the person's approval, with what each version changes; paged, a fixed number of queries."""
    rows = approvable(user, asked)
    total = rows.count()
    first = PAGE * (min(max(1, page), max(1, -(-total // PAGE))) - 1)
    versions = list(rows.select_related("service")[first : first + PAGE])
    wishes = batching.to_approve(versions, by=user, at=moment.now)
    listed = []
    for version, wish, words in zip(versions, wishes, importing.in_words(wishes), strict=True):
        href = moment.href("version", version.service.code, version.number)
        listed.append({"pk": version.pk, "code": version.service.code, "version": Link(f"{version.name}, {version.numbers}", href),
                       "words": words if wish.before else f"The first version. {words}", "reason": version.reason,
                       "since": version.submitted_at and instant(version.submitted_at),
                       "refusal": " ".join(text for _, text in wish.problems)})  # fmt: skip
    departments = sorted(set(approvable(user, {}).exclude(department="").values_list("department", flat=True)))
    kept = {name: asked.get(name, "") for name in ("batch", "department", "text")}
    return {
        "rows": listed, "total": total, "departments": departments, "asked": kept, "filtered": any(kept.values()),
        "sentence": f"{many(total, 'version')} {'waits' if total == 1 else 'wait'} for approval." if total else "Nothing waits for you.",
        "paging": paging_of(first, len(listed), total, PAGE, lambda number: moment.href("approvals", **kept, page=number)),
    }  # fmt: skip
