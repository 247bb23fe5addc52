"""The verdict's mark on paper: shape first, so that it reads in greyscale."""

from __future__ import annotations

from django.utils.safestring import SafeString

from itsm_backup.common.charts.svg import tag

_CUTS = {
    "kept": "M4.9 8.3l2.1 2.1 4.1-4.6",
    "at_risk": "M8 6v3.6M8 12v.1",
    "broken": "M5.8 5.8l4.4 4.4m0-4.4l-4.4 4.4",
    "held": "M6 5v6M10 5v6",
}
_GROUNDS = {"at_risk": "M8 1.2l7.2 13.1H.8z", "broken": "M8 .6L15.4 8 8 15.4.6 8z", "held": "M1 1h14v14H1z"}


def verdict_mark(verdict: str) -> SafeString:
    """A small picture of kept, at_risk, broken, held or no_data; its word always stands beside it."""
    if verdict == "no_data":
        ring = tag("circle", class_="mark-no_data", cx="8", cy="8", r="6.8", stroke_dasharray="2.6 1.7")
        parts = [ring, tag("path", class_="mark-no_data", d="M6.2 6.4a1.8 1.8 0 1 1 2.6 1.7c-.6.3-.8.6-.8 1.2M8 11.4v.1")]
    elif verdict == "kept":
        parts = [tag("circle", class_="mark-kept", cx="8", cy="8", r="7"), tag("path", class_="mark-cut", d=_CUTS["kept"])]
    else:
        parts = [tag("path", class_=f"mark-{verdict}", d=_GROUNDS[verdict]), tag("path", class_="mark-cut", d=_CUTS[verdict])]
    return tag("svg", *parts, class_="mark", viewBox="0 0 16 16", width="16", height="16", aria_hidden="true")


def deviation_bar(*, points: float, widest: float) -> SafeString:
    """A bar below (left) or above (right) the promise; `widest` is the largest deviation of the table, in points."""
    width, zero, room = 120.0, 96.0, 90.0
    length = room * min(1.0, abs(points) / widest) if widest else 0.0
    right = min(length, width - zero)  # there is less room above: what is above is good
    bar = (
        tag("rect", class_="below", x=zero - length, y="4", width=length, height="9")
        if points < 0
        else tag("rect", class_="above", x=zero, y="4", width=right, height="9")
    )
    line = tag("line", class_="zero", x1=zero, x2=zero, y1="1", y2="16")
    return tag("svg", bar, line, class_="deviation", viewBox="0 0 120 17", width="120", height="17", aria_hidden="true")
