"""Changes behind an entry are detected by looking again, wait for a steward, and end by a version, a word, or by themselves."""

from __future__ import annotations

import datetime as dt
from functools import partial

import pytest

from catalogue import publishing, relating
from catalogue.models import Relation, Service
from catalogue.refusing import NotAllowed, NotReady, WrongState
from itsm_backup import journey
from itsm_backup.common.models import Notice, because
from monitoring import detecting, intake, translating
from monitoring.models import BackupJob, DetectedChange, DetectedValue, SettledChange
from tests.catalogue.makers import make_user
from tests.factories import make_admin, make_job, make_rule, make_schedule, make_service, make_tool, push, run_record
from tests.monitoring.test_translating import answer

pytestmark = pytest.mark.django_db
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.fixture
def imaging(noon):
    service = make_service("PACS", name="Imaging archive", at=noon - 9 * DAY, rpo_s=26 * 3600)
    tool = make_tool(at=noon - 9 * DAY)
    job = make_job(tool, "pacs-nightly", at=noon - 9 * DAY, service=service)
    make_schedule(job, local_times="10:00", grace_s=3600)
    backed_up(tool, noon - 2 * DAY)
    assert detecting.detect_changes(at=noon - DAY) == 0, "the first look only remembers"
    return service


def backed_up(tool, at, **more):
    record = run_record("pacs-nightly", "success", at - HOUR, **{"repository_name": "/srv/pool", "encrypted": True, **more})
    push(tool, record, at=at)
    journey.advance(at=at)


def waiting(at):
    return [(row.aspect, row.before, row.after) for row in DetectedChange.objects.waiting(at).order_by("pk")]


def tool_of(service):
    return BackupJob.objects.get(service=service).tool


def approved(service, at):
    author = make_user("author", "catalogue.view_service", "catalogue.change_service")
    draft = publishing.draft_version(service=service, content={"summary": f"As of {at}"}, commitment={}, by=author, at=at, reason="test")
    publishing.submit(version=draft, by=author, at=at)
    publishing.approve(version=draft, by=make_admin("boss"), at=at)


def test_nothing_new_is_no_change(imaging, noon):
    backed_up(tool_of(imaging), noon - 2 * HOUR)
    assert detecting.detect_changes(at=noon) == 0 and waiting(noon) == []
    assert detecting.detect_changes(at=noon) == 0


def test_where_jobs_write_and_whether_they_encrypt(imaging, noon):
    backed_up(tool_of(imaging), noon - 2 * HOUR, repository_name="s3:bucket", encrypted=False)
    assert detecting.detect_changes(at=noon) == 2
    assert waiting(noon) == [("repository", "/srv/pool", "s3:bucket"), ("encrypted", "encrypted", "not encrypted")]
    assert waiting(noon - HOUR) == [], "nobody knew then"
    mail = Notice.objects.get(key__startswith="detected/")
    assert mail.subject == "Imaging archive: its backups changed after version 1 was approved"
    assert "- Repository of pacs-nightly: /srv/pool before, s3:bucket" in mail.body and "/services/detected/?service=PACS" in mail.body


def test_a_run_of_long_ago_that_is_told_late_moves_nothing_back(imaging, noon):
    tool = tool_of(imaging)
    backed_up(tool, noon - 2 * HOUR, repository_name="s3:bucket")
    push(tool, run_record("pacs-nightly", "success", noon - 8 * DAY, repository_name="/srv/pool"), at=noon - HOUR)
    assert BackupJob.objects.get(service=imaging).repository_name == "s3:bucket"


def test_a_schedule_that_moves_and_a_promise_that_cannot_hold_any_more(imaging, noon):
    schedule = BackupJob.objects.get(service=imaging).schedule
    with because("Only once a week", by=make_admin()):
        schedule.rrule = "FREQ=WEEKLY;BYDAY=SU"
        schedule.save()
    assert detecting.detect_changes(at=noon) == 2
    (moved, broken) = waiting(noon)
    assert moved == ("schedule", "Daily 10:00 UTC, grace 1 h", "Weekly on Sun 10:00 UTC, grace 1 h")
    assert broken[0].startswith("check:SCHEDULE_EXCEEDS_RPO:") and broken[1] == "" and "26 h" in broken[2]
    with because("Back", by=make_admin("other")):
        schedule.rrule = "FREQ=DAILY"
        schedule.save()
    assert detecting.detect_changes(at=noon + HOUR) == 0, "what was undone asks for nothing"
    assert waiting(noon + HOUR) == [] and len(waiting(noon)) == 2, "and the past stays what it was"


