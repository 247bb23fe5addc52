"""Services and versions in the admin: drafts, reviews, approvals, through the same acts as everywhere."""

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import DatabaseError, connection, transaction

from catalogue import publishing
from catalogue.models import Commitment, Relation, Service, ServiceVersion
from tests.admin_forms import change_url, filled, make_staff, signed_in, url
from tests.factories import make_admin, make_service, make_team, make_user

pytestmark = pytest.mark.django_db
STEWARD = ("catalogue.view_service", "catalogue.add_service", "catalogue.change_service", "catalogue.add_serviceversion",
           "catalogue.change_serviceversion", "catalogue.view_team")  # fmt: skip
WHY = {"change_reason": "Radiology asked for it"}


@pytest.fixture
def steward():
    return make_staff(*STEWARD, name="helga")


@pytest.fixture
def approver():
    return make_staff("catalogue.view_service", "catalogue.approve_service", name="quentin")


@pytest.fixture
def service():
    return make_service("pacs", name="Imaging archive", success_rate="0.98")


def act_url(version, act):
    return url(ServiceVersion, "act", version.pk, act)


def draft(steward, service, noon, **commitment):
    return publishing.draft_version(service=service, content={}, commitment=commitment, by=steward, at=noon, reason="Draft")


def draft_in_review(steward, service, noon):
    return publishing.submit(version=draft(steward, service, noon, rpo_s=3_600), by=steward, at=noon)


def text(response):
    return " ".join(response.content.decode().split())


def test_it_makes_a_service_and_asks_for_its_first_version(steward):
    client = signed_in(steward)
    page = url(Service, "add")
    assert "Say why" in text(client.post(page, {"code": "pacs"})) and not Service.objects.exists()
    answer = client.post(page, {"code": "pacs", **WHY})
    made = Service.objects.get()
    assert answer["Location"] == f"{url(ServiceVersion, 'add')}?service={made.pk}"
    assert (made.lifecycle, made.history.get().history_user, made.history.get().history_change_reason) == (
        "pipeline",
        steward,
        *WHY.values(),
    )
    assert "already exists" in text(client.post(page, {"code": "pacs", **WHY}))


def test_the_first_version_is_content_and_promise_in_one_form(steward, noon):
    made = publishing.create_service(code="ris", by=steward, at=noon, reason="New")
    client = signed_in(steward)
    page = f"{url(ServiceVersion, 'add')}?service={made.pk}"
    html = text(client.get(page))
    assert "Saving makes version 1, for approval" in html
    data = {"service": made.pk, "name": "Radiology", "short_name": "RIS", "tier": 2, "zone": "Europe/London",
            "commissioned_at": "2026-01-01T00:00", "owner": steward.pk, "steward": steward.pk, "operations_team": make_team().pk,
            "rpo_s": "26 h", "retention_days": "35 d", "success_rate": "98 %", "labels": "Patient data,, Imaging,", "on_purpose": "on",
            "kind": "business_service", "hosting": "on_premises"}  # fmt: skip
    assert client.post(page, {**data, **WHY}).status_code == 302
    version = made.versions.get()
    assert (version.number, version.state, version.author_ids, version.labels) == (1, "draft", [steward.pk], ["Patient data", "Imaging"])
    promise = version.commitment
    assert (promise.rpo_s, promise.retention_days, str(promise.success_rate), promise.rto_s) == (93_600, 35, "0.98000", None)
    assert Commitment.history.get().history_change_reason == WHY["change_reason"]


def test_a_new_version_starts_with_what_is_in_force(steward, service):
    page = signed_in(steward).get(f"{url(ServiceVersion, 'add')}?service={service.pk}")
    form = page.context["adminform"].form
    assert (form["name"].value(), form["rpo_s"].value(), form["success_rate"].value()) == ("Imaging archive", "26 h", "98 %")
    assert "Saving makes version 2, for approval" in text(page)


def test_a_wrong_word_stands_beside_its_field_and_nothing_is_lost(steward, service):
    client = signed_in(steward)
    page = f"{url(ServiceVersion, 'add')}?service={service.pk}"
    data = filled(client.get(page), rpo_s="soon", window_opens="22:00", name="Kept", **WHY)
    answer = client.post(page, data)
    form = answer.context["adminform"].form
    assert "such as 4 h" in form.errors["rpo_s"][0]
    assert "needs both its opening and its closing time" in str(form.errors["__all__"])
    assert form["name"].value() == "Kept" and service.versions.count() == 1


