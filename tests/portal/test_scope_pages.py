"""The scope register's pages: who may read and decide, filters, the file, and what they cost."""

from __future__ import annotations

import datetime as dt
import re

import pytest

from catalogue import scoping
from catalogue.models import ScopeDecision
from itsm_backup.common.time import now
from itsm_backup.portal import scope_register
from itsm_backup.portal.asof import Moment
from tests.factories import make_admin, make_job, make_service, make_tool
from tests.portal.makers import make_person

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"
DAY = dt.timedelta(days=1)
NOTHING = dict.fromkeys(scoping.QUESTIONS, "no")


@pytest.fixture
def root():
    return make_admin("root")


def decided(root, name, at=None, **other):
    at = at or now() - DAY
    asked = {"outcome": "excluded", "entry": None, "hosting": "cloud", "answers": NOTHING, "review_on": (at + 90 * DAY).date()}
    return scoping.decide_new(name=name, **{**asked, **other}, by=root, at=at, reason="=looked at")


def shown(user, **asked):
    moment = Moment(at=now(), now=now())
    moment = Moment(at=moment.now, now=moment.now)
    return scope_register.register_page(user=user, moment=moment, asked=asked, page=1, waits=1)


@pytest.mark.parametrize(
    ("role", "read", "decide"), [("steward", 200, 200), ("auditor", 200, 403), ("operator", 200, 403), ("requester", 200, 403),
                                 ("monitoring-admin", 200, 403), ("stakeholder", 403, 404)]
)  # fmt: skip
def test_who_reads_and_who_decides(client, root, role, read, decide):
    line = decided(root, "Vault").line
    client.force_login(make_person(role, now()), backend=BACKEND)
    assert client.get("/scope/").status_code == read
    assert client.get(f"/scope/decide/line-{line.pk}/").status_code == decide
    assert client.post(f"/scope/decide/line-{line.pk}/decide", {}).status_code == (409 if decide == 200 else decide)


def test_a_steward_of_one_service_decides_where_it_is_concerned_and_nowhere_else(client, root):
    mine, other = make_service("mine"), make_service("other")
    theirs = decided(root, "Theirs", outcome="referenced", entry=other).line
    own = decided(root, "Own", outcome="referenced", entry=mine).line
    client.force_login(make_person("steward", now(), services=[mine]), backend=BACKEND)
    assert client.get(f"/scope/{own.pk}/").status_code == 200 and client.get(f"/scope/{theirs.pk}/").status_code == 404
    page = client.get("/scope/").content.decode()
    assert "Own" in page and "Theirs" not in page
    typed = {**NOTHING, "outcome": "referenced", "entry": "mine", "hosting": "cloud", "reason": "Still so",
             "review_on": (now() + 9 * DAY).date().isoformat(), "seen": own.decisions.get().pk}  # fmt: skip
    assert client.post(f"/scope/decide/line-{own.pk}/decide", typed).status_code == 302
    assert client.post(f"/scope/decide/line-{own.pk}/decide", typed).status_code == 409, "that decision was replaced"


def test_a_steward_of_one_service_finds_the_page_before_anything_is_decided_there(client, root):
    mine, _ = make_service("mine"), make_service("vault", kind="backup_service")
    decided(root, "Theirs", outcome="referenced", entry=make_service("other"))
    make_job(make_tool(), "job", repository_name="/srv/pool")
    client.force_login(make_person("steward", now(), services=[mine]), backend=BACKEND)
    assert 'href="/scope/"' in client.get("/services/").content.decode()
    page = client.get("/scope/")
    text = page.content.decode()
    assert page.status_code == 200 and "/scope/decide/new/" in text
    assert not {"Theirs", "vault", "/srv/pool"} & set(re.findall(r"Theirs|vault|/srv/pool", text))
    typed = {**NOTHING, "name": "Copies of mine", "outcome": "referenced", "entry": "mine", "hosting": "cloud", "reason": "Part of it",
             "review_on": (now() + 9 * DAY).date().isoformat()}  # fmt: skip
    assert client.post("/scope/decide/new/decide", typed).status_code == 302
    assert "Copies of mine" in client.get("/scope/").content.decode()
    client.force_login(make_person("stakeholder", now(), services=[mine]), backend=BACKEND)
    assert client.get("/scope/").status_code == 200, "the line of an entry in sight"
    client.force_login(make_person("stakeholder", now(), services=[make_service("third")]), backend=BACKEND)
    assert client.get("/scope/").status_code == 403 and 'href="/scope/"' not in client.get("/services/").content.decode()


def test_it_filters_and_gives_a_file_that_no_spreadsheet_runs(client, root):
    decided(root, "Vault", provider="Nimbus")
    decided(root, "Tapes", hosting="on_premises")
    assert [row.name.words for row in shown(root, text="nimbus").rows] == ["Vault"]
    assert [row.name.words for row in shown(root, hosting="on_premises").rows] == ["Tapes"]
    assert shown(root, outcome="listed").rows == () and shown(root, finding="overdue").rows == ()
    client.force_login(root, backend=BACKEND)
    told = client.get("/scope/?format=csv&hosting=cloud").content.decode().splitlines()
    assert len(told) == 2 and told[1].startswith("Vault,cloud,Nimbus,excluded,,'=looked at,root,")


