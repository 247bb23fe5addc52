"""Pages of work on many entries: import, progress, approvals; who may do what, and how often they ask the database."""

from __future__ import annotations

import datetime as dt
import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from catalogue import batching, publishing, working_through
from catalogue.models import Batch, Service, ServiceVersion
from itsm_backup.common.time import now
from tests.admin_forms import signed_in
from tests.catalogue.makers import make_content
from tests.factories import make_service
from tests.portal.makers import make_person

pytestmark = pytest.mark.django_db
FILE = b"code,name,tier,commissioned_at,rpo\nSVC-1,One,3,2026-01-01,26 h\nSVC-2,Two,9,2026-01-01,26 h\n"


def sent(client: Client, content: bytes = FILE, **more: str):
    file = SimpleUploadedFile("entries.csv", content)
    return client.post("/services/import/", {"file": file, "reason": "New site", **more})


@pytest.fixture
def steward():
    return make_person("steward", now())


def test_a_file_is_looked_at_and_kept_only_when_it_is_started(steward):
    client = signed_in(steward)
    answer = sent(client)
    batch = Batch.objects.get()
    assert answer["Location"] == f"/batches/{batch.pk}/"
    shown = client.get(answer["Location"]).content.decode()
    assert "1 of 2 entries can be done, 1 cannot be done as it is" in shown
    assert "<code>tier</code>" in shown and "less than or equal to 4" in shown and "Only the 1 good: Make 1 draft" in shown
    assert not Service.objects.exists()
    refused = client.post(f"/batches/{batch.pk}/start", follow=True).content.decode()
    assert "1 of 2 cannot be done" in refused
    client.post(f"/batches/{batch.pk}/start", {"partly": "yes"})
    working_through.work(batch=batch, clock=now)
    done = client.get(f"/batches/{batch.pk}/").content.decode()
    assert "1 of 2 made, 1 not" in done and "Submit 1 draft for approval" in done
    assert [row.state for row in ServiceVersion.objects.all()] == ["draft"]


def test_nothing_of_today_stands_under_the_ribbon_of_the_past(steward):
    client, then = signed_in(steward), now()
    sent(client)
    for page in ("/services/import/", "/batches/", f"/batches/{Batch.objects.get().pk}/", "/approvals/"):
        html = client.get(f"{page}?as_of={then:%Y-%m-%d}T00:00Z").content.decode()
        assert "Nothing is done in the past" in html and "You are looking at" in html, page
        assert "Import of entries.csv" not in html and 'type="file"' not in html, page


