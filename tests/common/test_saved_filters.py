"""Saved filters of admin lists: one's own and shared ones, forgotten only by who keeps them."""

import pytest

from catalogue.models import Service, Team
from itsm_backup.common.models import SavedFilter
from tests.admin_forms import make_staff, signed_in, url
from tests.factories import make_service, make_team

pytestmark = pytest.mark.django_db
MAY = ("catalogue.view_service", "catalogue.view_team")


def save(client, name, query="lifecycle__exact=catalogue&p=3", **more):
    return client.post(f"{url(Service, 'changelist')}filters/save/", {"name": name, "query": query, **more})


def test_a_filter_is_kept_applied_shared_and_forgotten():
    make_service("pacs")
    mine, other = make_staff(*MAY, name="mine"), make_staff(*MAY, name="other")
    answer = save(signed_in(mine), "In the catalogue")
    assert answer["Location"].endswith("?lifecycle__exact=catalogue"), "the page number is nothing to keep"
    shown = signed_in(mine).get(answer["Location"])
    assert shown.status_code == 200 and 'aria-current="true">In the catalogue' in shown.content.decode()
    assert "In the catalogue" not in signed_in(other).get(url(Service, "changelist")).content.decode()
    save(signed_in(mine), "In the catalogue", shared="yes")
    assert SavedFilter.objects.count() == 1
    assert "In the catalogue" in signed_in(other).get(url(Service, "changelist")).content.decode()
    assert "In the catalogue" not in signed_in(other).get(url(Team, "changelist")).content.decode()
    forget = f"{url(Service, 'changelist')}filters/{SavedFilter.objects.get().pk}/forget/"
    assert signed_in(other).post(forget).status_code == 403
    assert signed_in(mine).get(forget).status_code == 403
    assert signed_in(mine).post(forget).status_code == 302 and not SavedFilter.objects.exists()


def test_nothing_is_kept_without_a_name_or_a_filter_or_by_who_may_not_see_the_list():
    make_team()
    client = signed_in(make_staff(*MAY))
    save(client, " ")
    save(client, "Empty", query="p=2")
    assert save(signed_in(make_staff("catalogue.view_team")), "Sneaky").status_code == 403
    assert not SavedFilter.objects.exists()
