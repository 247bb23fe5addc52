"""Laws of the history of an entry: one version in force at any instant, and the past reads as it was."""

import datetime as dt

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalogue import comparing, publishing
from catalogue.models import Offering, Revision, Service
from itsm_backup.common.models import because
from tests.catalogue.makers import NOON, make_approver, make_author, make_content, make_draft, make_service, make_user

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)
GOLD = {"name": "Gold", "price": "120 a month", "rpo_s": 3_600, "rto_s": None, "retention_days": 90, "success_rate": None}
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["department", "tier", "summary", "regions"]),
        st.integers(1, 4),
        st.integers(0, 3),  # hours that it takes effect after its approval
        st.sampled_from(["approve", "approve", "cancel"]),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


def value(field, number):
    return {"department": f"Ward {number}", "tier": number, "summary": f"About {number}", "regions": [f"region {number}"]}[field]


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(edits=EDITS)
def test_as_of_any_instant_equals_a_replay_and_at_most_one_version_is_effective(edits):
    author, approver, point = make_author(), make_approver(), transaction.savepoint()
    try:
        service = publishing.create_service(code="law", by=author, at=NOON, reason="New")
        state: dict = {}
        told: list[tuple[dt.datetime, dict]] = []
        at = NOON
        for number, (field, which, ahead, end) in enumerate(edits):
            at = max(at + HOUR, (told[-1][0] + HOUR / 2) if told else at)
            change = {field: value(field, which)}
            content = make_content("law", **change) if not told else change
            draft = publishing.draft_version(
                service=service, content=content, commitment={"rpo_s": 60 * (number + 1)}, by=author, at=at, reason="x"
            )
            for again in range(which % 3):  # it is changed on its way to approval
                change = {**change, "supplier": f"Supplier {number}.{again}"}
                publishing.edit_draft(
                    version=draft, content={"supplier": change["supplier"]}, commitment={}, by=author, at=at, reason="x"
                )  # fmt: skip
            if end == "cancel":
                publishing.cancel(version=draft, by=author, at=at, reason="No")
                continue
            publishing.submit(version=draft, by=author, at=at, announce=False)
            publishing.approve(version=draft, by=approver, at=at, effective_from=at + ahead * HOUR)
            state = {
                **(state or {"department": "", "tier": 3, "summary": "", "regions": [], "supplier": ""}),
                **change,
                "rpo_s": 60 * (number + 1),
            }
            told.append((at + ahead * HOUR, dict(state)))
        for instant in [NOON, *(since + shift for since, _ in told for shift in (-HOUR / 4, dt.timedelta(0), HOUR / 4))]:
            in_force = [row for row in service.versions.approved() if instant in row.effective]
            expected = next((replayed for since, replayed in reversed(told) if since <= instant), None)
            assert len(in_force) == (1 if expected else 0)
            found = service.version_at(instant)
            if expected:
                content = comparing.content_of(found)
                assert {name: content[name] for name in expected} == expected
    finally:
        transaction.savepoint_rollback(point)


def test_every_edit_of_a_draft_is_remembered_with_its_content():
    version = make_draft()
    publishing.edit_draft(
        version=version, content={"department": "Imaging"}, commitment={}, by=make_user("helper"), at=NOON + HOUR, reason="Moved"
    )
    first, second = Revision.objects.filter(version=version)
    assert [change.field for change in comparing.diff(first.content, second.content)] == ["department"]
    assert (second.by.username, second.reason, second.content_hash) == ("helper", "Moved", comparing.hash_of(second.content))
    version.refresh_from_db()
    assert comparing.content_of(version) == second.content


def test_a_version_is_numbered_by_what_changed():
    make_service("pacs")
    assert Service.objects.get().versions.get().release == "1.0.0"
    steps = [({"summary": "Pictures"}, "1.1.0", "minor"), ({"name": "PACS 2"}, "1.1.1", "patch"), ({"tier": 1}, "2.0.0", "major")]
    for hours, (content, release, level) in enumerate(steps, start=1):
        make_service("pacs", at=NOON + hours * HOUR, **content)
        newest = Service.objects.get().versions.first()
        assert (newest.release, newest.level) == (release, level)


