"""Pages of a service tell people who only depend on it nothing of tools, storage, hosts and what a tool said."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.test import Client

from itsm_backup import journey
from itsm_backup.common.models import because
from monitoring.models import BackupRun, Repository
from tests.factories import make_job, make_service, make_tool, push, run_record
from tests.portal.makers import make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.2")]
HOUR = dt.timedelta(hours=1)
TOOL, LABEL, STORAGE, BUCKET = "tell-tool", "Telling Controller", "TELL-POOL-5", "TELL-BUCKET"
PATH, HOST = "/srv/telling", "telling.vault.local"
TELLING = (TOOL, LABEL, STORAGE, BUCKET, PATH, HOST)
SAID = f"Fatal: unable to write to {PATH} on {HOST}: no space left on device"
PAGES = ("/services/SVC-007/", "/services/SVC-007/runs/", "/services/SVC-007/objectives/")


@pytest.fixture
def at():
    return dt.datetime.now(dt.UTC).replace(second=0, microsecond=0)


@pytest.fixture
def service(at):
    promise = {"copy_scheme": "3-2-1-1-0", "immutability_days": 14, "success_rate": "0.9"}
    service = make_service("SVC-007", name="Imaging archive", at=at - 60 * HOUR, promise=promise)
    tool = make_tool(at=at - 60 * HOUR, name=TOOL, label=LABEL)
    make_job(tool, "pacs", at=at - 60 * HOUR, service=service, repository_name=STORAGE, target_name=HOST, name=f"pacs of {HOST}")
    make_job(tool, "pacs-logs", at=at - 60 * HOUR, service=service, repository_name=STORAGE)
    with because("Seen on site"):
        first = Repository.objects.create(tool=tool, name=STORAGE, medium="disk", lock_days=0)
        Repository.objects.create(tool=tool, name=BUCKET, copy_of=first, medium="object", is_offsite=True)
    push(tool, run_record("pacs", "success", at - 40 * HOUR), at=at - 39 * HOUR)
    push(tool, run_record("pacs", "failed", at - 3 * HOUR, native_message=SAID, exit_code=1), at=at - 2 * HOUR)
    journey.advance(at=at)
    return service


def read(user, address: str) -> str:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    response = client.get(address)
    assert response.status_code == 200, address
    return response.content.decode()


def pages_of_runs() -> list[str]:
    return [f"/runs/{pk}/" for pk in BackupRun.objects.values_list("pk", flat=True)]


@pytest.mark.parametrize("role", ["stakeholder", "executive"])
def test_who_only_depends_on_a_service_reads_no_name(service, at, role):
    person = make_person(role, at)
    for address in (*PAGES, *pages_of_runs(), *(f"/services/SVC-007/days/{at - hours * HOUR:%Y-%m-%d}/" for hours in (40, 3))):
        text = re.sub(r'href="[^"]*"', "", read(person, address))
        assert not [one for one in TELLING if one.lower() in text.lower()], address
    page = read(person, PAGES[0])
    assert "Imaging archive" in page and "pacs-logs" in page and "…: declared not locked" in page


@pytest.mark.parametrize(("role", "limits"), [("operator", {}), ("steward", {}), ("steward", {"services": ["SVC-007"]})])
def test_who_runs_or_writes_it_reads_them_all(service, at, role, limits):
    limits = {name: list(type(service).objects.filter(code__in=codes)) for name, codes in limits.items()}
    page = read(make_person(role, at, **limits), PAGES[0])
    assert all(one in page for one in (LABEL, STORAGE, PATH))
