"""What a right lets somebody do, in words: `catalogue.approve_service` is “approve versions of a service”."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.apps import apps

USUAL = {"view": "see", "add": "add", "change": "change", "delete": "delete"}


def right_words(name: str) -> str:
    """One right in words; a name that is no right of the product as it is."""
    action, kind, own = _parts(name)
    return own or (f"{action} {kind}" if kind else name)


def rights_words(names: Iterable[str]) -> list[str]:
    """Many rights as sentences, each kind of right with all that it reaches: `See: agreements, alerts`; what is rare stands last."""
    reached: dict[str, list[str]] = {word: [] for word in USUAL.values()}
    rare = []
    for name in names:
        action, kind, own = _parts(name)
        if own or not kind:
            rare.append(own or name)
        else:
            reached.setdefault(action, []).append(kind)
    told = [f"{action.capitalize()}: {', '.join(sorted(kinds, key=str.casefold))}" for action, kinds in reached.items() if kinds]
    return [*told, *([f"And: {'; '.join(sorted(rare))}"] if rare else [])]


def _parts(name: str) -> tuple[str, str, str]:
    """What is done, to which kind of rows, and the words of a right that is none of the four usual ones."""
    app, _, codename = name.partition(".")
    action, _, model = codename.rpartition("_")
    try:
        meta = apps.get_model(app, model)._meta
    except (LookupError, ValueError):
        return "", "", ""
    kind = kind_words(meta.model)
    if action in USUAL:
        return USUAL[action], kind, ""
    own = next((words for code, words in meta.permissions if code == codename), "")
    return action.replace("_", " "), kind, own.removeprefix("Can ")


def kind_words(model: Any) -> str:
    """Rows of a kind in the plural, as rights speak of them: the model's own `rights_say` where its name alone would be another's, too."""
    return getattr(model, "rights_say", "") or str(model._meta.verbose_name_plural)