def test_it_asks_as_often_for_many_backup_services_as_for_few(django_assert_max_num_queries, root):
    tool = make_tool()
    for number in range(3):
        decided(root, f"Vault {number}", outcome="referenced", entry=make_service())
        make_job(tool, f"job-{number}", repository_name=f"store-{number}")
        make_service(kind="backup_service")
    with django_assert_max_num_queries(14):
        page = shown(root)
    assert (len(page.rows), page.counts[3].count) == (3, 6)
    for number in range(3, 33):
        decided(root, f"Vault {number}", outcome="referenced", entry=make_service())
        make_job(tool, f"job-{number}", repository_name=f"store-{number}")
    with django_assert_max_num_queries(14):
        page = shown(root)
    assert (len(page.rows), page.counts[3].count, len(page.waiting)) == (33, 36, 36)


def waiting(root):
    """An entry that is a backup service, two repositories that a tool told of, and one that was written down."""
    make_service("vault", name="Vault", kind="backup_service")
    tool = make_tool()
    for number in range(2):
        make_job(tool, f"job-{number}", repository_name=f"/srv/pool-{number}")
    scoping.open_line(name="Tapes", by=root, at=now() - DAY, reason="seen")
    return [row.subject for row in shown(root).waiting]


def asked_for(subjects, **other):
    typed = {"subject": subjects, "outcome": "excluded", "entry": "", "reason": "Looked at together",
             "review_on": (now() + 9 * DAY).date().isoformat()}  # fmt: skip
    return {**typed, **other}


def test_several_are_decided_on_at_once_with_one_reason(client, root):
    subjects = waiting(root)
    assert len(subjects) == 4
    client.force_login(make_person("steward", now()), backend=BACKEND)
    page = client.get("/scope/").content.decode()
    assert all(f'name="subject" value="{subject}" form="decide-many"' in page for subject in subjects)
    others = [subject for subject in subjects if not subject.startswith("entry-")]
    said = client.post("/scope/decide", asked_for(others, outcome="referenced", entry="vault"), follow=True)
    assert "3 backup services decided: referenced" in said.content.decode()
    client.post("/scope/decide", asked_for(["entry-vault"], outcome="listed"))
    rows = {one.line.name: (one.outcome, one.entry.code, one.reason) for one in ScopeDecision.objects.select_related("line", "entry")}
    assert rows.pop("Vault") == ("listed", "vault", "Looked at together")
    assert set(rows.values()) == {("referenced", "vault", "Looked at together")} and len(rows) == 3
    assert shown(root).waiting == ()


def test_of_several_none_is_decided_when_one_cannot_be(client, root):
    subjects = waiting(root)
    client.force_login(make_person("steward", now()), backend=BACKEND)
    answer = client.post("/scope/decide", asked_for(subjects, outcome="listed"))
    told = answer.content.decode()
    assert answer.status_code == 409 and "Tapes: Name the entry" in told and "Vault: " not in told
    assert client.post("/scope/decide", asked_for([])).status_code == 409
    assert client.post("/scope/decide", asked_for(subjects, reason="")).status_code == 409
    assert client.post("/scope/decide", asked_for(["job-999999", "new", "nothing"])).status_code == 409
    assert not ScopeDecision.objects.exists() and len(shown(root).waiting) == 4


@pytest.mark.parametrize("role", ["auditor", "operator", "monitoring-admin"])
def test_who_only_reads_decides_on_none(client, root, role):
    subjects = waiting(root)
    client.force_login(make_person(role, now()), backend=BACKEND)
    assert "decide-many" not in client.get("/scope/").content.decode()
    assert client.post("/scope/decide", asked_for(subjects)).status_code == 403
    assert not ScopeDecision.objects.exists()


def test_the_second_of_two_stewards_is_told_what_the_first_decided_and_loses_nothing(client, root):
    subject = next(one for one in waiting(root) if one.startswith("job-"))
    first, second = make_person("steward", now()), make_person("steward", now())
    typed = {**NOTHING, "outcome": "excluded", "hosting": "cloud", "name": "Offsite", "reason": "A copy of a copy",
             "review_on": (now() + 90 * DAY).date().isoformat(), "seen": "none"}  # fmt: skip
    client.force_login(first, backend=BACKEND)
    assert client.post(f"/scope/decide/{subject}/decide", typed).status_code == 302
    client.force_login(second, backend=BACKEND)
    late = client.post(f"/scope/decide/{subject}/decide", {**typed, "reason": "Nobody asks for it"})
    page = late.content.decode()
    assert late.status_code == 409 and "Steward Person decided on it" in page and "Nobody asks for it" in page
    shown = client.get(f"/scope/decide/{subject}/", follow=True)
    assert shown.status_code == 200 and "Steward Person decided on it" in shown.content.decode()
    joined = client.post(f"/scope/decide/{subject}/join", {"line": "1", "reason": "x"}, follow=True)
    assert "decided on it" in joined.content.decode()
    assert ScopeDecision.objects.count() == 1


def test_a_steward_of_some_services_reads_that_none_concerns_them_where_others_are_known(root):
    decided(root, "Vault")
    limited = make_person("steward", now(), services=[make_service("mine")])
    assert shown(limited).sentence == "No backup service that concerns your entries is known yet."
    assert shown(make_person("steward", now())).sentence == "The 1 backup service is decided."
