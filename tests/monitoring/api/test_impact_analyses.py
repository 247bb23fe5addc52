"""Impact analyses by API: the steward writes, an approver of the entry decides, nobody overwrites what they never read."""

import pytest
from guardian.shortcuts import assign_perm

from catalogue import agreeing
from catalogue.models import ImpactAnalysis
from catalogue.refusing import NotReady
from itsm_backup.common.models import Notice
from tests.catalogue.makers import NOON, make_author, make_service, make_user
from tests.monitoring.api.test_agreement_texts import call

pytestmark = [pytest.mark.django_db, pytest.mark.req("1.4")]
FIRST = {"service": "pacs", "mtpd_s": 28_800, "tolerated_loss_s": 14_400, "review_due_on": "2099-03-31", "reason": "Asked the wards"}


@pytest.fixture
def service():
    return make_service("pacs", rpo_s=93_600)


@pytest.fixture
def approver(service):
    person = make_user("boss")
    for right in ("view_service", "approve_service"):
        assign_perm(f"catalogue.{right}", person, service)
    return person


def test_one_writes_and_an_approver_of_the_entry_approves_what_was_read(service, approver):
    steward = make_author()
    made = call(steward, "post", "impact-analyses/", FIRST)
    told = made.json()
    assert (made.status_code, told["number"], told["state"], told["wrt_s"], told["author"]) == (201, 1, "draft", 0, steward.username)
    assert (
        made["ETag"] == f'"{told["etag"]}"' and Notice.objects.filter(recipient=approver.email, subject__startswith="For approval").exists()
    )
    again = call(steward, "post", "impact-analyses/", FIRST)
    assert again.status_code == 409 and "Impact analysis 1 of pacs is a draft already" in again.json()["detail"]
    one = f"impact-analyses/{told['id']}/"
    assert call(steward, "get", one)["ETag"] == made["ETag"]
    assert call(steward, "patch", one, {"wrt_s": 3_600, "reason": "Slip"}).status_code == 428
    kept = call(steward, "patch", one, {"wrt_s": 3_600, "reason": "Checks"}, etag=made["ETag"])
    assert (kept.status_code, kept.json()["wrt_s"], kept.json()["mtpd_s"]) == (200, 3_600, 28_800), "what is left out stays"
    late = call(steward, "patch", one, {"wrt_s": 60, "reason": "Slip"}, etag=made["ETag"])
    assert late.status_code == 412 and "1 h" in late.json()["detail"]
    assert call(approver, "post", f"{one}approve", {}).status_code == 428
    assert call(approver, "post", f"{one}approve", {}, etag=made["ETag"]).status_code == 412
    own = call(steward, "post", f"{one}approve", {}, etag=kept["ETag"])
    assert own.status_code == 403 and "somebody else must approve it" in own.json()["detail"]
    done = call(approver, "post", f"{one}approve", {"reason": "Agreed"}, etag=kept["ETag"])
    assert (done.status_code, done.json()["state"], done.json()["approver"]) == (200, "approved", "boss")
    assert "RPO_EXCEEDS_BIA_TOLERANCE" in Notice.objects.filter(subject__contains="approved").first().body, "what it breaks is mailed"
    fixed = call(steward, "patch", one, {"wrt_s": 60, "reason": "Slip"}, etag=kept["ETag"])
    assert fixed.status_code == 409 and "write the next one" in fixed.json()["detail"]
    day = {"service": "pacs", "review_due_on": "2099-12-31", "reason": "Yearly"}
    more = call(steward, "post", "impact-analyses/", day)
    assert more.status_code == 201, more.json()
    assert [more.json()[name] for name in ("number", "mtpd_s", "wrt_s")] == [2, 28_800, 3_600]


def test_a_draft_is_cancelled_with_a_reason_and_who_only_reads_writes_nothing(service, approver):
    steward, reader, stranger = make_author(), make_user("reader"), make_user("stranger")
    assign_perm("catalogue.view_service", reader, service)
    refused = call(reader, "post", "impact-analyses/", FIRST)
    assert refused.status_code == 403 and ImpactAnalysis.objects.count() == 0
    assert call(stranger, "post", "impact-analyses/", FIRST).status_code == 404
    made = call(steward, "post", "impact-analyses/", FIRST)
    one, etag = f"impact-analyses/{made.json()['id']}/", made["ETag"]
    for address in ("", "cancel", "approve"):
        assert call(reader, "patch" if not address else "post", one + address, {"reason": "x"}, etag=etag).status_code == 404, address
    assert call(approver, "patch", one, {"wrt_s": 60, "reason": "Mine"}, etag=etag).status_code == 403
    assert call(approver, "post", f"{one}cancel", {}, etag=etag).status_code == 409
    assert call(approver, "post", f"{one}forget", {"reason": "x"}, etag=etag).status_code == 404
    assert call(approver, "post", f"{one}cancel", {"reason": "Ask again"}, etag=etag).json()["state"] == "cancelled"


def test_each_problem_names_its_field(service):
    steward = make_author()
    for more, told in (
        ({"review_due_on": "2020-01-01"}, "is over already"), ({"wrt_s": 28_800}, "no recovery would be quick enough"),
    ):  # fmt: skip
        answer = call(steward, "post", "impact-analyses/", {**FIRST, **more})
        assert answer.status_code == 409 and told in answer.json()["detail"], answer.json()
    with pytest.raises(NotReady, match="is today: choose a day"):
        agreeing.draft_analysis(service=service, content={"review_due_on": NOON.date()}, by=steward, at=NOON, reason="Yearly")
    bare = call(steward, "post", "impact-analyses/", {"service": "pacs", "reason": "x"})
    assert bare.status_code == 409 and "review" in bare.json()["detail"].lower()
    bad = call(steward, "post", "impact-analyses/", {**FIRST, "mtpd_s": 5})
    assert bad.status_code == 400 and "mtpd_s" in bad.json()["fields"]
    assert not ImpactAnalysis.objects.exists()
