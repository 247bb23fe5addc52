"""Escalation policies in the administration: what a row shows is what is saved."""

import pytest

from incidents.models import EscalationPolicy
from tests.admin_forms import filled, signed_in, url
from tests.factories import make_admin

pytestmark = [pytest.mark.django_db, pytest.mark.req("3.3")]


def test_a_step_that_is_sent_as_it_was_offered_is_kept():
    client = signed_in(make_admin())
    page = client.get(url(EscalationPolicy, "add"))
    rows = {"steps-TOTAL_FORMS": "2", "steps-0-after_min": "0", "steps-0-tell": "operations_team"}
    rows |= {"steps-1-after_min": "20", "steps-1-tell": "owner"}
    sent = filled(page, name="Loud", change_reason="Nights", **rows)
    assert client.post(url(EscalationPolicy, "add"), sent).status_code == 302
    steps = EscalationPolicy.objects.get(name="Loud").steps.order_by("after_min")
    assert [(step.after_min, step.tell) for step in steps] == [(0, "operations_team"), (20, "owner")]
