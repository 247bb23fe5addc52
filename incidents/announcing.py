"""Messages about incidents: written to the outbox in the same transaction as the fact they tell."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from psycopg.types.json import Jsonb

from incidents import prioritising, withholding
from incidents.models import Escalation, Incident, IncidentEntry, MajorIncident, Telling
from incidents.models.escalation import Tell
from incidents.reaching import Recipient, operations_team, reach, still_reached
from incidents.timing import Step, told_at
from itsm_backup.common import outbox
from itsm_backup.common.models import Notice
from monitoring.asking import fetch
from monitoring.models import Alert

MOST_NAMED = 20  # of those that depend on it, nearest first
_FELT_BY = """
SELECT jsonb_array_length(felt -> 'name'), part.name, jsonb_path_query_array(felt -> part.name, '$[0 to $last]', %s)
FROM (SELECT impact_at_opening -> 'consumers' AS felt FROM incidents_incident WHERE id = %s OFFSET 0) incident,
    unnest(ARRAY['name', 'tier', 'department', 'only_backup']) AS part(name)
WHERE felt ? part.name
"""
REPLAYED = "Not sent: what it tells of was replayed from recordings."


def announce_level(
    *,
    incident: Incident,
    escalation: Escalation,
    step: Step,
    sequence: int,
    recipients: list[Recipient],
    following: dt.datetime | None,
    at: dt.datetime,
) -> None:
    """Tell one level of the policy that there is an incident, that nobody took it yet, or that it goes on.

    `following` is when the next level is told unless somebody acknowledges.
    """
    if not recipients and not escalation.tellings.exclude(recipients=[]).exists() and not told_of(incident, at=at):
        words = f"Nobody was told: {escalation.snapshot['policy']}, level {step.level}, reaches nobody."
        IncidentEntry.objects.create(incident=incident, at=at, kind="mail", text=words)
    kind, subject = _of_level(incident, escalation, step)
    more = {
        "rule": f"{escalation.snapshot['policy']}, level {step.level}",
        "following": following,
        "since": escalation.started_at,
        **(_felt_by(incident) if kind == "opened" else {}),
    }
    key = f"{kind}/{escalation.number}.{step.level}.{sequence}"
    _write(incident, kind, subject, first_alert(incident), at, more, recipients, key=key)


def _felt_by(incident: Incident) -> dict[str, Any]:
    """The first of those that depend on it, by name, and how many more there are; the others are not read."""
    rows = fetch(_FELT_BY, [Jsonb({"last": MOST_NAMED - 1}), incident.pk])
    names = [name for _, name, _ in rows]
    first = [dict(zip(names, values, strict=True)) for values in zip(*(json.loads(listed) for *_, listed in rows), strict=True)]
    return {"felt_by": first, "felt_by_more": max(0, max((count for count, *_ in rows), default=0) - MOST_NAMED)}


def _of_level(incident: Incident, escalation: Escalation, step: Step) -> tuple[str, str]:
    head = f"[{incident.number}] {incident.priority}"
    if step.kind == "escalate":
        return "escalated", f"{head} Not acknowledged: {incident.title}"
    if step.kind == "repeat":
        return "repeated", f"{head} Still {'open' if incident.acknowledged_at else 'not acknowledged'}: {incident.title}"
    return "opened", f"{head} {incident.title}"


def announce_resolution(*, incident: Incident, proof: str, at: dt.datetime) -> None:
    """Tell everybody who was told of it that it is over, and by what evidence."""
    subject = f"[{incident.number}] Resolved: {incident.title}"
    _write(incident, "resolved", subject, first_alert(incident), at, {"proof": proof}, told_of(incident, at=at))


def announce_rise(*, incident: Incident, alert: Alert | None, before: str, at: dt.datetime, because: str = "") -> list[Recipient]:
    """Tell everybody who was told of it that it is heavier: by an alert that joined, by what depends on it now, or `because` a person
    says so; returns whom."""
    more = {"before": before, "now": alert.title if alert else "", "because": because}
    subject = f"[{incident.number}] {incident.priority}, was {before}: {incident.title}"
    return _write(incident, "raised", subject, alert or first_alert(incident), at, more, told_of(incident, at=at))


def announce_reopening(*, incident: Incident, alert: Alert, at: dt.datetime) -> list[Recipient]:
    """Tell everybody who was told of it that what was over happens again; returns whom."""
    subject = f"[{incident.number}] {incident.priority} Again: {incident.title}"
    return _write(incident, "reopened", subject, alert, at, {"now": alert.title}, told_of(incident, at=at))


def announce_reopening_by_hand(*, incident: Incident, by: Any, reason: str, at: dt.datetime) -> list[Recipient]:
    """Tell everybody who was told that it is over, but who says so, that somebody opened it again, and why; returns whom."""
    subject = f"[{incident.number}] {incident.priority} Reopened: {incident.title}"
    more = {"by": by.get_full_name() or by.get_username(), "because": reason}
    whom = [one for one in told_of(incident, at=at) if one.address.lower() != by.email.lower()]
    return _write(incident, "reopened", subject, first_alert(incident), at, more, whom)


def announce_handing(*, incident: Incident, by: Any, at: dt.datetime, to: Any = None) -> list[Recipient]:
    """Tell the person, or else the team, that has the incident from now on; returns whom. Who has no address has the team told instead."""
    named = [{"tell": Tell.PERSON, "person": to.pk, "name": to.get_full_name() or to.get_username()}] if to else []
    team = operations_team(incident)
    whom = reach(named, incident=incident, at=at) if named else [team] if team else []
    subject = f"[{incident.number}] {incident.priority} Handed to you: {incident.title}"
    more = {"by": by.get_full_name() or by.get_username()}
    return _write(incident, "handed", subject, first_alert(incident), at, more, whom)


def told_of(incident: Incident, *, at: dt.datetime) -> list[Recipient]:
    """Everybody who was told that the incident is there, each address once, and the team and the person that it was handed to.

    Who is gone, or may not see it any more, and a channel that is switched off is stood in for. Of incidents older than policies,
    the operations team.
    """
    escalations = Escalation.objects.filter(incident=incident)
    tellings = Telling.objects.filter(escalation__in=escalations).order_by("at", "pk").values_list("recipients", flat=True)
    found = {one["address"]: Recipient(**one) for recipients in tellings for one in recipients}
    team = operations_team(incident)
    for one in filter(None, (team, _assignee(incident))):
        if one.address not in found and _was_handed_to(incident, one):
            found[one.address] = one
    if team is not None and not escalations.exists():
        return [team]
    return still_reached(list(found.values()), incident=incident, at=at)


def _assignee(incident: Incident) -> Recipient | None:
    one = incident.assignee
    if one is None or not one.is_active or not one.email:
        return None
    return Recipient(who=one.get_full_name() or one.get_username(), address=one.email, thread=f"person/{one.pk}")


def _was_handed_to(incident: Incident, one: Recipient) -> bool:
    return Notice.objects.filter(key__startswith=f"incident/{incident.pk}/handed/", recipient=one.address).exists()


def first_alert(incident: Incident) -> Alert | None:
    """The alert that opened the incident."""
    return Alert.objects.filter(incident_alert__incident=incident).order_by("incident_alert__attached_at", "pk").first()


def is_replayed(incident: Incident, alert: Alert | None) -> bool:
    """Whether everything that the incident is about was told by replayed recordings: then nobody is bothered with it."""
    told = Alert.objects.filter(incident_alert__incident=incident), Alert.objects.filter(pk=alert.pk if alert else None)
    found = [rows.order_by().values_list("tool__replayed", "job__tool__replayed").distinct() for rows in told]
    sources = set(found[0].union(found[1]))
    return bool(sources) and all(False not in one and True in one for one in sources)


def _write(
    incident: Incident,
    kind: str,
    subject: str,
    alert: Alert | None,
    at: dt.datetime,
    more: dict[str, Any],
    recipients: list[Recipient],
    key: str = "",
) -> list[Recipient]:
    """One message for each recipient, and a line of the story for each; what is no new level waits for the end of quiet hours."""
    key = key or f"{kind}/{incident.entries.filter(kind='mail').count()}"
    withheld = REPLAYED if is_replayed(incident, alert) else ""
    not_before = at if "rule" in more else _after_quiet_hours(incident, at)
    for place, one in enumerate(recipients):
        made = outbox.write(
            key=f"incident/{incident.pk}/{key}" + (f"/{place}" if place else ""),
            thread=f"incident/{incident.pk}" + (f"/{one.thread}" if one.thread else ""),
            recipient=one.address,
            subject=subject,
            body=_body(incident, kind, more, one),
            at=at,
            not_before=not_before,
            channel=Notice.Channel.CHANNEL if one.channel else Notice.Channel.EMAIL,
            withheld=withheld,
        )
        if made:
            kept_back = " (not sent: replayed from recordings)" if withheld else ""
            instead = f" {one.why}" if one.why else ""
            text = f"{'Message' if one.channel else 'Mail'} to {one.place}{instead}{kept_back}: {subject}"
            IncidentEntry.objects.create(incident=incident, at=at, kind="mail", text=text, alert=alert)
    return recipients


def _after_quiet_hours(incident: Incident, at: dt.datetime) -> dt.datetime:
    current = Escalation.objects.filter(incident=incident, ended_at=None).first()
    return told_at(current.snapshot, incident.priority, at) if current else at


def _body(incident: Incident, kind: str, more: dict[str, Any], to: Recipient) -> str:
    context = {
        "incident": incident,
        "organisation": settings.ORGANISATION,
        "service_name": prioritising.name_of(incident.service_id) if incident.service_id else "",
        "address": f"{settings.BASE_URL}/incidents/{incident.number}/",
        "to": to,
        "replies": bool(settings.REPLIES_AUTHENTICATED_BY) and not to.channel,
        **more,
    }
    return render_to_string(f"incidents/email/{kind}.txt", context)


def announce_major(*, major: MajorIncident, kind: str, people: Sequence[Any], at: dt.datetime, key: str = "", **more: Any) -> None:
    """Tell people of their part in a major incident: it was proposed, it is theirs, or an update of it is overdue. Once for each key."""
    incident = major.incident
    withheld = REPLAYED if is_replayed(incident, None) else ""
    context = {"major": major, "incident": incident, "organisation": settings.ORGANISATION, **more}
    context["address"] = f"{settings.BASE_URL}/major/{major.number}/"
    for person in people:
        seen = Incident.objects.told_to(person).filter(pk=incident.pk)  # a title that names no service that they may not see
        context["title"] = withholding.for_reader(person, [incident])(seen.values_list("told_title", flat=True).first() or incident.number)
        if person.email:
            outbox.write(
                key=f"major/{major.pk}/{kind}/{key or at.isoformat()}/{person.pk}",
                thread=f"major/{major.pk}/person/{person.pk}",
                recipient=person.email,
                subject=f"[{major.number}] {_MAJOR[kind]}: {context['title']}",
                body=render_to_string(f"incidents/email/major_{kind}.txt", context),
                at=at,
                withheld=withheld,
            )


_MAJOR = {"proposed": "Major incident?", "declared": "Major incident, yours to lead", "overdue": "Update overdue"}
