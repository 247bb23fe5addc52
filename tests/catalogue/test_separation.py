"""Duties that exclude each other: on grant by every way, on action for everybody, and only by a dated exception of somebody else."""

import datetime as dt
import re
from pathlib import Path

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.db import DatabaseError, IntegrityError, connection, transaction
from guardian.shortcuts import assign_perm

from catalogue import agreeing, batching, declaring, deviating, duties, excepting, holding, legal_holds, publishing, relating, retiring
from catalogue.duties import NotAllowed
from catalogue.models import Agreement, Duty, DutyException, GrantEntry, LegalHold, Service
from catalogue.publishing import NotReady
from incidents import working
from incidents.models import Incident
from itsm_backup import granting
from itsm_backup.common.models import Notice, because, on_record
from itsm_backup.common.time import now
from monitoring.models import JobSchedule
from tests.admin_forms import filled, make_staff, signed_in, url
from tests.catalogue.makers import NOON, make_approver, make_author, make_draft, make_service, make_user, take_out
from tests.factories import make_admin, make_job, make_schedule, make_tool

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def root():
    granting.ensure_roles(at=now())
    return make_admin("root")


def give(person, role, root, **limits):
    granting.grant(user=person, role=role, by=root, at=now(), reason="For a test", **limits)
    return type(person).objects.get(pk=person.pk)


def hold(person, *names):
    """Rights given past every door of the product, as somebody at a shell would."""
    for name in names:
        app, codename = name.split(".")
        person.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return type(person).objects.get(pk=person.pk)


def except_(person, one, other, root, **more):
    asked = {"owner": make_user("owner"), "reason": "Night shift", "valid_until": now() + DAY, "by": root, "at": now(), **more}
    return excepting.except_duties(person=person, one=one, other=other, **asked)


# ---- the matrix


def test_the_matrix_is_that_of_the_reference():
    table = (Path(__file__).parents[2] / "docs" / "roles.md").read_text()
    for conflict in (*duties.NEVER_TOGETHER, *duties.NEVER_ON_THE_SAME):
        assert {conflict.one, conflict.other} <= set(Duty.values)
        assert conflict.rule.rstrip(".") in table
    assert len(duties.NEVER_TOGETHER) == 9 and len(duties.NEVER_ON_THE_SAME) == 9
    assert duties.rule_between("steward", "requester") is None


def test_the_database_knows_the_same_pairs_as_the_product():
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = 'catalogue_keep_duties_apart'")
        pairs = re.findall(r"\('([a-z-]+)', '([a-z-]+)'\)", cursor.fetchone()[0])
    assert {frozenset(pair) for pair in pairs} == {frozenset((one.one, one.other)) for one in duties.NEVER_TOGETHER}


# ---- on grant


def test_a_role_is_refused_beside_a_right_that_makes_up_the_other_duty(root):
    service = make_service("pacs")
    person, limited, member = make_user("own"), make_user("limited"), make_user("member")
    hold(person, "monitoring.change_tool")
    assign_perm("catalogue.change_service", limited, service)
    group = Group.objects.create(name="Night shift")
    group.permissions.add(Permission.objects.get(codename="change_jobschedule"))
    member.groups.add(group)
    for one, role in ((person, "steward"), (limited, "monitoring-admin"), (member, "approver")):
        with pytest.raises(granting.NotGranted, match="exclude each other: who measures a promise never"):
            give(one, role, root)
    assert holding.duties_of(member) == {"monitoring-admin": ["through the group Night shift"]}
    assert holding.duties_of(limited) == {"steward": [f"right catalogue.change_service on row {service.pk}"]}


