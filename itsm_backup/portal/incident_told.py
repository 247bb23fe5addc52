"""What was told to whom, on the page of an incident: its own messages, and what became of each."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.safestring import SafeString

from incidents.models import Incident, IncidentEntry
from itsm_backup.common.models import Notice
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.words import clock, many

MOST_TOLD = 3
BEFORE_SUBJECT = re.compile(r": (?=\[INC-)|(?<=^Nobody was told): ")  # "replayed: …" stands before some
Mails = dict[tuple[dt.datetime, str], Notice]


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
    """The mails about it, by when they were written and their subject, as the lines of its story name them."""
    return {(one.created_at, one.subject): one for one in Notice.objects.filter(key__startswith=f"incident/{incident.pk}/")}


def notice_of(entry: IncidentEntry, mails: Mails) -> Notice | None:
    return mails.get((entry.at, BEFORE_SUBJECT.split(entry.text, maxsplit=1)[-1])) if entry.kind == "mail" else None


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
