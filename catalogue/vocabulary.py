"""The words of entries: which are in use for departments, types, labels and the like, and which new one is nearly one of them."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.db.models import Q

from catalogue.models import Label, Service, ServiceVersion

SINGLE = ("department", "application_type", "provider", "supplier", "escalation_policy", "copy_scheme")
SEVERAL = ("labels", "regions", "regulations")
FIELDS = (*SINGLE, *SEVERAL)
_LEAST_LETTERS = 5  # shorter words differ by one letter and mean something else: East and West


def _tokens(word: str) -> list[str]:
    bare = "".join(each for each in unicodedata.normalize("NFKD", word.replace("&", " and ")) if not unicodedata.combining(each))
    return re.findall(r"[^\W_]+", bare.casefold())


def _keys(word: str) -> set[str]:
    """What two words share that are the same but for case, spaces and marks, or but for one letter of one longer word in them."""
    tokens = _tokens(word)
    found = {"".join(tokens) or word.casefold()}
    for place, token in enumerate(tokens):
        if len(token) >= _LEAST_LETTERS and token.isalpha():
            left_out = {token, *(token[:n] + token[n + 1 :] for n in range(len(token)))}
            found |= {" ".join([*tokens[:place], f"{short}~", *tokens[place + 1 :]]) for short in left_out}
    return found


class Words:
    """The words of one field, each found by what nearly says the same."""

    def __init__(self, words: Iterable[str] = ()) -> None:
        self._known: set[str] = set()
        self._by_key: dict[str, str] = {}
        for word in words:
            self.add(word)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._known, key=str.casefold))

    def __contains__(self, word: str) -> bool:
        return word in self._known

    def add(self, word: str) -> None:
        self._known.add(word)
        for key in _keys(word):
            self._by_key.setdefault(key, word)

    def nearly(self, word: str) -> str:
        """The known word that this new one nearly is; empty where it is known itself, or like no other."""
        if word in self._known or not word:
            return ""
        return next((self._by_key[key] for key in sorted(_keys(word)) if key in self._by_key), "")


def in_use(*, by: Any, at: dt.datetime) -> dict[str, Words]:
    """Field → words of entries that the person may see, in force or being written, and every classification label; two questions."""
    live = Q(state="approved", effective__contains=at) | Q(state__in=("draft", "in_review"))
    seen = ServiceVersion.objects.filter(live, service__in=Service.objects.visible_to(by))
    columns = [f"commitment__{name}" if name == "copy_scheme" else name for name in FIELDS]
    found: dict[str, set[str]] = {name: set() for name in FIELDS}
    for row in seen.order_by().values_list(*columns).distinct():
        for name, value in zip(FIELDS, row, strict=True):
            found[name].update(value if name in SEVERAL else [value] if value else [])
    found["labels"].update(Label.objects.values_list("word", flat=True))
    return {name: Words(words) for name, words in found.items()}


def words_of(name: str, value: Any) -> list[str]:
    """The words that a value of the field holds."""
    return list(value or ()) if name in SEVERAL else [value] if value else []


def doubts(values: Mapping[str, Any], known: Mapping[str, Words], *, labels: bool = False) -> list[tuple[str, str]]:
    """(field, sentence) for every word that nobody uses and that is nearly one in use; with `labels` also for each label that is new."""
    found = []
    for name in (each for each in FIELDS if each in values):
        for word in words_of(name, values[name]):
            if other := known[name].nearly(word):
                found.append((name, f"“{word}” is nearly “{other}”, which is in use."))
            elif labels and name == "labels" and word not in known[name]:
                found.append((name, f"There is no label “{word}” yet."))
    return found
