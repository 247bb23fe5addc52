"""What stands behind a promise: can it hold, what was agreed, what the business can bear, and where a deviation is borne."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.text import capfirst

from catalogue import backing, checking, deviating
from catalogue.models import Deviation, Service, ServiceVersion
from itsm_backup.common.admin.fields import label_of, value_words
from itsm_backup.common.time import duration_words, local_day
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.words import day, many, person, zone
from monitoring.capability import measured

_ANALYSIS = ("mtpd_s", "tolerated_loss_s", "wrt_s", "mbco", "review_due_on")
_AGREED = ("rpo_s", "rto_s", "retention_days", "success_rate")
_MEASURED = (
    ("interval_s", "Longest time between two due starts"), ("p95_duration_s", "A backup takes up to"),
    ("copy_lag_s", "Its copy is usable after"), ("restore_p95_s", "A restore takes up to"),
)  # fmt: skip
SOON = dt.timedelta(days=14)


@dataclass(frozen=True, kw_only=True)
class Check:
    state: str  # stops, borne or consider
    sentence: str
    code: str
    borne: str
    ask_href: str


@dataclass(frozen=True, kw_only=True)
class Paper:
    """An agreement or analysis: title, one line about it, and its values in words."""

    title: str
    note: str
    facts: tuple[tuple[str, str], ...]
    newer: str = ""  # which newer version of the agreement is approved, in words


@dataclass(frozen=True, kw_only=True)
class DeviationRow:
    service: Link
    words: str
    code: str
    reason: str
    owner: str
    approver: str
    until: str
    state: str
    mark: str
    decide: str  # where the person grants or refuses it; empty for who may not


@dataclass(frozen=True, kw_only=True)
class CommitmentPage:
    code: str
    name: str
    sentence: str
    checks: tuple[Check, ...]
    measured: tuple[tuple[str, str], ...]
    analysis: Paper | None
    agreements: tuple[Paper, ...]
    deviations: tuple[DeviationRow, ...]


@dataclass(frozen=True, kw_only=True)
class DeviationsPage:
    sentence: str
    rows: tuple[DeviationRow, ...]


def commitment_page(*, service: Service, user: Any, moment: Moment) -> CommitmentPage:
    """The page of one service as of an instant; a fixed number of queries."""
    rows = ServiceVersion.objects.in_force(moment.at).filter(service=service)
    version = rows.select_related("service", "commitment", "sla__agreement", "ola__agreement", "contract__agreement").first()
    known = measured(service, moment.at)
    asked = checking.question_of(version, reader=user, known_then=moment.past) if version else None
    analysis = checking.analysis_at(service, moment.at)
    found = checking.findings_with(analysis, asked=asked, measured=known, at=moment.at) if asked else []
    asks = not moment.past and user.is_staff and Service.objects.visible_to(user, "change").filter(pk=service.pk).exists()
    name = version.name if version else service.code
    agreements = [each for each in (version.sla, version.ola, version.contract) if each] if version else []
    newer = {own.pk: backing.newer_words(found) for own, found in backing.newer_versions(agreements, moment.at)}
    return CommitmentPage(
        code=service.code,
        name=name,
        sentence=_sentence(version, found),
        checks=checks_of(found, service=service, asks=asks),
        measured=tuple((words, _span(getattr(known, field))) for field, words in _MEASURED),
        analysis=_analysis(analysis) if analysis else None,
        agreements=tuple(_agreement(each, newer.get(each.pk, "")) for each in agreements),
        deviations=_rows(Deviation.objects.filter(service=service), user, moment, {service.pk: name}),
    )


def deviations_page(*, user: Any, moment: Moment) -> DeviationsPage:
    """Every deviation of services that the person may see, those that hold first; three queries."""
    seen = Service.objects.visible_to(user)
    names = dict(ServiceVersion.objects.in_force(moment.at).filter(service__in=seen).values_list("service_id", "name"))
    rows = _rows(Deviation.objects.filter(service__in=seen), user, moment, names)
    holding = sum(row.state == "granted" for row in rows)
    waiting = sum(row.state == "asked" for row in rows)
    verb = "is" if holding == 1 else "are"
    return DeviationsPage(
        sentence=f"{many(holding, 'deviation')} {verb} borne, {waiting} wait{'s' if waiting == 1 else ''} for a decision.", rows=rows
    )


def _sentence(version: ServiceVersion | None, found: list[checking.Finding]) -> str:
    if version is None:
        return "It is not in force at this instant, so it promises nothing."
    stops, borne = sum(each.stops for each in found), sum(each.state == "borne" for each in found)
    if stops:
        return f"{many(stops, 'condition')} of its promise {'does' if stops == 1 else 'do'} not hold."
    if borne:
        return f"Its promise holds, but for {many(borne, 'deviation')} that {'is' if borne == 1 else 'are'} borne for a time."
    if found:
        return f"Nothing stops its promise; {many(len(found), 'point')} {'is' if len(found) == 1 else 'are'} to be considered."
    return "Nothing speaks against its promise."


def checks_of(found: list[checking.Finding], *, service: Service, asks: bool) -> tuple[Check, ...]:
    """The check list: what stops first, who bears what, and where a deviation is asked for by those who may (`asks`)."""
    return tuple(_check(each, service, asks) for each in found)


def _check(finding: checking.Finding, service: Service, asks: bool) -> Check:
    borne = ""
    if finding.deviation:
        by, owner = person(finding.deviation.approver), person(finding.deviation.owner)
        borne = f"Borne until {day(finding.deviation.expires_on)}: {owner} answers for it, {by} granted it. {finding.deviation.reason}"
    href = f"{reverse('admin:catalogue_deviation_add')}?{urlencode({'service': service.pk, 'code': finding.code})}"
    return Check(
        state=finding.state, sentence=finding.sentence, code=finding.code, borne=borne, ask_href=href if asks and finding.stops else ""
    )  # fmt: skip


def _span(seconds: int | None) -> str:
    return "not measured" if seconds is None else duration_words(seconds) if seconds else "at once"


def _facts(row: Any, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    fields = [row._meta.get_field(name) for name in names]
    return tuple(
        (label_of(field), str(value_words(field, getattr(row, field.name))))
        for field in fields
        if getattr(row, field.name) not in (None, "")
    )


def _analysis(row: Any) -> Paper:
    note = f"Number {row.number}, written by {person(row.author)}, approved by {person(row.approver)} on {day(row.approved_at.date())}."
    return Paper(title="Business impact analysis", note=note, facts=_facts(row, _ANALYSIS))


def _agreement(row: Any, newer: str) -> Paper:
    until = f" to {day(row.until_on)}" if row.until_on else ""
    note = f"{capfirst(row.agreement.get_kind_display())}: {row.agreement.party}. In force from {day(row.from_on)}{until}."
    return Paper(title=str(row), note=note, facts=_facts(row, _AGREED), newer=capfirst(newer))


def _rows(found: Any, user: Any, moment: Moment, names: dict[int, str]) -> tuple[DeviationRow, ...]:
    order = ("granted", "asked", "expired", "taken back", "refused")
    known = found.filter(asked_at__lte=moment.at).select_related("service", "owner", "approver").order_by("expires_on", "pk")
    asked = [
        each for each in known if each.granted_at is None and each.ended_at is None and user.pk not in (each.owner_id, each.asked_by_id)
    ]
    decides: set[int] = set()
    if asked and user.is_staff and not moment.past:
        able = Service.objects.visible_to(user, "approve").filter(pk__in=[each.service_id for each in asked])
        decides = set(able.values_list("pk", flat=True))
    mine = {each.pk for each in asked if each.service_id in decides}
    rows = [_row(each, moment, names, each.pk in mine) for each in known]
    return tuple(sorted(rows, key=lambda row: order.index(row.state)))


def _row(deviation: Deviation, moment: Moment, names: dict[int, str], decides: bool) -> DeviationRow:
    state = deviating.state_of(deviation, moment.at)
    left = deviation.expires_on - local_day(moment.at, str(zone()))
    marks = {"granted": "at_risk" if left <= SOON else "held", "asked": "no_data"}
    code = deviation.service.code
    return DeviationRow(
        service=Link(names.get(deviation.service_id, code), moment.href("commitment", code)),
        words=deviating.CODES[deviation.code],
        code=deviation.code,
        reason=deviation.reason,
        owner=person(deviation.owner),
        approver=person(deviation.approver) if deviation.granted_at and deviation.granted_at <= moment.at else "–",
        until=day(deviation.expires_on) + (f", {many(left.days, 'day')} left" if state == "granted" and left <= SOON else ""),
        state=state,
        mark=marks.get(state, ""),
        decide=reverse("admin:catalogue_deviation_change", args=[deviation.pk]) if decides and state == "asked" else "",
    )
