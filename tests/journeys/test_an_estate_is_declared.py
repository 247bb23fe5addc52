"""One file declares an estate: shown first, through the acts of the screens, again without effect."""

import re
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection

from catalogue.models import Commitment, Relation, Service, ServiceVersion, Team, Window
from itsm_backup import granting, journey
from itsm_backup.common.models import because
from itsm_backup.roles import Scope
from monitoring.models import AttributionRule, BackupJob, CauseRule, ExpectedRun, JobSchedule, ServiceState, Tool
from tests.factories import make_admin, push, run_record

pytestmark = [pytest.mark.django_db, pytest.mark.req("1.3", "1.5", "2.2", "2.6", "4.6")]
EXAMPLE = re.search(r"```yaml\n(.*?)```", (Path(__file__).resolve().parents[2] / "docs" / "estate.md").read_text(), re.DOTALL)[1]
FACTS = (Service, ServiceVersion, Commitment, Relation, Team, Window, Tool, BackupJob, JobSchedule, AttributionRule, CauseRule)


@pytest.fixture(autouse=True)
def _password(monkeypatch):
    monkeypatch.setenv("IMAGING_REPOSITORY_PASSWORD", "hunter2")


@pytest.fixture
def load(tmp_path):
    def run(text=EXAMPLE, *options, steward="hbrandt", monitoring_admin="mlind", approver="pokafor"):
        file = tmp_path / "northmoor.yaml"
        file.write_text(text)
        out = StringIO()
        call_command("load_estate", str(file), *options, steward=steward, monitoring_admin=monitoring_admin, approver=approver, stdout=out)
        return out.getvalue()

    return run


def counted():
    return [model.objects.count() for model in FACTS] + [model.history.count() for model in FACTS if hasattr(model, "history")]


def test_it_declares_everything_on_an_empty_installation(load):
    said = load()
    version = Service.objects.get(code="SVC-003").versions.get()
    assert (version.state, version.tier, version.commitment.rpo_s, str(version.commitment.success_rate)) == (
        "approved",
        1,
        14_400,
        "0.99000",
    )
    assert (version.owner.username, version.steward.username, version.operations_team.name) == ("iserrano", "hbrandt", "Storage and backup")
    assert version.author_ids == [get_user_model().objects.get(username="hbrandt").pk] and version.approver.username == "pokafor"
    told = version.history.first()
    assert (told.history_user.username, told.history_change_reason) == ("pokafor", "Declared in northmoor.yaml")
    assert Tool.objects.get(name="restic-imaging").secrets == {"password": "hunter2"}
    assert {tool.history.get().history_user.username for tool in Tool.objects.all()} == {"mlind"}
    assert JobSchedule.objects.get(job__external_id="pacs01:/srv/images").local_times.startswith("01:30, 05:30")
    job = BackupJob.objects.get(external_id="ward-files")
    assert f"/ping/{job.ping_uuid}" in said and "hunter2" not in said
    assert granting.held_by(get_user_model().objects.get(username="iserrano")) == [Scope("stakeholder", "department", "Imaging")]
    assert "differences.\n" in said and said.endswith("Loaded.\n")


def test_it_changes_nothing_the_second_time(load):
    load()
    before = counted()
    said = load()
    assert said.startswith("Nothing to change.\n") and "Loaded" not in said
    assert counted() == before


def test_a_dry_run_shows_the_same_and_keeps_nothing(load):
    shown = load(EXAMPLE, "--dry-run")
    assert "new service SVC-003, version 1: " in shown and "18 differences" not in shown
    assert "nothing was changed (--dry-run)" in shown and "Ping address" not in shown
    assert counted() == [0] * len(counted()) and not get_user_model().objects.exists()
    lines = [line for line in shown.splitlines() if line.startswith("  ")]
    assert lines == [line for line in load().splitlines() if line.startswith("  ")]


def test_a_difference_is_told_field_by_field_and_becomes_a_new_version(load):
    load()
    changed = EXAMPLE.replace("rpo: 26 h", "rpo: 12 h").replace("tier: 3", "tier: 2").replace("poll_every: 15 min", "poll_every: 5 min")
    said = load(
        changed.replace("grace: 3 h", "grace: 2 h").replace("starts_with: pacs", "is: pacs01").replace("strength: soft", "strength: hard")
    )
    assert [line.strip() for line in said.splitlines() if line.startswith("  ")] == [
        "service SVC-014, version 2: tier 3 → 2; recovery point 26 h → 12 h",
        "relation SVC-003 depends on SVC-014: strength soft → hard",
        "tool restic-imaging (restic): asked every 15 min → 5 min",
        "schedule of job ward-files of scripts: grace 3 h → 2 h",
        "attribution rule Imaging hosts: conditions protected host starts with pacs → protected host is pacs01",
    ]
    versions = Service.objects.get(code="SVC-014").versions.order_by("number")
    assert [version.effective.upper is None for version in versions] == [False, True]


