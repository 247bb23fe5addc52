"""Tools, jobs, rules and keys in the admin."""

import datetime as dt

import pytest
from django.db import connection

from monitoring import tokens
from monitoring.models import ApiToken, AttributionRule, BackupJob, CauseRule, JobSchedule, StatusWorkflow, Tool, ToolState
from tests.admin_forms import change_url, filled, make_staff, signed_in, url
from tests.factories import make_admin, make_job, make_rule, make_schedule, make_service, make_tool, make_user

pytestmark = pytest.mark.django_db
WHY = {"change_reason": "The repository moved"}
RESTIC = {"name": "restic-1", "zone": "UTC", "enabled": "on", "poll_interval_s": "15 min", "monitored_from": "2026-01-01T00:00",
          "setting_repository": "/srv/repo", "secret_password": "a very secret word"}  # fmt: skip


@pytest.fixture
def client():
    return signed_in(make_admin("ada"))


def text(response):
    return " ".join(response.content.decode().split())


def test_a_tool_is_added_by_choosing_its_kind_first(client):
    html = text(client.get(url(Tool, "add")))
    assert 'href="?kind=restic"' in html and 'href="?kind=ping"' in html
    html = text(client.get(url(Tool, "add") + "?kind=restic"))
    assert 'name="setting_repository"' in html and 'name="secret_password"' in html
    assert client.get(url(Tool, "add") + "?kind=nothing").status_code == 200


def test_settings_and_secrets_go_where_they_belong(client):
    page = url(Tool, "add") + "?kind=restic"
    missing = client.post(page, {**RESTIC, "setting_repository": "", "secret_password": "", **WHY})
    assert set(missing.context["adminform"].form.errors) == {"setting_repository", "secret_password"}
    assert client.post(page, {**RESTIC, **WHY}).status_code == 302
    tool = Tool.objects.get()
    assert (tool.kind, tool.settings["repository"], tool.secrets) == ("restic", "/srv/repo", {"password": "a very secret word"})
    assert tool.poll_interval_s == 900 and "password" not in tool.settings


