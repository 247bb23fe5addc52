"""What of many entries could not hold is said for each row before anything starts, by the inequalities of one by one."""

import datetime as dt

import pytest

from catalogue import batching, checking, importing, previewing, publishing, relating, working_through
from catalogue.checking import Measured
from catalogue.models import Batch, Service, ServiceVersion
from tests.catalogue.makers import NOON, make_approver, make_author, make_content, make_draft, make_service
from tests.catalogue.test_checking import agreed, analysis
from tests.factories import make_admin

pytestmark = pytest.mark.django_db
HOUR = 3_600
NIGHTLY = Measured(interval_s=24 * HOUR, p95_duration_s=2 * HOUR, copy_lag_s=0)


def nightly(services, at):
    return dict.fromkeys(services, NIGHTLY)


def proposed(wishes, act="draft", by=None, measure=nightly):
    return batching.propose(act=act, title="t", wishes=wishes, by=by or make_author(), at=NOON, reason="r", measure=measure)


def stops(batch):
    return {item.code: [code for code, _ in item.stops] for item in batch.items.all()}


@pytest.fixture
def three():
    return [make_service(code, at=NOON - dt.timedelta(days=1)) for code in ("A", "B", "C")]


def test_a_change_of_many_names_each_inequality_and_stands_in_the_way_of_no_draft(three):
    analysis(three[1], tolerated_loss_s=10 * HOUR)
    relating.relate(consumer=three[0], provider=three[2], kind="depends_on", strength="hard", by=make_admin(), at=NOON, reason="x")
    batch = proposed(importing.to_change(["A", "B", "C"], {"rpo_s": 12 * HOUR}, by=make_author()))
    assert stops(batch) == {
        "A": ["SCHEDULE_EXCEEDS_RPO", "INHERITED_COMMITMENT_TOO_WEAK"],
        "B": ["SCHEDULE_EXCEEDS_RPO", "RPO_EXCEEDS_BIA_TOLERANCE"],
        "C": ["SCHEDULE_EXCEEDS_RPO"],
    }
    assert {item.state for item in batch.items.all()} == {"waiting"}
    batching.start(batch=batch, by=make_author(), at=NOON)
    working_through.work(batch=batch, clock=lambda: NOON)
    assert ServiceVersion.objects.filter(state="draft").count() == 3


def test_submission_and_approval_say_what_one_by_one_is_said(three):
    """And the approver who starts it all the same has it refused, with the same words."""
    silver = agreed("sla", rpo_s=4 * HOUR)
    drafts = [
        publishing.draft_version(
            service=service, content={"sla": silver}, commitment={"rpo_s": 4 * HOUR}, by=make_author(), at=NOON, reason="x",
            offerings=[{"name": "Silver", "rpo_s": 24 * HOUR}],
        )
        for service in three
    ]  # fmt: skip
    batch = proposed(batching.to_submit(drafts, by=make_author()), "submit")
    for draft in drafts:
        publishing.submit(version=draft, by=make_author(), at=NOON, announce=False)
    versions = list(ServiceVersion.objects.filter(state="in_review").order_by("pk"))
    approval = proposed(batching.to_approve(versions, by=make_approver(), at=NOON), "approve", by=make_approver())
    for version in versions:
        asked = checking.question_of(version, reader=make_approver())
        one_by_one = [each.code for each in checking.findings(asked=asked, measured=NIGHTLY, at=NOON) if each.stops]
        assert stops(approval)[version.service.code] == one_by_one == stops(batch)[version.service.code]
        assert one_by_one == ["SCHEDULE_EXCEEDS_RPO", "COMMITMENT_WEAKER_THAN_SLA", "SCHEDULE_EXCEEDS_RPO"], "Silver, too"
    batching.start(batch=approval, by=make_approver(), at=NOON)
    working_through.work(batch=approval, clock=lambda: NOON, measure=lambda service, at: NIGHTLY)
    assert {item.state for item in approval.items.all()} == {"refused"}


def test_a_new_entry_of_a_sheet_is_checked_by_what_it_says_itself():
    row = importing.Wish(1, "NEW", values={"rpo_s": HOUR, "retention_days": 5, "retention_min_days": 30})
    assert stops(proposed([row])) == {"NEW": ["RETENTION_BELOW_MINIMUM"]} and not Service.objects.exists()


def test_what_cannot_be_done_or_changes_nothing_is_not_looked_at(three):
    same, gone = importing.to_change(["A", "gone"], {"rpo_s": 93_600}, by=make_author())
    assert stops(proposed([same, gone])) == {"A": [], "gone": []}


def test_it_asks_as_much_for_many_as_for_one(three, django_assert_max_num_queries):
    def asked(codes):
        wishes = importing.to_change(codes, {"rpo_s": 12 * HOUR}, by=make_author())
        with django_assert_max_num_queries(20) as seen:
            previewing.stops_of(wishes, by=make_author(), at=NOON, measure=nightly)
        return len(seen.captured_queries)

    assert asked(["A"]) == asked(["A", "B", "C"])


def test_a_version_without_what_is_measured_is_checked_by_the_rest():
    draft = make_draft("plain", rpo_s=HOUR, **{k: v for k, v in make_content("plain").items() if k == "tier"})
    assert stops(proposed(batching.to_submit([draft], by=make_author()), "submit", measure=previewing.unmeasured)) == {"plain": []}
    assert Batch.objects.count() == 1
