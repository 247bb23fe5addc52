"""The run page: facts, corrections, and the tool's raw answer for those who may see the tool."""

import json

import pytest

from itsm_backup.portal.run_page import as_text, find, own_record, run_page
from monitoring.connectors.base import Answer, Step
from monitoring.models import BackupRun, RawAnswer, RestorePoint
from tests.factories import push, restore_record, run_record
from tests.portal.makers import FULL, HOUR, make_person

pytestmark = pytest.mark.django_db


def page_of(estate, user, run):
    return run_page(run=find(pk=run.pk, user=user, moment=estate.moment), user=user, moment=estate.moment)


@pytest.fixture
def failed_run(estate):
    return BackupRun.objects.filter(service=estate.imaging, outcome="failed").latest("occurred_at")


def test_it_tells_what_the_record_tells_and_nothing_more(estate, root, failed_run):
    page = page_of(estate, root, failed_run)
    facts = {label: str(value) for label, value in page.facts}
    assert (page.verdict, page.result, page.message) == ("broken", "Failed", FULL)
    assert (facts["Job"], facts["Tool"], facts["Exit code"], facts["Took"]) == ("pacs-2h", "Backup control", "1", "2 min")
    assert "Stored" not in facts and "Encrypted" not in facts


def test_who_may_see_the_tool_reads_its_answer(estate, failed_run):
    page = page_of(estate, make_person("operator", estate.at), failed_run)
    assert FULL in page.raw
    assert "secrets masked, sha256 " in page.raw_note


def test_of_a_bulk_report_only_the_runs_own_record_is_shown(estate, root):
    run = BackupRun.objects.filter(service=estate.imaging, outcome="success").earliest("occurred_at")
    page = page_of(estate, root, run)
    assert json.loads(page.raw)["external_id"] == run.external_id
    assert "ris-4h" not in page.raw
    assert "the others are left out here" in page.raw_note


def test_who_may_not_see_the_tool_is_told_why_and_who_can(estate, failed_run):
    operator = make_person("operator", estate.at)
    page = page_of(estate, make_person("stakeholder", estate.at), failed_run)
    assert page.raw == ""
    assert "may hold data of other services" in page.raw_refusal
    assert operator.get_full_name() in page.raw_refusal


def test_an_answer_that_was_destroyed_says_so(estate, root, failed_run):
    RawAnswer.objects.filter(pk=failed_run.answer).delete()
    page = page_of(estate, root, failed_run)
    assert page.raw_refusal == f"Raw answer {failed_run.answer} is no longer kept. What was read from it stands above."


def test_a_correction_shows_before_and_after(estate, root, failed_run):
    corrected = run_record("pacs-2h", "success", estate.at - HOUR, minutes=2, source_revision="2")
    push(estate.tool, corrected, at=estate.at)
    page = page_of(estate, root, failed_run)
    assert any("outcome: failed → success" in line for one in page.corrections for line in one.lines)


def test_it_says_since_when_a_copy_is_gone(estate, root, failed_run):
    run = BackupRun.objects.filter(service=estate.imaging, point__isnull=False).earliest("occurred_at")

    def told():
        return dict(page_of(estate, root, run).facts).get("Can be restored")

    assert (told(), dict(page_of(estate, root, failed_run).facts).get("Can be restored")) == (None, None)
    RestorePoint.objects.filter(run=run).update(gone_at=estate.moment.at + HOUR)
    assert told() is None
    RestorePoint.objects.filter(run=run).update(gone_at=estate.moment.at - HOUR)
    assert told().startswith("no longer: its copy is gone since ")


def test_what_one_may_not_see_is_not_found(estate, failed_run):
    somebody = make_person("stakeholder", estate.at, services=[estate.research])
    assert find(pk=failed_run.pk, user=somebody, moment=estate.moment) is None


def test_steps_read_like_a_terminal():
    steps = [
        Step(name="snapshots", command="restic snapshots --json", exit_code=0, stdout="[]"),
        Step(name="x", exit_code=1, stderr="boom"),
    ]
    assert as_text(Answer(kind="poll", steps=steps)) == "$ restic snapshots --json   → exit 0\n[]\n[x]   → exit 1\nboom"


def test_an_endless_answer_is_cut_and_says_by_how_much():
    shown = as_text(Answer(kind="ping", steps=[Step(name="body", stdout="x" * 300_000)]))
    assert len(shown) < 201_000
    assert shown.endswith("more characters are kept")


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "null", '[{"external_id": "other"}, {}]'])
def test_a_body_without_the_run_gives_no_record(text):
    assert own_record(Answer(kind="api", steps=[Step(name="body", stdout=text)]), "mine") == ("", 0)


def test_a_record_inside_a_cloud_event_is_found():
    body = "\n".join(json.dumps({"id": str(n), "data": {"external_id": f"run-{n}"}}) for n in range(3))
    record, count = own_record(Answer(kind="api", steps=[Step(name="body", stdout=body)]), "run-1")
    assert (json.loads(record)["id"], count) == ("1", 3)


def test_a_proof_that_refutes_is_no_good_run_whatever_its_exit_code(estate, root):
    record = restore_record("pacs-2h", "success", estate.at - 6 * HOUR, verification_state="failed", exit_code=0)
    push(estate.tool, record, at=estate.at)
    page = page_of(estate, root, BackupRun.objects.get(operation="restore_test"))
    facts = {label: str(value) for label, value in page.facts}
    assert (page.verdict, page.result) == ("broken", "Failed, not as saved")
    assert page.message == "What came back was compared, and it is not what was saved, so this restore test failed."
    assert (facts["Exit code"], facts["What came back"]) == ("0", "compared, not as saved")


def test_it_says_that_the_full_copy_below_is_gone(estate, root):
    """An incremental copy that nobody can restore by itself any more."""
    full, latest = BackupRun.objects.filter(service=estate.imaging, outcome="success", point__isnull=False).order_by("occurred_at")[:2]
    BackupRun.objects.filter(pk=full.pk).update(level="full")
    BackupRun.objects.filter(pk=latest.pk).update(level="incremental")
    RestorePoint.objects.filter(run=full).update(gone_at=estate.at - HOUR)
    RestorePoint.objects.filter(run=latest).update(invalid_from=estate.at - HOUR)
    facts = {label: str(value) for label, value in page_of(estate, root, latest).facts}
    assert (
        facts["Can be restored"].startswith("no longer: the full copy of ")
        and " that it builds on is gone since " in facts["Can be restored"]
    )
