"""Fields that take a word: the words in use are offered, and a new one is written on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join

from catalogue import vocabulary
from itsm_backup.common.time import now

ON_PURPOSE = "on_purpose"
Known = Mapping[str, vocabulary.Words]


class WordInput(forms.TextInput):
    """A line to type in, with the words in use offered below it; of several, with commas, the one at hand is offered."""

    def __init__(self, words: vocabulary.Words, *, several: bool = False) -> None:
        super().__init__(attrs={"class": "vTextField", "autocomplete": "off", **({"data-several": "yes"} if several else {})})
        self.words = words

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> Any:
        listed = f"{(attrs or {}).get('id') or name}-words"
        options = format_html_join("", '<option value="{}"></option>', ((word,) for word in self.words))
        drawn = super().render(name, value, {**(attrs or {}), "list": listed}, renderer)
        return format_html('{}<datalist id="{}">{}</datalist>', drawn, listed, options)


def on_purpose() -> forms.BooleanField:
    return forms.BooleanField(
        required=False, label="New words are meant",
        help_text="Tick this for a label that no entry has yet, or a word that differs little from one in use.",
    )  # fmt: skip


def known_to(request: HttpRequest) -> Known:
    """The words in use that the person may see; read once for a request."""
    if "_known_words" not in request.__dict__:
        request.__dict__["_known_words"] = vocabulary.in_use(by=request.user, at=now())
    return request.__dict__["_known_words"]  # type: ignore[no-any-return]


def offer(field: forms.Field, name: str, known: Known) -> None:
    """Let the field offer the words in use."""
    field.widget = WordInput(known[name], several=name in vocabulary.SEVERAL)


def refuse_doubts(form: Any, known: Known, values: Mapping[str, Any]) -> None:
    """Say at its field which word is new without having been said to be meant."""
    if form.data.get(form.add_prefix(ON_PURPOSE)):
        return
    for name, told in vocabulary.doubts(values, known, labels=True):
        form.add_error(name, f"{told} Take one in use, or tick “New words are meant”.")
