"""What every page carries around its content: navigation, the rail, the instant it shows."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.safestring import SafeString


@dataclass(frozen=True, kw_only=True)
class Freshness:
    """How old what the tools told is: state live, stale or down; `lead` is the bold word, `words` the rest of the sentence."""

    state: str
    lead: str
    words: str


@dataclass(frozen=True, kw_only=True)
class AsOf:
    """The instant a page shows. In the past `words` names it; `on` fills the date field, `days_back` the slider."""

    past: bool
    words: str
    on: str
    days_back: int
    carried: tuple[tuple[str, str], ...] = ()  # the page's other query parameters
    now_href: str = ""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """`section` is the key of the navigation entry the page belongs to."""

    section: str
    as_of: AsOf
    freshness: Freshness
    catalogue_version: int
    watched: str
    watched_href: str
    open_incidents: int
    as_of_query: str = ""  # appended to links, so that the past stays the past from page to page


@dataclass(frozen=True)
class Link:
    words: str
    href: str


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """Age of the newest restorable copy against the promise. `captured` (ISO, UTC) lets the page count on by itself."""

    verdict: str
    age: str
    promise: str
    tile: str
    bar: SafeString
    captured: str = ""
    promise_s: int | None = None
