"""The matrix, the graphs and what is to be decided: right letters, own rows only, as known then, and bounded for large estates."""

import csv
import datetime as dt
import io
import re
import time

import pytest
from guardian.shortcuts import assign_perm

from catalogue import impact, relating, weave
from catalogue.models import Relation, SeenRelation, Service, ServiceVersion
from itsm_backup.common.time import now
from itsm_backup.portal import graph, matrix, relation_files, relation_list
from itsm_backup.portal.asof import Moment
from tests.admin_forms import signed_in, url
from tests.catalogue.many import fill
from tests.factories import make_admin, make_service, make_user
from tests.portal.makers import make_person

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"
HOUR = dt.timedelta(hours=1)
EDGE = 'class="edge'


@pytest.fixture
def root(db):
    return make_admin("root")


@pytest.fixture
def woven(noon, root):
    """Two applications on a pool and a network, one of them only softly."""
    services = {code: make_service(code, name=name, department=department, tier=tier) for code, name, department, tier in (
        ("PACS", "Imaging archive", "Radiology", 1), ("RIS", "Radiology reporting", "Radiology", 2),
        ("POOL", "Storage pool", "IT", 2), ("NET", "Network core", "IT", 1), ("WIKI", "Wiki", "IT", 4),
    )}  # fmt: skip
    for consumer, provider, kind, strength in (
        ("PACS", "POOL", "stores_to", "hard"), ("PACS", "NET", "depends_on", "hard"), ("RIS", "PACS", "depends_on", "hard"),
        ("RIS", "NET", "depends_on", "soft"), ("POOL", "NET", "hosted_on", "hard"),
    ):  # fmt: skip
        relating.relate(
            consumer=services[consumer], provider=services[provider], kind=kind, strength=strength, by=root, at=noon, reason="test"
        )
    SeenRelation.objects.create(
        consumer=services["RIS"], provider=services["POOL"], kind="stores_to", evidence="Its job writes there.",
        first_seen_at=noon, last_seen_at=noon,
    )  # fmt: skip
    return services


def moment(at, later=HOUR * 0):
    return Moment(at=at, now=at + later)


def page_of(user, at, later=HOUR * 0, **asked):
    return matrix.matrix_page(user=user, moment=moment(at, later), asked=asked, page=1)


def letters(page):
    heads = [column.code for column in page.columns]
    return {row.code: {head: cell.letter for head, cell in zip(heads, row.cells, strict=True) if cell.letter} for row in page.rows}


def test_each_cell_says_what_happens_to_the_row_when_the_column_stops(woven, root, noon):
    page = page_of(root, noon, all="1")
    assert letters(page) == {
        "PACS": {"POOL": "B", "NET": "S"}, "RIS": {"PACS": "S", "NET": "G", "POOL": "?"}, "POOL": {"NET": "S"}, "NET": {}, "WIKI": {},
    }  # fmt: skip
    assert page.sentence == (
        "3 services need 3 others, in 6 relations: 3 where it stops, 1 where only its backup stops, 1 where it goes on, 1 to be decided."
    )
    assert [column.code for column in page.columns] == ["NET", "POOL", "PACS"]


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        ({"department": "Radiology"}, ["PACS", "RIS"]),
        ({"tier": "1"}, ["PACS"]),
        ({"tier": "1", "all": "1"}, ["NET", "PACS"]),
        ({"tier": "1", "edit": "1"}, ["NET", "PACS"]),
        ({"kind": "hosted_on"}, ["POOL"]),
        ({"text": "wiki"}, ["WIKI"]),
        ({"tier": "9"}, []),
        ({"kind": "nonsense", "department": "Radiology"}, ["PACS", "RIS"]),
    ],
)
def test_it_filters(woven, root, noon, asked, rows):
    assert sorted(row.code for row in page_of(root, noon, **asked).rows) == rows


def test_services_that_need_nothing_are_left_out_until_they_are_asked_for(client, woven, root, noon):
    page = page_of(root, noon)
    assert [row.code for row in page.rows] == ["POOL", "PACS", "RIS"] and page.paging.words == "1 to 3 of 3"
    assert (page.left_out.words, page.left_out.href) == ("Show 2 more services that need nothing", "/services/matrix/?all=1")
    assert page.edit_href == "/services/matrix/?edit=1" and page_of(root, noon, text="wiki").left_out is None
    client.force_login(root, backend=BACKEND)
    assert "Leave out services that need nothing" in client.get(page.left_out.href).content.decode()
    row = Relation.objects.get(consumer=woven["POOL"])
    relating.end(relation=row, by=root, at=noon + HOUR, reason="Moved")
    assert "POOL" not in letters(page_of(root, noon + 2 * HOUR)), "what ended is no need"
    assert "POOL" in letters(page_of(root, noon + HOUR / 2, later=2 * HOUR)), "in the past it was one"


