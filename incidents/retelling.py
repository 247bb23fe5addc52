"""Who was told of an incident, and when: by its own messages, and by those of its major incident."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.models import Max

from incidents.models import Audience, Incident, IncidentEntry, MajorDelivery, MajorIncident, MajorUpdate
from itsm_backup.common.models import Notice
from itsm_backup.common.time import iso

MOST = 500


def messages_about(incident: Incident) -> list[dict[str, Any]]:
    """Every message about it, oldest first: when, to whom, and when it left. Lines that have the words of an alert name it."""
    majors = list(MajorIncident.objects.filter(incident=incident))
    lines = _own(incident) + [line for major in majors for line in [*_parts(major), *_updates(major)]]
    return sorted(lines, key=lambda line: str(line["at"]))


def _own(incident: Incident) -> list[dict[str, Any]]:
    sent = {(one.created_at, one.subject): one for one in Notice.objects.filter(key__startswith=f"incident/{incident.pk}/")}
    rows = IncidentEntry.objects.filter(incident=incident, kind="mail").order_by("at", "pk")[:MOST]
    notices = {one.pk: sent.get((one.at, one.text.partition(": ")[2])) for one in rows}
    return [_line(one.at, one.text, _sent_at(notices[one.pk]), one.alert_id) for one in rows]


def _sent_at(notice: Notice | None) -> dt.datetime | None:
    return notice.sent_at if notice else None


def _parts(major: MajorIncident) -> list[dict[str, Any]]:
    """Who was asked whether it is one, got it to lead, or was reminded; without the title, which names a service."""
    told = Notice.objects.filter(key__startswith=f"major/{major.pk}/").exclude(key__startswith=f"major/{major.pk}/update/")
    rows = told.order_by("created_at", "pk")[:MOST]
    return [_line(one.created_at, f"Mail to {one.recipient}: {one.subject.partition(': ')[0]}", one.sent_at) for one in rows]


def _updates(major: MajorIncident) -> list[dict[str, Any]]:
    """What people were told of it, by audience and number; each address is on the page of the update."""
    rows = MajorUpdate.objects.filter(major=major, state="sent").select_related("approver").order_by("number")
    lines = []
    for one in rows:
        got = MajorDelivery.objects.filter(update=one)
        audiences = list(got.values_list("message__audience", flat=True))
        whom = ", ".join(f"{Audience(each).label.lower()} {audiences.count(each)}" for each in Audience.values if each in audiences)
        text = f"{major.number}: {one.get_kind_display().lower()} {one.number} to {len(audiences)} addresses: {whom or 'nobody'}"
        lines.append(_line(one.sent_at, text, got.aggregate(left=Max("notice__sent_at"))["left"]))
    return lines


def _line(at: dt.datetime | None, text: str, sent_at: dt.datetime | None, alert: int | None = None) -> dict[str, Any]:
    return {"at": iso(at), "text": text, "sent_at": iso(sent_at), "alert": alert}
