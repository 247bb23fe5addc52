"""One history of an entry over all of its parts: in one order, in words, as of any instant, for whoever may see it."""

import datetime as dt
import re

import pytest

from catalogue import (
    agreeing,
    attesting,
    chronicle,
    deviating,
    handing_over,
    legal_holds,
    linking,
    overriding,
    publishing,
    relating,
    retiring,
    reviewing,
)
from catalogue.models import Agreement, Attestation, Cmdb, ConfigurationItem, HandOver, Revision, SeenRelation, Service
from itsm_backup.common.models import because
from itsm_backup.common.time import now
from monitoring import correlation
from monitoring.models import BackupJob
from tests.factories import make_admin, make_job, make_rule, make_service, make_tool
from tests.portal.makers import make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("1.5")]
BACKEND = "django.contrib.auth.backends.ModelBackend"
DAY, MINUTE = dt.timedelta(days=1), dt.timedelta(minutes=1)
CODE = "SVC-003"
PAGE = f"/services/{CODE}/history/"


@pytest.fixture
def people(noon):
    return {role: make_person(role, noon) for role in ("steward", "approver", "stakeholder", "executive", "auditor")}


@pytest.fixture
def entry(people):
    """An entry with something done to each of its parts, minute by minute until now."""
    start = now() - DAY
    service = make_service(CODE, name="Imaging archive", at=start)
    tell(service, people, start)
    return service


def tell(service, people, start):
    by = {"by": people["steward"], "reason": "Radiology asked"}
    minute = iter(start + n * MINUTE for n in range(1, 60))
    provider = make_service(f"P-{Service.objects.count()}", name="Storage pool", at=start)
    relation = relating.relate(consumer=service, provider=provider, kind="depends_on", strength="hard", at=next(minute), **by)
    with because("The pool went", by=people["steward"]):
        relation.valid_until = now()
        relation.save()
    with because("New contract", by=people["steward"]):
        agreement = Agreement.objects.create(kind="sla", name=f"SLA {service.code}-{Agreement.objects.count()}", party="Radiology")
    text = agreeing.draft_agreement(agreement=agreement, content={"from_on": start.date(), "rpo_s": 200_000}, at=next(minute), **by)
    agreeing.approve(row=text, by=people["approver"], at=next(minute), reason="Signed")
    analysis = {"mtpd_s": 200_000, "tolerated_loss_s": 100_000, "wrt_s": 600, "mbco": "", "review_due_on": (start + 90 * DAY).date()}
    borne = agreeing.draft_analysis(service=service, content=analysis, at=next(minute), **by)
    agreeing.approve(row=borne, by=people["approver"], at=next(minute), reason="Agreed")
    draft = publishing.draft_version(service=service, content={"sla": text}, commitment={"retention_days": 40}, at=next(minute), **by)
    publishing.edit_draft(version=draft, content={"tier": 1}, commitment={}, at=next(minute), **by)
    publishing.submit(version=draft, by=people["steward"], at=next(minute))
    publishing.approve(version=draft, by=people["approver"], at=next(minute), reason="Read and agreed")
    deviation = deviating.ask(
        service=service, code="SCHEDULE_EXCEEDS_RPO", owner=people["stakeholder"], expires_on=(now() + 9 * DAY).date(),
        by=people["steward"], at=next(minute), reason="New array",
    )  # fmt: skip
    deviating.grant(deviation=deviation, by=people["approver"], at=next(minute), reason="Until it is there")
    offered = handing_over.ask(service=service, duty="owner", receiver=people["executive"], at=next(minute), **by)
    handing_over.decline(hand_over=offered, by=people["executive"], at=next(minute), reason="Not mine")
    attesting.open_round(services=[service], title="Spring", due_on=(now() + DAY).date(), by=people["steward"], at=next(minute))
    asked = Attestation.objects.get(service=service, answered_at=None)
    wrong = {service.pk: "The team changed"}
    attesting.answer(round=asked.round, right=[], wrong=wrong, by=asked.person, at=next(minute))
    legal_holds.place(service=service, owner=people["stakeholder"], reason="Case 7", by=people["approver"], at=now())
    row = retiring.ask(service=service, ends_at=now() + 9 * DAY, at=next(minute), **by)
    retiring.refuse(retirement=row, by=people["approver"], at=next(minute), reason="Still needed")
    tool = make_tool(at=start)
    job = make_job(tool, f"nightly-{service.code}-{tool.pk}", at=start)
    make_rule(service, tool, job.external_id, at=start)
    correlation.attribute_jobs(at=next(minute))
    assert BackupJob.objects.get(pk=job.pk).service == service


