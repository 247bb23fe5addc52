"""What tests of the admin share."""

from __future__ import annotations

import pytest


@pytest.fixture
def open_rules(monkeypatch):
    """Rules are only read in the admin. Here they stand for any row that has parts, and a list that is edited."""
    from monitoring.admin.rules import ConditionInline, RuleAdmin

    for action in ("add", "change", "delete"):
        monkeypatch.delattr(RuleAdmin, f"has_{action}_permission")
    monkeypatch.setattr(RuleAdmin, "list_editable", ("position", "enabled"))
    monkeypatch.setattr(ConditionInline, "extra", 1)
    monkeypatch.setattr(ConditionInline, "can_delete", True)
