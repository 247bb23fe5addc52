"""What every template may show without asking the database: who looks, in which theme, whose installation it is."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from itsm_backup.common.time import now
from itsm_backup.portal.words import person, zone

THEMES = ("light", "dark")


def display(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `display` with organisation, theme, keys, the person's name and initials, and the zone of times."""
    user = getattr(request, "user", None)
    name = person(user) if user is not None and user.is_authenticated else ""
    theme = request.COOKIES.get("theme", "")
    return {
        "display": {
            "organisation": settings.ORGANISATION,
            "theme": theme if theme in THEMES else "",
            "letter_keys": request.COOKIES.get("letter_keys") != "off",
            "person": name,
            "initials": "".join(part[0] for part in name.replace(".", " ").split()[:2]).upper(),
            "zone_words": settings.TIME_ZONE,
            "today": now().astimezone(zone()).date().isoformat(),
        }
    }
