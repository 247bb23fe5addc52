"""Who was told of an incident, and when: by its own messages, and by those of its major incident."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.models import QuerySet

from incidents.models import Audience, Incident, IncidentEntry, MajorDelivery, MajorIncident, MajorUpdate
from itsm_backup.common.models import Notice
from itsm_backup.common.time import iso

MOST = 500


def messages_about(incident: Incident) -> list[dict[str, Any]]:
    """Every message about it, oldest first: when, to whom, when it left, and what became of each mail behind the line so far.

    Lines that have the words of an alert name it.
    """
    majors = list(MajorIncident.objects.filter(incident=incident))
    lines = _own(incident) + [line for major in majors for line in [*_parts(major), *_updates(major)]]
    return sorted(lines, key=lambda line: str(line["at"]))


def _own(incident: Incident) -> list[dict[str, Any]]:
    written: dict[tuple[dt.datetime, str], list[Notice]] = {}
    for one in Notice.objects.filter(key__startswith=f"incident/{incident.pk}/").order_by("pk"):
        written.setdefault((one.created_at, one.subject), []).append(one)
    rows = IncidentEntry.objects.filter(incident=incident, kind="mail").order_by("at", "pk")[:MOST]
    return [
        _line(one.at, one.text, _behind(one.text, written.get((one.at, one.text.partition(": ")[2]), [])), one.alert_id) for one in rows
    ]


def _behind(text: str, written: list[Notice]) -> list[Notice]:
    """The mail of a line: of several with one subject that to the address that it names."""
    return [one for one in written if one.recipient in text][:1] or written[:1]


def _parts(major: MajorIncident) -> list[dict[str, Any]]:
    """Who was asked whether it is one, got it to lead, or was reminded; without the title, which names a service."""
    told = Notice.objects.filter(key__startswith=f"major/{major.pk}/").exclude(key__startswith=f"major/{major.pk}/update/")
    rows = told.order_by("created_at", "pk")[:MOST]
    return [_line(one.created_at, f"Mail to {one.recipient}: {one.subject.partition(': ')[0]}", [one]) for one in rows]


def _updates(major: MajorIncident) -> list[dict[str, Any]]:
    """What people were told of it, by audience and number; each address is on the page of the update."""
    rows = MajorUpdate.objects.filter(major=major, state="sent").select_related("approver").order_by("number")
    lines = []
    for one in rows:
        got = MajorDelivery.objects.filter(update=one)
        audiences = list(got.values_list("message__audience", flat=True))
        whom = ", ".join(f"{Audience(each).label.lower()} {audiences.count(each)}" for each in Audience.values if each in audiences)
        text = f"{major.number}: {one.get_kind_display().lower()} {one.number} to {len(audiences)} addresses: {whom or 'nobody'}"
        lines.append(_line(one.sent_at, text, Notice.objects.filter(pk__in=got.values("notice"))))
    return lines


def _line(at: dt.datetime | None, text: str, mails: list[Notice] | QuerySet[Notice], alert: int | None = None) -> dict[str, Any]:
    """`fate` counts the mails behind the line: those that a mail server took, those on their way, and those that never leave."""
    taken = [one.sent_at for one in mails if one.sent_at]
    lost = sum(one.sent_at is None and one.given_up_at is not None for one in mails)
    fate = {"taken": len(taken), "waiting": len(mails) - len(taken) - lost, "lost": lost}
    return {"at": iso(at), "text": text, "sent_at": iso(max(taken, default=None)), "fate": fate, "alert": alert}
