"""Relations that jobs tell of by where they write, and what people answer to them."""

import datetime as dt

import pytest

from catalogue import relating
from catalogue.models import RejectedRelation, Relation, SeenRelation
from monitoring import sighting
from tests.factories import make_admin, make_job, make_service, make_tool

pytestmark = pytest.mark.django_db
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def pool():
    return make_service("NAS-02", name="Pool NAS-02")


def job_of(code, repository, tool):
    service = make_service(code)
    job = make_job(tool, f"{code}-nightly", service=service, repository_name=repository)
    job.service = service
    job.save()
    return service


def proposals(at):
    return [(row.consumer.code, row.provider.code) for row in SeenRelation.objects.unanswered(at).order_by("consumer__code")]


def test_a_repository_with_the_name_of_an_entry_is_proposed_as_its_store(pool, noon):
    tool = make_tool()
    job_of("pacs", "sftp:backup@nas/srv/nas-02", tool)
    job_of("wiki", "somewhere else", tool)
    assert sighting.see_relations(at=noon) == 1
    row = SeenRelation.objects.get()
    assert row.evidence == "Its job pacs-nightly writes to sftp:backup@nas/srv/nas-02, which bears the name of that entry."
    assert proposals(noon) == [("pacs", "NAS-02")]
    assert sighting.see_relations(at=noon + HOUR) == 0


def test_a_neighbour_in_the_same_repository_tells_the_store(noon):
    tool, pool = make_tool(), make_service("store")
    pacs, wiki = job_of("pacs", "/srv/one", tool), job_of("wiki", "/srv/one", tool)
    assert sighting.see_relations(at=noon) == 0, "nobody has said yet what stands behind the repository"
    said = {"by": make_admin(), "at": noon, "reason": "test"}
    relating.relate(consumer=pacs, provider=pool, kind="stores_to", strength="hard", **said)
    assert sighting.see_relations(at=noon) == 1
    assert SeenRelation.objects.get().evidence.endswith("as do those of pacs, which stores to that entry.")
    kept = relating.accept(seen=SeenRelation.objects.get(), strength="hard", **said)
    assert (kept.consumer, kept.provider, kept.origin, kept.confirmed_by) == (wiki, pool, "discovered", said["by"])
    assert not proposals(noon), "what stands is not proposed"


def test_a_bare_name_of_a_repository_is_its_tools_own(noon):
    pool, tool = make_service("store"), make_tool()
    one, _ = job_of("pacs", "repo1", tool), job_of("wiki", "repo1", make_tool())
    relating.relate(consumer=one, provider=pool, kind="stores_to", strength="hard", by=make_admin(), at=noon, reason="test")
    assert sighting.see_relations(at=noon) == 0, "two tools may each have a repo1"
    job_of("ris", "repo1", tool)
    sighting.see_relations(at=noon)
    assert proposals(noon) == [("ris", "store")]


def test_a_rejection_holds_until_it_is_taken_back(pool, noon):
    job_of("pacs", "NAS-02", make_tool())
    sighting.see_relations(at=noon)
    said = {"by": make_admin(), "at": noon, "reason": "Only the name is the same"}
    relating.reject(seen=SeenRelation.objects.get(), **said)
    with pytest.raises(relating.NotReady, match="rejected already"):
        relating.reject(seen=SeenRelation.objects.get(), **said)
    sighting.see_relations(at=noon + HOUR)
    assert not proposals(noon) and not Relation.objects.exists()
    relating.propose_again(rejected=RejectedRelation.objects.get(), **said)
    assert proposals(noon)
    history = RejectedRelation.history.order_by("history_id")
    assert [(row.history_type, row.history_change_reason) for row in history] == [("+", said["reason"]), ("-", said["reason"])]


def test_what_is_no_longer_seen_is_no_longer_proposed(pool, noon):
    pacs = job_of("pacs", "NAS-02", make_tool())
    sighting.see_relations(at=noon)
    pacs.jobs.update(repository_name="elsewhere")
    assert sighting.see_relations(at=noon + HOUR) == 1 and not proposals(noon)
    assert SeenRelation.objects.get().gone_at == noon + HOUR
