"""How figures are counted: every method has a page with its formula, its edge cases and an example that holds."""

import datetime as dt
import json

import pytest

from itsm_backup.portal.asof import Moment
from itsm_backup.portal.method_pages import alike, method_page, methods_page
from monitoring.methods import METHODS, measure
from monitoring.methods.examples import examples

pytestmark = pytest.mark.req("3.5")
NOON = dt.datetime(2026, 7, 14, 12, tzinfo=dt.UTC)
MOMENT = Moment(at=NOON, now=NOON)


def test_every_method_that_has_a_number_of_its_own_has_a_worked_example():
    assert set(examples()) == set(METHODS)


@pytest.mark.parametrize("key", list(METHODS), ids="-".join)
def test_the_worked_example_comes_out_as_published(key):
    one = examples()[key]
    assert alike(measure(one.method_id, one.inputs, version=one.version), one.expected)
    assert one.expected not in (None, {}, [])


@pytest.mark.parametrize("key", list(METHODS), ids="-".join)
def test_each_page_tells_formula_edge_cases_and_example(key):
    page = method_page(method=METHODS[key], moment=MOMENT)
    assert page.formula and page.example and page.example.agrees
    assert json.loads(page.example.inputs) == examples()[key].inputs
    assert [one.href for one in page.versions] == [f"/methods/{page.id}/{version}/" for name, version in METHODS if name == page.id]


def test_code_and_sources_are_told_as_such():
    page = method_page(method=METHODS["BM-RPO-EXP", "1"], moment=MOMENT)
    assert "<code>captured_at</code>" in "".join(page.edges) and page.source.startswith("SP 800-34")
    assert "Source" not in "".join(page.edges)


def test_the_list_holds_every_method_once_and_keeps_the_instant():
    past = Moment(at=NOON - dt.timedelta(days=1), now=NOON)
    rows = [row for group in methods_page(moment=past).groups for row in group.rows]
    assert [row.method.words for row in rows] and len(rows) == len(METHODS)
    assert all(row.method.href.endswith("?as_of=2026-07-13T12%3A00Z") for row in rows)


def test_results_that_differ_are_not_alike():
    assert alike({"a": [1.0000001, None]}, {"a": [1, None]})
    assert not alike({"a": 1}, {"a": 1.1}) and not alike([1], [1, 2]) and not alike(True, 1.5) and not alike({"a": 1}, {"b": 1})


@pytest.mark.django_db
def test_an_unknown_method_or_version_is_not_there(client, root):
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    assert client.get("/methods/BM-NOPE/").status_code == 404
    assert client.get("/methods/BM-EB/9/").status_code == 404
    assert client.get("/methods/bm-eb/").status_code == 200
