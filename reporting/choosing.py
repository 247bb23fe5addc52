"""The form field with which a steward chooses the sections of a report: a number beside each, in the order in which they stand."""

from __future__ import annotations

from typing import Any

from django import forms
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from reporting.sections import SECTIONS


class PlacesWidget(forms.Widget):
    """One small number field for each section; works without scripts."""

    template_name = "reporting/places.html"
    use_fieldset = True

    def __init__(self, audience: str) -> None:
        super().__init__()
        self.sections = SECTIONS.get(audience, {})

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context = super().get_context(name, value, attrs)
        places = value if isinstance(value, dict) else {section: str(number) for number, section in enumerate(value or [], start=1)}
        first = {section: number for number, section in enumerate(sorted(self.sections, key=lambda one: _order(places.get(one, ""))))}
        context["widget"]["places"] = [
            {"name": f"{name}-{section}", "words": self.sections[section], "place": places.get(section, "")}
            for section in sorted(self.sections, key=first.__getitem__)
        ]
        return context

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        return render_to_string(self.template_name, self.get_context(name, value, attrs))  # Django's form renderer knows only its own

    def value_from_datadict(self, data: Any, files: Any, name: str) -> dict[str, str]:
        return {section: str(data.get(f"{name}-{section}", "")).strip() for section in self.sections}

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        return not any(f"{name}-{section}" in data for section in self.sections)


def _order(place: str) -> tuple[bool, int]:
    return (False, int(place)) if place.isdecimal() else (True, 0)


class PlacesField(forms.Field):
    """Cleans to the names of the chosen sections, in order."""

    def __init__(self, *, audience: str, **kwargs: Any) -> None:
        super().__init__(widget=PlacesWidget(audience), **kwargs)

    def clean(self, value: Any) -> list[str]:
        chosen = {section: place for section, place in (value or {}).items() if place}
        wrong = [place for place in chosen.values() if not (place.isdecimal() and 1 <= int(place) <= 99)]
        if wrong:
            raise forms.ValidationError(
                f"“{wrong[0]}” is no place. Write a number from 1 to 99, or leave it empty to leave the section out."
            )
        if len({int(place) for place in chosen.values()}) != len(chosen):
            raise forms.ValidationError("Two sections have the same number. Give each its own.")
        if not chosen:
            raise forms.ValidationError("Choose at least one section: give it the number 1.")
        return sorted(chosen, key=lambda section: int(chosen[section]))

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return self.clean(data) != list(initial or [])
        except forms.ValidationError:
            return True