def test_a_promise_that_cannot_hold_at_the_first_look_is_told_and_told_again_where_it_gets_worse(noon):
    """Each part of it by itself, without the name of a service that its readers may not see."""
    archive, portal, ward = (
        make_service(code, at=noon - DAY, rpo_s=hours * 3600) for code, hours in (("ARCHIVE", 26), ("PORTAL", 4), ("WARD", 1))
    )
    relate = partial(relating.relate, provider=archive, kind="depends_on", strength="hard", by=make_admin(), reason="It reads from it")
    relate(consumer=portal, at=noon - HOUR)
    assert detecting.detect_changes(at=noon) == 2
    of_archive = DetectedChange.objects.filter(service=archive)
    first = of_archive.get()
    assert (first.aspect, first.before) == ("check:INHERITED_COMMITMENT_TOO_WEAK:above rpo_s", "")
    assert first.after == "Another service stops with it and promises more: a recovery point of 26 h is too weak for that."
    assert not DetectedChange.objects.filter(after__contains="PORTAL").exists()
    assert detecting.detect_changes(at=noon + HOUR) == 0, "as bad as it was"
    detecting.settle(change=first, by=make_admin("steward"), at=noon + HOUR, reason="Known")
    relate(consumer=ward, at=noon + HOUR)
    detecting.detect_changes(at=noon + 2 * HOUR)
    assert [row.before for row in of_archive.waiting(noon + 2 * HOUR)] == ["it could not be held either, by less"]
    mover = make_admin("mover")
    for relation in Relation.objects.all():
        relating.end(relation=relation, by=mover, at=noon + 3 * HOUR, reason="Moved")
    detecting.detect_changes(at=noon + 4 * HOUR)
    assert not of_archive.waiting(noon + 4 * HOUR).exists(), "it holds again"


def test_a_job_that_protects_it_no_longer(imaging, noon):
    BackupJob.objects.filter(service=imaging).update(service=make_service("OTHER", at=noon - 9 * DAY))
    detecting.detect_changes(at=noon)
    assert ("job", "protects it", "protects it no longer") in waiting(noon)


def test_mapped_attributes_count_but_ages_that_grow_do_not(noon):
    mona = make_user("mona", "monitoring.view_tool", "monitoring.change_tool")
    peter = make_user("peter", "monitoring.view_tool", "monitoring.approve_attributemapping")
    tool = make_tool("borg", name="vault", at=noon - 60 * DAY, settings={"repository": "/srv/vault"})
    intake.receive(tool=tool, answer=answer(noon, alpha=(50, 1)), at=noon)
    make_rule(make_service("PACS", at=noon - 60 * DAY), tool, BackupJob.objects.get().external_id, at=noon - 60 * DAY)
    journey.advance(at=noon)
    rows = [
        {"path": "list.archives[].start", "field": "retention_days", "unit": "instant", "transform": "oldest_age"},
        {"path": "list.encryption.mode", "field": "encryption", "unit": "word", "transform": "words",
         "words": {"repokey": "at_rest", "none": "none"}},
    ]  # fmt: skip
    draft = translating.draft_mapping(tool=tool, rows=rows, by=mona, at=noon, reason="First")
    translating.approve(row=draft, by=peter, at=noon, reason="Right")
    detecting.detect_changes(at=noon + HOUR)
    later = answer(noon + 9 * DAY, alpha=(50, 1))
    later.steps[1].stdout = later.steps[1].stdout.replace('"mode": "repokey"', '"mode": "none"')
    intake.receive(tool=tool, answer=later, at=noon + 9 * DAY)
    journey.advance(at=noon + 9 * DAY)
    detecting.detect_changes(at=noon + 9 * DAY)
    found = waiting(noon + 9 * DAY)
    assert ("encryption", "at rest", "none") in found and "retention_days" not in [one[0] for one in found]


def test_a_version_approved_since_takes_it_up(imaging, noon):
    backed_up(tool_of(imaging), noon - 2 * HOUR, repository_name="s3:bucket")
    detecting.detect_changes(at=noon)
    approved(imaging, noon + HOUR)
    assert waiting(noon + HOUR) == [] and len(waiting(noon)) == 1
    assert detecting.detect_changes(at=noon + DAY) == 0


