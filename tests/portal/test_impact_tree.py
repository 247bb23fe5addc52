"""Lines of the impact tree: every department is joined to the services through which it feels it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from itsm_backup.portal import impact_tree
from itsm_backup.portal.impact_tree import Stand, TreeNode

pytestmark = pytest.mark.req("5.2")


def columns(estate_moment, struck, consumers):
    def entry(pk, department, via=0):
        return {"service": pk, "department": department, "via": via, "tier": 1}

    struck = [entry(pk, department) for pk, department in struck]
    consumers = [entry(pk, department, via) for pk, department, via in consumers]
    stands = {
        one["service"]: Stand(
            row=SimpleNamespace(tier=1, name=f"S{one['service']}", short_name=f"S{one['service']}", service=SimpleNamespace(code="X")),
            verdict="broken", captured_at=None, rpo_s=None, at=estate_moment.at,
        )
        for one in (*struck, *consumers)
    }  # fmt: skip
    found = impact_tree._columns(TreeNode("Pool"), struck, consumers, stands, estate_moment)
    return {head: nodes for head, nodes, _ in found}


@pytest.fixture
def moment(noon):
    return SimpleNamespace(at=noon, href=lambda *parts: "/")


def test_a_department_of_a_service_in_breach_alone_has_a_line_past_what_depends_on_it(moment):
    found = columns(moment, [(1, "Radiology")], [(2, "Surgery", 1)])
    assert [(node.title, node.parents) for node in found["Depends on it"]] == [("S2", (0,)), ("", (0,))]
    assert [(node.title, node.parents) for node in found["Who feels it"]] == [("Surgery", (0,)), ("Radiology", (1,))]


def test_whatever_is_not_drawn_by_itself_is_joined_to_the_box_that_counts_it(moment):
    found = columns(moment, [(1, "Radiology"), (2, "Labs")], [(10 + n, f"Ward {n}", 2 if n else 1) for n in range(9)])
    boxes = found["Depends on it"]
    assert len(boxes) == 6 and boxes[4].title == "and 5 more" and boxes[4].parents == (1,) and boxes[5] == TreeNode("", parents=(0, 1))
    assert boxes[0].parents == (0,) and boxes[1].parents == (1,)
    last = found["Who feels it"][-1]
    assert last.title == "and 6 more" and last.parents == (4, 5)


def test_what_depends_through_another_is_joined_to_the_service_in_breach_behind_it(moment):
    found = columns(moment, [(1, "A"), (2, "A")], [(10, "A", 2), (11, "A", 10)])
    assert [node.parents for node in found["Depends on it"]] == [(1,), (1,)]


def test_without_dependants_departments_are_joined_to_the_services_in_breach(moment):
    found = columns(moment, [(1, "A"), (2, "B")], [])
    assert [(node.title, node.parents) for node in found["Who feels it"]] == [("A", (0,)), ("B", (1,))]