def test_a_kind_shows_only_its_relations(woven, root, noon):
    assert letters(page_of(root, noon, kind="stores_to", department="Radiology")) == {"PACS": {"POOL": "B"}, "RIS": {"POOL": "?"}}


def test_a_chosen_column_tells_who_stops(woven, root, noon):
    beside = page_of(root, noon, column="NET").beside
    assert (beside.name, beside.sentence) == ("Network core", "2 services stop, 1 more further on.")
    assert page_of(root, noon, column="POOL").beside.sentence == "1 loses its backup.", "RIS needs the archive, which goes on"
    assert beside.chart.svg.count("edge--soft") == 1 and "style=" not in beside.chart.svg


def test_one_sees_only_ones_own_and_is_told_how_much_is_hidden(woven, noon):
    somebody = make_person("stakeholder", noon, services=[woven["PACS"], woven["NET"]])
    page = page_of(somebody, noon)
    assert letters(page) == {"PACS": {"NET": "S"}}
    assert page.hidden == "1 relation to services that you may not see" and not page.edit_href
    text = matrix.as_csv(user=somebody, moment=moment(noon), asked={})
    assert "POOL" not in text and "PACS,NET" in text
    drawn = graph.service_graph(service=woven["PACS"], user=somebody, moment=moment(noon))
    assert "Storage" not in str(drawn) and "Nothing of 1 service that you may see." in dict(drawn.lists)["What needs Imaging archive"]


def test_a_column_that_many_need_draws_some_and_counts_the_others(woven, root, noon):
    for number in range(12):
        consumer, strength = make_service(f"C-{number:02}", name=f"Client {number:02}"), "hard" if number < 9 else "soft"
        relating.relate(consumer=consumer, provider=woven["WIKI"], kind="depends_on", strength=strength, by=root, at=noon, reason="test")
    beside = page_of(root, noon, column="WIKI").beside
    assert beside.sentence == "9 services stop, 3 go on."
    assert beside.chart.svg.count('class="node ') == 10 and "and 4 more" in beside.chart.svg


def test_a_circle_rests_on_no_bottom_and_a_graph_of_what_is_hidden_says_so(client, woven, root, noon):
    assert ">Rests on nothing</" in graph.estate_graph(user=root, moment=moment(noon), asked={}).chart.svg
    for one, other in (("NET", "PACS"), ("WIKI", "NET")):
        relating.relate(consumer=woven[one], provider=woven[other], kind="depends_on", strength="hard", by=root, at=noon, reason="test")
    assert ">Rests on nothing, or on a circle</" in graph.estate_graph(user=root, moment=moment(noon), asked={}).chart.svg
    client.force_login(make_person("stakeholder", noon, services=[woven["WIKI"]]), backend=BACKEND)
    html = client.get("/services/WIKI/graph/").content.decode()
    assert "You may see none of the services that these relations lead to" in html and "once a steward declares" not in html


def test_who_stands_in_a_circle_is_drawn_once_beside_the_one_asked_about(woven, root, noon):
    relating.relate(consumer=woven["NET"], provider=woven["PACS"], kind="depends_on", strength="hard", by=root, at=noon, reason="test")
    for code in ("NET", "PACS"):
        svg = graph.service_graph(service=woven[code], user=root, moment=moment(noon)).chart.svg
        titles = re.findall(r'class="node-title"[^>]*>([^<]*)<', svg)
        assert len(titles) == len(set(titles)) and ">In a circle with it<" in svg, titles


def test_a_limited_steward_reads_of_no_relation_to_what_they_may_not_see(woven, noon):
    steward = make_person("steward", noon, services=[woven["PACS"], woven["NET"]])
    assert relation_list.relations_page(user=steward, moment=moment(noon)).sentence.startswith("1 relation.")
    client = signed_in(steward)
    for address in (url(Relation, "changelist"), url(Service, "change", woven["PACS"].pk)):
        html = client.get(address).content.decode()
        assert "NET" in html and "POOL" not in html