def test_a_steward_says_why_none_is_needed(imaging, noon):
    backed_up(tool_of(imaging), noon - 2 * HOUR, repository_name="s3:bucket")
    detecting.detect_changes(at=noon)
    change = DetectedChange.objects.get()
    steward = make_user("steward", "catalogue.view_service", "catalogue.change_service")
    said = {"change": change, "at": noon + HOUR}
    with pytest.raises(NotAllowed, match="You may not change PACS"):
        detecting.settle(**said, by=make_user("reader", "catalogue.view_service"), reason="Fine")
    with pytest.raises(NotReady, match="Say why"):
        detecting.settle(**said, by=steward, reason="  ")
    detecting.settle(**said, by=steward, reason="The entry names no repository")
    assert waiting(noon + HOUR) == []
    with pytest.raises(WrongState, match="waits no more"):
        detecting.settle(**said, by=steward, reason="Again")
    kept = SettledChange.history.get()
    assert (kept.history_user, kept.history_change_reason) == (steward, "The entry names no repository")


def test_through_the_api(imaging, noon, client):
    backed_up(tool_of(imaging), noon - 2 * HOUR, repository_name="s3:bucket")
    detecting.detect_changes(at=noon)
    steward = make_user("steward", "catalogue.view_service", "catalogue.change_service")
    client.force_login(steward, backend="django.contrib.auth.backends.ModelBackend")
    (row,) = client.get("/api/v1/detected-changes/?waiting=true&service=PACS").json()["results"]
    assert (row["aspect"], row["job"], row["before"], row["after"]) == ("repository", "pacs-nightly", "/srv/pool", "s3:bucket")
    address = f"/api/v1/detected-changes/{row['id']}/settle"
    assert client.post(address, {}, content_type="application/json").status_code == 400
    settled = client.post(address, {"reason": "Named nowhere"}, content_type="application/json").json()
    assert (settled["settled_by"], settled["settled_because"]) == ("steward", "Named nowhere")
    assert client.post(address, {"reason": "Again"}, content_type="application/json").status_code == 409
    assert client.get("/api/v1/detected-changes/?waiting=true").json()["count"] == 0
    assert client.get("/api/v1/detected-changes/").json()["count"] == 1
    assert client.get("/api/v1/detected-changes/?as_of=2026-07-14T11:00Z").json()["count"] == 0, "nobody knew then"
    client.force_login(make_user("stranger"), backend="django.contrib.auth.backends.ModelBackend")
    assert client.post(address, {"reason": "Mine"}, content_type="application/json").status_code == 404
    assert client.get("/api/v1/detected-changes/").json()["count"] == 0


def test_an_entry_that_cannot_be_looked_at_holds_no_other_up(imaging, noon, monkeypatch, caplog):
    backed_up(tool_of(imaging), noon - 2 * HOUR, repository_name="s3:bucket")
    other = make_service("A-FIRST", at=noon - 9 * DAY)
    measure = detecting.measured
    monkeypatch.setattr(detecting, "measured", lambda service, at: 1 / 0 if service == other else measure(service, at))
    assert detecting.detect_changes(at=noon) == 1
    assert "failed and waits; the others go on" in caplog.text


def test_entries_that_are_not_in_force_stand_in_nobodys_way(imaging, noon, monkeypatch):
    idle = make_service("IDLE", at=noon + 9 * DAY)
    long_ago = noon - 9 * DAY
    DetectedValue.objects.create(service=idle, aspect=detecting.LOOK, since_at=long_ago, looked_at=long_ago)
    monkeypatch.setattr(detecting, "MOST_ENTRIES", 1)
    backed_up(tool_of(imaging), noon, repository_name="s3:bucket")
    assert detecting.detect_changes(at=noon + HOUR) == 1


def test_those_not_looked_at_for_longest_come_first_and_a_look_costs_no_more_with_more_entries_behind(imaging, noon, monkeypatch):
    monkeypatch.setattr(detecting, "MOST_ENTRIES", 1)
    for code in ("A", "B"):
        make_service(code, at=noon - 9 * DAY)
    for hours in range(3):
        detecting.detect_changes(at=noon + hours * HOUR)
    looked = Service.objects.filter(detected_values__aspect="look").values_list("code", "detected_values__looked_at")
    assert {code: at for code, at in looked if code in "AB"} == {"A": noon, "B": noon + HOUR}
    assert dict(looked)["PACS"] == noon + 2 * HOUR
