"""The published page says what the program does."""

from __future__ import annotations

from pathlib import Path

from monitoring.methods import METHODS
from monitoring.methods.publishing import page


def test_it_is_current():
    written = (Path(__file__).parents[3] / "docs" / "methods.md").read_text()
    assert written == page(), "Run: python -m monitoring.methods.publishing > docs/methods.md"


def test_it_has_every_method_once():
    for name, version in METHODS:
        assert page().count(f"### {name}, version {version}: ") == 1
