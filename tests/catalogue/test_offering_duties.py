"""To whom duties of an entry are offered, who belongs to a team that runs backups, and who acts as steward at all."""

import datetime as dt

import pytest
from django.contrib.auth.models import Group
from guardian.shortcuts import assign_perm, remove_perm

from catalogue import agreeing, attesting, deviating, duties, handing_over, naming, reanalysing, responsibilities
from catalogue.duties import NotAllowed
from catalogue.models import Agreement, ImpactAnalysis, Service, Team, TeamMember
from catalogue.refusing import NotReady
from itsm_backup.common.models import Notice, because
from itsm_backup.portal import offered_duties
from itsm_backup.portal.asof import Moment
from tests.admin_forms import change_url, filled, make_staff, signed_in
from tests.catalogue.makers import NOON, make_approver, make_author, make_service, make_user

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
NOW = Moment(at=NOON + DAY, now=NOON + DAY)


def ask(service, **more):
    said = {"duty": "owner", "by": make_author(), "at": NOON + DAY, "reason": "Tom retires"}
    return handing_over.ask(service=service, **{**said, **more})


def auditor(name="ada"):
    person = make_user(name)
    person.groups.add(Group.objects.get_or_create(name="auditor")[0])
    return person


def team_of(name, *people):
    with because("test"):
        team, _ = Team.objects.get_or_create(name=name, defaults={"email": f"{name}@example.org"})
        for person in people:
            TeamMember.objects.create(team=team, person=person)
    return team


def causes(service, at=NOON + DAY):
    return [gap.cause for gap in responsibilities.gaps(services=[service.pk], at=at)]


def test_a_duty_is_offered_to_who_may_see_the_entry_and_the_stewards_to_who_may_change_it():
    service, nobody, reader = make_service(), make_user("nobody"), make_user("reader", "catalogue.view_service")
    with pytest.raises(NotReady, match="nobody may not see pacs: an administrator gives nobody the role stakeholder for it first"):
        ask(service, receiver=nobody)
    with pytest.raises(NotReady, match="reader may not change pacs: an administrator gives reader the role steward for it first"):
        ask(service, receiver=reader, duty="steward")
    offered = dict(offered_duties.people(service, NOW))
    assert nobody.pk not in offered and offered[reader.pk] == "reader (as owner)"
    for right in ("view_service", "change_service"):
        assign_perm(right, nobody, service)
    assert dict(offered_duties.people(service, NOW))[nobody.pk] == "nobody"
    row = ask(service, receiver=make_user("nobody"), duty="steward")
    remove_perm("change_service", nobody, service)
    with pytest.raises(NotReady, match="may not change pacs"):
        handing_over.accept(hand_over=row, by=make_user("nobody"), at=NOON + 2 * DAY)


def test_a_steward_who_may_not_change_the_entry_is_a_gap():
    service = make_service(review_due_on=dt.date(2027, 1, 1), steward=make_user("nils"))
    (gap,) = responsibilities.gaps(services=[service.pk], at=NOON + DAY)
    assert gap.cause == "The steward may not change it" and "An administrator gives nils the role steward for it" in gap.sentence
    group = Group.objects.create(name="steward on service pacs")
    assign_perm("change_service", group, service)
    make_user("nils").groups.add(group)
    assert causes(service) == []


def test_who_is_asked_reads_and_answers_it_on_the_page_of_ownership_without_seeing_the_entry(client):
    service, member = make_service(), make_user("mo")
    row = ask(service, duty="operations_team", team=team_of("databases", member))
    mail = Notice.objects.get(key__startswith=f"hand-over/{row.pk}")
    assert "/ownership/" in mail.body and "/services/pacs/ownership/" not in mail.body
    client.force_login(member)
    assert client.get("/services/pacs/ownership/").status_code == 404
    page = client.get("/ownership/").content.decode()
    assert "author asks databases to run the backups of pacs" in page and f"/ownership/hand-overs/{row.pk}/answer" in page
    done = client.post(f"/ownership/hand-overs/{row.pk}/answer", {"answer": "accept"}, follow=True).content.decode()
    assert "databases takes it over as soon as version 2 is approved." in done and "asks databases" not in done


def test_nobody_runs_backups_whose_other_duty_excludes_it():
    service, ada, approver = make_service(), auditor(), make_approver()
    team = team_of("databases", ada, approver)
    with pytest.raises(NotReady, match="Nobody but you could accept for databases"):
        ask(service, duty="operations_team", team=team)
    assert offered_duties.teams(service.version_at(NOON), NOW) == ()
    team_of("databases", make_user("ola"))
    row = ask(service, duty="operations_team", team=team)
    assert list(Notice.objects.filter(key__startswith=f"hand-over/{row.pk}").values_list("recipient", flat=True)) == ["ola@example.org"]
    for person, rule in ((ada, "auditor and operator exclude each other"), (approver, "operator and approver exclude each other")):
        with pytest.raises(NotAllowed, match=f"cannot belong to a team that runs backups: {rule}"):
            handing_over.accept(hand_over=row, by=person, at=NOON + 2 * DAY)