def test_the_page_of_rights_refuses_and_names_the_rule(root):
    tool, service = make_tool(), make_service("pacs")
    person = give(make_user("max"), "monitoring-admin", root)
    client = signed_in(root)
    for row, right, rule in ((service, "change_service", "never writes it"), (service, "approve_service", "never approves it")):
        answer = client.post(url(type(row), "permissions", row.pk), {"holder": person.pk, "rights": [right], "change_reason": "Helps out"})
        assert answer.status_code == 200 and rule in answer.content.decode()
    assert not person.has_perm("catalogue.change_service", service)
    client.post(url(type(tool), "permissions", tool.pk), {"holder": person.pk, "rights": ["poll_tool"], "change_reason": "Helps out"})
    assert person.has_perm("monitoring.poll_tool", tool)
    auditor = make_user("reads")
    auditor.groups.add(Group.objects.get_or_create(name="auditor")[0])
    told = client.post(
        url(type(tool), "permissions", tool.pk), {"holder": auditor.pk, "rights": ["poll_tool"], "change_reason": "Helps out"}
    )
    assert "nobody audits their own work" in told.content.decode() and not auditor.has_perm("monitoring.poll_tool", tool)
    entry = GrantEntry.objects.filter(what="monitoring.poll_tool", given=True).latest("pk")
    assert (entry.person, entry.by, entry.reason) == (person.pk, root.pk, "Helps out")


def test_rights_that_must_not_meet_on_one_object_are_not_given_on_one(root):
    service, person, writer = make_service("pacs"), make_user("max"), give(make_user("stella"), "steward", root)
    client, page = signed_in(root), url(Service, "permissions", service.pk)
    for holder, rights in ((person, ["change_service", "approve_service"]), (writer, ["approve_service"])):
        answer = client.post(page, {"holder": holder.pk, "rights": rights, "change_reason": "Helps out"})
        assert "an author never approves. They must not meet on one object." in answer.content.decode()
        assert not type(holder).objects.get(pk=holder.pk).has_perm("catalogue.approve_service", service)
    answer = client.post(page, {"holder": root.pk, "rights": ["approve_service"], "change_reason": "Mine"})
    assert "Nobody gives rights to themselves" in answer.content.decode()


def test_the_database_refuses_roles_by_raw_sql(root):
    person = give(make_user("max"), "operator", root)
    approvers = Group.objects.create(name="approver on service pacs")
    for group in (Group.objects.get(name="approver"), approvers):
        with pytest.raises(IntegrityError, match="exclude each other"), transaction.atomic():
            person.groups.add(group)
    person.groups.add(Group.objects.get(name="steward"))


# ---- on action


def test_who_holds_both_duties_all_the_same_does_neither(root):
    version = make_draft()
    both = hold(make_user("both"), "catalogue.view_service", "catalogue.change_service", "monitoring.change_tool")
    rule = "who measures a promise never writes it"
    assert rule in duties.refusal(by=both, act="change", on=version.service, at=now())
    assert not duties.may(by=both, act="relate", on=version.service, at=now())
    said = {"by": both, "at": now(), "reason": "x"}
    ends = {"consumer": version.service, "provider": make_service("ris"), "kind": "depends_on", "strength": "hard"}
    with pytest.raises(NotAllowed, match=rule):
        publishing.edit_draft(version=version, content={"name": "New"}, commitment={}, **said)
    with pytest.raises(NotAllowed, match=rule):
        relating.relate(**ends, **said)


def test_who_wrote_what_is_in_force_does_not_approve_what_follows_it(root):
    service = make_service("pacs")  # in force, by its author
    both = hold(make_author(), "catalogue.view_service", "catalogue.approve_service")
    version = publishing.draft_version(
        service=service, content={"name": "New"}, commitment={}, by=make_user("james", "catalogue.change_service"), at=now(), reason="x"
    )
    publishing.submit(version=version, by=make_user("james"), at=now())
    with pytest.raises(NotAllowed, match=r"an author never approves.*You have acted as steward on pacs"):
        publishing.approve(version=version, by=both, at=now())
    except_(both, "steward", "approver", root)
    assert publishing.approve(version=version, by=both, at=now()).state == "approved"


