"""Agreements, analyses and deviations in the admin: written by one, approved by another; two who write one draft lose nothing."""

import datetime as dt

import pytest

from catalogue import agreeing, comparing, publishing
from catalogue.models import Agreement, AgreementVersion, Deviation, ImpactAnalysis, Label, ServiceVersion, TierDefault
from catalogue.refusing import NotReady
from catalogue.shipping import ship_defaults
from itsm_backup.common.models import Notice, because
from tests.admin_forms import change_url, filled, signed_in, url
from tests.factories import make_service
from tests.portal.makers import make_person

pytestmark = pytest.mark.django_db
WHY = {"change_reason": "Agreed with Radiology"}


@pytest.fixture
def service(noon):
    return make_service("pacs", at=noon)


@pytest.fixture
def steward(noon):
    return make_person("steward", noon)


@pytest.fixture
def approver(noon):
    return make_person("approver", noon)


def text(response):
    return response.content.decode()


def test_an_agreement_is_written_by_one_and_approved_by_another(steward, approver):
    client = signed_in(steward)
    client.post(url(Agreement, "add"), {"kind": "sla", "name": "Radiology SLA", "party": "Radiology", **WHY})
    agreement = Agreement.objects.get()
    data = {"agreement": agreement.pk, "from_on": "2026-01-01", "rpo_s": "4 h", "success_rate": "98 %", **WHY}
    assert client.post(url(AgreementVersion, "add"), data).status_code == 302
    version = agreement.versions.get()
    assert (version.rpo_s, version.number, version.state, version.author) == (14_400, 1, "draft", steward)
    page = url(AgreementVersion, "act", version.pk, "approve")
    assert client.post(page, WHY).status_code == 403
    assert signed_in(approver).post(page, WHY).status_code == 302
    version.refresh_from_db()
    assert (version.state, version.approver) == ("approved", approver)
    assert 'name="rpo_s"' not in text(client.get(change_url(version))), "what was approved is only to be read"
    following = f"{url(AgreementVersion, 'add')}?agreement={agreement.pk}"
    assert f'<a href="{following}">Make the next version</a>' in text(client.get(change_url(version)))
    begun = filled(client.get(following), from_on="2027-01-01", rpo_s="2 h", **WHY)
    assert (begun["success_rate"], begun["agreement"]) == ("98 %", str(agreement.pk)), "it begins with what the approved one says"
    assert client.post(following, begun).status_code == 302
    second = agreement.versions.first()
    assert (second.number, second.rpo_s, str(second.success_rate)) == (2, 7_200, "0.98000")
    deciding = text(signed_in(approver).get(url(AgreementVersion, "act", second.pk, "approve")))
    assert "Recovery point (RPO): 4 h → 2 h" in deciding and "ID:" not in deciding
    assert "Make the next version" not in text(client.get(change_url(version))), "a draft of it is open"


def test_a_draft_of_an_analysis_is_changed_and_cancelled(steward, service, noon):
    client = signed_in(steward)
    data = {"service": service.pk, "mtpd_s": "8 h", "tolerated_loss_s": "4 h", "wrt_s": "1 h", "review_due_on": "2027-01-01", **WHY}
    assert client.post(url(ImpactAnalysis, "add"), data).status_code == 302
    row = ImpactAnalysis.objects.get()
    page = client.get(change_url(row))
    assert client.post(change_url(row), filled(page, mtpd_s="6 h", **WHY)).status_code == 302
    row.refresh_from_db()
    assert (row.mtpd_s, row.number) == (21_600, 1)
    with pytest.raises(NotReady, match="Steward Person writes impact analysis 1"):
        agreeing.draft_analysis(service=service, content={}, by=make_person("steward", noon), at=noon, reason="x")
    client.post(url(ImpactAnalysis, "act", row.pk, "cancel"), WHY)
    row.refresh_from_db()
    assert row.state == "cancelled" and ImpactAnalysis.objects.count() == 1


