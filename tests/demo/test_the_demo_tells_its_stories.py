"""The demo estate on a shorter history: its stories on the pages, every run read again, fed on, and taken away without trace."""

from __future__ import annotations

import datetime as dt

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction

from catalogue import checking, inventorying
from catalogue.models import (
    Cmdb,
    ConfigurationItem,
    Deviation,
    GrantEntry,
    ImpactAnalysis,
    ItemLink,
    Relation,
    Service,
    ServiceVersion,
    Team,
    TeamMember,
)
from incidents.models import Incident
from itsm_backup import digesting, journey, tasks
from itsm_backup.common.models import Notice, because
from itsm_backup.demo import amending, feeding, handling, loading, removing, stories, weaving, world
from itsm_backup.demo.models import Replay
from itsm_backup.demo.world import day_at
from itsm_backup.estate.beginning import begin
from itsm_backup.launcher.data_folder import ORGANISATION_FILE
from itsm_backup.portal import matrix, objectives_page, relation_list, scope_register
from itsm_backup.portal import service_page as pages
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.calendar_page import calendar_page
from itsm_backup.portal.estate import estate_page
from itsm_backup.portal.framing import _counted
from monitoring import answers, polling, unmatched
from monitoring.capability import measured
from monitoring.combining import key_of
from monitoring.connectors import reader_of
from monitoring.models import (
    Agreement,
    Alert,
    BackupJob,
    BackupRun,
    DetectedChange,
    QuarantinedRecord,
    Repository,
    RestoreTest,
    RuleVersion,
    ServiceDay,
    ServiceState,
    StatusMap,
    Tool,
)
from tests.factories import make_job, make_service, make_tool, push, run_record

NOW = dt.datetime(2026, 11, 27, 9, 42, tzinfo=dt.UTC)  # a Friday
HOUR, MINUTE = dt.timedelta(hours=1), dt.timedelta(minutes=1)
pytestmark = [pytest.mark.django_db, pytest.mark.req("2.4", "5.1")]


def tables() -> dict[str, int]:
    found = {
        model._meta.label: model._base_manager.count() for model in apps.get_models(include_auto_created=True) if not model._meta.proxy
    }
    return {name: count for name, count in found.items() if name != "monitoring.Watermark"}


@pytest.fixture(scope="module")
def told(django_db_setup, django_db_blocker, tmp_path_factory):
    """Loaded once for the module, inside a transaction that is undone at its end; every test has a savepoint of its own."""
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch, transaction.atomic():
        patch.setattr(world, "DAYS", 11)
        patch.setattr(loading, "_instants", lambda anchor: [day_at(anchor, 5, dt.time(23, 55)), anchor - 5 * HOUR, anchor - HOUR, anchor])
        begin(at=NOW, data_dir=tmp_path_factory.mktemp("demo"), empty=False)
        journey.advance(at=NOW)
        before, said = tables(), []
        loading.load_demo(at=NOW, tell=said.append)
        yield before, said
        transaction.set_rollback(True)


@pytest.fixture
def service(told):
    root = get_user_model().objects.get(username="administrator")
    return lambda code, at=NOW: pages.service_page(
        version=pages.find(code=code, user=root, moment=Moment(at=at, now=NOW)), user=root, moment=Moment(at=at, now=NOW)
    )


def home(at=NOW):
    root = get_user_model().objects.get(username="administrator")
    return estate_page(user=root, moment=Moment(at=at, now=NOW), by="")


def test_most_services_keep_their_promise(told):
    kept = ServiceState.objects.filter(verdict__in=["kept", "at_risk"]).count()
    assert ServiceState.objects.count() == 48 and 41 <= kept <= 45  # the product's own database is one of them
    assert home().sentence == f"{kept} of 48 services keep their backup promise."
    assert told[1][-1].endswith("runs, step 4 of 4")


def test_the_full_pool_is_told_on_the_home_page_and_has_one_incident(told):
    worst = home().attention[0]
    assert (worst.verdict, worst.service.words) == ("broken", "Imaging archive (PACS)")
    assert "failed run" in worst.known and "The storage is full." in worst.known
    incident = Incident.objects.get(pk=int(worst.handled.words[4:]))
    assert incident.title == "Backups of Imaging archive (PACS) and 2 more services fail because the storage is full"
    assert incident.assignee.username == "operator"
    known_at = incident.incident_alerts.earliest("attached_at").attached_at
    assert incident.acknowledged_at == known_at + handling.REACTION, "nobody takes what is not known yet"
    hit = {code for code in incident.incident_alerts.values_list("alert__service__code", flat=True) if code}
    assert {"SVC-003", "SVC-011"} <= hit, "several services fail on the same repository"