def test_what_the_file_does_not_say_stays(load):
    load()
    load("services:\n  - {code: SVC-014, name: Files of the wards}")
    version = Service.objects.get(code="SVC-014").versions.order_by("-number").first()
    assert (version.name, version.tier, version.commitment.rpo_s) == ("Files of the wards", 3, 93_600)
    load("services:\n  - {code: SVC-014, name: Files of the wards, commitments: {rpo: null}}")
    assert Service.objects.get(code="SVC-014").versions.order_by("-number").first().commitment.rpo_s is None


def test_a_new_secret_is_told_without_being_shown_and_is_kept_encrypted(load, monkeypatch):
    load()
    monkeypatch.setenv("IMAGING_REPOSITORY_PASSWORD", "correct horse")
    said = load()
    assert "tool restic-imaging (restic): secrets set: password" in said and "horse" not in said
    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM monitoring_tool t UNION ALL SELECT h::text FROM monitoring_historicaltool h")
        rows = " ".join(row[0] for row in cursor.fetchall())
        for secret in (b"hunter2", b"correct horse"):
            assert secret.decode() not in rows and secret.hex() not in rows
    assert Tool.objects.get(name="restic-imaging").secrets == {"password": "correct horse"}


def test_secrets_come_from_files_beside_it_too(load, tmp_path):
    (tmp_path / "key").write_text("from a file\n")
    load(EXAMPLE.replace("env:IMAGING_REPOSITORY_PASSWORD", "file:key"))
    assert Tool.objects.get(name="restic-imaging").secrets == {"password": "from a file"}


def test_everything_that_is_wrong_is_told_at_once_and_nothing_is_kept(load, monkeypatch):
    monkeypatch.delenv("IMAGING_REPOSITORY_PASSWORD")
    text = EXAMPLE.replace("owner: iserrano\n    steward", "owner: nobody\n    steward").replace("provider: SVC-014", "provider: SVC-999")
    text = text.replace("rrule: FREQ=DAILY", "rrule: FREQ=HOURLY;INTERVAL=99").replace('pattern: "changer', 'pattern: "(changer')
    with pytest.raises(CommandError) as refusal:
        load(text)
    told = str(refusal.value)
    assert "nothing was changed" in told
    for words in (
        "services[1]: There is no user nobody. Declare it under users",
        "relations[1]: There is no service SVC-999.",
        "tools[1]: IMAGING_REPOSITORY_PASSWORD is not set in the environment. Set it and load again.",
        "INTERVAL is a whole number from 1 to 24",
        "cause_rules[1]: message: This is no valid pattern",
    ):
        assert words in told
    assert re.search(r"line \d+, services\[1\]", told)
    assert counted() == [0] * len(counted())


@pytest.mark.parametrize(
    ("people", "told"),
    [
        ({"steward": "ghost"}, "--steward ghost: there is no such user. Declare ghost under users with the role steward."),
        ({"steward": "mlind"}, "must be three different people"),
        ({"steward": "nightdesk"}, "--steward nightdesk: this person does not hold the role steward."),
        ({"approver": "iserrano"}, "--approver iserrano: this person does not hold the role approver."),
    ],
)
def test_three_people_who_hold_their_duties_stand_for_it(load, people, told):
    with pytest.raises(CommandError) as refusal:
        load(**people)
    assert told in str(refusal.value)
    assert counted() == [0] * len(counted())


def test_a_limited_role_is_not_enough_to_stand_for_the_estate(load):
    load()
    limited = EXAMPLE.replace("- {role: operator, services: [SVC-003, SVC-014]}", "- {role: steward, services: [SVC-003]}")
    with pytest.raises(CommandError, match="not hold the role steward over the whole estate"):
        load(limited + "\n", steward="nightdesk") if load(limited) else None


def test_roles_that_exclude_each_other_are_refused_with_the_rule(load):
    text = EXAMPLE.replace("roles: [steward]", "roles: [steward, monitoring-admin]")
    with pytest.raises(CommandError, match="who measures a promise never writes it"):
        load(text)
    text = EXAMPLE.replace("- {role: operator, services", "- approver\n      - {role: operator, services")
    with pytest.raises(CommandError, match="who runs the backups never approves"):
        load(text)