def test_the_past_shows_what_was_known_then(woven, root, noon):
    row = Relation.objects.get(consumer=woven["PACS"], kind="stores_to")
    relating.end(relation=row, by=root, at=noon + 2 * HOUR, reason="Moved")
    assert "POOL" not in letters(page_of(root, noon + 3 * HOUR))["PACS"]
    then = page_of(root, noon + HOUR, later=2 * HOUR)
    assert letters(then)["PACS"] == {"POOL": "B", "NET": "S"} and letters(then)["RIS"] == {"PACS": "S", "NET": "G"}
    assert not then.edit_href and letters(page_of(root, noon - HOUR, later=HOUR))["PACS"] == {}
    past = graph.service_graph(service=woven["POOL"], user=root, moment=moment(noon + HOUR, 2 * HOUR))
    assert "Imaging archive" in past.lists[1][1]


def test_the_csv_comes_back_as_an_import_that_changes_nothing(client, woven, root, noon):
    text = matrix.as_csv(user=root, moment=moment(noon), asked={})
    assert len(list(csv.DictReader(io.StringIO(text)))) == 5
    client.force_login(root, backend=BACKEND)
    answer = client.post("/services/relations/import", {"content": text, "reason": "Again", "step": "look"}).content.decode()
    assert "0 would change" in answer and answer.count("stands already") == 5


def test_three_bad_rows_of_many_are_named_and_a_part_is_kept_only_when_asked_for(client, woven, root):
    for n in range(10):
        make_service(f"N-{n:02}")
    lines = ["consumer,provider,kind,strength", *(f"N-{n:02},NET,depends_on,hard" for n in range(10))]
    lines[3], lines[5], lines[7] = "N-02,GONE,depends_on,hard", "N-04,NET,adores,hard", "N-06,N-06,depends_on,hard"
    client.force_login(root, backend=BACKEND)

    def send(step):
        return client.post("/services/relations/import", {"content": "\n".join(lines), "reason": "From the CMDB", "step": step})

    before = Relation.objects.count()
    seen = re.sub(r"\s+", " ", send("look").content.decode())
    for told in (
        "7 would change, 3 cannot",
        "There is no service GONE",
        "adores is no kind of relation",
        "A service cannot depend on itself",
    ):
        assert told in seen, told
    send("keep")
    assert Relation.objects.count() == before, "all or nothing, unless a part is asked for"
    assert send("keep_part").status_code == 302
    assert Relation.objects.count() == before + 7


@pytest.mark.parametrize("content", ["", "a,b\n1,2", "consumer,provider,kind,strength\nPACS,NET,depends_on,hard,1,2,3,4"])
def test_a_file_that_is_none_gets_a_sentence(client, woven, root, content):
    client.force_login(root, backend=BACKEND)
    answer = client.post("/services/relations/import", {"content": content, "reason": "x", "step": "look"})
    assert "must name the columns" in answer.content.decode() or "more fields" in answer.content.decode()


def test_cells_are_changed_by_the_steward_of_the_row_only(client, woven, noon):
    steward = make_user("limited")
    for code in ("PACS", "POOL", "RIS", "NET"):
        assign_perm("catalogue.view_service", steward, woven[code])
    assign_perm("catalogue.change_service", steward, woven["PACS"])
    page = page_of(steward, noon, edit="1")
    assert page.editing and {row.code for row in page.rows if row.may_change} == {"PACS"}
    client.force_login(steward, backend=BACKEND)
    sent = {"cell": ["PACS>POOL", "RIS>PACS"], "deed": "soft", "kind": "", "reason": "A second pool", "back": "/services/matrix/?edit=1"}
    seen = client.post("/services/matrix/change", {**sent, "step": "look"}).content.decode()
    assert "1 would change, 1 cannot" in seen and "You may not change the relations of RIS" in seen
    assert client.post("/services/matrix/change", {**sent, "step": "keep_part"})["Location"] == "/services/matrix/?edit=1"
    row = Relation.objects.get(consumer=woven["PACS"], kind="stores_to")
    assert row.strength == "soft" and row.history.first().history_user == steward
    assert row.history.first().history_change_reason == "A second pool"
    assert client.post("/services/matrix/change", {**sent, "reason": " ", "step": "keep"}).status_code == 400


