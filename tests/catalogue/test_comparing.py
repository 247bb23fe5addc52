"""Differences between contents: diff and merge as laws, how much a change weighs, and the hash."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue import comparing
from catalogue.comparing import ALL_FIELDS, Change, applied, diff, level_of, merged, next_release

VALUES = st.none() | st.integers(0, 10**6) | st.text(max_size=12) | st.lists(st.text(max_size=5), max_size=3)
CONTENTS = st.fixed_dictionaries(dict.fromkeys(ALL_FIELDS, VALUES))


@given(CONTENTS, CONTENTS)
def test_a_diff_applied_to_the_old_gives_the_new(old, new):
    changes = diff(old, new)
    assert applied(changes, old) == new
    assert all(change.before != change.after for change in changes)
    assert (comparing.hash_of(old) == comparing.hash_of(new)) == (not changes)


@given(CONTENTS, CONTENTS)
def test_a_diff_turned_round_leads_back(old, new):
    back = [Change(change.field, change.after, change.before) for change in diff(old, new)]
    assert applied(back, new) == old


@given(CONTENTS, CONTENTS, CONTENTS)
def test_a_merge_keeps_everything_that_both_wrote(base, mine, theirs):
    found = merged(base=base, mine=mine, theirs=theirs)
    ours, others = {c.field for c in diff(base, mine)}, {c.field for c in diff(base, theirs)}
    for name in ALL_FIELDS:
        assert found.content[name] == (mine if name in ours else theirs)[name]
    assert {change.field for change in found.theirs} == others
    assert set(found.both) == {name for name in ours & others if mine[name] != theirs[name]}


def test_a_content_from_before_a_field_came_reads_as_one_that_says_nothing_of_it():
    before = {name: None for name in ALL_FIELDS if name not in comparing._LATER}
    silent = {**before, "escalation_policy": "", "change_reference": ""}
    assert comparing.hash_of(before) == comparing.hash_of(silent) and diff(before, silent) == []
    spoken = {**silent, "escalation_policy": "Night shift"}
    assert diff(before, spoken) == [Change("escalation_policy", "", "Night shift")]
    assert applied(diff(before, spoken), before)["escalation_policy"] == "Night shift"
    assert comparing.hash_of(spoken) != comparing.hash_of(silent)


def test_a_change_made_to_other_content_is_refused():
    with pytest.raises(ValueError, match="tier is 3, not 2"):
        applied([Change("tier", 2, 1)], {"tier": 3})


@pytest.mark.parametrize(
    ("field", "before", "after", "level"),
    [
        ("rpo_s", 14_400, 7_200, "major"), ("tier", 2, 1, "major"), ("hosting", "on_premises", "cloud", "major"),
        ("labels", [], ["restricted"], "major"), ("kind", "business_service", "backup_service", "major"), ("offerings", [], [{}], "major"),
        ("owner", 1, 2, "minor"), ("operations_team", 1, 2, "minor"), ("summary", "Pictures", "Pictures and reports", "minor"),
        ("summary", "pictures of x ray", "Pictures of X-ray.", "patch"), ("name", "PACS", "Imaging archive", "patch"),
    ],
)  # fmt: skip
def test_how_much_a_change_weighs(field, before, after, level):
    assert level_of([Change(field, before, after)]) == level
    assert level_of([Change(field, before, after), Change("rpo_s", 1, 2)]) == "major"


def test_no_difference_weighs_nothing():
    assert level_of([]) == ""


@pytest.mark.parametrize(
    ("release", "level", "following"),
    [("", "major", "1.0.0"), ("1.4.2", "major", "2.0.0"), ("1.4.2", "minor", "1.5.0"), ("1.4.2", "patch", "1.4.3"), ("1.4.2", "", "1.4.2")],
)
def test_the_number_follows_the_weight(release, level, following):
    assert next_release(release, level) == following
