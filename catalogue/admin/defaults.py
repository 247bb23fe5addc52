"""What drafts start with: the levels of each tier, and the classification labels."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from catalogue.admin import words
from catalogue.models import Label, TierDefault
from catalogue.vocabulary import Words
from itsm_backup.common.admin import ReasonedForm, TrackedAdmin
from itsm_backup.common.admin.fields import value_words


@admin.register(TierDefault)
class TierDefaultAdmin(TrackedAdmin):
    place = 10
    heading = "Levels by tier"
    singular = "levels of a tier"
    about = "What a new entry promises when its steward says nothing else. Entries that exist stay as they are."
    list_display = ("tier", "rpo", "rto", "success", "restore_test", "copy_scheme")
    fields = ("tier", ("rpo_s", "rto_s"), ("success_rate", "rpo_attainment_rate"), "restore_test_days", "copy_scheme")

    @admin.display(description="Recovery point (RPO)", ordering="rpo_s")
    def rpo(self, row: TierDefault) -> Any:
        return self._words(row, "rpo_s")

    @admin.display(description="Recovery time (RTO)", ordering="rto_s")
    def rto(self, row: TierDefault) -> Any:
        return self._words(row, "rto_s")

    @admin.display(description="Success rate", ordering="success_rate")
    def success(self, row: TierDefault) -> Any:
        return self._words(row, "success_rate")

    @admin.display(description="Restore test at least every", ordering="restore_test_days")
    def restore_test(self, row: TierDefault) -> Any:
        return self._words(row, "restore_test_days")

    def _words(self, row: TierDefault, name: str) -> Any:
        return value_words(TierDefault._meta.get_field(name), getattr(row, name))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("tier",) if obj else ()


class LabelForm(ReasonedForm):
    """A new label is none that differs from another one by a letter, unless that is meant."""

    on_purpose = words.on_purpose()

    def clean(self) -> Any:
        cleaned = super().clean()
        word = cleaned.get("word", "")
        other = Words(Label.objects.exclude(pk=self.instance.pk).values_list("word", flat=True)).nearly(word)
        if other and not cleaned.get(words.ON_PURPOSE):
            self.add_error("word", f"“{word}” is nearly the label “{other}”. Use that one, or tick “New words are meant”.")
        return cleaned


@admin.register(Label)
class LabelAdmin(TrackedAdmin):
    place = 11
    about = "Classification labels, and what each obliges to."
    list_display = ("word", "meaning")
    search_fields = ("word", "meaning")
    form = LabelForm
    fields = ("word", "on_purpose", "meaning")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("word", "meaning") if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("word",) if obj else ()  # entries name it by its word
