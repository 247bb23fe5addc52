"""Charts for paper: the colours that pages give by class, written into the markup, because PDF makers read no style sheet inside SVG."""

from __future__ import annotations

import re

from django.utils.safestring import SafeString, mark_safe

INK, INK_2, SURFACE, ACCENT, LINE = "#1A1D21", "#474D56", "#FFFFFF", "#1B4A86", "#DDD9CF"
OK, RISK, BAD, NONE, HELD = "#17633F", "#7E4600", "#9E1B16", "#55447A", "#35546E"
OK_SOLID, RISK_SOLID, BAD_SOLID = "#3B8561", "#E3A11B", "#B3261E"
OK_TINT, RISK_TINT, BAD_TINT, NONE_TINT, HELD_TINT, SUNK = "#DCEAE1", "#FBE9C4", "#FADDD8", "#E9E3F2", "#DEE7EE", "#ECE9E1"
_SMALL = {"font-size": "11", "font-family": "Source Sans Pro"}
_LETTER = {"font-size": "11", "font-weight": "600", "font-family": "Source Sans Pro"}
# The light values of static/tokens.css, by the class that static/portal.css styles; a test holds them together.
PAINT: dict[str, dict[str, str]] = {
    "axis": {"fill": INK_2, **_SMALL},
    "axis--promise": {"fill": INK, "font-weight": "600"},
    "value": {"fill": INK, "font-size": "12.5", "font-weight": "600", "font-family": "Source Sans Pro"},
    "grid": {"stroke": LINE, "stroke-width": "1"},
    "promise": {"stroke": INK, "stroke-width": "1.2", "stroke-dasharray": "4 3"},
    "line": {"fill": "none", "stroke": ACCENT, "stroke-width": "1.7", "stroke-linejoin": "round"},
    "breach": {"fill": BAD_TINT, "fill-opacity": ".6"},
    "dot": {"fill": ACCENT},
    "odd": {"fill": SURFACE, "stroke": ACCENT, "stroke-width": "1.7"},
    "cell": {"fill": OK_TINT},
    "cell--warning": {"stroke": RISK_SOLID},
    "cell--late": {"fill": RISK_TINT, "stroke": RISK},
    "cell--failed": {"fill": BAD_SOLID},
    "cell--missed": {"fill": SURFACE, "stroke": BAD_SOLID, "stroke-width": "1.8"},
    "cell--no_data": {"fill": NONE_TINT, "stroke": NONE, "stroke-dasharray": "3 2"},
    "cell--held": {"fill": HELD_TINT, "stroke": HELD, "stroke-dasharray": "2 2"},
    "cell--not_scheduled": {"fill": SUNK},
    "letter": _LETTER,
    "letter--warning": {"fill": RISK},
    "letter--late": {"fill": RISK},
    "letter--failed": {"fill": SURFACE},
    "letter--missed": {"fill": BAD},
    "letter--no_data": {"fill": NONE},
    "letter--held": {"fill": HELD},
    "letter--not_scheduled": {"fill": INK_2},
    "restored": {"fill": ACCENT},
    "mark-kept": {"fill": OK},
    "mark-at_risk": {"fill": RISK},
    "mark-broken": {"fill": BAD},
    "mark-held": {"fill": HELD},
    "mark-no_data": {"fill": "none", "stroke": NONE, "stroke-width": "1.5", "stroke-linecap": "round"},
    "mark-cut": {"fill": "none", "stroke": SURFACE, "stroke-width": "1.7", "stroke-linecap": "round", "stroke-linejoin": "round"},
    "below": {"fill": BAD_SOLID},
    "above": {"fill": OK_SOLID},
    "zero": {"stroke": INK, "stroke-width": "1.4"},
}
_CLASSED = re.compile(r' class="([^"]+)"')


def painted(svg: str) -> SafeString:
    """The chart with its colours as attributes; later classes of an element win over earlier ones. Attributes it has stay."""

    def attributes(found: re.Match[str]) -> str:
        paint: dict[str, str] = {}
        for name in found[1].split():
            paint.update(PAINT.get(name, {}))
        return found[0] + "".join(f' {name}="{value}"' for name, value in paint.items())

    return mark_safe(_CLASSED.sub(attributes, svg))  # noqa: S308 - our own markup, in which every text was escaped