def read(client, user, path=PAGE):
    client.force_login(user, backend=BACKEND)
    return client.get(path)


def words(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_every_part_is_told_in_one_order_with_who_and_why(client, entry, people):
    response = read(client, people["auditor"])
    told = words(response)
    for sentence in (
        "Version 2 was drafted", "Version 2 was changed", "Version 2 was submitted for approval", "Version 2 was approved", "Tier: 2 → 1",
        "Related: SVC-003 · Imaging archive depends on P-1 · Storage pool (hard)", "Relation ended",
        "Agreement SLA SVC-003-0, version 1 was approved",
        "Impact analysis 1 was approved", "Deviation asked for", "Deviation granted", "Hand-over offered: owner", "Hand-over refused",
        "Attestation asked of", "is not right any more (Spring)", "Legal hold placed: Case 7", "Retirement asked for", "Retirement refused",
        "Job nightly", "claims jobs for it", "Read and agreed", "Approver Person", "Not mine", "Still needed", "SVC-003 was entered",
    ):  # fmt: skip
        assert sentence in told, sentence
    assert f'href="/services/{CODE}/versions/1..2/"' in response.content.decode(), "the difference is one click away"
    rows = response.context["page"].rows
    asked = chronicle.Asked(service=entry, user=people["auditor"], at=now(), past=False)
    times = [row[0] for row in chronicle.rows_of(asked)]
    assert times == sorted(times, reverse=True) and len(rows) == len(times)
    approved = next(row for row in rows if row.what == "Version 2 was approved")
    assert {(one.field, one.before, one.after) for one in approved.changes} >= {("tier", "2", "1")}


def test_remarks_statuses_by_hand_rejections_and_items_are_told_to_who_may_read_them(client, entry, people, noon):
    pool, boss, at = Service.objects.get(code="P-1"), make_admin("boss"), now()
    reviewing.comment(version=entry.versions.get(number=2), text="Is tier 1 agreed?", by=people["approver"], at=at)
    row = overriding.override(
        service=entry, status="degraded", owner=people["stakeholder"], expires_at=at + DAY, by=boss, at=at, reason="Array rebuilds"
    )  # fmt: skip
    overriding.end(row=row, by=boss, at=at, reason="Rebuilt")
    times = {"first_seen_at": at, "last_seen_at": at}
    seen = SeenRelation.objects.create(consumer=entry, provider=pool, kind="stores_to", evidence="Its job writes there.", **times)
    rejected = relating.reject(seen=seen, by=people["steward"], at=at, reason="A test job")
    relating.propose_again(rejected=rejected, by=people["steward"], at=at, reason="It was none")
    with because("test"):
        cmdb = Cmdb.objects.create(name="Assets", kind="netbox", address="https://assets.example.org")
    item = ConfigurationItem.objects.create(cmdb=cmdb, table="device", external_id="1", name="pacs-01", **times)
    linking.link(item=item, service=entry, by=boss, at=at, reason="Its server")
    linking.link(item=item, service=pool, by=boss, at=at, reason="Moved")
    told = words(read(client, people["auditor"]))
    for sentence in (
        "Remark on version 2", "Is tier 1 agreed?", "Status set by hand to degraded until", "Status by hand ended: degraded", "Rebuilt",
        "Seen, and rejected: SVC-003", "A test job", "Proposed again: SVC-003", "pacs-01 of Assets belongs to it", "Its server",
        "pacs-01 of Assets belongs to it no longer", "Moved",
    ):  # fmt: skip
        assert sentence in told, sentence
    assert "Its server" not in words(read(client, people["stakeholder"], f"{PAGE}?part=item")), "who reads no items"
    assert "Seen, and rejected" not in words(read(client, make_person("steward", noon, services=[entry]), f"{PAGE}?part=rejection"))


def test_the_entry_leads_there_in_one_click(client, entry, people):
    assert f'href="{PAGE}"' in read(client, people["stakeholder"], f"/services/{CODE}/").content.decode()
    assert f'href="{PAGE}"' in read(client, people["stakeholder"], f"/services/{CODE}/versions/").content.decode()


def test_of_the_past_only_what_was_known_is_told(client, entry, people):
    drafted = Revision.objects.filter(version__service=entry, version__number=2).first().at
    told = words(read(client, people["auditor"], f"{PAGE}?as_of={drafted + MINUTE / 2:%Y-%m-%dT%H:%M:%SZ}"))
    assert "Version 1 was approved" in told and "Version 2" not in told, "what was never approved by then is not told of the past"
    assert "Deviation asked" not in told and "by then" in told and "field by field" not in told


def test_one_part_is_read_alone_and_a_made_up_one_is_all(client, entry, people):
    rows = read(client, people["auditor"], f"{PAGE}?part=deviation").context["page"].rows
    assert [row.what.split(":")[0].split(" until")[0] for row in rows] == ["Deviation granted", "Deviation asked for"]
    assert len(read(client, people["auditor"], f"{PAGE}?part=nothing").context["page"].rows) > 20


def test_who_may_not_see_the_entry_gets_nothing_and_drafts_are_for_those_who_write(client, entry, people, noon):
    other = make_service("SVC-011", at=noon)
    assert read(client, make_person("stakeholder", noon, services=[other])).status_code == 404
    told = words(read(client, people["stakeholder"]))
    assert "Version 2 was approved" in told and "Version 2 was changed" not in told
    limited = make_person("steward", noon, services=[entry])
    told = words(read(client, limited))
    assert "Version 2 was changed" in told
    assert "Storage pool" not in told, "a relation to an entry out of sight is not told"
    draft = publishing.draft_version(service=entry, content={"tier": 3}, commitment={}, by=people["steward"], at=now(), reason="Try")
    assert f"Version {draft.number} was drafted" in words(read(client, people["steward"]))
    assert f"Version {draft.number} was drafted" not in words(read(client, people["stakeholder"]))


def test_a_long_history_asks_as_often_as_a_short_one_and_is_paged(client, entry, people, django_assert_max_num_queries):
    read(client, people["auditor"])
    with django_assert_max_num_queries(60) as few:
        read(client, people["auditor"])
    for _ in range(3):
        HandOver.objects.filter(answered_at=None).delete()
        tell(entry, people, now() - MINUTE * 60)
    with django_assert_max_num_queries(len(few.captured_queries)):
        page = read(client, people["auditor"]).context["page"]
    assert len(page.rows) == 50 and page.paging.later
    assert read(client, people["auditor"], page.paging.later).context["page"].rows


def test_the_api_tells_the_same(client, entry, people):
    answer = read(client, people["auditor"], f"/api/v1/services/{CODE}/history/?part=version")
    told = answer.json()["results"]
    approved = next(one for one in told if one["what"] == "Version 2 was approved")
    assert approved["who"] == "Approver Person" and approved["why"] == "Read and agreed"
    assert approved["page"] == f"/services/{CODE}/versions/1..2/" and {"tier"} <= {one["field"] for one in approved["changes"]}
    assert read(client, people["auditor"], f"/api/v1/services/{CODE}/history/?part=nothing").status_code == 400