@pytest.mark.parametrize(
    ("content", "more", "words"),
    [
        (b"name\nOne\n", {}, "The column code is missing"),
        (b"code,colour\nA,red\n", {}, "There is no column colour"),
        (FILE, {"reason": " "}, "Say why"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_what_to_do(steward, content, more, words):
    answer = sent(signed_in(steward), content, **more)
    assert (answer.status_code, Batch.objects.count()) == (400, 0)
    assert words in answer.content.decode()


def test_who_may_change_no_entry_imports_none(db):
    client = signed_in(make_person("stakeholder", now()))
    assert client.get("/services/import/").status_code == 403
    assert sent(client).status_code == 403
    assert not Batch.objects.exists()


def test_others_see_neither_the_batch_nor_start_it(steward):
    make_service("SVC-1")
    sent(signed_in(steward))
    pk = Batch.objects.get().pk
    stakeholder, approver = signed_in(make_person("stakeholder", now())), signed_in(make_person("approver", now()))
    assert stakeholder.get(f"/batches/{pk}/").status_code == 404
    assert stakeholder.post(f"/batches/{pk}/start").status_code == 404
    assert approver.get(f"/batches/{pk}/").status_code == 200
    assert "Make 1 draft" not in approver.get(f"/batches/{pk}/").content.decode()
    assert approver.post(f"/batches/{pk}/start", {"partly": "yes"}).status_code == 403
    assert Batch.objects.get().started_at is None


@pytest.mark.parametrize("format", ["csv", "xlsx", "yaml"])
def test_what_one_may_see_is_exported(format, steward):
    make_service("SVC-1", name="One")
    answer = signed_in(steward).get(f"/services/export/?format={format}")
    assert (answer.status_code, answer["Content-Disposition"].endswith(f'.{format}"')) == (200, True)
    if format == "xlsx":
        assert answer.content[:2] == b"PK" and io.BytesIO(answer.content).getbuffer().nbytes > 500
    else:
        assert "SVC-1" in answer.content.decode()
    assert signed_in(steward).get("/services/export/?format=exe").status_code == 404


def _in_review(count: int) -> list[ServiceVersion]:
    made = []
    for n in range(count):
        service = make_service(f"SVC-{n:03}", department="Radiology" if n % 2 else "Surgery")
        author = service.versions.get().owner
        draft = publishing.draft_version(
            service=service, content={"supplier": f"New {n}"}, commitment={}, by=author, at=now(), reason="Contract"
        )
        made.append(publishing.submit(version=draft, by=author, at=now(), announce=False))
    return made


def test_an_approver_sees_what_waits_chooses_and_approves_in_one_go(steward):
    versions = _in_review(4)
    client = signed_in(make_person("approver", now()))
    shown = client.get("/approvals/").content.decode()
    assert "4 versions wait for approval" in shown and "Supplier – → New 0" in shown
    assert "2 versions wait" in client.get("/approvals/?department=Radiology").content.decode()
    answer = client.post("/approvals/approve", {"which": "all", "department": "Radiology", "reason": "Agreed"})
    batch = Batch.objects.get()
    assert answer["Location"] == f"/batches/{batch.pk}/" and batch.items.count() == 2
    client.post(f"/batches/{batch.pk}/start")
    working_through.work(batch=batch, clock=now)
    assert sorted(ServiceVersion.objects.get(pk=row.pk).state for row in versions) == ["approved"] * 2 + ["in_review"] * 2
    assert (
        client.post("/approvals/approve", {"which": "chosen", "version": [str(versions[0].pk)], "reason": ""}, follow=True).status_code
        == 200
    )
    assert Batch.objects.count() == 1, "no reason, no batch"
    assert "Nothing waits for you" in signed_in(steward).get("/approvals/").content.decode()


def test_of_a_first_version_the_approver_is_shown_everything_that_it_says(steward):
    client = signed_in(steward)
    at, say = now(), {"by": steward, "reason": "New"}
    content = make_content("SVC-1", name="Imaging archive", tier=2, commissioned_at=at)
    draft = publishing.draft_version(
        service=publishing.create_service(code="SVC-1", at=at, **say), content=content, commitment={"rpo_s": 4 * 3600}, at=at, **say
    )
    publishing.submit(version=draft, by=steward, at=now(), announce=False)
    client = signed_in(make_person("approver", now()))
    assert "The first version. Name Imaging archive;" in client.get("/approvals/").content.decode()
    client.post("/approvals/approve", {"which": "all", "reason": "Agreed"})
    shown = client.get(f"/batches/{Batch.objects.get().pk}/").content.decode()
    assert "Name Imaging archive; " in shown and "; Tier 2; " in shown and "(RPO) 4 h" in shown


def test_the_fragment_of_the_progress_is_the_page_without_its_frame(steward):
    sent(signed_in(steward))
    pk = Batch.objects.get().pk
    part = signed_in(steward).get(f"/batches/{pk}/", headers={"X-Fragment": "progress"}).content.decode()
    assert 'id="batch"' in part and "<html" not in part


def test_pages_ask_the_database_as_often_for_few_entries_as_for_many(steward, django_assert_max_num_queries):
    approver = make_person("approver", now())
    _in_review(3)
    few, many = _asked(approver, steward, django_assert_max_num_queries, 34), None
    for n in range(3, 30):
        service = make_service(f"SVC-X{n:03}")
        author = service.versions.get().owner
        draft = publishing.draft_version(
            service=service, content={"supplier": "New"}, commitment={}, by=author, at=now(), reason="Contract"
        )
        publishing.submit(version=draft, by=author, at=now(), announce=False)
    many = _asked(approver, steward, django_assert_max_num_queries, 34)
    assert many == few


def _asked(approver, steward, at_most, limit: int) -> list[int]:
    client = signed_in(approver)
    wishes = batching.to_approve(ServiceVersion.objects.filter(state="in_review"), by=approver, at=now())
    batch = batching.propose(act="approve", title="Approval", wishes=wishes, by=approver, at=now(), reason="Test")
    counts = []
    for path in ("/approvals/", f"/batches/{batch.pk}/", "/batches/", "/services/export/?format=csv"):
        with at_most(limit) as asked:
            assert client.get(path).status_code == 200
        counts.append(len(asked.captured_queries))
    return counts


def test_a_batch_tells_in_words_how_many_rows_say_nothing_new(steward):
    tier = make_service("S-1", at=now() - dt.timedelta(days=1)).versions.get().tier
    shown = signed_in(steward).get(sent(signed_in(steward), f"code,tier\nS-1,{tier}\n".encode())["Location"]).content.decode()
    assert "0 of 1 entry can be done, 1 says nothing new." in shown


def test_rows_that_cannot_hold_say_so_before_the_start_and_drafts_of_them_can_be_made(steward):
    client = signed_in(steward)
    head = b"code,name,tier,commissioned_at,rpo,retention,retention_min\n"
    content = head + b"S-1,One,3,2026-01-01,26 h,5 d,30 d\nS-2,Two,3,2026-01-01,26 h,60 d,30 d\n"
    shown = client.get(sent(client, content)["Location"]).content.decode()
    assert "2 of 2 entries can be done" in shown or "2 entries can be done" in shown
    assert "1 row promises what cannot hold, the other rows counted in: it can be made, but not approved until it is changed" in shown
    assert "Cannot hold" in shown and "RETENTION_BELOW_MINIMUM" in shown and "Make 2 drafts" in shown


def test_an_approval_counts_what_will_be_refused(db):
    at = now()
    service = make_service("S-1", at=at - dt.timedelta(days=1))
    promise = {"retention_days": 5, "retention_min_days": 30}
    author = make_person("steward", at)
    draft = publishing.draft_version(service=service, content={}, commitment=promise, by=author, at=at, reason="x")
    publishing.submit(version=draft, by=author, at=at, announce=False)
    client = signed_in(make_person("approver", at))
    answer = client.post("/approvals/approve", {"which": "all", "reason": "Looked at"})
    shown = client.get(answer["Location"]).content.decode()
    assert "Approval of 1 version: 0 of 1 entry can be done, 1 cannot be done as it is" in shown
    assert "it will be refused, unless a deviation is granted before" in shown