def test_the_roles_of_a_person_become_those_of_the_file(load):
    load()
    said = load(EXAMPLE.replace("- {role: operator, services: [SVC-003, SVC-014]}", "- {role: operator, services: [SVC-014]}"))
    assert "user nightdesk: role operator on service SVC-003 taken away" in said
    desk = get_user_model().objects.get(username="nightdesk")
    assert set(Service.objects.visible_to(desk).values_list("code", flat=True)) == {"SVC-014"}
    assert "role" not in load("users: [{username: nightdesk, name: Night Desk}]")
    assert granting.held_by(desk) == [Scope("operator", "service", "SVC-014")]


def test_an_empty_limit_is_no_role_over_everything(load):
    with pytest.raises(CommandError, match="services names nothing, which would give the role operator everywhere"):
        load(EXAMPLE.replace("services: [SVC-003, SVC-014]", "services: []"))


def test_somebody_elses_open_draft_stands_in_the_way(load):
    from catalogue import publishing

    load()
    author = make_admin()
    service = Service.objects.get(code="SVC-014")
    from itsm_backup.common.time import now

    publishing.draft_version(service=service, content={"tier": 1}, commitment={}, by=author, at=now(), reason="Mine")
    with pytest.raises(CommandError, match="SVC-014 has an open version already: number 2, draft"):
        load(EXAMPLE.replace("tier: 3", "tier: 2"))
    load()


def test_windows_that_are_over_are_left_out_with_a_note(load):
    said = load(EXAMPLE.replace("2031-08", "2021-08"))
    assert "Left out: maintenance of SVC-014 from Mon 2 Aug 2021, 17:00 UTC is over already" in said
    assert not Window.objects.exists()


def test_it_says_where_the_name_of_the_organisation_comes_from(load, settings):
    settings.ORGANISATION = "Acme"
    assert "start with ORGANISATION='Northmoor Hospitals'" in load()
    settings.ORGANISATION = "Northmoor Hospitals"
    assert "ORGANISATION" not in load()


def test_the_journey_takes_the_declared_estate_up(load, noon):
    """Nothing else has to be done after loading: a ping of the declared job is attributed and judged."""
    load()
    tool = Tool.objects.get(name="scripts")
    with because("The clock of this test"):
        tool.monitored_from = noon
        tool.save()
    push(tool, run_record("ward-files", "success", noon), at=noon)
    from itsm_backup.common.time import now

    journey.advance(at=now())
    assert BackupJob.objects.get(external_id="ward-files").service.code == "SVC-014"
    assert ExpectedRun.objects.filter(job__external_id="ward-files").exists()
    assert ServiceState.objects.get(service__code="SVC-014").version.number == 1


def test_it_asks_for_what_is_missing_on_the_command_line():
    with pytest.raises(CommandError, match=r"Still needed: FILE.yaml, --monitoring-admin USER."):
        call_command("load_estate", steward="a", approver="b")


MORE = re.findall(r"```yaml\n(.*?)```", (Path(__file__).resolve().parents[2] / "docs" / "estate.md").read_text(), re.DOTALL)[1]


def test_it_declares_what_stands_behind_a_promise(load):
    load()
    said = load(MORE)
    version = Service.objects.get(code="SVC-003").versions.first()
    assert "agreement Imaging SLA, version 1" in said and "impact analysis 1 of SVC-003" in said
    assert (version.hosting, version.regions, version.sla.agreement.name, version.release) == (
        "hybrid",
        ["eu-west-2"],
        "Imaging SLA",
        "2.0.0",
    )
    assert [(one.name, one.rpo_s) for one in version.offerings.all()] == [("Gold", 14_400)]
    assert (version.commitment.immutability_days, version.commitment.rpo_s) == (14, 14_400)
    assert version.service.analyses.get().mtpd_s == 28_800 and version.service.analyses.get().approver.username == "pokafor"
    assert load(MORE).startswith("Nothing to change.\n")


def test_a_promise_that_cannot_hold_is_refused_with_its_code(load):
    load()
    load(MORE)
    with pytest.raises(CommandError, match="RPO_EXCEEDS_BIA_TOLERANCE"):
        load("services: [{code: SVC-003, name: Imaging archive, commitments: {rpo: 6 h}, sla: Imaging SLA}]")
    assert Service.objects.get(code="SVC-003").versions.count() == 2