def test_deviations_analyses_and_agreements_obey_the_duties_like_versions(root):
    author, able = make_author(), ("catalogue.view_service", "catalogue.approve_service")
    service, at = make_service("pacs"), now()
    agreement = declaring.declare(Agreement(name="SLA"), {"kind": "sla", "party": "Wards"}, by=author, reason="test").row
    said = {"by": make_user("writer"), "at": at, "reason": "test"}
    text = agreeing.draft_agreement(agreement=agreement, content={"from_on": at.date(), "rpo_s": 86_400}, **said)
    analysis = agreeing.draft_analysis(
        service=service, content={"mtpd_s": 86_400, "tolerated_loss_s": 3_600, "wrt_s": 0, "review_due_on": at.date() + 300 * DAY}, **said
    )
    asked = {"owner": make_user("owner"), "expires_on": at.date() + 30 * DAY, **said}
    deviation = deviating.ask(service=service, code="SCHEDULE_EXCEEDS_RPO", **asked)
    both = hold(make_user("both"), *able, "monitoring.change_tool")
    wrote = make_user("author", *able, is_staff=True)  # wrote the version in force
    acts = {
        "agreement": lambda by: agreeing.approve(row=text, by=by, at=at, reason="x"),
        "analysis": lambda by: agreeing.approve(row=analysis, by=by, at=at, reason="x"),
        "deviation": lambda by: deviating.grant(deviation=deviation, by=by, at=at, reason="x"),
    }
    for act in acts.values():
        with pytest.raises(NotAllowed, match="Monitoring-admin and approver exclude each other"):
            act(both)
    for name in ("analysis", "deviation"):
        with pytest.raises(NotAllowed, match="an author never approves"):
            acts[name](wrote)
    for act in acts.values():
        assert act(make_approver()).approver == make_approver()


def test_forms_of_the_admin_refuse_too_and_name_the_rule():
    tool = make_tool()
    both = make_staff("monitoring.view_tool", "monitoring.change_tool", "catalogue.change_service", name="both")
    answer = signed_in(both).post(url(type(tool), "change", tool.pk), {"label": "Mine", "change_reason": "x"})
    assert answer.status_code == 403 and "who measures a promise never writes it" in answer.content.decode()
    assert signed_in(both).get(url(type(tool), "change", tool.pk)).status_code == 200, "reading stays"


def test_superusers_obey_by_what_they_have_done(root):
    version = make_draft()
    publishing.submit(version=version, by=make_author(), at=now())
    job = make_job(make_tool(), service=version.service)
    job.service = version.service
    job.save()
    with because("The night is shorter", by=root):
        make_schedule(job, grace_s=60)
        JobSchedule.objects.get().save()
    with pytest.raises(NotAllowed, match=r"who measures a promise never approves it.*You have acted as monitoring-admin on pacs"):
        publishing.approve(version=version, by=root, at=now())
    publishing.approve(version=version, by=make_admin("other"), at=now())


def test_who_wrote_the_promise_closes_no_incident_of_it_by_hand(root):
    service = make_service("pacs", owner=make_user("owner"))
    told = {"priority": "P3", "impact": "low", "urgency": "low", "title": "x", "cause_key": "x"}
    incident = Incident.objects.create(state="in_progress", service=service, opened_at=now(), updated_at=now(), **told)
    asked = {"incident": incident, "to": "resolved", "resolution": "fixed", "cause": "storage", "reason": "Copied by hand", "at": now()}
    with pytest.raises(working.NotPossible, match="who wrote the promise does not close by hand what breaks it"):
        working.move(by=make_author(), **asked)
    assert working.move(by=make_user("operator"), **asked).state == "resolved"


# ---- exceptions


def test_an_exception_lets_both_duties_be_held_and_done_until_it_ends(root):
    service = make_service("pacs")
    person = give(make_user("max"), "steward", root)
    exception = except_(person, "monitoring-admin", "steward", root)
    person = give(person, "monitoring-admin", root)
    assert duties.may(by=person, act="change", on=service, at=now())
    excepting.end(exception=exception, by=root, at=now(), reason="The vacancy is filled")
    assert "never writes it" in duties.refusal(by=person, act="change", on=service, at=now())
    with pytest.raises(NotReady, match="not in force"):
        excepting.end(exception=exception, by=root, at=now(), reason="Again")
    assert [row.history_change_reason for row in DutyException.history.order_by("pk")] == ["Night shift", "The vacancy is filled"]


