"""The documented permission matrix says what the roles say."""

import pytest
from django.contrib.auth.models import Group

from itsm_backup import roles_page
from itsm_backup.common.admin.right_words import right_words
from itsm_backup.granting import ensure_roles
from itsm_backup.roles import ROLES
from tests.admin_forms import change_url, signed_in
from tests.factories import make_admin


def test_the_page_shows_the_roles_as_they_are():
    page = roles_page.PAGE.read_text()
    assert roles_page.with_matrix(page) == page, "Write it anew: manage.py shell -c 'from itsm_backup.roles_page import main; main()'"


def test_every_permission_of_every_role_has_its_cell():
    counted = dict.fromkeys(ROLES, 0)
    for line in roles_page.matrix().splitlines()[2:]:
        cells = line.split("|")[2:-1]
        for name, cell in zip(ROLES, cells, strict=True):
            counted[name] += len([word for word in cell.split(",") if word.strip()])
    assert counted == {name: len(role.everywhere) for name, role in ROLES.items()}


def test_no_two_kinds_of_rows_have_one_name():
    kinds = [line.split("|")[1].strip() for line in roles_page.matrix().splitlines()[2:]]
    assert sorted({kind for kind in kinds if kinds.count(kind) > 1}) == []
    assert right_words("monitoring.view_agreement") == "see agreements of sources"


def test_it_words_actions_in_one_order():
    told = roles_page._words(["see_ping_address", "delete", "view", "add"], "monitoring.backupjob")
    assert told == "see, add, delete, see the ping address of a job"


def test_no_right_is_told_by_a_code_name():
    page = roles_page.matrix()
    assert "approve versions of a service" in page and "put a rule in force that somebody else wrote" in page
    assert "_" not in page


@pytest.mark.django_db
def test_the_page_of_a_role_says_what_it_may_in_words(noon):
    ensure_roles(at=noon)
    page = signed_in(make_admin()).get(change_url(Group.objects.get(name="approver"))).content.decode()
    assert "approve versions of a service" in page and "See: " in page
    assert "Can view" not in page and "approve_service" not in page
    assert right_words("catalogue.change_service") == "change services" and right_words("a right of before") == "a right of before"
