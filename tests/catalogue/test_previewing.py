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


def needs(consumer, provider):
    relating.relate(consumer=consumer, provider=provider, kind="depends_on", strength="hard", by=make_admin(), at=NOON, reason="x")


def in_review(*promised):
    """Versions in review of these services with these recovery points, in this order."""
    made = []
    for service, hours in promised:
        content = {"supplier": f"{hours} h"}
        said = {"by": make_author(), "at": NOON}
        draft = publishing.draft_version(service=service, content=content, commitment={"rpo_s": hours * HOUR}, reason="x", **said)
        made.append(publishing.submit(version=draft, by=make_author(), at=NOON, announce=False))
    return made


def approval_of(versions):
    approver = make_approver()
    return proposed(batching.to_approve(versions, by=approver, at=NOON), "approve", by=approver, measure=previewing.unmeasured)


def approved(batch, at=NOON):
    batching.start(batch=batch, by=batch.by, at=NOON)
    working_through.work(batch=batch, clock=lambda: at)
    return {item.code: item.state for item in batch.items.all()}


@pytest.mark.req("1.5")
def test_rows_of_one_batch_are_weighed_together_and_approved_as_the_preview_says(three):
    """A needs B, B needs C. All are to be stricter: in the order of the list A would be refused, because B still promises less."""
    a, b, c = three
    needs(a, b)
    needs(b, c)
    batch = approval_of(in_review((a, 4), (b, 4), (c, 2)))
    assert stops(batch) == {"A": [], "B": [], "C": []}
    assert approved(batch) == {"A": "done", "B": "done", "C": "done"}


def test_a_row_that_cannot_hold_by_itself_is_not_counted_for_the_others(three):
    """C stays at 26 h, because its impact analysis tolerates less than what it wants; so A, which needs it, cannot be stricter."""
    a, b, c = three
    needs(a, c)
    analysis(c, tolerated_loss_s=HOUR)
    batch = approval_of(in_review((a, 4), (b, 4), (c, 4)))
    assert stops(batch) == {"A": [checking.INHERITED], "B": [], "C": ["RPO_EXCEEDS_BIA_TOLERANCE"]}
    assert approved(batch) == {"A": "refused", "B": "done", "C": "refused"}


def test_of_two_rows_that_exclude_each_other_the_earlier_holds(three):
    """A needs C, and both are at 26 h. C may be weaker only with A; then C before A, so that A cannot be stricter again."""
    a, _, c = three
    needs(a, c)
    weaker = approval_of(in_review((c, 50), (a, 60)))
    assert stops(weaker) == {"A": [], "C": []} and approved(weaker) == {"A": "done", "C": "done"}
    apart = approval_of(in_review((c, 58), (a, 55)))
    assert stops(apart) == {"A": [checking.INHERITED], "C": []}
    assert approved(apart, NOON + dt.timedelta(hours=1)) == {"A": "refused", "C": "done"}
