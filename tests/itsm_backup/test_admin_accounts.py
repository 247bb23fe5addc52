"""People and roles in the admin: given and taken with a reason, never against the duties, never deleted."""

import re

import pytest
from allauth.mfa.models import Authenticator
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from catalogue import duties, holding
from catalogue.models import Label, Team, TierDefault
from incidents.models import ResponseTarget
from itsm_backup import granting
from itsm_backup.roles import ROLES, Scope
from monitoring.models import PollingPolicy
from tests.admin_forms import change_url, filled, make_staff, signed_in, url
from tests.factories import make_admin, make_service, make_user

pytestmark = pytest.mark.django_db
User = get_user_model()
WHY = {"change_reason": "Starts on Monday"}


@pytest.fixture
def root(noon):
    granting.ensure_roles(at=noon)
    return make_admin("root")


@pytest.fixture
def client(root):
    return signed_in(root)


def text(response):
    return " ".join(response.content.decode().split())


def told():
    return LogEntry.objects.latest("pk").get_change_message()


def act(person, name):
    return url(User, "act", person.pk, name)


def test_an_account_is_made_with_a_reason_and_without_a_password(client):
    data = {"username": "helga", "first_name": "Helga", "last_name": "Brandt", "email": "h@example.org", "is_active": "on"}
    assert "Say why" in text(client.post(url(User, "add"), data))
    client.post(url(User, "add"), {**data, **WHY})
    person = User.objects.get(username="helga")
    assert not person.has_usable_password() and not person.is_staff and told() == "Added. Reason: Starts on Monday"


def test_a_password_is_set_with_a_reason_and_by_the_rules(client):
    person = make_user("helga")
    page = act(person, "password")
    for bad in ({"password": "short", "again": "short", **WHY}, {"password": "long enough 1", "again": "long enough 2", **WHY},
                {"password": "long enough 1", "again": "long enough 1"}):  # fmt: skip
        answer = client.post(page, bad)
        assert answer.status_code == 200 and "long enough 1" not in answer.content.decode()
    client.post(page, {"password": "a fine long word", "again": "a fine long word", **WHY})
    person.refresh_from_db()
    assert person.check_password("a fine long word") and told().endswith("Reason: Starts on Monday")


def test_a_role_is_given_everywhere_or_on_one_service_and_taken_again(client):
    person, service = make_user("helga"), make_service("pacs")
    page = act(person, "give")
    assert "Say why" in text(client.post(page, {"role": "steward"})) and not granting.held_by(person)
    client.post(page, {"role": "steward", "services": [service.pk], **WHY})
    assert granting.held_by(person) == [Scope("steward", "service", "pacs")]
    person.refresh_from_db()
    assert person.is_staff
    html = text(client.get(change_url(person)))
    assert "steward on service pacs" in html
    client.post(act(person, "take"), {"role": "steward on service pacs", **WHY})
    person.refresh_from_db()
    assert not granting.held_by(person) and not person.is_staff


def test_a_department_is_offered_once_and_limits_the_role(client):
    person = make_user("helga")
    for code in ("pacs", "ris"):
        make_service(code, department="Imaging")
    form = client.get(act(person, "give")).context["form"]
    assert list(form.fields["departments"].choices) == [("Imaging", "Imaging")]
    client.post(act(person, "give"), {"role": "stakeholder", "departments": ["Imaging"], **WHY})
    assert granting.held_by(person) == [Scope("stakeholder", "department", "Imaging")]


def test_duties_that_exclude_each_other_are_refused_with_the_rule(client):
    person = make_user("helga")
    client.post(act(person, "give"), {"role": "steward", **WHY})
    answer = client.post(act(person, "give"), {"role": "monitoring-admin", **WHY})
    assert "who measures a promise never writes it" in text(answer)
    assert granting.held_by(person) == [Scope("steward")]


def test_a_limited_administrator_changes_people_but_makes_no_superuser_and_gives_nothing_to_themselves(root, caplog):
    person, keeper = make_user("helga"), make_staff("auth.view_user", "auth.change_user", name="keeper")
    client = signed_in(keeper)
    page = client.get(change_url(person))
    assert "is_superuser" not in page.context["adminform"].form.fields
    client.post(change_url(person), filled(page, is_superuser="on", last_name="Brandt", **WHY))
    person.refresh_from_db()
    assert person.last_name == "Brandt" and not person.is_superuser
    answer = client.post(act(keeper, "give"), {"role": "steward", **WHY})
    assert answer.status_code == 403 and "ask another administrator" in text(answer) and not granting.held_by(keeper)
    assert 'action="give"' in caplog.text


def test_an_administrator_gives_themselves_nothing_and_is_warned_of_duties_that_must_not_meet(root, client):
    answer = client.post(act(root, "give"), {"role": "approver", **WHY})
    assert answer.status_code == 403 and "ask another administrator" in text(answer) and not granting.held_by(root)
    person = make_user("helga")
    client.post(act(person, "give"), {"role": "steward", **WHY})
    answer = client.post(act(person, "give"), {"role": "approver", **WHY}, follow=True)
    assert "Never on the same object: steward and approver exclude each other: an author never approves." in text(answer)


