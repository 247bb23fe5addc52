"""What was told to whom, on the page of an incident: its own messages, and what became of each."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.safestring import SafeString

from incidents.models import Incident, IncidentEntry, OwnChannel
from incidents.models.own_channels import OWN
from itsm_backup.common.models import Notice
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.words import clock, many, person

MOST_TOLD = 3
BEFORE_SUBJECT = re.compile(r": (?=\[INC-)|(?<=^Nobody was told): ")  # "replayed: …" stands before some
TO = re.compile(r"^(?:.*: )?(?:Mail|Message) to ")
Mails = dict[tuple[dt.datetime, str], dict[str, Notice | None]]  # by where each went; None where that is told of two


@dataclass(frozen=True, kw_only=True)
class MessageRow:
    """One message: to whom, what it said, and what became of it; no verdict where it is no mail of ours."""

    when: SafeString
    who: str
    how: str
    at: dt.datetime
    verdict: str = ""
    became: str = ""
    whole: bool = False  # whom it went to is shown however long it is


def mails_of(incident: Incident) -> Mails:
    """The messages about it, by when they were written, their subject and where they went, as the lines of its story name them."""
    notices = list(Notice.objects.filter(key__startswith=f"incident/{incident.pk}/"))
    own = [one.recipient.removeprefix(OWN) for one in notices if one.recipient.startswith(OWN)]
    channels = OwnChannel.objects.filter(pk__in=own).select_related("person") if own else ()
    named = {one.key: f"{person(one.person)}, {one.name}" for one in channels}
    mails: Mails = {}
    for one in notices:
        written, place = mails.setdefault((one.created_at, one.subject), {}), named.get(one.recipient, one.recipient)
        written[place] = None if place in written else one
    return mails


def notice_of(entry: IncidentEntry, mails: Mails) -> Notice | None:
    """The message that the line tells of: among several of one instant, the one that went where the line says."""
    if entry.kind != "mail":
        return None
    whom, *said = BEFORE_SUBJECT.split(entry.text, maxsplit=1)
    written = mails.get((entry.at, said[0] if said else whom), {})
    if len(written) == 1:
        return next(iter(written.values()))
    place = TO.sub("", whom)
    fits = [where for where in written if place == where or place.startswith(f"{where} ")]
    return written[max(fits, key=len)] if fits else None


def latest_messages(
    entries: Iterable[IncidentEntry], mails: Mails, of_major: Iterable[MessageRow], moment: Moment
) -> tuple[MessageRow, ...]:
    """The newest of its messages and of what people were told of its major incident."""
    lines = [entry for entry in entries if entry.kind == "mail"][:MOST_TOLD]
    rows = [_row(entry, notice_of(entry, mails), moment) for entry in lines]
    return tuple(sorted([*rows, *of_major], key=lambda row: row.at, reverse=True)[:MOST_TOLD])


def _row(entry: IncidentEntry, notice: Notice | None, moment: Moment) -> MessageRow:
    whom, said, *_ = (*BEFORE_SUBJECT.split(entry.text, maxsplit=1), "")
    verdict = became = ""
    if notice:
        verdict, became = verdict_of(notice, moment), delivery(notice, moment)
    if verdict == "no_data" and notice:
        whom, became = whom.partition(" (not sent")[0], f"Not sent: {notice.latest_error.removeprefix('Not sent: ')}"
    return MessageRow(when=clock(entry.at, moment), who=whom, how=said, at=entry.at, verdict=verdict, became=became)


def verdict_of(notice: Notice, moment: Moment) -> str:
    """Whether a mail server took it by then."""
    if notice.sent_at and notice.sent_at <= moment.at:
        return "kept"
    if notice.given_up_at and notice.given_up_at <= moment.at:
        return "broken" if notice.attempts else "no_data"
    return "at_risk"


def delivery(notice: Notice, moment: Moment) -> str:
    """What became of a mail, as far as it was known at the moment; a withheld one says so in its own line."""
    if notice.sent_at and notice.sent_at <= moment.at:
        return f"Sent {notice.sent_at.astimezone(dt.UTC):%d %b %H:%M} UTC"
    if notice.given_up_at and notice.given_up_at <= moment.at:
        return "" if not notice.attempts else f"Given up after {many(notice.attempts, 'attempt')}: {notice.latest_error}"
    if not notice.attempts or moment.past:
        return "Not sent yet"
    return f"Not sent yet, {many(notice.attempts, 'attempt')}: {notice.latest_error}"
