"""The first start makes what a newcomer needs, every later one leaves it alone."""

from io import StringIO

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from catalogue.models import Service
from itsm_backup.common.models import because
from itsm_backup.common.time import now
from itsm_backup.demo.models import Replay
from itsm_backup.estate.beginning import DEMO_PEOPLE
from itsm_backup.granting import held_by
from itsm_backup.launcher.updating import PROGRESS
from itsm_backup.portal import fonts
from itsm_backup.portal.management.commands import first_start
from itsm_backup.roles import ROLES
from monitoring.models import CauseRule, StatusWorkflow
from tests.factories import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.req("1.5", "4.6")]


@pytest.fixture
def start(settings, tmp_path, monkeypatch):
    settings.DATA_DIR, settings.FONTS_DIR = tmp_path / "data", tmp_path / "data" / "fonts"
    monkeypatch.setattr(fonts, "FACES", ())  # making them takes seconds and is tested by itself
    monkeypatch.setattr(first_start, "load_demo", lambda at, tell: loaded.append(at) or tell("23 of 40 services"))  # tests/demo loads it
    loaded: list = []

    def run(**options):
        out = StringIO()
        call_command("first_start", stdout=out, **options)
        lines = [line for line in out.getvalue().splitlines() if not line.startswith(PROGRESS)]
        return dict(line.split()[1:] for line in lines)

    run.loaded = loaded
    return run


def test_it_makes_a_person_for_each_role_who_can_sign_in(start):
    logins = start()
    assert set(logins) == {"administrator", *ROLES}
    assert set(DEMO_PEOPLE) == set(ROLES)
    for username, password in logins.items():
        person = authenticate(username=username, password=password)
        assert person is not None
        assert [scope.group for scope in held_by(person)] == ([] if username == "administrator" else [username])
    assert get_user_model().objects.get(username="administrator").is_superuser


def test_the_demo_estate_comes_with_it_once(start):
    start()
    assert set(Service.objects.values_list("code", flat=True)) == {"ITSM-DB"}
    assert len(start.loaded) == 1
    steward = get_user_model().objects.get(username="steward")
    with because("Declared by hand", by=steward):
        Service.objects.create(code="OWN-1", created_at=now())
    start()
    assert len(start.loaded) == 1, "an installation with services of its own gets no demo"


def test_an_interrupted_load_goes_on_at_the_next_start(start):
    start()
    Replay.objects.create(anchor_at=now(), fed_until=now())
    start(empty=True)
    assert len(start.loaded) == 2
    Replay.objects.update(loaded_at=now())
    start()
    assert len(start.loaded) == 2, "a loaded demo is not loaded again"


def test_it_makes_roles_rules_and_thresholds(start):
    start()
    assert set(Group.objects.values_list("name", flat=True)) == set(ROLES)
    assert StatusWorkflow.objects.exists() and CauseRule.objects.count() > 10


def test_a_second_start_shows_the_same_and_changes_nothing(start):
    first = start()
    counts = [get_user_model().objects.count(), Service.history.count(), CauseRule.history.count()]
    assert start() == first
    assert start(empty=True) == first
    assert [get_user_model().objects.count(), Service.history.count(), CauseRule.history.count()] == counts


def test_a_changed_password_is_shown_no_more(start):
    first = start()
    steward = get_user_model().objects.get(username="steward")
    steward.set_password("another long password")
    steward.save()
    get_user_model().objects.filter(username="auditor").update(is_active=False)
    assert set(start()) == set(first) - {"steward", "auditor"}


def test_an_empty_start_makes_only_an_administrator(start):
    assert set(start(empty=True)) == {"administrator"}
    assert start.loaded == []
    assert get_user_model().objects.count() == 1 and not Service.objects.exists()
    assert Group.objects.count() == len(ROLES)


def test_it_adds_nobody_where_people_are_already(start):
    make_user("ours")
    assert start() == {}
    assert get_user_model().objects.count() == 1 and not Service.objects.exists()


def test_only_their_owner_reads_the_passwords(start, settings):
    start()
    assert (settings.DATA_DIR / "demo-logins.txt").stat().st_mode & 0o777 == 0o600


def test_nothing_is_kept_when_the_passwords_cannot_be(start, settings, tmp_path):
    (tmp_path / "file").write_text("")
    settings.DATA_DIR = tmp_path / "file" / "below"
    with pytest.raises(CommandError, match=r"cannot be written: Not a directory. Nothing was made."):
        start()
    assert not get_user_model().objects.exists()
