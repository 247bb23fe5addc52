"""Known errors on pages of the past: what was written by then, with the state and the words of then."""

from __future__ import annotations

import datetime as dt

import pytest
from django.urls import reverse

from incidents import knowing
from incidents.models import Incident, KnownError
from itsm_backup.common.time import now
from tests.factories import make_admin, make_user
from tests.incidents.makers import HOUR, fail, make_estate

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.4")]
BACKEND = "django.contrib.auth.backends.ModelBackend"
DAY = dt.timedelta(days=1)


def at_instant(client, path: str, at: dt.datetime, status: int = 200) -> str:
    answer = client.get(f"{path}{'&' if '?' in path else '?'}as_of={at:%Y-%m-%dT%H:%M:%S.%fZ}")
    assert answer.status_code == status
    return str(answer.content.decode())


def test_what_was_not_written_then_is_not_there_and_states_are_of_then(client):
    present = now().replace(microsecond=0)
    fail(make_estate(present - 13 * DAY, "a"), "a", present - 12 * DAY, present - 12 * DAY + HOUR)
    before, said = now(), {"by": make_user(), "reason": "test"}
    made = knowing.draft(source=Incident.objects.get(), by=said["by"], at=now())
    knowing.write(known_error=made, workaround="Prune by hand", at=now(), **said)
    written = now()
    knowing.move(known_error=made, to="published", at=now(), **said)
    published = now()
    knowing.say(known_error=made, incident=Incident.objects.get(), helped=True, by=said["by"], at=now())
    client.force_login(make_admin(), backend=BACKEND)
    address = f"/incidents/{Incident.objects.get().number}/"
    assert "Prune by hand" not in at_instant(client, address, before) and "Prune by hand" not in at_instant(client, address, written)
    assert "not tried yet" in at_instant(client, address, published) and "helped 1 of 1" in client.get(address).content.decode()
    assert made.title not in at_instant(client, "/incidents/known-errors/?view=draft", before)
    at_instant(client, f"/incidents/known-errors/{made.number}/", before, status=404)
    assert made.title in at_instant(client, "/incidents/known-errors/?view=draft&q=prune", written)
    assert made.title not in at_instant(client, "/incidents/known-errors/", written)
    page = at_instant(client, f"/incidents/known-errors/{made.number}/", written)
    assert "<dd>Draft</dd>" in page and "Published:" not in page and "helped" not in page
    assert "<dd>Published</dd>" in client.get(f"/incidents/known-errors/{made.number}/").content.decode()


def test_a_draft_from_an_incident_leads_to_it_and_a_refusal_keeps_what_was_typed(client):
    present = now().replace(microsecond=0)
    fail(make_estate(present - 13 * DAY, "a"), "a", present - 12 * DAY, present - 12 * DAY + HOUR)
    client.force_login(make_admin(), backend=BACKEND)
    answer = client.post(reverse("portal:draft_from_incident", args=[Incident.objects.get().number]), follow=True)
    made = KnownError.objects.get()
    assert answer.redirect_chain[-1][0] == f"/incidents/known-errors/{made.number}/"
    sent = {"title": made.title, "was-title": made.title, "symptom": "", "was-symptom": made.symptom, "workaround": "Prune by hand"}
    answer = client.post(reverse("portal:write_known_error", args=[made.number]), {**sent, "was-workaround": "", "reason": "We tried it"})
    page = answer.content.decode()
    assert answer.status_code == 409 and "Prune by hand" in page and 'value="We tried it"' in page
    steps = {"to": "published", "reason": "Proven twice"}
    answer = client.post(reverse("portal:known_error_step", args=[made.number]), steps)
    assert answer.status_code == 409 and answer.content.decode().count('value="Proven twice"') == 1