def test_a_second_open_version_is_refused_in_the_form(steward, service, noon):
    page = f"{url(ServiceVersion, 'add')}?service={service.pk}"
    client = signed_in(steward)
    data = filled(client.get(page), **WHY)
    draft(steward, service, noon)
    assert "has an open version already: number 2" in text(client.post(page, data))
    assert service.versions.count() == 2


def test_editing_makes_the_editor_an_author(steward, service, noon):
    version = draft(steward, service, noon)
    other = make_staff(*STEWARD, name="second")
    client = signed_in(other)
    assert client.post(change_url(version), filled(client.get(change_url(version)), rpo_s="4 h", **WHY)).status_code == 302
    version.refresh_from_db()
    assert version.author_ids == sorted([steward.pk, other.pk]) and version.commitment.rpo_s == 14_400
    told = text(client.get(url(ServiceVersion, "history", version.pk)))
    assert "<del>26 h</del>" in told and "<ins>4 h</ins>" in told and WHY["change_reason"] in told


def test_an_approved_version_is_locked_and_says_what_to_do(steward, service):
    version = service.versions.get()
    client = signed_in(steward)
    html = text(client.get(change_url(version)))
    assert "An approved version never changes." in html and "Make version 2" in html and 'name="name"' not in html and "26 h" in html
    assert client.post(change_url(version), {"name": "Forged", **WHY}).status_code == 403
    version.refresh_from_db()
    assert version.name == "Imaging archive"


def test_the_page_of_a_service_shows_where_it_stands(steward, service):
    html = text(signed_in(steward).get(change_url(service)))
    for words in ("Status", "version 1", "Make version 2", "not judged yet"):
        assert words in html


def test_submitting_tells_what_is_missing_and_who_approves(steward, approver, noon):
    made = publishing.create_service(code="ris", by=steward, at=noon, reason="New")
    content = {"name": "RIS", "short_name": "RIS", "tier": 2, "commissioned_at": noon}
    version = publishing.draft_version(service=made, content=content, commitment={}, by=steward, at=noon, reason="New")
    client = signed_in(steward)
    html = text(client.get(act_url(version, "submit")))
    assert "one accountable owner" in html and "one operations team" in html
    assert "one accountable owner" in text(client.post(act_url(version, "submit"), WHY))
    version.refresh_from_db()
    assert version.state == "draft"
    more = {"owner": steward, "steward": steward, "operations_team": make_team()}
    publishing.edit_draft(version=version, content=more, commitment={}, by=steward, at=noon, reason="Complete")
    told = client.post(act_url(version, "submit"), WHY, follow=True)
    assert "waits for approval by quentin" in text(told)
    assert version.history.first().history_change_reason == WHY["change_reason"]


def test_every_act_asks_for_a_reason(steward, approver, service, noon):
    version = draft_in_review(steward, service, noon)
    for person, act in ((approver, "approve"), (approver, "return"), (steward, "cancel")):
        assert "Say why" in text(signed_in(person).post(act_url(version, act), {}))
    version.refresh_from_db()
    assert version.state == "in_review"


def test_an_approver_sees_what_changes_and_puts_it_in_force(steward, approver, service, noon):
    version = draft_in_review(steward, service, noon)
    client = signed_in(approver)
    assert f"Approve or return: {version} of pacs" in text(client.get("/admin/"))
    page = text(client.get(act_url(version, "approve")))
    assert ("<del>26 h</del>" in page and "<ins>60 min</ins>" in page) or "<ins>1 h</ins>" in page
    told = client.post(act_url(version, "approve"), WHY, follow=True)
    assert "is approved." in text(told)
    version.refresh_from_db()
    assert (version.state, version.approver) == ("approved", approver)


