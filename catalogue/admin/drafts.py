"""The form of a draft: content and promise on one page, saved by one act. Two people who write at once lose nothing."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from catalogue import comparing, duties, publishing, vocabulary, wording
from catalogue.admin import words
from catalogue.models import Commitment, ServiceVersion
from catalogue.packages import OfferingsField
from itsm_backup.common.admin import ReasonedForm
from itsm_backup.common.admin.fields import ListField, form_field_of

PROMISES = {name: Commitment._meta.get_field(name) for name in publishing.COMMITMENT_FIELDS}


class VersionForm(ReasonedForm):
    """Content and promise together. `base` is the content that the person started from; `known` are the words in use."""

    known: words.Known = {}
    on_purpose = words.on_purpose()
    base = forms.CharField(required=False, widget=forms.HiddenInput)
    offerings = OfferingsField(
        required=False, widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
        help_text="One package a line: “Gold: recovery point 4 h; recovery time 4 h; kept 90 d; success 99 %; price 120 a month”.",
    )  # fmt: skip
    take_defaults = forms.BooleanField(
        required=False, initial=True, label="Promise what the tier usually promises, where nothing is written below",
    )  # fmt: skip

    class Meta:
        model = ServiceVersion
        fields = ("service", *publishing.CONTENT_FIELDS)
        field_classes = {"labels": ListField, "regions": ListField, "regulations": ListField}
        help_texts = {
            "labels": "Classification labels, separated by commas.",
            "regions": "Where its data and copies lie, separated by commas.",
            "regulations": "What it must comply with, separated by commas.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in (each for each in self.known if each in self.fields):
            words.offer(self.fields[name], name, self.known)
        if not self.instance.pk:
            return
        promise = Commitment.objects.filter(version=self.instance.pk).first()
        for name in PROMISES if promise else ():
            self.initial.setdefault(name, getattr(promise, name))
        content = comparing.content_of(ServiceVersion.objects.select_related("commitment").get(pk=self.instance.pk))
        self.initial["offerings"] = content["offerings"]
        self.initial["base"] = comparing.hash_of(content)
        self.fields.pop("take_defaults", None)

    def clean(self) -> Any:
        cleaned = super().clean()
        promise = Commitment(**{name: cleaned.get(name) for name in PROMISES if name in cleaned})
        try:
            promise.full_clean(exclude=["version", *self.errors])
        except ValidationError as error:
            for name, problems in error.error_dict.items():
                self.add_error(name if name in self.fields else None, problems)
        if self.known:
            words.refuse_doubts(self, self.known, {name: cleaned[name] for name in vocabulary.FIELDS if name in cleaned})
        if self.instance.pk and not self.errors:
            self._merge(cleaned)
        return cleaned

    def _merge(self, cleaned: dict[str, Any]) -> None:
        """When somebody saved the draft meanwhile: show their changes beside mine, and save only when they were seen."""
        stored = ServiceVersion.objects.select_related("commitment").get(pk=self.instance.pk)
        theirs = comparing.content_of(stored)
        newest = stored.revisions.select_related("by").order_by("-pk").first()
        base = stored.revisions.filter(content_hash=cleaned.get("base") or "").first()
        if newest is None or base is None or comparing.hash_of(theirs) == base.content_hash:
            return
        mine = {name: _json(cleaned.get(name)) for name in comparing.ALL_FIELDS if name in cleaned}
        found = comparing.merged(base=base.content, mine={**base.content, **mine}, theirs=theirs)
        fresh = type(self)(instance=stored)
        self.data = self.data.copy()
        for change in found.theirs:
            if found.content[change.field] == change.after and change.field in fresh.fields:
                field = fresh.fields[change.field]
                value = field.prepare_value(fresh.initial.get(change.field))
                self.data[self.add_prefix(change.field)] = "" if value is None else field.widget.format_value(value) or ""
        self.data[self.add_prefix("base")] = comparing.hash_of(theirs)
        self.theirs = wording.tell(found.theirs)
        both = [wording.label(name) for name in found.both]
        self.add_error(None, (
            f"{duties.names([newest.by])} saved this draft while you were writing: {wording.sentence(found.theirs)}. Their changes stand in"
            f" the form beside yours now, and nothing of yours is lost."
            + (f" You both changed {', '.join(both)}: your text stands there, theirs is in the list." if both else "")
            + " Read it, then save again."
        ))  # fmt: skip


def _json(value: Any) -> Any:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return sorted(({name: comparing.as_json(each) for name, each in levels.items()} for levels in value), key=lambda one: one["name"])
    return comparing.as_json(value)


DraftForm = type("DraftForm", (VersionForm,), {name: form_field_of(field) or field.formfield() for name, field in PROMISES.items()})
