"""Two that are one, and one that is two: alerts, stories, and where later alerts go."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from incidents import merging, working
from incidents.models import Incident
from monitoring.models import Alert
from tests.factories import make_user
from tests.incidents.makers import HOUR, MINUTE, fail, make_cause, make_estate, recover

pytestmark = pytest.mark.django_db


@pytest.fixture
def pair(noon):
    """Two incidents of two jobs, each without a known cause."""
    tool = make_estate(noon - 48 * HOUR, "a", "b", "c")
    for name in ("a", "b"):
        fail(tool, name, noon - 2 * HOUR, noon - HOUR)
    return tool, *Incident.objects.order_by("pk")


def test_the_alerts_of_one_go_to_the_other_and_both_tell_it(pair, noon):
    _, first, second = pair
    into = merging.merge(incident=second, into=first, reason="one switch", by=make_user(), at=noon)
    second.refresh_from_db()
    assert (second.state, second.merged_into, into.incident_alerts.count()) == ("cancelled", first, 2)
    assert second.entries.filter(kind="merged", text=f"Merged into {first.number}: one switch").exists()
    assert first.entries.filter(kind="merged", text=f"{second.number} merged into this: one switch").exists()


def test_what_its_cause_brings_later_goes_where_it_was_merged_into(pair, noon):
    tool, first, second = pair
    merging.merge(incident=second, into=first, reason="one switch", by=make_user(), at=noon)
    recover(tool, "b", noon + MINUTE)
    fail(tool, "b", noon + 3 * HOUR, noon + 4 * HOUR)
    assert Incident.objects.count() == 2
    assert first.incident_alerts.count() == 3
    recover(tool, "a", noon + 5 * HOUR)
    recover(tool, "b", noon + 5 * HOUR)
    first.refresh_from_db()
    assert first.state == "resolved"
    fail(tool, "b", noon + 9 * HOUR, noon + 10 * HOUR)
    assert Incident.objects.open().get().pk not in (first.pk, second.pk)


def test_what_cannot_be_merged_is_refused_in_words(pair, noon):
    _, first, second = pair
    asked = {"reason": "same", "by": make_user(), "at": noon}
    with pytest.raises(working.NotPossible, match="into itself"):
        merging.merge(incident=first, into=first, **asked)
    with pytest.raises(working.NotPossible, match="Say why"):
        merging.merge(incident=first, into=second, **{**asked, "reason": " "})
    working.move(incident=second, to="cancelled", reason="test", by=make_user(), at=noon)
    with pytest.raises(working.NotPossible, match="Only open incidents"):
        merging.merge(incident=first, into=second, **asked)
    with pytest.raises(IntegrityError), transaction.atomic():
        Incident.objects.filter(pk=first.pk).update(merged_into=second)


def test_what_was_merged_is_not_moved_again(pair, noon):
    _, first, second = pair
    merging.merge(incident=second, into=first, reason="one switch", by=make_user(), at=noon)
    with pytest.raises(working.NotPossible, match="cannot become"):
        working.move(incident=second, to="in_progress", reason="x", by=make_user(), at=noon)


@pytest.fixture
def shared(noon):
    """One incident of two jobs whose messages a rule takes for one cause."""
    make_cause()
    tool = make_estate(noon - 48 * HOUR, "a", "b")
    for name in ("a", "b"):
        fail(tool, name, noon - 2 * HOUR, noon - HOUR, message="no space left")
    return tool, Incident.objects.get()


def test_alerts_with_another_cause_become_an_incident_of_their_own(shared, noon):
    _, incident = shared
    alert = Alert.objects.get(job__external_id="b")
    person = make_user("chris")
    made = merging.split(incident=incident, alerts=[alert.pk], reason="its own disk", by=person, at=noon)
    assert (made.state, made.assignee, made.split_from) == ("in_progress", person, incident)
    assert [link.alert_id for link in made.incident_alerts.all()] == [alert.pk]
    assert made.entries.filter(kind="split", text=f"Split off from {incident.number}: its own disk").exists()
    assert incident.entries.filter(kind="split", text=f"{made.number} split off: its own disk").exists()
    incident.refresh_from_db()
    assert incident.title == "Backups of SVC-a fail because the storage is full"


def test_what_happens_to_it_again_joins_the_one_that_was_split_off(shared, noon):
    tool, incident = shared
    split = [Alert.objects.get(job__external_id=name).pk for name in ("b",)]
    made = merging.split(incident=incident, alerts=split, reason="its own disk", by=make_user(), at=noon)
    fail(tool, "b", noon + MINUTE, message="no space left")
    assert Incident.objects.count() == 2
    assert (incident.incident_alerts.count(), made.incident_alerts.count()) == (1, 1)
    recover(tool, "b", noon + HOUR)
    assert Incident.objects.get(pk=made.pk).state == "resolved"
    assert Incident.objects.get(pk=incident.pk).is_open


@pytest.mark.parametrize("which", [(), ("a", "b")])
def test_none_or_all_cannot_be_split_off(shared, noon, which):
    _, incident = shared
    alerts = list(Alert.objects.filter(job__external_id__in=which).values_list("pk", flat=True))
    with pytest.raises(working.NotPossible, match="not none and not all"):
        merging.split(incident=incident, alerts=alerts, reason="x", by=make_user(), at=noon)
    assert Incident.objects.count() == 1


def test_what_was_merged_is_still_read_by_who_may_see_the_other(pair, noon):
    from tests.portal.makers import make_person

    _, first, second = pair
    operator = make_person("operator", noon)
    merging.merge(incident=second, into=first, reason="one switch", by=operator, at=noon)
    assert set(Incident.objects.visible_to(operator)) == {first, second}