def test_an_analysis_tells_its_approvers_and_what_it_changes_and_breaks(steward, approver, service, noon):
    data = {"service": service.pk, "mtpd_s": "40 h", "tolerated_loss_s": "40 h", "wrt_s": "1 h", "review_due_on": "2027-01-01", **WHY}
    client, deciding = signed_in(steward), signed_in(approver)
    late = text(client.post(url(ImpactAnalysis, "add"), {**data, "wrt_s": "50 h"}))
    assert "no recovery would be quick enough" in late
    assert "is over already" in text(client.post(url(ImpactAnalysis, "add"), {**data, "review_due_on": "2020-01-01"}))
    client.post(url(ImpactAnalysis, "add"), data)
    first = ImpactAnalysis.objects.get()
    mail = Notice.objects.get(key__contains="/drafted/")
    assert mail.recipient == approver.email and change_url(first) in mail.body and "Agreed with Radiology" in mail.body
    assert "Approve or cancel: impact analysis 1" in text(deciding.get("/admin/"))
    assert "Approve or cancel" not in text(client.get("/admin/")), "nobody decides on words of their own"
    deciding.post(url(ImpactAnalysis, "act", first.pk, "approve"), WHY)
    client.post(url(ImpactAnalysis, "add"), {**data, "tolerated_loss_s": "20 h", "mbco": "Paper"})
    shown = text(deciding.get(url(ImpactAnalysis, "act", ImpactAnalysis.objects.get(number=2).pk, "approve")))
    assert "Tolerable data loss: 40 h → 20 h" in shown and "– → Paper" in shown and "Longest tolerable outage (MTPD): 40 h" in shown
    assert "Then this does not hold:" in shown and "Version 1, approved: A recovery point of 26 h loses more than the 20 h" in shown


def test_a_deviation_is_asked_for_and_granted_by_somebody_else(steward, approver, service):
    client = signed_in(steward)
    data = {
        "service": service.pk,
        "wanted": "SCHEDULE_EXCEEDS_RPO",
        "reason": "New array in August",
        "owner": steward.pk,
        "expires_on": "2027-01-01",
        **WHY,
    }
    assert "is over already" in text(client.post(url(Deviation, "add"), {**data, "expires_on": "2020-01-01"}))
    assert client.post(url(Deviation, "add"), data).status_code == 302
    row = Deviation.objects.get()
    assert client.post(url(Deviation, "act", row.pk, "grant"), WHY).status_code == 403
    assert "it would bear nothing" in text(signed_in(approver).get(url(Deviation, "act", row.pk, "grant")))
    assert "Grant or refuse" in text(signed_in(approver).get("/admin/"))
    assert signed_in(approver).post(url(Deviation, "act", row.pk, "grant"), WHY).status_code == 302
    row.refresh_from_db()
    assert row.approver == approver
    client.post(url(Deviation, "act", row.pk, "end"), WHY)
    row.refresh_from_db()
    assert row.ended_at is not None


def test_the_check_list_follows_what_is_typed(steward, service, noon):
    analysis = agreeing.draft_analysis(
        service=service, by=steward, at=noon, reason="x",
        content={"mtpd_s": 3_600, "tolerated_loss_s": 3_600, "review_due_on": noon.date() + dt.timedelta(days=300)},
    )  # fmt: skip
    agreeing.approve(row=analysis, by=make_person("approver", noon), at=noon, reason="x")
    client = signed_in(steward)
    page = url(ServiceVersion, "check")
    told = text(client.get(page, {"service": service.pk, "rpo_s": "2 h", "rto_s": "not yet"}))
    assert "RPO_EXCEEDS_BIA_TOLERANCE" in told and "RTO_PLUS" not in told
    assert "Cannot be read yet:</b> Recovery time (RTO)" in told and "rpo_s" not in told
    calm = "Nothing that is known speaks against"
    assert calm in text(client.get(page, {"service": service.pk, "rpo_s": "1 h"}))
    assert "Nothing is promised yet, so nothing can be checked" in text(client.get(page, {"service": service.pk}))
    gold = text(client.get(page, {"service": service.pk, "rpo_s": "1 h", "offerings": "Gold: recovery time 8 h"}))
    assert "Gold: Recovery in 8 h" in gold and "RTO_PLUS_WRT_EXCEEDS_MTPD" in gold
    assert "Offerings" in text(client.get(page, {"service": service.pk, "rpo_s": "1 h", "offerings": "Gold: quick"}))
    assert calm not in text(client.get(page, {"service": service.pk, "rpo_s": "banana"}))
    assert client.get(page, {"service": make_service("other", at=noon).pk + 99}).status_code == 404


def test_two_who_write_one_draft_lose_nothing(steward, service, noon):
    bounds = {"mtpd_s": 2 * 3_600, "tolerated_loss_s": 99 * 3_600, "review_due_on": noon.date() + dt.timedelta(days=300)}
    analysis = agreeing.draft_analysis(service=service, by=steward, at=noon, reason="x", content=bounds)
    agreeing.approve(row=analysis, by=make_person("approver", noon), at=noon, reason="x")
    draft = publishing.draft_version(service=service, content={}, commitment={}, by=steward, at=noon, reason="x")
    client, other = signed_in(steward), make_person("steward", noon)
    opened = client.get(change_url(draft))
    publishing.edit_draft(
        version=draft, content={"summary": "Pictures", "tier": 1}, commitment={"rto_s": 3 * 3_600}, by=other, at=noon, reason="Meanwhile"
    )
    data = filled(opened, rpo_s="2 h", tier="3", **WHY)
    shown = client.post(change_url(draft), data)
    html = text(shown)
    assert shown.status_code == 200 and "saved this draft while you were writing" in html and "You both changed Tier" in html
    assert "Recovery in 3 h" in html and "RTO_PLUS_WRT_EXCEEDS_MTPD" in html, "what stands in the form is checked, not what was sent"
    form = shown.context["adminform"].form
    assert (form["summary"].value(), form["rpo_s"].value(), form["tier"].value()) == ("Pictures", "2 h", "3")
    again = {name: form[name].value() for name in form.fields if form[name].value() not in (None, False)}
    assert client.post(change_url(draft), {**data, **{k: v for k, v in again.items() if isinstance(v, str)}}).status_code == 302
    draft.refresh_from_db()
    content = comparing.content_of(ServiceVersion.objects.get(pk=draft.pk))
    assert (content["summary"], content["rpo_s"], content["tier"]) == ("Pictures", 7_200, 3)


