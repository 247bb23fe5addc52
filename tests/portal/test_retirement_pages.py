"""An entry's way out of the catalogue in the portal: asked, decided, called off, and read afterwards."""

import datetime as dt

import pytest

from catalogue.models import Retirement, Service
from itsm_backup.common.time import now
from tests.factories import make_service
from tests.portal.makers import make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("1.5")]
BACKEND = "django.contrib.auth.backends.ModelBackend"
PAGE = "/services/SVC-003/retirement/"


@pytest.fixture
def people(noon):
    make_service("SVC-003", at=noon - dt.timedelta(days=1), name="Imaging archive")
    return {role: make_person(role, noon) for role in ("steward", "approver", "stakeholder")}


def read(client, user, path=PAGE):
    client.force_login(user, backend=BACKEND)
    response = client.get(path, follow=True)
    return response.content.decode()


def send(client, user, act, **form):
    client.force_login(user, backend=BACKEND)
    response = client.post(f"{PAGE}{act}", form, follow=True)
    return response.status_code, response.content.decode()


def test_a_steward_asks_an_approver_agrees_and_it_is_gone_but_readable(client, people):
    text = read(client, people["steward"])
    assert "Imaging archive stays in the catalogue." in text and "Ask for it</button>" in text
    assert "Ask for it</button>" not in read(client, people["stakeholder"])
    assert send(client, people["stakeholder"], "ask", reason="Away with it")[0] == 403
    status, text = send(client, people["steward"], "ask", reason="Replaced", successor="nothing", ends_at="2030-01-01T06:00")
    assert status == 409 and "There is no entry nothing" in text and 'value="2030-01-01T06:00"' in text, "what was typed stays"
    assert send(client, people["steward"], "ask", reason="")[0] == 409
    status, text = send(client, people["steward"], "ask", reason="Replaced")
    assert status == 200 and "is to leave the catalogue" in text and "You asked for it" in text
    assert "1 retirement waits for your decision" in read(client, people["approver"], "/")
    assert "Imaging archive" in read(client, people["approver"], "/services/retired/")
    before = now()
    status, text = send(client, people["approver"], "approve")
    assert status == 200 and "Imaging archive is retired." in text
    assert Service.objects.get().lifecycle == "retired"
    assert "0 services in the catalogue." in read(client, people["steward"], "/services/")
    text = read(client, people["steward"], "/services/SVC-003/")
    assert "SVC-003 was retired on" in text and "version 1" in text, "its versions stay readable"
    as_of = before.strftime("%Y-%m-%dT%H:%MZ")
    assert "Imaging archive" in read(client, people["steward"], f"/services/SVC-003/?as_of={as_of}")
    assert "1 service in the catalogue." in read(client, people["steward"], f"/services/?as_of={as_of}")
    assert "0 entries leave the catalogue, 1 left it." in read(client, people["steward"], "/services/retired/")


def test_a_planned_one_says_so_on_its_page_and_can_be_called_off(client, people):
    send(client, people["steward"], "ask", reason="Replaced", ends_at=(now() + dt.timedelta(days=30)).strftime("%Y-%m-%dT06:00"))
    status, text = send(client, people["approver"], "approve", reason="Agreed")
    assert status == 200 and "Imaging archive leaves the catalogue." in text
    assert "Leaves the catalogue</b>" in read(client, people["stakeholder"], "/services/SVC-003/")
    assert "1 entry leaves the catalogue, 0 left it." in read(client, people["stakeholder"], "/services/retired/")
    assert send(client, people["stakeholder"], "call-off", reason="I need it")[0] == 403
    status, text = send(client, people["steward"], "call-off", reason="The project stopped")
    assert status == 200 and "Imaging archive stays in the catalogue." in text and "The project stopped" in text
    assert "Agreed" in text and "Called off by" in text
    told = read(client, people["steward"], "/services/SVC-003/history/")
    assert "The project stopped" in told and "Agreed" in told
    assert Retirement.objects.get().state == "called_off"
    assert "Leaves the catalogue</b>" not in read(client, people["stakeholder"], "/services/SVC-003/")


def test_the_pages_ask_no_more_for_more_entries(client, people, django_assert_max_num_queries):
    send(client, people["steward"], "ask", reason="Replaced")
    client.force_login(people["steward"], backend=BACKEND)
    for address, most in (("/services/retired/", 12), (PAGE, 30)):
        client.get(address)
        with django_assert_max_num_queries(most):
            assert client.get(address).status_code == 200


def test_what_one_may_not_see_is_not_there(client, people, noon):
    stranger = make_person("stakeholder", noon, services=[make_service("SVC-009", at=noon)])
    client.force_login(stranger, backend=BACKEND)
    assert client.get(PAGE).status_code == 404 and client.post(f"{PAGE}ask", {"reason": "x"}).status_code == 404
    assert client.post("/services/SVC-009/retirement/burn", {"reason": "x"}).status_code == 404