def test_nobody_excepts_themselves_and_no_exception_is_without_end_or_use(root):
    person, other_root = make_user("max"), make_admin("second")
    with pytest.raises(NotReady, match="Nobody approves an exception for themselves"):
        except_(root, "steward", "approver", root)
    with pytest.raises(NotReady, match="Nobody owns an exception of their own"):
        except_(person, "steward", "approver", root, owner=person)
    with pytest.raises(NotReady, match="may be held together"):
        except_(person, "steward", "requester", root)
    with pytest.raises(NotReady, match="over already"):
        except_(person, "steward", "approver", root, valid_until=now() - DAY, valid_from=now() - 2 * DAY)
    with pytest.raises(NotAllowed, match="approved by administrators"):
        except_(person, "steward", "approver", make_user("nobody"))
    with pytest.raises(NotReady, match="within a year"):
        except_(person, "steward", "approver", root, valid_until=now() + 400 * DAY)
    assert not DutyException.objects.exists()
    made = except_(person, "steward", "approver", root)
    with pytest.raises(IntegrityError, match="exception_not_for_oneself"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE catalogue_dutyexception SET approver_id = person_id WHERE id = %s", [made.pk])
    assert other_root.has_perm(excepting.MAY_EXCEPT)


def test_an_exception_begins_with_its_approval_and_its_end_of_then_is_known(root):
    at = now()
    with pytest.raises(NotReady, match="It begins with its approval, not before"):
        except_(make_user("max"), "steward", "approver", root, valid_from=at - DAY, at=at)
    made = except_(make_user("max"), "steward", "approver", root, at=at - 2 * DAY, valid_until=at + 9 * DAY)
    ended = excepting.end(exception=made, by=root, at=at, reason="Filled")
    assert excepting.ends_known([ended], at - DAY) == {made.pk: at + 9 * DAY}
    assert excepting.ends_known([ended], at) == {made.pk: at}


# ---- on record


def test_rights_given_past_every_door_are_on_record_without_a_reason(root):
    person = make_user("max")
    hold(person, "catalogue.view_service")
    seen = GrantEntry.objects.latest("pk")
    assert (seen.kind, seen.holder, seen.what, seen.given, seen.by, seen.reason) == (
        "right", "max", "catalogue.view_service", True, None, ""
    )  # fmt: skip
    give(person, "operator", root)
    given = GrantEntry.objects.get(what="operator")
    assert (given.person, given.by, given.reason) == (person.pk, root.pk, "For a test")
    granting.revoke(user=person, scope=granting.held_by(person)[0], by=root, at=now(), reason="Left")
    assert GrantEntry.objects.latest("pk").given is False and GrantEntry.objects.latest("pk").reason == "Left"
    with on_record(by=root, reason="Inside"):
        hold(person, "catalogue.view_team")
    hold(person, "catalogue.view_window")
    assert GrantEntry.objects.latest("pk").reason == "", "a reason holds for its act alone"
    for statement in ("UPDATE catalogue_grantentry SET reason = 'y'", "DELETE FROM catalogue_grantentry"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


# ---- legal holds


def retire(service):
    with transaction.atomic():
        take_out(service)


def test_whoever_was_told_of_a_hold_is_told_that_it_binds_no_longer(root):
    service, approver, at = make_service("pacs"), make_approver(), now()
    first, second = (
        legal_holds.place(service=service, owner=make_user(name), reason="File 7", by=approver, at=at) for name in ("counsel", "judge")
    )
    told = set(Notice.objects.filter(key__startswith=f"told/legal-hold/{first.pk}/").values_list("recipient", flat=True))
    act = next(act for act in admin.site.get_model_admin(LegalHold).acts if act.name == "release")
    assert act.told(None, first)[0] == "The service may still not be retired: 1 other hold binds it. The hold stays on record."
    legal_holds.release(hold=first, by=make_approver("other"), at=now(), reason="Settled")
    mails = Notice.objects.filter(subject="Legal hold on pacs released")
    assert told < set(mails.values_list("recipient", flat=True)) == told | {approver.email}, "who placed it, too"
    assert "it binds no longer. 1 other hold binds the service still." in mails[0].body and "Settled" in mails[0].body
    assert act.told(None, second)[0] == "From then on the service may be retired. The hold stays on record."


def test_a_held_service_is_not_retired_until_somebody_else_releases_it(root):
    service, approver, at = make_service("pacs"), make_approver(), now()
    placed = legal_holds.place(service=service, owner=make_user("counsel"), reason="File 7 O 12/26", by=approver, at=at)
    assert legal_holds.in_force(service, at) == [placed] and list(LegalHold.objects.holding(at)) == [placed]
    with pytest.raises(IntegrityError, match="under legal hold is not retired"):
        retire(service)
    with pytest.raises(NotAllowed, match="You may not release the legal hold on pacs"):
        legal_holds.release(hold=placed, by=make_user("reader", "catalogue.view_service"), at=now(), reason="x")
    author = hold(make_author(), "catalogue.approve_service")
    with pytest.raises(NotAllowed, match="You have acted as steward on pacs"):
        legal_holds.release(hold=placed, by=author, at=now(), reason="It is in my way")
    legal_holds.release(hold=placed, by=approver, at=now(), reason="The proceedings are over")
    with pytest.raises(NotReady, match="was released by"):
        legal_holds.release(hold=placed, by=approver, at=now(), reason="Again")
    retire(Service.objects.get(pk=service.pk))
    for statement in ("DELETE FROM catalogue_legalhold", "UPDATE catalogue_legalhold SET released_at = NULL, released_by_id = NULL"):
        with pytest.raises(IntegrityError, match="legal hold"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert legal_holds.in_force(service, at) == [LegalHold.objects.get()], "at that time it held"


def test_who_asked_for_the_retirement_does_not_release_the_hold_that_stops_it(root):
    service, at = make_service("pacs"), now()
    placed = legal_holds.place(service=service, owner=make_user("counsel"), reason="File 7", by=make_approver(), at=at)
    asked = retiring.ask(service=service, ends_at=at + DAY, by=root, at=at, reason="Replaced")
    with pytest.raises(
        NotAllowed, match=r"You asked for the retirement that this hold stops, so somebody else releases it\. approver can\."
    ):
        legal_holds.release(hold=placed, by=root, at=at, reason="In my way")
    retiring.call_off(retirement=asked, by=root, at=at, reason="Not yet")
    assert legal_holds.release(hold=placed, by=root, at=at, reason="Over").released_by == root


def test_the_admin_places_and_releases_a_hold_and_shows_it_on_the_entry():
    service, approver = make_service("pacs"), make_staff("catalogue.view_service", "catalogue.view_legalhold", "catalogue.approve_service")
    client, counsel = signed_in(approver), make_user("counsel")
    form = {"service": service.pk, "owner": counsel.pk, "reason": "File 7 O 12/26", "change_reason": "Asked for by counsel"}
    began = (now() - dt.timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M")
    client.post(url(LegalHold, "add"), {**filled(client.get(url(LegalHold, "add"))), **form, "held_from": began})
    placed = LegalHold.objects.get()
    assert (placed.owner, placed.released_at) == (counsel, None)
    assert "File 7 O 12/26" in client.get(url(Service, "change", service.pk)).content.decode()
    client.post(url(LegalHold, "act", placed.pk, "release"), {"change_reason": "The proceedings are over"})
    placed.refresh_from_db()
    assert placed.released_by == approver and placed.history.first().history_change_reason == "The proceedings are over"


def test_a_named_steward_approves_no_version_of_the_entry_and_closes_nothing_of_it_by_hand():
    service = make_service("pacs")
    named = make_user("both", "catalogue.view_service", "catalogue.approve_service")
    asked = {"by": make_author(), "at": NOON, "reason": "Handed over"}
    draft = publishing.draft_version(service=service, content={"steward": named}, commitment={}, **asked)
    publishing.submit(version=draft, by=make_author(), at=NOON)
    with pytest.raises(NotAllowed, match=r"an author never approves\. You are named as steward of pacs"):
        publishing.approve(version=draft, by=named, at=NOON)
    (wish,) = batching.to_approve([draft], by=named, at=NOON)
    assert "an author never approves" in str(wish.problems)
    publishing.approve(version=draft, by=make_approver(), at=NOON + DAY)
    named.user_permissions.set([Permission.objects.get(codename="override_service")])
    assert "does not close by hand" in duties.refusal(by=named, act="override", on=service, at=NOON + DAY)