def test_a_secret_is_never_shown_and_kept_when_left_empty(client):
    tool = make_tool("restic", settings={"repository": "/srv/repo"}, secrets={"password": "a very secret word"})
    page = client.get(change_url(tool))
    assert "a very secret word" not in page.content.decode() and "Set on" in text(page) and "Not set." in text(page)
    data = filled(page, label="PACS", **WHY)
    assert client.post(change_url(tool), data).status_code == 302
    tool.refresh_from_db()
    assert (tool.label, tool.secrets) == ("PACS", {"password": "a very secret word"})
    client.post(change_url(tool), {**data, "secret_password": "another word", "secret_environment": "A=1\nB=2"})
    tool.refresh_from_db()
    assert tool.secrets == {"password": "another word", "environment": "A=1\nB=2"}
    client.post(change_url(tool), {**data, "remove_environment": "on"})
    tool.refresh_from_db()
    assert tool.secrets == {"password": "another word"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM monitoring_historicaltool WHERE convert_from(secrets, 'UTF8') LIKE '%%word%%'")
        assert cursor.fetchone() == (0,)


def test_a_failed_form_does_not_send_the_secret_back(client):
    answer = client.post(url(Tool, "add") + "?kind=restic", {**RESTIC, "name": "", **WHY})
    assert answer.status_code == 200 and "a very secret word" not in answer.content.decode()


def test_a_name_out_of_the_connectors_words_is_told_where_it_is(client):
    answer = client.post(url(Tool, "add") + "?kind=restic", {**RESTIC, "poll_interval_s": "10 s", **WHY})
    assert "It must be at least" in text(answer) and not Tool.objects.exists()


def test_poll_now_asks_the_tool_and_tells_what_came(client, tmp_path):
    tool = make_tool("restic", name="gone", settings={"repository": str(tmp_path / "no-such-repository")}, secrets={"password": "x"})
    page = url(Tool, "act", tool.pk, "poll")
    assert "may take a few minutes" in text(client.get(page))
    answer = client.post(page)
    assert "did not answer in full" in text(answer) and "still holds" in text(answer)
    assert ToolState.objects.get(tool=tool).consecutive_failures == 1
    assert "In trouble" in text(client.get(change_url(tool)))


def test_who_may_not_poll_learns_who_can(caplog):
    tool = make_tool("restic", name="pacs", settings={"repository": "/x"}, secrets={"password": "x"})
    make_staff("monitoring.view_tool", "monitoring.poll_tool", name="otto")
    client = signed_in(make_staff(on=tool, may=("view", "change")))
    assert "You may not poll pacs. otto can." in text(client.get(change_url(tool)))
    assert client.post(url(Tool, "act", tool.pk, "poll")).status_code == 403
    assert 'action="poll"' in caplog.text and ToolState.objects.get(tool=tool).latest_answer_at is None


def test_a_tool_that_reports_by_itself_has_no_poll_button(client):
    tool = make_tool("ping")
    assert "Poll" not in text(client.get(change_url(tool)))
    assert "no longer in a state" in text(client.post(url(Tool, "act", tool.pk, "poll")))


def test_the_ping_address_is_for_those_who_may_see_it():
    job = make_job(make_tool("ping"))
    reader = make_staff(on=job.tool, may=("view",))
    assert str(job.ping_uuid) not in text(signed_in(reader).get(change_url(job)))
    allowed = make_staff("monitoring.see_ping_address_backupjob", on=job.tool, may=("view",))
    assert f"/ping/{job.ping_uuid}" in text(signed_in(allowed).get(change_url(job)))
    assert str(job.ping_uuid) not in text(signed_in(allowed).get(url(BackupJob, "changelist")))


def test_a_schedule_is_agreed_with_durations_in_words(client):
    job = make_job(make_tool("ping"))
    page = f"{url(JobSchedule, 'add')}?job={job.pk}"
    data = filled(client.get(page), grace_s="2 h", local_times="01:30, 13:30", zone="Europe/London", **WHY)
    assert data["early_tolerance_s"] == "15 min" and str(data["job"]) == str(job.pk)
    assert client.post(page, {**data, "rrule": "FREQ=SOMETIMES"}).status_code == 200
    assert client.post(page, data).status_code == 302
    schedule = JobSchedule.objects.get()
    assert (schedule.grace_s, schedule.early_tolerance_s) == (7_200, 900)
    html = text(client.get(change_url(schedule)))
    assert html.count("01:30") >= 2 and "Next due" in html
    assert "When it is due" in text(client.get(change_url(job)))


def test_a_job_has_one_schedule(client):
    planned, free = make_job(make_tool("ping"), "a"), make_job(make_tool("ping"), "b")
    make_schedule(planned)
    assert list(client.get(url(JobSchedule, "add")).context["adminform"].form.fields["job"].queryset) == [free]


def test_rules_are_read_here_and_changed_on_the_bench(client):
    rule = make_rule(make_service(), make_tool(), "nightly")
    html = text(client.get(url(AttributionRule, "changelist")))
    assert "on the bench" in html and "job id is nightly" in html
    page = client.get(change_url(rule))
    assert page.status_code == 200 and 'name="_save"' not in text(page)
    for path in (url(AttributionRule, "add"), url(AttributionRule, "delete", rule.pk), url(CauseRule, "add")):
        assert client.post(path, {**WHY, "post": "yes", "name": "x"}).status_code == 403
    assert client.post(change_url(rule), {**WHY, "name": "x"}).status_code == 403
    rule.refresh_from_db()
    assert rule.name != "x" and rule.history.count() == 1


def test_the_thresholds_are_one_row(client):
    answer = client.get(url(StatusWorkflow, "changelist"))
    row = StatusWorkflow.objects.get()
    assert answer["Location"] == change_url(row)
    assert client.get(url(StatusWorkflow, "add")).status_code == client.get(url(StatusWorkflow, "delete", row.pk)).status_code == 403
    data = filled(client.get(change_url(row)), at_risk_fraction="80 %", **WHY)
    assert client.post(change_url(row), data).status_code == 302
    row.refresh_from_db()
    assert float(row.at_risk_fraction) == 0.8 and row.history.first().history_change_reason == WHY["change_reason"]


def test_keys_show_their_first_letters_only_and_are_revoked_with_a_reason(client, noon):
    secret = tokens.issue(user=make_user(), scope="ingest", tool=make_tool(), at=noon, days=10_000)
    token = ApiToken.objects.get()
    html = text(client.get(url(ApiToken, "changelist")))
    assert f"itsmb_{token.hint}…" in html and secret not in html
    assert client.get(url(ApiToken, "add")).status_code == 403
    data = {"action": "revoke", "_selected_action": [token.pk], "post": "yes"}
    assert "Say why" in text(client.post(url(ApiToken, "changelist"), data))
    client.post(url(ApiToken, "changelist"), {**data, **WHY})
    token.refresh_from_db()
    assert token.revoked_at and tokens.find(secret, at=noon + dt.timedelta(days=1)) is None


def test_who_may_only_read_keys_revokes_none(noon):
    tokens.issue(user=make_user(), scope="read", tool=None, at=noon, days=9)
    data = {"action": "revoke", "_selected_action": [ApiToken.objects.get().pk], "post": "yes", **WHY}
    signed_in(make_staff("monitoring.view_apitoken")).post(url(ApiToken, "changelist"), data)
    assert ApiToken.objects.get().revoked_at is None


def test_a_tool_that_still_has_jobs_is_not_deleted_but_switched_off(client):
    tool = make_tool()
    make_rule(make_service(), tool, "a")
    make_job(tool)
    answer = client.post(url(Tool, "delete", tool.pk), {"post": "yes", **WHY})
    assert answer.status_code == 403 and Tool.objects.exists()
    assert "It cannot be deleted" in text(client.get(url(Tool, "delete", tool.pk)))
    client.post(url(Tool, "changelist"), {"action": "disable", "_selected_action": [tool.pk], "post": "yes", **WHY})
    assert not Tool.objects.get().enabled
