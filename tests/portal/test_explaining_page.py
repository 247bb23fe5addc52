"""Explanations: five references and the arithmetic, the same once more, and a run changed behind the product's back."""

import pytest
from django.db import connection

from incidents.models import Incident
from itsm_backup.portal import service_page
from itsm_backup.portal.explaining_page import explain_page, find
from monitoring.models import Alert, BackupRun, Figure, ServiceState
from tests.portal.makers import make_person

pytestmark = pytest.mark.django_db


def explained(estate, user, kind, key, **more):
    return explain_page(found=find(kind=kind, key=str(key), user=user, moment=estate.moment), moment=estate.moment, **more)


def test_a_status_shows_five_references_and_its_arithmetic(estate, root):
    page = explained(estate, root, "status", "SVC-003")
    assert (page.question, page.verdict) == ("Why is it degraded?", "broken")
    assert [step.title for step in page.references] == [
        "Runs read",
        "Rule applied",
        "Matched to this entry by",
        "Promise read",
        "Arithmetic",
    ]
    runs, rule, mapping, promise, arithmetic = page.references
    assert any(line.result.startswith("Failed, Fatal: unable to save") for line in runs.runs)
    assert "At risk above 90% of the promise" in rule.lines[0]
    assert "Job id is pacs-2h" in mapping.lines[0]
    assert "Recovery point (RPO) 4 h" in promise.lines[0]
    assert any("4 h = " in line and line.endswith("over") for line in arithmetic.sums)


@pytest.mark.parametrize(
    ("status", "question"),
    [
        ("operational", "Why is it operational?"), ("degraded", "Why is it degraded?"), ("outage", "Why is there an outage?"),
        ("maintenance", "Why is it under maintenance?"), ("unknown", "Why is its status unknown?"),
    ],
)  # fmt: skip
def test_every_status_is_asked_for_in_a_sentence(estate, root, status, question):
    found = find(kind="status", key="SVC-003", user=root, moment=estate.moment)
    found.evaluation.status = status
    assert explain_page(found=found, moment=estate.moment).question == question
    version = service_page.find(code="SVC-003", user=root, moment=estate.moment)
    version.stands = status
    assert service_page.service_page(version=version, user=root, moment=estate.moment).why_words == question


@pytest.mark.parametrize("kind", ["alert", "incident", "figure", "evaluation"])
def test_everything_that_is_judged_can_be_explained(estate, root, kind):
    keys = {
        "alert": Alert.objects.filter(alert_class="job_failed").get().pk,
        "incident": Incident.objects.get().pk,
        "figure": Figure.objects.latest("pk").pk,
        "evaluation": ServiceState.objects.get(service=estate.imaging).evaluation_id,
    }
    page = explained(estate, root, kind, keys[kind])
    assert len(page.references) == (6 if kind == "incident" else 5)
    assert page.cite.startswith("http") and ("/explain/alert/" in page.cite) == (kind == "alert")


def test_it_agrees_when_worked_out_again(estate, root):
    again = explained(estate, root, "status", "SVC-003", again=True).again
    assert again.agrees, again.differences
    assert again.sentence.startswith("Both agree.")


def test_a_run_changed_behind_the_products_back_is_named(estate, root):
    run = BackupRun.objects.filter(service=estate.imaging, outcome="failed").latest("occurred_at")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE monitoring_backuprun SET outcome = 'success', captured_at = occurred_at WHERE id = %s", [run.pk])
    again = explained(estate, root, "status", "SVC-003", again=True).again
    assert not again.agrees
    assert any(f"Run {run.pk} of pacs-2h was changed outside the product" in line for line in again.differences)


@pytest.mark.parametrize("kind", ["status", "alert", "incident", "figure", "evaluation"])
def test_what_one_may_not_see_is_not_explained(estate, kind):
    somebody = make_person("stakeholder", estate.at, services=[estate.research])
    keys = {
        "status": "SVC-003",
        "alert": Alert.objects.first().pk,
        "incident": Incident.objects.get().pk,
        "figure": Figure.objects.filter(service=estate.imaging).first().pk,
        "evaluation": ServiceState.objects.get(service=estate.imaging).evaluation_id,
    }
    assert find(kind=kind, key=str(keys[kind]), user=somebody, moment=estate.moment) is None


@pytest.mark.parametrize("key", ["", "x", "-1", "9" * 30, "1;drop"])
def test_a_key_that_is_no_number_finds_nothing(estate, root, key):
    assert find(kind="alert", key=key, user=root, moment=estate.moment) is None


def test_the_drawer_gets_the_fragment_and_everybody_else_the_page(estate_now, client, root):
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get("/explain/status/SVC-003/").content.decode()
    fragment = client.get("/explain/status/SVC-003/", headers={"X-Fragment": "drawer"}).content.decode()
    assert "<html" in page and '<h1 id="explain-title">' in page
    assert "<html" not in fragment and "data-close" in fragment


def test_run_again_is_a_button_that_answers_with_both(estate_now, client, root):
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    page = client.post("/explain/status/SVC-003/again").content.decode()
    assert "From the stored inputs: the same." in page
    assert "From the runs as they are now: the same." in page
    assert client.get("/explain/status/SVC-003/again").status_code == 405


def test_what_is_not_judged_yet_says_so(client, root, noon):
    from tests.factories import make_service

    make_service("SVC-500", at=noon)
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    response = client.get("/explain/status/SVC-500/")
    assert response.status_code == 404
    assert "is not judged yet" in response.content.decode()