def test_the_preview_says_which_promises_could_not_hold_and_which_tiers_rise(client, woven, root):
    make_service("TAPES", name="Tape library", tier=4, rpo_s=720 * 3_600)
    client.force_login(root, backend=BACKEND)
    sent = {"cell": ["POOL>TAPES"], "deed": "hard", "kind": "hosted_on", "reason": "x", "back": ""}
    seen = client.post("/services/matrix/change", {**sent, "step": "look"}).content.decode()
    assert "What it means for promises" in seen and "It stops with Tape library, which promises only" in seen
    assert "Tape library (TAPES) counts as tier 1, before as 4." in seen
    calm = client.post("/services/matrix/change", {**sent, "deed": "soft", "step": "look"}).content.decode()
    assert "is new, soft" in calm and "What it means for promises" not in calm


def test_what_is_to_be_decided(client, woven, root, noon):
    at = noon + HOUR
    said = {"by": root, "at": at, "reason": "test"}
    relating.relate(consumer=woven["NET"], provider=woven["PACS"], kind="depends_on", strength="hard", **said)
    page = relation_list.relations_page(user=root, moment=moment(at))
    assert page.sentence == "6 relations. 1 proposal to decide, 1 circle, 1 entry stands alone."
    assert page.circles[0].words == "PACS → NET → PACS: Imaging archive depends on Network core, and the way leads back."
    assert [one.words for one in page.alone] == ["Wiki (WIKI)"]
    seen = SeenRelation.objects.get()
    client.force_login(make_user("reader"), backend=BACKEND)
    assert client.post(f"/services/relations/seen/{seen.pk}/accept", {"strength": "hard", "reason": "x"}).status_code == 404
    client.force_login(make_person("operator", noon), backend=BACKEND)
    refused = client.post(f"/services/relations/seen/{seen.pk}/accept", {"strength": "hard", "reason": "x"})
    assert refused.status_code == 403 and "You may not change the relations of RIS" in refused.content.decode()
    client.force_login(root, backend=BACKEND)
    assert client.post(f"/services/relations/seen/{seen.pk}/reject", {"reason": ""}).status_code == 400
    client.post(f"/services/relations/seen/{seen.pk}/accept", {"strength": "soft", "reason": "It does"})
    assert Relation.objects.get(consumer=woven["RIS"], provider=woven["POOL"]).origin == "discovered"


def test_a_circle_through_relations_of_any_kind_that_stop_the_consumer_names_everybody_in_it(woven, root, noon):
    at = noon + HOUR
    said = {"by": root, "at": at, "reason": "test"}
    relating.relate(consumer=woven["NET"], provider=woven["WIKI"], kind="part_of", strength="hard", **said)
    relating.relate(consumer=woven["WIKI"], provider=woven["PACS"], kind="depends_on", strength="hard", **said)
    (circle,) = relation_list.relations_page(user=root, moment=moment(at)).circles
    assert {"Wiki", "Network core", "Imaging archive"} <= {one.words for one in circle.members}


def test_two_rows_about_one_relation_are_a_problem():
    rows, problems = relation_files.wishes_of_csv(
        "consumer,provider,kind,strength\nA,B,depends_on,soft\nA,C,depends_on,soft\nA,B,depends_on,hard\n"
    )
    assert [line for line, _ in rows] == [2, 3] and problems == [(4, "Line 2 is about the same relation. Keep one of the two.")]


def test_case_and_spaces_in_the_names_of_columns_do_not_matter():
    rows, problems = relation_files.wishes_of_csv("Consumer, Provider,KIND,strength,Valid Until\nA,B,depends_on,soft,2030-01-01T00:00Z\n")
    assert not problems and rows[0][1].valid_until.year == 2030 and rows[0][1].provider == "B"


def test_a_knot_is_told_by_one_way_round():
    pairs = [("a", "b"), ("b", "c"), ("c", "a"), ("b", "a"), ("x", "y"), ("y", "x"), ("a", "z")]
    assert [knot.way for knot in weave.circles(pairs)] == [["a", "b", "a"], ["x", "y", "x"]]
    chain = [(n, n + 1) for n in range(5_000)]
    assert weave.circles(chain) == [] and len(weave.circles([*chain, (5_000, 0)])[0].way) == 5_002


