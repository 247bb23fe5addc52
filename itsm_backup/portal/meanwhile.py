"""Two people in one form: only what was changed in it is written, and nobody wipes out what somebody else wrote meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from incidents.working import NotPossible
from itsm_backup.common.http.typed import typed


def newly_typed(request: HttpRequest, kept: Any, names: Mapping[str, int]) -> dict[str, str]:
    """The texts that were changed in the form, which carries what it was opened with as `was-NAME`; each with how much fits.

    Raises NotPossible where somebody else changed the same text meanwhile; what was typed stands in the sentence.
    """
    texts = {name: typed(request, name, most=most) for name, most in names.items() if name in request.POST}
    for name in [name for name in texts if f"was-{name}" in request.POST]:
        was = typed(request, f"was-{name}", most=names[name]).strip()
        if texts[name].strip() == was:
            del texts[name]
        elif getattr(kept, name).strip() != was:
            words = name.replace("_", " ").capitalize()
            raise NotPossible(f"{words} was changed by somebody else meanwhile; theirs stands there now. Yours: {texts[name]}")
    return texts
