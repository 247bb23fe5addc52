"""An entry without backups of its own, on which others rest for theirs, is no gap: every list says whom it serves and counts it apart."""

import csv
import io

import pytest

from catalogue import relating
from itsm_backup import journey
from itsm_backup.digesting import compose
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.estate import estate_page
from itsm_backup.portal.searching import search_page
from itsm_backup.portal.service_list import as_csv, services_page
from itsm_backup.portal.standing import standings, worst_first
from monitoring.admin.standing import verdict as in_admin
from tests.factories import make_job, make_service
from tests.portal.makers import HOUR, add_services, make_person

pytestmark = pytest.mark.django_db


def rests(consumer, provider, estate, root, kind="stores_to"):
    relating.relate(consumer=consumer, provider=provider, kind=kind, strength="hard", by=root, at=estate.at - HOUR, reason="x")


@pytest.fixture
def pool(estate, root):
    """A store of the failing archive and of the shares of which nothing is known."""
    made = make_service("POOL", at=estate.at - 24 * HOUR, kind="backup_service", name="Pool NAS-02", tier=1)
    for one in (estate.imaging, estate.research):
        rests(one, made, estate, root)
    return made


def listed(estate, user, moment=None, **asked):
    return services_page(user=user, moment=moment or estate.moment, asked=asked, page=1)


def test_the_list_says_how_those_stand_that_rest_on_it(estate, root, pool):
    row = next(row for row in listed(estate, root).rows if row.code == "POOL")
    assert (row.verdict, row.of_others) == ("serves", "The backup of 2 services rests on it: 1 broken, 1 no data")
    rests(estate.reporting, make_service("KEYS", at=estate.at - 24 * HOUR, kind="supporting_service"), estate, root, "protects")
    assert next(row.of_others for row in listed(estate, root).rows if row.code == "KEYS") == "The backup of 1 service rests on it, kept"


def test_it_counts_only_what_the_reader_may_see(estate, pool):
    reader = make_person("stakeholder", estate.at, services=[pool, estate.imaging])
    told = next(row.of_others for row in listed(estate, reader).rows if row.code == "POOL")
    assert told == "The backup of 1 service and 1 that you may not see rests on it: 1 broken"
    alone = make_person("stakeholder", estate.at, services=[pool])
    assert [row.of_others for row in listed(estate, alone).rows] == ["The backup of 2 services that you may not see rests on it"]
    assert estate_page(user=alone, moment=estate.moment, by="").sentence == "1 service serves the backups of others."


def test_filters_order_and_sums_keep_it_apart_from_what_is_not_known(estate, root, pool):
    assert [row.code for row in listed(estate, root, verdict="no_data").rows] == ["SVC-033"]
    assert [row.code for row in listed(estate, root, verdict="serves").rows] == ["POOL"]
    assert [row.service.code for row in worst_first(standings(root, estate.moment))] == ["SVC-003", "SVC-033", "POOL", "SVC-011"]
    rows = {row["code"]: row["verdict"] for row in csv.DictReader(io.StringIO(as_csv(user=root, moment=estate.moment, asked={})))}
    assert rows == {"SVC-003": "broken", "SVC-033": "no_data", "POOL": "serves", "SVC-011": "kept"}


def test_the_home_page_counts_promises_without_it_and_asks_nobody_to_look(estate, root, pool):
    page = estate_page(user=root, moment=estate.moment, by="")
    assert page.sentence == "1 of 3 services keeps its backup promise."
    assert [words for _, words, _ in page.counts] == ["1 kept", "1 no data", "1 broken", "1 serves others"]
    assert page.counts[-1][2] == "/services/?verdict=serves"
    assert "Pool NAS-02" not in {row.service.words for row in page.attention} and page.attention_more is None
    tile = next(tile for tile in page.groups[0].tiles if tile.href == "/services/POOL/")
    assert (tile.exposure.verdict, tile.exposure.tile) == ("serves", "serves others")
    assert compose(person=root, at=estate.at).sentence == "1 of 3 services keep their promise."


def test_search_admin_and_api_say_the_same(estate, root, pool, client):
    note = search_page(user=root, moment=estate.moment, query="POOL").groups[0].found[0].note
    assert note == "POOL, tier 1, serves others"
    assert "Serves others" in str(in_admin(pool))
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")

    def codes(asked):
        return {one["code"]: one["verdict"] for one in client.get(f"/api/v1/services/{asked}").json()["results"]}

    assert codes("")["POOL"] == "serves" and codes("?verdict=serves") == {"POOL": "serves"}
    assert codes("?verdict=no_data") == {"SVC-033": "no_data"}
    assert client.get("/api/v1/services/POOL/").json()["verdict"] == "serves"
    then = (estate.at - 0.5 * HOUR).strftime("%Y-%m-%dT%H:%MZ")
    assert codes(f"?verdict=serves&as_of={then}") == {"POOL": "serves"}


def test_with_a_job_it_is_judged_and_without_anybody_or_as_a_business_service_it_is_no_data(estate, root, pool):
    make_job(estate.tool, "pool-config", at=estate.at, service=pool)
    journey.advance(at=estate.at)
    make_service("LONELY", at=estate.at - 24 * HOUR, kind="backup_service")
    portal = make_service("PORTAL", at=estate.at - 24 * HOUR)
    rests(estate.reporting, portal, estate, root)
    hard = make_service("HOST", at=estate.at - 24 * HOUR, kind="supporting_service")
    rests(estate.reporting, hard, estate, root, "hosted_on")
    found = {row.service.code: row.verdict for row in standings(root, estate.moment)}
    assert [found[code] for code in ("LONELY", "PORTAL", "HOST")] == ["no_data"] * 3
    assert found["POOL"] == "at_risk", "judged by the job that it has now"


def test_the_past_tells_it_from_when_the_relation_was_known(estate, root, pool):
    then = Moment(at=estate.at - 0.5 * HOUR, now=estate.at)
    assert {row.code: row.of_others for row in listed(estate, root, then).rows}["POOL"].startswith("The backup of 2 services rests on it")
    before = Moment(at=estate.at - 2 * HOUR, now=estate.at)
    assert {row.service.code: row.verdict for row in standings(root, before)}["POOL"] == "no_data"


def test_lists_ask_as_often_for_many_stores_as_for_one(estate, root, pool, django_assert_max_num_queries):
    with django_assert_max_num_queries(8) as few:
        listed(estate, root)
    add_services(6, estate.at, estate.tool)
    for number in range(6):
        rests(estate.imaging, make_service(f"POOL-{number}", at=estate.at - 24 * HOUR, kind="backup_service"), estate, root)
    with django_assert_max_num_queries(8) as many:
        listed(estate, root)
    assert len(many) == len(few)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("/", "1 serves others"),
        ("/services/", "The backup of 2 services rests on it: 1 broken, 1 no data"),
        ("/services/POOL/", "None of its own"),
        ("/search?q=POOL", "serves others"),
    ],
)
def test_pages_show_it(estate, root, pool, client, page, words):
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    assert words in client.get(page, follow=True).content.decode()
