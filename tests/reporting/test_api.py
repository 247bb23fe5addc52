"""Reports over the API: lists, filters, details and files; what one may not see is not there."""

from __future__ import annotations

import hashlib
import json

import pytest
from django.test import Client

from monitoring import tokens
from reporting import compiling, rendering, sealing
from reporting.scoping import Scope
from tests.factories import make_admin
from tests.portal.makers import make_person
from tests.reporting.makers import JULY_1, JUNE, late_run_arrives

pytestmark = pytest.mark.django_db


@pytest.fixture
def reports(estate, settings):
    settings.FONTS_DIR = settings.BASE_DIR / "no-such-folder"  # without PDF, which is tried elsewhere
    made = [compiling.compile_month(month=JUNE, scope=scope, at=JULY_1)[0] for scope in (Scope(), Scope(department="Radiology"))]
    for report in made:
        rendering.render(report=report, at=JULY_1)
    return made


def reading(user):
    from itsm_backup.common.time import now

    secret = tokens.issue(user=user, scope="read", tool=None, at=now(), days=1)
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    return lambda path, **query: client.get(f"/api/v1/reports/{path}", query)


def test_a_report_is_found_and_fetched_with_everything_that_proves_it(reports):
    get, whole = reading(make_admin()), reports[0]
    row = next(one for one in get("").json()["results"] if one["id"] == whole.pk)
    assert (row["number"], row["says"]) == (whole.number, "3 of 5 services kept every promise in June.")
    told = get(f"{whole.pk}/").json()
    assert told["totals"]["settled"] == 119 and told["checks"][0]["total"] == 119
    assert sealing.digest_of(told["manifest"]) == bytes(whole.manifest_digest)
    for file in told["files"]:
        answer = Client(headers={"Authorization": ""}).get(file["url"])
        assert answer.status_code == 401
        content = get(file["url"].removeprefix("/api/v1/reports/")).content
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
    snapshot = json.loads(b"".join(get(f"{whole.pk}/files/snapshot.json").streaming_content))
    assert len(snapshot["services"]) == 5
    assert get(f"{whole.pk}/files/manifest.json").json() == told["manifest"]
    for path in (f"{whole.pk}/files/nothing.pdf", f"{whole.pk}/files/%00", f"{10**30}/"):
        answer = get(path)
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json"), path


def test_the_list_is_filtered(estate, reports):
    get = reading(make_admin())
    late_run_arrives(estate)
    compiling.compile_month(month=JUNE, scope=Scope(), at=JULY_1)
    count = lambda **query: len(get("", **query).json()["results"])  # noqa: E731
    assert (count(), count(newest="true"), count(department="Radiology"), count(month="2026-06"), count(month="2026-05")) == (3, 2, 1, 3, 0)
    assert (count(state="issued"), count(state="blocked,overridden"), count(title="Backup service report")) == (3, 0, 3)
    answer = get("", month="June")
    assert (answer.status_code, answer.json()["detail"]) == (400, "“June” is no month. Write it like 2026-06.")


def test_who_may_see_one_department_finds_only_its_report(estate, reports):
    get = reading(make_person("stakeholder", JULY_1, services=[estate.imaging]))
    assert [row["id"] for row in get("").json()["results"]] == [reports[1].pk]
    for path in ("", "files/services.csv", "files/snapshot.json", "files/manifest.json"):
        assert get(f"{reports[0].pk}/{path}").status_code == 404
        assert get(f"{reports[1].pk}/{path}").status_code == 200
