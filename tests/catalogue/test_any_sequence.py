"""Whatever is written, given up, approved for now or later and withdrawn, in any order: past and future read as a replay says."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from catalogue import comparing, publishing, withdrawing
from catalogue.models import ServiceVersion
from catalogue.refusing import NotReady, WrongState
from itsm_backup.common.time import now
from tests.catalogue.makers import make_approver, make_author, make_content

pytestmark = [pytest.mark.django_db, pytest.mark.req("1.5")]
HOUR = dt.timedelta(hours=1)
EMPTY = {"department": "", "tier": 3, "summary": "", "regions": []}
FIELDS = st.sampled_from(["department", "tier", "summary", "regions"])
WHICH = st.integers(1, 4)


def change(field: str, which: int) -> dict[str, Any]:
    told = {"department": f"Ward {which}", "tier": which, "summary": f"About {which}", "regions": [f"region {which}"]}
    return {field: told[field]}


class Told(NamedTuple):
    """One approved version in the replay: from when on it holds, and what it says."""

    since: dt.datetime
    says: dict[str, Any]
    version: ServiceVersion


class Entry(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.point = transaction.savepoint()
        self.author, self.approver = make_author(), make_approver()
        self.at = self.began = now() + HOUR  # the database lets nobody withdraw what its own clock calls history
        self.service = publishing.create_service(code="law", by=self.author, at=self.at, reason="New")
        self.open: ServiceVersion | None = None
        self.writes: dict[str, Any] = {}
        self.told: list[Told] = []
        self.instants = {self.began}

    def teardown(self) -> None:
        transaction.savepoint_rollback(self.point)

    @rule(halves=st.integers(1, 6))
    def time_passes(self, halves: int) -> None:
        self.at += halves * HOUR / 2

    @precondition(lambda self: self.open is None)
    @rule(field=FIELDS, which=WHICH)
    def draft(self, field: str, which: int) -> None:
        said = change(field, which)
        content = said if self.told else make_content("law", **said)
        self.open = publishing.draft_version(
            service=self.service, content=content, commitment={"rpo_s": 60 * which}, by=self.author, at=self.at, reason="x"
        )
        self.writes = {**(self.told[-1].says if self.told else EMPTY), **said, "rpo_s": 60 * which}

    @precondition(lambda self: self.open is not None)
    @rule(field=FIELDS, which=WHICH)
    def edit(self, field: str, which: int) -> None:
        said = change(field, which)
        self.open = publishing.edit_draft(version=self.open, content=said, commitment={}, by=self.author, at=self.at, reason="x")
        self.writes |= said

    @precondition(lambda self: self.open is not None)
    @rule()
    def cancel(self) -> None:
        publishing.cancel(version=self.open, by=self.author, at=self.at, reason="No")
        self.open = None

    @precondition(lambda self: self.open is not None)
    @rule(hours=st.integers(0, 5))
    def approve(self, hours: int) -> None:
        self.open.refresh_from_db()
        if self.open.state == "draft":
            publishing.submit(version=self.open, by=self.author, at=self.at, announce=False)
        starts = self.at + hours * HOUR
        asked = {"version": self.open, "by": self.approver, "at": self.at, "effective_from": starts}
        if self.told and self.told[-1].since >= starts:
            with pytest.raises(NotReady, match="choose a later time"):
                publishing.approve(**asked)
            return
        self.told.append(Told(starts, dict(self.writes), publishing.approve(**asked)))
        self.instants |= {starts - HOUR / 4, starts, starts + HOUR / 4}
        self.open = None

    @precondition(lambda self: self.open is None)
    @rule(field=FIELDS, which=WHICH, hours=st.integers(1, 5))
    def plan(self, field: str, which: int, hours: int) -> None:
        """A version approved for some hours after everything else that is approved."""
        self.draft(field, which)
        latest = max([self.at, *(each.since for each in self.told)])
        self.approve((latest - self.at) // HOUR + hours)

    @precondition(lambda self: self.told)
    @rule(which=st.integers(0, 9))
    def withdraw(self, which: int) -> None:
        """Any that was approved: one that lies ahead goes, what has been in force stays."""
        one = self.told[which % len(self.told)]
        asked = {"version": one.version, "by": self.approver, "at": self.at, "reason": "Too early"}
        if one.since <= self.at:
            with pytest.raises(WrongState, match="has been in force since"):
                withdrawing.withdraw(**asked)
            return
        place = self.told.index(one)
        before = self.told[place - 1].says if place else {}
        brought = {name: value for name, value in one.says.items() if value != before.get(name)}
        if any(later.says[name] == value for later in self.told[place + 1 :] for name, value in brought.items()) or (
            not before and self.told[place + 1 :]
        ):  # a later one carries it; of a first version everything that nobody changed
            with pytest.raises(NotReady, match="says the same"):
                withdrawing.withdraw(**asked)
            return
        withdrawing.withdraw(**asked)
        self.told.remove(one)

    @invariant()
    def every_instant_reads_as_the_replay_says(self) -> None:
        approved = list(self.service.versions.approved())
        for instant in [*self.instants, self.at]:
            in_force = [row for row in approved if instant in row.effective]
            expected = next((each for each in reversed(self.told) if each.since <= instant), None)
            assert [row.pk for row in in_force] == ([expected.version.pk] if expected else [])
        for each in self.told:
            stored = comparing.content_of(each.version)
            assert {name: stored[name] for name in each.says} == each.says

    @invariant()
    def it_stands_in_the_catalogue_while_a_version_is_approved(self) -> None:
        self.service.refresh_from_db()
        assert self.service.lifecycle == ("catalogue" if self.told else "pipeline")


def test_any_sequence_of_moves_reads_as_its_replay():
    run_state_machine_as_test(
        Entry,
        settings=settings(max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)),
    )