def test_the_silent_agent_is_no_data_and_one_incident(told):
    row = next(one for one in home().attention if one.service.words == "Research file shares")
    assert (row.verdict, row.exposure.age) == ("no_data", "Unknown")
    assert "has not answered" in row.known and row.handled.words.startswith("INC-")


def test_the_vanished_job_is_broken_and_missed_every_night(told, service):
    row = next(one for one in home().attention if one.service.words == "Library catalogue")
    assert row.verdict == "broken" and "did not run" in row.known
    assert ServiceDay.objects.filter(service__code="SVC-034", worst="M").count() >= 8
    assert any("did not run" in row.name.words for row in service("SVC-034").problems)


def test_the_missed_night_is_told_on_the_page_of_its_service(told, service):
    found = service("SVC-035")
    assert any("did not run" in row.name.words for row in found.problems)
    assert found.exposure.verdict in ("kept", "at_risk")


def test_the_failed_restore_test_contradicts_what_is_promised(told, service):
    row = next(one for one in home().attention if one.service.words == "Endoscopy images")
    assert row.verdict == "broken"
    assert RestoreTest.objects.filter(outcome="failed").get().job.service.code == "SVC-017"
    assert RestoreTest.objects.filter(outcome="passed").count() > 5
    assert Incident.objects.filter(
        incident_alerts__alert__service__code="SVC-017", incident_alerts__alert__alert_class="rto_test_failed"
    ).exists()