def test_a_large_estate_costs_as_many_questions_as_a_small_one(woven, root, noon, django_assert_max_num_queries):
    def asked():
        at = moment(noon + HOUR)
        beside = {"column": "NET", "department": "IT"}
        counts = []
        for question in (
            lambda: matrix.matrix_page(user=root, moment=at, asked=beside, page=1),
            lambda: graph.service_graph(service=woven["NET"], user=root, moment=at),
            lambda: graph.estate_graph(user=root, moment=at, asked={}),
            lambda: relation_list.relations_page(user=root, moment=at),
        ):
            with django_assert_max_num_queries(9) as asked_for:
                question()
            counts.append(len(asked_for))
        return counts

    like = ServiceVersion.objects.get(service=woven["WIKI"])
    few = asked()
    assert fill(like=like, services=1_000, each=6, departments=10, at=noon) > 5_000
    assert asked() == few


def test_ten_thousand_entries_and_sixty_thousand_relations_are_walked_at_once(woven, root, noon):
    like = ServiceVersion.objects.get(service=woven["WIKI"])
    relations = fill(like=like, services=10_000, each=7, departments=60, at=noon)
    assert relations > 60_000
    worst = Service.objects.get(code="M-00001")
    began = time.perf_counter()
    found = impact.consumers_of([worst.pk], at=noon + HOUR)
    assert len(found) > 5_000 and time.perf_counter() - began < 5, "the closure of the worst entry"
    began = time.perf_counter()
    page = matrix.matrix_page(user=root, moment=moment(noon + HOUR), asked={"department": "Department 001"}, page=1)
    assert len(page.rows) == matrix.ROWS and len(page.columns) <= matrix.COLUMNS
    assert time.perf_counter() - began < 5, "the matrix of a department"
    past = matrix.matrix_page(user=root, moment=moment(noon, HOUR), asked={"department": "Department 001"}, page=1)
    assert letters(past) == letters(page)
    shown = graph.service_graph(service=worst, user=root, moment=moment(noon + HOUR))
    assert shown.chart.svg.count('class="node ') <= graph.MOST and "left out" in shown.left_out
    assert shown.chart.svg.count(EDGE) < graph.MOST and "Only the shortest way to each is drawn" in shown.left_out
    estate = graph.estate_graph(user=root, moment=moment(noon + HOUR), asked={})
    assert f" and {estate.chart.svg.count(EDGE):,} relations between them." in estate.sentence


@pytest.mark.req("1.6")
def test_the_effective_tier_is_told_where_it_differs(client, woven, root):
    """The pool is of tier 2, and the archive of tier 1 stops with it."""
    client.force_login(root, backend=BACKEND)
    told = "counts as 1 through what needs it"
    for address in ("/services/POOL/", "/services/POOL/versions/1/", "/services/POOL/graph/"):
        assert told in client.get(address).content.decode(), address
        assert told not in client.get(address.replace("POOL", "NET")).content.decode(), address
        assert told not in client.get(address.replace("POOL", "WIKI")).content.decode(), address
    assert client.get("/api/v1/services/POOL/").json()["effective_tier"] == 1
    assert client.get("/api/v1/services/WIKI/").json()["effective_tier"] == 4


def test_what_begins_later_is_listed_and_taken_back(client, woven, root, noon):
    at = now()
    said = {"by": root, "at": at, "reason": "test", "valid_from": at + 24 * HOUR}
    row = relating.relate(consumer=woven["NET"], provider=woven["WIKI"], kind="depends_on", strength="hard", **said)
    page = relation_list.relations_page(user=root, moment=moment(at))
    assert "and 1 begins later." in page.sentence and [(one.pk, one.meaning) for one in page.planned] == [(row.pk, "stops without it")]
    address = f"/services/relations/planned/{row.pk}/take-back"
    client.force_login(make_person("operator", noon), backend=BACKEND)
    assert "Take it back" not in client.get("/services/relations/").content.decode()
    assert client.post(address, {"reason": "x"}).status_code == 403
    client.force_login(root, backend=BACKEND)
    assert "Take it back" in client.get("/services/relations/").content.decode()
    assert "is taken back and does not begin" in client.post(address, {"reason": "Not at all"}, follow=True).content.decode()
    assert not Relation.objects.filter(pk=row.pk).exists() and client.post(address, {"reason": "x"}).status_code == 404


def test_relations_are_read_with_semicolons_and_kinds_in_words_and_never_without_a_strength():
    rows, problems = relation_files.wishes_of_csv("consumer;provider;kind;strength\nA;B;Depends On;Soft\nA;C;is part of;\n")
    assert [(wish.kind, wish.strength) for _, wish in rows] == [("depends_on", "soft")]
    assert problems == [(3, "The strength is missing: write hard or soft, or end to end the relation.")]