def test_going_back_is_a_new_version_with_everything_of_the_old_one():
    make_service("pacs", department="Imaging")
    service = Service.objects.get()
    one = service.versions.get()
    draft = publishing.draft_version(
        service=service,
        content={"department": "Other", "tier": 1},
        commitment={"rpo_s": 60, "retention_days": 90},
        offerings=[GOLD],
        by=make_author(),
        at=NOON + HOUR,
        reason="Try",
    )
    publishing.submit(version=draft, by=make_author(), at=NOON + HOUR)
    publishing.approve(version=draft, by=make_approver(), at=NOON + HOUR)
    three = publishing.roll_back(to=one, by=make_author(), at=NOON + 2 * HOUR, reason="It did not work")
    assert comparing.content_of(three) == comparing.content_of(one) and three.number == 3
    assert service.versions.approved().count() == 2


def test_offerings_come_along_and_are_fixed_with_their_version():
    version = make_draft()
    publishing.edit_draft(
        version=version,
        content={},
        commitment={"rpo_s": 3_600, "retention_days": 90},
        offerings=[GOLD, {**GOLD, "name": "Silver", "rpo_s": 7_200}],
        by=make_author(),
        at=NOON,
        reason="Packages",
    )
    publishing.submit(version=version, by=make_author(), at=NOON)
    publishing.approve(version=version, by=make_approver(), at=NOON)
    following = publishing.draft_version(
        service=version.service, content={}, commitment={}, by=make_author(), at=NOON + HOUR, reason="Next"
    )
    assert [row.name for row in following.offerings.all()] == ["Gold", "Silver"]
    gold = version.offerings.get(name="Gold")
    for statement in (
        "UPDATE catalogue_offering SET rpo_s = 1800 WHERE id = %s",
        "DELETE FROM catalogue_offering WHERE id = %s",
        f"UPDATE catalogue_offering SET version_id = {following.pk}, name = 'x' WHERE id = %s",
    ):
        with pytest.raises(DatabaseError, match="immutable"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, [gold.pk])
    with pytest.raises(DatabaseError, match="immutable"), transaction.atomic(), because("test"):
        Offering.objects.create(version=version, name="Bronze")


def test_two_offerings_of_one_name_are_refused():
    with pytest.raises(publishing.NotReady, match="two offerings named Gold"):
        publishing.edit_draft(
            version=make_draft(), content={}, commitment={}, offerings=[GOLD, GOLD], by=make_author(), at=NOON, reason="x"
        )


def test_an_approval_of_other_content_than_was_read_is_void():
    version = publishing.submit(version=make_draft(), by=make_author(), at=NOON)
    seen = comparing.hash_of(comparing.content_of(version))
    publishing.edit_draft(
        version=version, content={}, commitment={"rpo_s": 7_200}, by=make_user("helper"), at=NOON + HOUR, reason="Tighter"
    )
    publishing.submit(version=version, by=make_author(), at=NOON + HOUR)
    with pytest.raises(publishing.Stale, match=r"helper changed it on 14 Jul 2026 at 13:00 UTC: Recovery point \(RPO\) 26 h → 2 h"):
        publishing.approve(version=version, by=make_approver(), at=NOON + HOUR, seen=seen)
    version.refresh_from_db()
    now_seen = comparing.hash_of(comparing.content_of(version))
    approved = publishing.approve(version=version, by=make_approver(), at=NOON + HOUR, seen=now_seen)
    assert approved.content_hash == now_seen


def test_an_edit_on_another_beginning_is_refused_with_what_changed():
    version = make_draft()
    base = comparing.hash_of(comparing.content_of(version))
    publishing.edit_draft(version=version, content={"tier": 1}, commitment={}, by=make_user("helper"), at=NOON, reason="Raise", base=base)
    with pytest.raises(publishing.Stale) as refusal:
        publishing.edit_draft(version=version, content={"tier": 2}, commitment={}, by=make_author(), at=NOON, reason="Lower", base=base)
    assert [(change.field, change.before, change.after) for change in refusal.value.changes] == [("tier", 3, 1)]