def test_offerings_are_written_as_lines(steward, service):
    client = signed_in(steward)
    page = f"{url(ServiceVersion, 'add')}?service={service.pk}"
    data = filled(client.get(page), offerings="Gold: recovery point 4 h; kept 90 d; success 99 %; price 120 a month\nBronze", **WHY)
    assert "Line 1 (Gold): “quick” is no level" in text(client.post(page, {**data, "offerings": "Gold: quick"}))
    assert "Line 2 (Silver): recovery point: Write a number" in text(
        client.post(page, {**data, "offerings": "Gold\nSilver: recovery point soon"})
    )
    assert client.post(page, data).status_code == 302
    draft = service.versions.first()
    assert [(row.name, row.rpo_s, row.retention_days, row.price) for row in draft.offerings.all()] == [
        ("Bronze", None, None, ""), ("Gold", 14_400, 90, "120 a month"),
    ]  # fmt: skip
    shown = client.get(change_url(draft)).context["adminform"].form["offerings"].value()
    assert shown == "Bronze\nGold: recovery point 4 h; kept 90 d; success 99 %; price 120 a month"


def test_a_first_draft_takes_the_levels_of_its_tier_when_the_box_is_ticked(steward, noon):
    ship_defaults()
    service = publishing.create_service(code="new", by=steward, at=noon, reason="New")
    page = f"{url(ServiceVersion, 'add')}?service={service.pk}"
    form = signed_in(steward).get(page)
    from tests.factories import make_team

    data = filled(
        form, name="New", short_name="New", tier="2", owner=steward.pk, steward=steward.pk, operations_team=make_team().pk,
        commissioned_at="2026-01-01T00:00", take_defaults="on", **WHY,
    )  # fmt: skip
    assert signed_in(steward).post(page, data).status_code == 302
    assert service.versions.get().commitment.rpo_s == 43_200


def test_the_check_of_a_first_version_counts_what_its_tier_usually_promises(steward, noon):
    ship_defaults()
    service = publishing.create_service(code="new", by=steward, at=noon, reason="New")
    client, page = signed_in(steward), url(ServiceVersion, "check")
    sent = {"service": service.pk, "tier": "2", "offerings": "Gold: recovery point 2 h"}
    told = text(client.get(page, {**sent, "take_defaults": "on"}))
    assert "Gold promises a recovery point of 2 h, but the entry is judged by a recovery point of 12 h" in told
    assert "Checked with what tier 2 usually promises, where nothing is written." in told
    assert "judged by" not in text(client.get(page, sent))
    assert "judged by" not in text(client.get(page, {**sent, "take_defaults": "on", "rpo_s": "2 h"})), "what is written counts"


def test_versions_that_are_over_have_no_check(steward, service, noon):
    client = signed_in(steward)
    draft = publishing.draft_version(service=service, content={}, commitment={}, by=steward, at=noon, reason="x")
    assert "Can it hold?" in text(client.get(change_url(draft)))
    publishing.cancel(version=draft, by=steward, at=noon, reason="x")
    shown = text(client.get(change_url(draft)))
    assert "Can it hold?" not in shown and "nothing can be checked" not in shown
    assert "Can it hold?" in text(client.get(change_url(service.versions.get(number=1)))), "what is in force is checked"


def test_defaults_and_labels_are_tracked(steward):
    ship_defaults()
    row = TierDefault.objects.get(tier=1)
    client = signed_in(steward)
    assert client.post(change_url(row), filled(client.get(change_url(row)), rpo_s="2 h", **WHY)).status_code == 302
    row.refresh_from_db()
    assert row.rpo_s == 7_200 and row.history.first().history_user == steward
    with because("test"):
        Label.objects.create(word="odd")
    assert "restricted" in text(client.get(url(Label, "changelist")))
    levels = text(client.get(url(TierDefault, "changelist")))
    assert "99 %" in levels and "0.99" not in levels, "a share as its form takes it"
