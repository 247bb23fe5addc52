"""The documented permission matrix says what the roles say."""

from itsm_backup import roles_page
from itsm_backup.roles import ROLES


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


def test_it_words_actions_in_one_order():
    assert roles_page._words(["see_ping_address", "delete", "view", "add"]) == "see, add, delete, see ping address"
