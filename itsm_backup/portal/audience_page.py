"""The page of an audience: what it was told of major incidents, as it was sent, newest first; for business users also without sign-in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.utils.feedgenerator import Atom1Feed
from django.utils.html import linebreaks
from django.utils.safestring import SafeString

from incidents import publishing_status
from incidents.models import Audience, MajorMessage, StatusLink
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.service_list import Choice, Paging, paging_of
from itsm_backup.portal.words import instant, many, person, recent

PAGE, IN_FEED = 20, 50


@dataclass(frozen=True, kw_only=True)
class ToldRow:
    number: str
    subject: str
    body: str
    when: SafeString
    closes: bool


@dataclass(frozen=True, kw_only=True)
class LinkRow:
    pk: int
    label: str
    made: SafeString
    by: str
    ended: SafeString | None


@dataclass(frozen=True, kw_only=True)
class AudiencePage:
    audience: str
    label: str
    sentence: str
    rows: tuple[ToldRow, ...]
    audiences: tuple[Choice, ...]  # value is the address
    paging: Paging
    feed: str
    links: tuple[LinkRow, ...]
    may_link: bool


def audience_page(*, audience: str, user: Any, moment: Moment, page: int) -> AudiencePage:
    """One page of what the audience was told, of what this person may read."""
    rows = publishing_status.told_to(audience, at=moment.at, user=user)
    newest = publishing_status.newest_of_each(rows)
    shown, paging = _part(
        publishing_status.going_on_first(rows, newest), page, lambda number: moment.href("audience_page", audience, page=number)
    )
    may_link = audience == Audience.BUSINESS and user.has_perm(publishing_status.MAKE) and not moment.past
    label = Audience(audience).label
    return AudiencePage(
        audience=audience,
        label=label,
        sentence=_sentence(label, newest),
        rows=tuple(_row(one, moment) for one in shown),
        audiences=tuple(
            Choice(value=moment.href("audience_page", one.value), words=one.label, chosen=one == audience)
            for one in publishing_status.readable_by(user)
        ),
        paging=paging,
        feed=moment.href("audience_feed", audience),
        links=tuple(_link(one, moment) for one in StatusLink.objects.select_related("made_by")[:50]) if may_link else (),
        may_link=may_link,
    )


@dataclass(frozen=True, kw_only=True)
class PublicPage:
    sentence: str
    rows: tuple[ToldRow, ...]
    paging: Paging
    feed: str
    past: SafeString | None


def public_page(*, token: str, moment: Moment, page: int) -> PublicPage:
    """The same for whoever has the address: all that business users were told."""
    rows = publishing_status.told_to(Audience.BUSINESS, at=moment.at)
    newest = publishing_status.newest_of_each(rows)
    shown, paging = _part(
        publishing_status.going_on_first(rows, newest), page, lambda number: moment.href("public_status", token, page=number)
    )
    return PublicPage(
        sentence=_sentence("", newest),
        rows=tuple(replace(one, body=without_sign_in(one.body)) for one in (_row(each, moment) for each in shown)),
        paging=paging,
        feed=moment.href("public_feed", token),
        past=instant(moment.at) if moment.past else None,
    )


def without_sign_in(body: str) -> str:
    """A text for who has no account: it leaves out the address of the page that asks for one, which is this page for them."""
    return body.replace(f" All that was told: {settings.BASE_URL}/major/status/{Audience.BUSINESS.value}/", "")


def _part(rows: Any, page: int, href: Any) -> tuple[list[MajorMessage], Paging]:
    total = rows.count()
    first = PAGE * (min(max(1, page), max(1, -(-total // PAGE))) - 1)
    shown = list(rows[first : first + PAGE])
    return shown, paging_of(first, len(shown), total, PAGE, href)


def _sentence(label: str, newest: dict[int, bool]) -> str:
    """By the newest message of each major incident, on whichever page it stands: what was told last, and nothing that was not."""
    going_on = sum(newest.values())
    whose = f"{label}: " if label else ""
    if not newest:
        return f"{whose}nothing was told yet."
    if not going_on:
        return f"{whose}no major incident goes on."
    return f"{whose}{many(going_on, 'major incident')} {'goes' if going_on == 1 else 'go'} on."


def _row(message: MajorMessage, moment: Moment) -> ToldRow:
    return ToldRow(
        number=message.update.major.number,
        subject=message.subject,
        body=message.body,
        when=recent(message.update.sent_at, moment) if message.update.sent_at else SafeString(""),
        closes=message.update.kind == "closure",
    )


def _link(row: StatusLink, moment: Moment) -> LinkRow:
    ended = recent(row.revoked_at, moment) if row.revoked_at else None
    return LinkRow(pk=row.pk, label=row.label, made=recent(row.made_at, moment), by=person(row.made_by), ended=ended)


def feed_of(rows: Any, *, label: str, here: Link, public: bool = False) -> str:
    """The newest messages as an Atom feed; `here` is the page, and the address of the feed. `public`: for who has no account."""
    feed = Atom1Feed(title=f"{settings.ORGANISATION}: {label}", link=here.words, feed_url=here.href, description="", language="en-GB")
    for one in rows[:IN_FEED]:
        body = without_sign_in(one.body) if public else one.body
        name = f"urn:itsm-backup:message:{one.pk}"
        feed.add_item(
            title=f"[{one.update.major.number}] {one.subject}", link=here.words,
            description=linebreaks(body, autoescape=True), unique_id=name, updateddate=one.update.sent_at, pubdate=one.update.sent_at,
        )  # fmt: skip
    return str(feed.writeString("utf-8"))