def test_the_weekend_full_backup_stands_out(told, service):
    runs = BackupRun.objects.filter(service__code="SVC-026", outcome="success").order_by("occurred_at")
    full = [run for run in runs if run.level == "full"][1:]  # the first backup of all is a full one, too
    usual = sorted(run.bytes_stored for run in runs if run.level != "full")
    assert {run.occurred_at.weekday() for run in full} == {5}
    assert min(run.bytes_stored for run in full) > 10 * usual[len(usual) // 2]


def test_the_list_of_incidents_the_calendar_and_the_digest_tell_the_same_stories(told):
    root = get_user_model().objects.get(username="administrator")
    titles = set(Incident.objects.told_to(root).open().values_list("told_title", flat=True))
    full = "Backups of Imaging archive (PACS) and 2 more services fail because the storage is full"
    assert full in titles and "Endoscopy images failed its restore test" in titles
    assert any("has not answered" in title for title in titles) and any(title.startswith("lib01:catalogue did not run") for title in titles)

    digest = digesting.compose(person=root, at=NOW)
    parts = {part.title: part.lines for part in digest.exceptions}
    bad = {line.partition(":")[0] for line in parts["Services that do not keep their promise"]}
    assert bad == {row.service.words for row in home().attention if row.verdict in ("broken", "no_data")}
    assert bad >= {"Imaging archive (PACS)", "Research file shares", "Library catalogue", "Endoscopy images"}
    assert len(parts["Open incidents"]) == len(titles) and any(full in line for line in parts["Open incidents"])

    page = calendar_page(user=root, moment=Moment(at=NOW, now=NOW), asked={}, page=1)
    shown = {row.code: [cell.kind for cell in row.days] for group in page.groups for row in group.rows}
    assert shown["SVC-003"][-1] == "failed", "the full pool"
    assert shown["SVC-034"].count("missed") >= 8, "the vanished job"
    assert "missed" in shown["SVC-035"][-2:], "the missed night"
    assert "failed" in shown["SVC-017"], "the restore test that refutes"


def test_a_saturday_of_what_is_open_on_working_days_is_seen_and_counts_for_no_rate(told, service):
    friday, saturday = ServiceDay.objects.filter(service__code="SVC-040", day__in=["2026-11-20", "2026-11-21"]).order_by("day")
    assert [(day.good, day.uncounted) for day in (friday, saturday)] == [(1, 0), (0, 1)]
    root = get_user_model().objects.get(username="administrator")
    moment = Moment(at=NOW, now=NOW)
    page = objectives_page.objectives_page(version=objectives_page.find(code="SVC-040", user=root, moment=moment), user=root, moment=moment)
    assert {row.name: row.window for row in page.rows}["Run success"] == "calendar month, Mon–Fri"
    assert "open from Monday to Friday" in service("SVC-040").summary


def test_the_past_is_shown_as_known_then(told):
    past = home(day_at(NOW, 5, dt.time(23, 59)))
    assert past.sentence == "46 of 47 services keep their backup promise."  # the library's job had vanished by then
    assert all(tile.exposure.known for group in past.groups for tile in group.tiles if tile.exposure.promise)


def test_every_run_parses_again_from_its_raw_answer(told):
    read: dict[int, set[bytes]] = {}
    assert BackupRun.objects.count() > 3_000
    for run in BackupRun.objects.order_by("answer"):
        if run.answer not in read:
            tool, answer = answers.open_answer(run.answer)
            reading = reader_of(answer.kind, tool.kind).read(answer)
            read[run.answer] = {key_of(tool.pk, record) for record in reading.records} | {
                record.artefact_id.encode() for record in reading.records if record.artefact_id
            }
        assert bytes(run.key) in read[run.answer] or (run.artefact_id or "").encode() in read[run.answer], run
    assert [row.tool.name for row in QuarantinedRecord.objects.select_related("tool")] == ["restic-digital"], (
        "only what a script says wrongly"
    )


def test_nobody_is_told_of_what_was_replayed(told):
    assert Notice.objects.exists()
    assert not Notice.objects.filter(given_up_at=None).exists() and not Notice.objects.exclude(sent_at=None).exists()
    assert not Notice.objects.waiting(NOW + HOUR).exists()


def test_pages_say_that_it_is_replayed(told, service):
    root = get_user_model().objects.get(username="administrator")
    counted = _counted(root, Moment(at=NOW, now=NOW))
    assert counted["replayed"] == 8 < counted["tools"]
    assert all("replayed recording" in job.tool for job in service("SVC-001").jobs)
    with pytest.raises(polling.Replayed, match="nothing to ask"):
        polling.poll(tool=Tool.objects.get(name="restic-imaging"), at=NOW)
    assert polling.claim_due(at=NOW + 24 * HOUR) == []


def test_pages_ask_no_more_for_forty_services(told, django_assert_max_num_queries, service):
    with django_assert_max_num_queries(8):
        home()
    with django_assert_max_num_queries(22):
        service("SVC-003")


def test_while_somebody_looks_it_goes_on_and_stays_true(told):
    later = NOW + 5 * HOUR
    assert feeding.feed(at=later) > 0
    assert feeding.feed(at=later) == 0
    journey.advance(at=later)
    kept = ServiceState.objects.filter(verdict__in=["kept", "at_risk"]).count()
    assert 41 <= kept <= 45
    assert ServiceState.objects.get(service__code="SVC-001").captured_at > later - HOUR
    assert ServiceState.objects.get(service__code="SVC-003").verdict == "broken"
    assert Alert.objects.open().filter(service__code="SVC-003", alert_class="job_failed").get().occurrences >= 4


def test_after_a_pause_its_tools_speak_before_anything_is_judged(told, monkeypatch):
    later = NOW + 30 * HOUR
    monkeypatch.setattr(tasks, "now", lambda: later)
    monkeypatch.setattr(tasks.journey, "now", lambda: later)
    missed = Alert.objects.filter(alert_class="job_missed").count()
    tasks.advance()
    assert Replay.objects.get().fed_until == later
    assert Alert.objects.filter(alert_class="job_missed").count() <= missed + 1  # the vanished job alone goes on missing
    assert ServiceState.objects.get(service__code="SVC-001").captured_at > later - HOUR


def test_a_short_pause_is_left_to_the_feeder(told):
    assert feeding.catch_up(at=NOW + 5 * MINUTE) == 0


def test_it_goes_without_trace(told):
    before, _ = told
    organisation = settings.DATA_DIR / ORGANISATION_FILE
    organisation.write_text("Northmoor Hospitals")
    with because("Somebody tried it"):
        TeamMember.objects.create(team=Team.objects.get(name="Site services"), person=get_user_model().objects.get(username="k.oyelaran"))
    removing.remove_demo(at=NOW)
    assert not organisation.exists(), "from the next start pages carry the name that was configured"
    left = tables()
    people = {name: left[name] - before[name] for name in before if left[name] != before[name]}
    own = {"ExpectedRun": "job__tool", "ServiceDay": "service", "Figure": "service", "Evaluation": "service", "StatusChange": "service",
           "DetectedValue": "service"}  # fmt: skip
    assert set(people) <= {
        "auth.User", "auth.User_groups", "admin.LogEntry", "guardian.UserObjectPermission", "catalogue.GrantEntry",
        *(f"{'catalogue' if name == 'StatusChange' else 'monitoring'}.{name}" for name in own),
    }  # fmt: skip
    for name, service in own.items():  # what was judged meanwhile of the one service that is real
        model = apps.get_model("catalogue" if name == "StatusChange" else "monitoring", name)
        wanted = {"job__tool__name": "itsm-backup"} if name == "ExpectedRun" else {f"{service}__code": "ITSM-DB"}
        assert not model._base_manager.exclude(**wanted).exists()
    assert not GrantEntry.objects.filter(person__isnull=False).exclude(person__in=get_user_model().objects.values("pk")).exists()
    left = set(get_user_model().objects.values_list("username", flat=True))
    assert "administrator" in left and not {"operator", "executive", "h.adeyemi"} & left
    assert not Service.objects.exclude(code="ITSM-DB").exists()
    assert not removing.remove_demo(at=NOW)
    transaction.get_connection().check_constraints()


def test_what_is_yours_stays(told):
    tool = make_tool(name="ours")
    job = make_job(tool, "ours")
    push(tool, run_record("ours", "success", NOW - HOUR), at=NOW)
    mine = make_service("OWN-1")
    job.service = Service.objects.get(code="SVC-031")
    job.save()
    BackupRun.objects.filter(job=job).update(service=job.service)
    journey.advance(at=NOW)
    with because("Said by us"):
        vault = Repository.objects.create(tool=tool, name="Our vault", copy_of=Repository.objects.filter(tool__replayed=True).first())
    theirs = set(Repository.objects.filter(tool__replayed=True).values_list("pk", flat=True))
    removing.remove_demo(at=NOW)
    vault.refresh_from_db()
    assert theirs and set(Repository.objects.all()) == {vault} and vault.copy_of is None
    assert vault.history.first().history_change_reason.startswith("The demo estate was taken away")
    assert not Repository.history.filter(id__in=theirs).exists(), "nothing of what was said of the demo's places is left"
    job.refresh_from_db()
    assert job.service is None and BackupRun.objects.filter(job=job, service=None).count() == 1
    assert (
        set(Service.objects.values_list("code", flat=True)) == {"ITSM-DB", mine.code}
        and ServiceVersion.objects.filter(service=mine).exists()
    )
    transaction.get_connection().check_constraints()


def test_an_interrupted_load_goes_on_or_begins_anew(told, monkeypatch):
    mark = Replay.objects.get()
    Replay.objects.update(loaded_at=None, fed_until=NOW - 6 * HOUR)
    runs = BackupRun.objects.count()
    loading.load_demo(at=NOW + dt.timedelta(minutes=5))
    assert BackupRun.objects.count() == runs and Replay.objects.get().anchor_at == mark.anchor_at
    Replay.objects.update(loaded_at=None)
    said: list[str] = []
    monkeypatch.setattr(loading, "_instants", lambda anchor: [])
    loading.load_demo(at=NOW + 2 * HOUR, tell=said.append)
    assert Replay.objects.get().anchor_at == NOW + 2 * HOUR and Service.objects.count() == 48 and not BackupRun.objects.exists()
    assert said[0] == "The demo estate was loaded only in part: starting again"


@pytest.mark.req("2.2")
def test_jobs_wait_for_a_service_and_rules_were_written_by_two_people(told):
    root = get_user_model().objects.get(username="administrator")
    waiting = {job.name: job for job in unmatched.jobs_without_service(root)}
    assert set(waiting) == {"endoscopy01:/srv/worklists", "fin01:invoices", "kiosk01:/srv/kiosks"}
    found = unmatched.suggest(list(waiting.values()), root)
    services = {name: (one.service.code if (one := found[job.pk]).service else None) for name, job in waiting.items()}
    assert services == {"endoscopy01:/srv/worklists": "SVC-017", "fin01:invoices": None, "kiosk01:/srv/kiosks": None}
    ours = RuleVersion.objects.filter(name__in=[one["rule"]["name"] for one in amending.amendments() if "rule" in one])
    assert sorted(ours.values_list("name", "state", "author__username", "approver__username")) == [
        ("Endoscopy hosts", "draft", "monitoring-admin", None),
        ("Print servers", "approved", "monitoring-admin", "approver"),
        ("nas-02-refuses", "approved", "monitoring-admin", "approver"),
    ]
    prints = ours.get(name="Print servers")
    assert BackupJob.objects.get(attribution_rule=prints.decided).name == "print01:queues"


@pytest.mark.req("2.3")
def test_a_status_was_given_a_meaning_and_a_report_waits_in_quarantine(told):
    kept = StatusMap.objects.get()
    assert (kept.tool.name, kept.state, kept.words) == ("restic-research", "approved", {"exit 130": "cancelled"})
    record = QuarantinedRecord.objects.get()
    assert record.resolved_at is None and "yesterday, 03:15" in record.excerpt + record.reason


@pytest.mark.req("2.5")
def test_a_cmdb_is_read_and_disagrees_here_and_there(told):
    cmdb = Cmdb.objects.get()
    assert cmdb.replayed and cmdb.state.latest_complete_at == NOW and not cmdb.writes and not inventorying.claim_due(at=NOW + 9 * HOUR)
    assert cmdb.items.count() == 12 and cmdb.rejects.count() == 1 and ItemLink.objects.count() == 10
    odd = {
        (agreement.service.code, row["field"])
        for agreement in Agreement.objects.exclude(comparison=None).filter(service__item_links__isnull=False).distinct()
        for row in agreement.comparison.rows
        if set(row["odd"]) - {"catalogue", "monitoring"}
    }
    assert odd == {("SVC-011", "rpo_s"), ("SVC-017", "owner"), ("SVC-008", "team")}
    unsure = ConfigurationItem.objects.get(name="lib01")
    assert (unsure.retired, unsure.link.service.code) == (True, "SVC-034"), "NetBox retires it, the entry does not"


def test_the_stories_have_names(told):
    assert stories.FULL_POOL in {tool.name for tool in Tool.objects.filter(replayed=True)}


def test_critical_entries_have_an_agreement_and_an_impact_analysis_and_what_cannot_hold_is_borne(told):
    critical = ServiceVersion.objects.in_force(NOW).filter(tier=1)
    assert critical.count() == 10 and not critical.filter(sla=None).exists() and not critical.filter(review_due_on=None).exists()
    assert set(ImpactAnalysis.objects.filter(state="approved").values_list("service", flat=True)) == set(
        critical.values_list("service", flat=True)
    )
    found = {
        (version.service.code, one.code, one.state)
        for version in critical
        for one in checking.findings(asked=checking.question_of(version), measured=measured(version.service, NOW), at=NOW)
    }
    assert {one for one in found if one[2] != "consider"} == {("SVC-007", "RPO_EXCEEDS_BIA_TOLERANCE", "borne")}
    borne = Deviation.objects.get()
    assert borne.owner.username == "m.doyle" and borne.approver.username == "approver" and borne.expires_on > NOW.date()


def test_a_changed_schedule_says_which_entry_needs_a_new_version(told):
    change = DetectedChange.objects.waiting(NOW).get()
    assert (change.service.code, change.aspect) == ("SVC-021", "schedule")
    assert "grace 3 h" in change.before and "grace 5 h" in change.after


@pytest.mark.req("1.1", "1.6")
def test_the_matrix_the_circles_and_the_scope_have_something_to_show(told):
    root, moment = get_user_model().objects.get(username="administrator"), Moment(at=NOW, now=NOW)
    page = matrix.matrix_page(user=root, moment=moment, asked={}, page=1)
    shown = {letter for row in page.rows for letter in (cell.letter for cell in row.cells)}
    assert shown >= {"S", "B", "G", "?"}
    kinds = set(Relation.objects.values_list("kind", "strength"))
    assert kinds >= {("stores_to", "hard"), ("copies_to", "hard"), ("copies_to", "soft"), ("protects", "hard"), ("protects", "soft")}

    waits = relation_list.relations_page(user=root, moment=moment)
    assert [(one.consumer.words, one.provider.words) for one in waits.proposals] == [("Cardiac echo archive", "Pool NAS-02")]
    assert [{one.words for one in circle.members} for circle in waits.circles] == [{"Backup control", "Key store"}]
    taken = Relation.objects.get(origin="discovered")
    assert (taken.consumer.code, taken.provider.code, taken.confirmed_by.username) == (*weaving.TAKEN_UP, "steward")

    scope = scope_register.register_page(user=root, moment=moment, asked={}, page=1, waits=1)
    assert "Tape library" in [one.name for one in scope.waiting]
    assert {row.entry.words for row in scope.rows if row.outcome == "listed"} >= {"Pool NAS-02", "Cloud vault", "Backup control"}
    weaving.see(at=NOW)
    assert Relation.objects.filter(origin="discovered").count() == 1