def test_an_author_never_approves_not_even_an_administrator(service, noon):
    root = make_admin("root")
    make_staff("catalogue.view_service", "catalogue.approve_service", name="quentin")
    version = draft_in_review(root, service, noon)
    client = signed_in(root)
    html = text(client.get(change_url(version)))
    assert "You wrote part of" in html and "quentin can." in html and f'href="{act_url(version, "approve")}"' not in html
    answer = client.post(act_url(version, "approve"), WHY)
    assert answer.status_code == 403 and "quentin can." in text(answer)
    version.refresh_from_db()
    assert version.state == "in_review"
    with pytest.raises(DatabaseError, match="version_author_never_approves"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE catalogue_serviceversion SET approver_id = %s WHERE id = %s", [root.pk, version.pk])


def test_who_is_no_approver_learns_who_is(steward, approver, service, noon, caplog):
    version = draft_in_review(make_user(), service, noon)
    answer = signed_in(steward).post(act_url(version, "approve"), WHY)
    assert answer.status_code == 403 and "You may not approve" in text(answer) and "quentin" in text(answer)
    assert 'action="approve"' in caplog.text


def test_a_time_in_the_past_is_refused_with_the_reason_kept(steward, approver, service, noon):
    version = draft_in_review(steward, service, noon)
    answer = signed_in(approver).post(act_url(version, "approve"), {**WHY, "effective_from": "2020-01-01T00:00"})
    assert "before its approval" in text(answer) and WHY["change_reason"] in text(answer)


def test_return_and_cancel(steward, approver, service, noon):
    version = draft_in_review(steward, service, noon)
    signed_in(approver).post(act_url(version, "return"), WHY)
    version.refresh_from_db()
    assert version.state == "draft"
    assert "no longer in a state" in text(signed_in(approver).get(act_url(version, "return")))
    assert signed_in(approver).post(act_url(version, "cancel"), WHY).status_code == 403
    signed_in(steward).post(act_url(version, "cancel"), WHY)
    version.refresh_from_db()
    assert version.state == "cancelled"
    page = f"{url(ServiceVersion, 'add')}?service={service.pk}&like={version.pk}"
    assert signed_in(steward).get(page).context["adminform"].form["rpo_s"].value() == "1 h"


def test_services_and_versions_are_never_deleted(service):
    client = signed_in(make_admin())
    for row in (service, service.versions.get()):
        assert client.post(url(type(row), "delete", row.pk), {"post": "yes", **WHY}).status_code == 403
        client.post(url(type(row), "changelist"), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes", **WHY})
    assert ServiceVersion.objects.count() == Service.objects.count() == 1


def test_a_steward_of_one_service_drafts_that_one_alone(service, noon):
    other = make_service("ris")
    person = make_staff(on=service, may=("view", "change"))
    client = signed_in(person)
    assert [row.code for row in client.get(url(Service, "changelist")).context["cl"].result_list] == ["pacs"]
    assert list(client.get(url(ServiceVersion, "add")).context["adminform"].form.fields["service"].queryset) == [service]
    assert not client.get(f"{url(ServiceVersion, 'add')}?service={other.pk}").context["adminform"].form.initial
    page = f"{url(ServiceVersion, 'add')}?service={service.pk}"
    data = filled(client.get(page), **WHY)
    assert "Select a valid choice" in text(client.post(page, {**data, "service": other.pk}))
    assert client.post(page, data).status_code == 302
    version = draft(make_user(), other, noon)
    assert client.post(act_url(version, "cancel"), WHY)["Location"] == "/admin/"
    version.refresh_from_db()
    assert version.state == "draft"


def test_the_lists_ask_few_questions(service, steward, django_assert_max_num_queries):
    for _ in range(12):
        make_service()
    client = signed_in(steward)
    with django_assert_max_num_queries(16):
        client.get(url(Service, "changelist"))
    with django_assert_max_num_queries(16):
        client.get(url(ServiceVersion, "changelist"))


def test_forms_name_entries_by_code_and_name_and_offer_only_who_can_answer_for_them(steward, service, noon):
    steward.user_permissions.add(Permission.objects.get(codename="add_relation"))
    other = make_user("ada", first_name="Ada", last_name="Audit")
    other.groups.add(Group.objects.get_or_create(name="auditor")[0])
    client = signed_in(steward)
    draft(steward, service, noon, rpo_s=3_600)
    page = client.get(change_url(service.versions.get(number=2)))
    assert "Ada Audit" not in text(page)
    answer = client.post(change_url(service.versions.get(number=2)), {**filled(page), "owner": other.pk, **WHY})
    assert "Ada Audit cannot be its owner: auditor and owner exclude each other" in text(answer)
    assert f'<option value="{service.pk}">pacs · Imaging archive</option>' in text(client.get(url(Relation, "add")))
