"""The catalogue's pages keep their budgets of questions, the same with thirty entries as with three hundred, whoever looks."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalogue.models import Service
from itsm_backup.bench import cataloguing, pattern
from itsm_backup.bench.cataloguing import LIMITED, SMALL
from itsm_backup.common.time import now

ENTRY = "SVC-00006"  # of the small department, also with thirty entries
# address → (questions of one who may see everything, of one with rights on the entries of one department)
BUDGETS = {
    "/services/": (5, 6),
    "/services/?as_of={then}": (6, 7),
    "/services/{code}/": (9, 11),
    "/services/{code}/versions/": (7, 9),
    "/services/{code}/history/": (10, 10),
    "/services/{code}/commitment/": (15, 17),
    "/services/{code}/graph/": (6, 8),
    "/services/graph/?department={small}": (6, 8),
    "/services/matrix/?department={small}": (9, 11),
    "/services/matrix/?department={small}&column={code}": (11, 13),
    "/services/matrix/?department={small}&as_of={then}": (7, 9),
    "/services/relations/": (7, 10),
    "/ownership/": (18, 20),
    "/search?q=archive": (5, 7),
    "/admin/catalogue/service/": (10, 13),
    "/admin/catalogue/service/{pk}/change/": (22, 25),
    "/admin/catalogue/serviceversion/": (13, 16),
    "/admin/catalogue/relation/": (9, 12),
    "/admin/catalogue/relation/add/?consumer={pk}": (13, 16),
}
WEIGHT_KB = 260  # of a page, with however many entries


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("entries", [30, 300])
def test_every_page_keeps_its_budget(entries):
    at = now()
    cataloguing.fill(pattern.make(at=at - dt.timedelta(minutes=5), runs=6), entries=entries)
    named = {"code": ENTRY, "pk": Service.objects.get(code=ENTRY).pk, "small": SMALL, "then": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    beyond, heavy = {}, {}
    for place, who in enumerate(("root", LIMITED)):
        client = Client()
        client.force_login(get_user_model().objects.get(username=who))
        for address, budgets in BUDGETS.items():
            asked, weight_kb = _looked_at(client, address.format(**named))
            beyond |= {(address, who): asked} if asked > budgets[place] else {}
            heavy |= {(address, who): weight_kb} if weight_kb > WEIGHT_KB else {}
    assert (beyond, heavy) == ({}, {})


def _looked_at(client: Client, address: str) -> tuple[int, int]:
    """How many questions the page asks when it is looked at for the second time, and how many kilobytes it has."""
    for _ in range(2):
        with CaptureQueriesContext(connection) as seen:
            answer = client.get(address)
        assert answer.status_code == 200, (address, answer.status_code)
    return len(seen.captured_queries), len(answer.content) // 1024
