"""What was sent about incidents: to whom, when, by which rule, what became of it, and the text as it was sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from incidents import posting
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.service_list import Choice, Paging, paging_of
from itsm_backup.portal.words import clock, many

PAGE, MOST_COUNTED = 25, 10_000
VERDICTS = {"sent": "kept", "waiting": "at_risk", "refused": "at_risk", "failed": "broken", "withheld": "held"}
PAGES = {"INC": "incident", "MAJ": "major", "PIR": "review"}
FILTERS = ("about", "person", "channel", "state")


@dataclass(frozen=True, kw_only=True)
class MessageRow:
    pk: int
    about: Link
    subject: str
    to: str
    channel: str
    rule: str
    verdict: str
    state: str
    became: str  # why, or when it is tried again
    written: SafeString
    left: SafeString | None
    text: str | None


@dataclass(frozen=True, kw_only=True)
class MessagesPage:
    sentence: str
    rows: tuple[MessageRow, ...]
    asked: Mapping[str, str]
    channels: tuple[Choice, ...]
    states: tuple[Choice, ...]
    paging: Paging
    may_read_texts: bool


def messages_page(*, user: Any, moment: Moment, asked: Mapping[str, str], page: int) -> MessagesPage:
    """One page, newest first; a filter that names nothing finds nothing."""
    wanted = {name: asked.get(name, "").strip()[:200] for name in FILTERS}
    rows = posting.narrowed(posting.messages_for(user, at=moment.at), at=moment.at, **wanted)
    total = rows.order_by().values("pk")[:MOST_COUNTED].count()
    first = PAGE * (min(max(1, page), max(1, -(-total // PAGE))) - 1)
    shown = list(rows.select_related("major_delivery__message")[first : first + PAGE])
    kept = {name: value for name, value in wanted.items() if value}
    return MessagesPage(
        sentence=_sentence(total, bool(kept)),
        rows=tuple(_row(one, moment) for one in posting.told(shown, user=user, at=moment.at)),
        asked=wanted,
        channels=_choices(posting.CHANNELS, wanted["channel"]),
        states=_choices(posting.STATES, wanted["state"]),
        paging=paging_of(
            first, len(shown), total, PAGE, lambda number: moment.href("messages", **kept, page=number), at_least=total == MOST_COUNTED
        ),
        may_read_texts=any(user.has_perm(one) for one in (posting.READ_TEXT, "incidents.change_incident")),
    )


def _sentence(total: int, is_filtered: bool) -> str:
    least = "At least " if total == MOST_COUNTED else ""
    if not total:
        return "No message is like that." if is_filtered else "No message was written about an incident."
    return f"{least}{many(total, 'message')} about incidents{' like that' * is_filtered}."


def _choices(offered: Mapping[str, str], chosen: str) -> tuple[Choice, ...]:
    return tuple(Choice(value=value, words=words, chosen=value == chosen) for value, words in offered.items())


def _row(one: posting.Message, moment: Moment) -> MessageRow:
    notice = one.notice
    sent_at = notice.sent_at if one.state == "sent" else None
    return MessageRow(
        pk=notice.pk,
        about=Link(one.about, moment.href(PAGES[one.about[:3]], one.about)),
        subject=one.subject,
        to=one.to,
        channel=posting.CHANNELS.get(notice.channel, notice.get_channel_display()),
        rule=one.rule,
        verdict=VERDICTS[one.state],
        state=posting.STATES[one.state],
        became=_became(one, moment),
        written=clock(notice.created_at, moment),
        left=clock(sent_at, moment) if sent_at else None,
        text=one.text,
    )


def _became(one: posting.Message, moment: Moment) -> str:
    """What stands in its way, as far as it is known; of the past only that it waited."""
    notice = one.notice
    if one.state in ("failed", "withheld"):
        return notice.latest_error if one.state == "withheld" else f"After {many(notice.attempts, 'attempt')}: {notice.latest_error}"
    if moment.past or one.state != "refused":
        return ""
    return f"{many(notice.attempts, 'attempt')}: {notice.latest_error}"
