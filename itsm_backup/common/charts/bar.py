"""The exposure bar: age of the newest restorable copy against the promise."""

from __future__ import annotations

from django.utils.safestring import SafeString

from itsm_backup.common.charts.svg import number, tag

PROMISE_AT = 62.5  # per cent of the width, so that the bars of different services compare


def exposure_bar(*, age_s: float | None, promise_s: float | None, verdict: str, sentence: str) -> SafeString:
    """A bar that fills its container; its tick, the promise, always stands at 62.5 % of the width. Dashed and empty without data."""
    if age_s is None:
        parts = [tag("rect", class_="bar-empty", x="0.5%", y="3", width="99%", height="7")]
    else:
        share = min(100.0, PROMISE_AT * age_s / promise_s) if promise_s else 0.0
        parts = [
            tag("rect", class_="bar-ground", x="0", y="3", width="100%", height="7"),
            tag("rect", class_="bar-fill", x="0", y="3", width=f"{number(share)}%", height="7"),
        ]
        if promise_s:
            parts.append(tag("line", class_="bar-tick", x1=f"{PROMISE_AT}%", x2=f"{PROMISE_AT}%", y1="0", y2="13"))
    return tag("svg", tag("title", sentence), *parts, class_=f"bar bar--{verdict}", width="100%", height="13", role="img")