def test_the_page_of_a_team_refuses_such_members_with_the_rule():
    team = team_of("databases", make_user("ola"))
    rights = ("view_team", "change_team", "view_teammember", "add_teammember", "change_teammember", "delete_teammember")
    door = signed_in(make_staff(*(f"catalogue.{right}" for right in rights), name="root"))
    page = change_url(team)
    row = {"members-TOTAL_FORMS": "2", "members-1-team": team.pk, "members-1-id": ""}
    said = {**filled(door.get(page)), **row, "change_reason": "New rota"}
    answer = door.post(page, {**said, "members-1-person": auditor().pk})
    assert answer.status_code == 200 and "ada cannot belong to a team that runs backups: auditor and operator" in answer.content.decode()
    assert door.post(page, {**said, "members-1-person": make_user("mo").pk}).status_code == 302
    assert set(team.members.values_list("person__username", flat=True)) == {"ola", "mo"}


def test_who_holds_two_duties_that_exclude_each_other_does_nothing_that_a_steward_does():
    service, at = make_service(), NOON + DAY
    both = make_user("both", "catalogue.view_service", "catalogue.change_service", "monitoring.change_tool")
    said = {"by": both, "at": at, "reason": "x"}
    with because("test"):
        agreement = Agreement.objects.create(kind="sla", name="SLA", party="Wards")
    borne = {"mtpd_s": 86_400, "tolerated_loss_s": 3_600, "wrt_s": 0, "review_due_on": (at + 300 * DAY).date()}
    acts = (
        lambda: deviating.ask(service=service, code="SCHEDULE_EXCEEDS_RPO", owner=make_user("owner"), expires_on=at.date() + DAY, **said),
        lambda: attesting.open_round(services=[service], title="Check", due_on=at.date() + DAY, by=both, at=at),
        lambda: handing_over.ask(service=service, duty="owner", receiver=make_approver(), **said),
        lambda: agreeing.draft_analysis(service=service, content=borne, **said),
        lambda: agreeing.draft_agreement(agreement=agreement, content={"from_on": at.date(), "rpo_s": 86_400}, **said),
    )
    for act in acts:
        with pytest.raises(NotAllowed, match="Monitoring-admin and steward exclude each other: who measures a promise never writes it"):
            act()
    duties.check_duty(by=make_author(), duty="steward", doing="write", at=at)
    assert naming.refusal_of_member(make_author(), at) == ""


def analysis(service, review_due_on, at=NOON):
    content = {"mtpd_s": 864_000, "tolerated_loss_s": 864_000, "wrt_s": 0, "review_due_on": review_due_on}
    return agreeing.draft_analysis(service=service, content=content, by=make_user("writer"), at=at, reason="Yearly")


def test_an_overdue_impact_analysis_is_a_gap_and_its_steward_is_mailed():
    service = make_service(review_due_on=dt.date(2027, 1, 1))
    agreeing.approve(row=analysis(service, (NOON + 9 * DAY).date()), by=make_approver(), at=NOON, reason="Read")
    assert causes(service, NOON + 9 * DAY) == [] and causes(service, NOON + 10 * DAY) == ["Its impact analysis is overdue"]
    written = [reanalysing.remind(at=NOON + days * DAY) for days in (9, 10, 11, 38, 39)]
    assert written == [0, 1, 0, 1, 0]
    mail = Notice.objects.filter(subject="Overdue: impact analysis of Service pacs").first()
    assert mail.recipient == "author@example.org" and "/services/pacs/commitment/" in mail.body
    agreeing.approve(row=analysis(service, (NOON + 300 * DAY).date(), NOON + 40 * DAY), by=make_approver(), at=NOON + 40 * DAY, reason="x")
    assert causes(service, NOON + 40 * DAY) == [] and reanalysing.remind(at=NOON + 90 * DAY) == 0


def test_an_analysis_of_which_the_review_is_over_is_not_approved():
    row = analysis(make_service(), (NOON + 9 * DAY).date())
    with pytest.raises(NotReady, match="Its review was due on 23 Jul 2026 already: let its author set a day"):
        agreeing.approve(row=row, by=make_approver(), at=NOON + 10 * DAY, reason="Read")
    assert ImpactAnalysis.objects.get().state == "draft" and Service.objects.count() == 1