def test_an_act_needs_the_right_to_change_people(root, caplog):
    person, reader = make_user("helga"), make_staff("auth.view_user")
    client = signed_in(reader)
    for name, data in (("give", {"role": "steward"}), ("password", {"password": "a fine long word", "again": "a fine long word"})):
        assert client.post(act(person, name), {**data, **WHY}).status_code == 403
    assert not granting.held_by(person) and not User.objects.get(pk=person.pk).check_password("a fine long word")
    assert caplog.text.count('user="' + reader.username) == 2


def test_only_an_administrator_touches_an_administrator(root, caplog):
    client = signed_in(make_staff("auth.view_user", "auth.change_user"))
    data = {"password": "a fine long word", "again": "a fine long word", **WHY}
    assert client.post(act(root, "password"), data).status_code == 403
    assert client.post(change_url(root), {"username": "root", **WHY}).status_code == 403
    root.refresh_from_db()
    assert not root.check_password("a fine long word") and root.is_active


def test_people_are_deactivated_and_never_deleted(client, root):
    person = make_user("helga")
    assert client.post(url(User, "delete", person.pk), {"post": "yes", **WHY}).status_code == 403
    data = filled(client.get(change_url(person)))
    data.pop("is_active")
    assert "Say why" in text(client.post(change_url(person), data))
    client.post(change_url(person), {**data, **WHY})
    person.refresh_from_db()
    assert not person.is_active
    own = filled(client.get(change_url(root)), **WHY)
    own.pop("is_active")
    assert "cannot deactivate your own account" in text(client.post(change_url(root), own))
    assert User.objects.get(pk=root.pk).is_active


def test_a_lost_second_factor_is_forgotten_with_a_reason(client):
    person = make_user("helga")
    assert "second factor" not in text(client.get(change_url(person)))
    Authenticator.objects.create(user=person, type="totp", data={"secret": "x"})
    assert "Say why" in text(client.post(act(person, "second-factor"), {}))
    client.post(act(person, "second-factor"), WHY)
    assert not Authenticator.objects.exists()


def test_the_history_of_an_account_names_every_change_and_its_reason(client):
    person = make_user("helga")
    client.post(act(person, "give"), {"role": "steward", **WHY})
    html = text(client.get(url(User, "history", person.pk)))
    assert "Given the role steward: Starts on Monday" in html and "root" in html


def test_roles_are_shown_and_not_edited(client):
    group = Group.objects.get(name="steward")
    html = text(client.get(change_url(group)))
    assert ROLES["steward"].duty in html and re.search(r"<p>Change: [^<]*\bservices\b", html) and "Can change" not in html
    assert client.post(change_url(group), {"name": "x", **WHY}).status_code == 403
    assert client.get(url(Group, "add")).status_code == 403


def test_an_auditor_reads_what_was_done_and_nobody_writes_it(root, client, noon):
    person = make_user("helga")
    client.post(act(person, "give"), {"role": "steward", **WHY})
    granting.grant(user=person, role="approver", by=root, at=noon, reason="For a test")
    auditor = make_user("rita")
    granting.grant(user=auditor, role="auditor", by=root, at=noon, reason="For a test")
    reader = signed_in(User.objects.get(pk=auditor.pk))
    assert "Given the role steward: Starts on Monday" in text(reader.get(url(LogEntry, "changelist")))
    entry = LogEntry.objects.first()
    assert reader.post(change_url(entry), {"object_repr": "x"}).status_code == 403
    assert client.post(url(LogEntry, "delete", entry.pk), {"post": "yes", **WHY}).status_code == 403


def test_who_audits_is_no_administrator_and_who_is_both_changes_nothing(client, root, noon):
    person = make_user("alan")
    granting.grant(user=person, role="auditor", by=root, at=noon, reason="Audits")
    page = change_url(person)
    assert "nobody audits their own work" in text(client.post(page, filled(client.get(page), is_superuser="on", **WHY)))
    person.refresh_from_db()
    assert not person.is_superuser
    boss = make_admin("boss")
    with pytest.raises(granting.NotGranted, match="Take the administration away first"):
        granting.grant(user=boss, role="auditor", by=root, at=noon, reason="Audits")
    boss.groups.add(Group.objects.get(name="auditor"))  # by a way around the doors
    for model in (Label, TierDefault, Team, PollingPolicy, ResponseTarget, Group, User):
        told = duties.objection(boss, model, noon)
        assert "You hold auditor (role auditor), so you may not change" in told or (model is Group and told), model
    assert signed_in(boss).post(url(Team, "add"), {"name": "Night", **WHY}).status_code == 403


def test_what_one_role_alone_writes_is_a_power_of_its_duty():
    """So that a right is refused like its role, wherever it was given; roles that share a right exclude one another by nothing."""
    holders: dict[str, set[str]] = {}
    for name, role in ROLES.items():
        for right in role.everywhere:
            holders.setdefault(right, set()).add(name)
    paired = {side for rule in duties.NEVER_TOGETHER for side in (rule.one, rule.other)}
    for right, names in holders.items():
        if len(names) == 1 and ".view_" not in right and names <= paired:
            assert holding.POWERS.get(right) == next(iter(names)), right
