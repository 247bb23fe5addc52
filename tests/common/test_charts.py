"""Charts: the same data give the same picture, byte for byte, and the picture says what the data say.

A wanted change of a picture: run once with UPDATE_GOLDEN=1 and look at the difference before committing it.
"""

import datetime as dt
import os
import re
from pathlib import Path
from xml.etree import ElementTree as XML
from zoneinfo import ZoneInfo

import pytest

from itsm_backup.common.charts import (
    AgeStep,
    DayCell,
    DayCount,
    RunMark,
    TreeNode,
    day_strip,
    exposure_bar,
    impact_tree,
    layers,
    sawtooth,
    success_line,
    tally,
)

GOLDEN = Path(__file__).parent / "golden"
LONDON = ZoneInfo("Europe/London")
NOW = dt.datetime(2026, 7, 14, 8, 42, tzinfo=dt.UTC)
HOUR = 3_600


def at(hours_ago: float) -> dt.datetime:
    return NOW - dt.timedelta(hours=hours_ago)


def broken_saw(**changed):
    good = [48 - 2 * n for n in range(20)] + [6.2]
    steps = [AgeStep(at(hours), at(hours)) for hours in (50, *good)]
    runs = [*(RunMark(at(hours), "good") for hours in good), *(RunMark(at(hours), "failed") for hours in (4.2, 2.2, 0.2))]
    return sawtooth(**{"steps": steps, "runs": runs, "promise_s": 4 * HOUR, "now": NOW, "zone": LONDON} | changed)


def month(rate_of=lambda day: 100):
    return [
        DayCount(dt.date(2026, 6, 14) + dt.timedelta(days=day), rate_of(day) or 0, 102 if rate_of(day) is not None else 0)
        for day in range(31)
    ]


PICTURES = {
    "sawtooth-broken": lambda: broken_saw().svg,
    "sawtooth-narrow": lambda: broken_saw(hours=15, width=340).svg,
    "sawtooth-gap": lambda: (
        broken_saw(steps=[AgeStep(at(50), at(51)), AgeStep(at(30), None), AgeStep(at(10), at(11)), AgeStep(at(3), None)]).svg
    ),
    "sawtooth-without-promise": lambda: broken_saw(promise_s=None).svg,
    "success": lambda: success_line(days=month(), target=0.98).svg,
    "success-odd": lambda: (
        success_line(
            days=[
                DayCount(dt.date(2026, 7, 1), 50, 50),
                DayCount(dt.date(2026, 7, 2), 48, 50, "freeze"),
                DayCount(dt.date(2026, 7, 3), 0, 0),
            ],
            target=0.98,
        ).svg
    ),
    "bar-broken": lambda: exposure_bar(age_s=6.2 * HOUR, promise_s=4 * HOUR, verdict="broken", sentence="6 h 12 min old, promise 4 h"),
    "bar-no-data": lambda: exposure_bar(age_s=None, promise_s=48 * HOUR, verdict="no_data", sentence="Unknown, promise 48 h"),
    "strip": lambda: (
        day_strip(
            cells=[
                DayCell(dt.date(2026, 7, day), kind, kind, restore_passed=day == 2)
                for day, kind in enumerate(
                    ["good", "good", "warning", "late", "failed", "missed", "no_data", "held", "not_scheduled", "good"], start=1
                )
            ],
            per_row=8,
        ).svg
    ),
    "tree": lambda: (
        impact_tree(
            columns=[
                ("Cause", [TreeNode("Pool NAS-02", "99.4% full", "broken")]),
                ("Service in breach", [TreeNode("Imaging archive", "Tier 1, RPO broken", "broken", (0,))]),
                (
                    "Depends on its data",
                    [
                        TreeNode("Radiology reporting", "Tier 2", "", (0,)),
                        TreeNode("A name far too long for its box", "x", "at_risk", (0,)),
                    ],
                ),
                ("Who feels it", [TreeNode("Radiology & <Surgery>", "3 sites", "", (0, 1))]),
            ],
            sentence="One cause, one service, two dependants.",
        ).svg
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_the_golden_one(name):
    made, golden = PICTURES[name](), GOLDEN / f"{name}.svg"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(made.replace("><", ">\n<") + "\n")
    assert made.replace("><", ">\n<") + "\n" == golden.read_text()


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_obeys_the_strict_policy_and_speaks(name):
    made = PICTURES[name]()
    root = XML.fromstring(made)
    assert root.get("role") == "img"
    assert root[0].tag == "title" and root[0].text
    assert not re.search(r"style=|fill=|stroke=|#[0-9A-Fa-f]{3,6}\b|\son\w+=", made), "colours come from classes, nothing is inline"


@pytest.mark.parametrize("age_h", [0, 1, 3.9, 4, 6.2, 400])
def test_the_tick_of_a_bar_always_stands_at_the_same_place(age_h):
    root = XML.fromstring(exposure_bar(age_s=age_h * HOUR, promise_s=4 * HOUR, verdict="kept", sentence="s"))
    tick, fill = root.find("line"), root.findall("rect")[1]
    assert tick.get("x1") == tick.get("x2") == "62.5%"
    assert float(fill.get("width").rstrip("%")) == pytest.approx(min(100, 62.5 * age_h / 4), abs=0.06)


def test_the_sawtooth_says_how_far_over_the_promise_the_copy_is():
    assert broken_saw().sentence == (
        "The newest restorable copy is 6 h 12 min old, 2 h 12 min over the promise of 4 h; "
        "in the last 48 hours the promise was passed 1 time."
    )


def test_the_sawtooth_paints_red_only_where_the_promise_is_passed():
    assert broken_saw().svg.count('class="peak"') == 1
    assert broken_saw(promise_s=8 * HOUR).svg.count('class="peak"') == 0


def test_the_sawtooth_of_a_service_without_any_copy_says_so_and_draws_no_line():
    chart = broken_saw(steps=[], runs=[])
    assert chart.sentence == "No usable copy is known now; the last 48 hours are shown."
    assert "polyline" not in chart.svg


def test_the_sawtooth_of_the_past_calls_nothing_now():
    svg = broken_saw(dated=True).svg
    assert f">{NOW.astimezone(LONDON):%a %H:%M}</text>" in svg and ">now " not in svg
    assert broken_saw(steps=[], dated=True).sentence == "No usable copy was known then; the last 48 hours are shown."


def test_the_sawtooth_lists_its_runs_as_a_table():
    chart = broken_saw()
    assert chart.head == ("Run", "Result")
    assert chart.rows[-1] == ("Today 09:30", "failed")
    assert len(chart.rows) == 24


def test_success_is_never_rounded_up_to_all():
    days = [DayCount(dt.date(2026, 7, 1), 9_999, 10_000)]
    assert success_line(days=days, target=0.98).sentence == "99.9%, 9,999 of 10,000 runs succeeded in 1 day."


def test_days_without_runs_leave_a_gap():
    days = month(lambda day: None if day == 10 else 101)
    svg = success_line(days=days, target=None).svg
    assert svg.count("<polyline") == 2
    assert "breach" not in svg


def test_the_axis_of_success_reaches_down_to_the_worst_day():
    assert "80%" in success_line(days=month(lambda day: 85), target=0.98).svg
    assert "0%" in success_line(days=month(lambda day: 3), target=0.98).svg


def test_text_from_outside_is_escaped():
    svg = impact_tree(columns=[("C", [TreeNode("<script>alert(1)</script>", '"&')])], sentence="<b>").svg
    assert "<script>" not in svg and "<b>" not in svg
    assert "&lt;scri" in svg


def test_words_too_long_for_a_box_are_whole_in_the_table():
    name = "A name that is far too long for the box it should stand in"
    chart = impact_tree(columns=[("Cause", [TreeNode(name)])], sentence="s")
    assert name not in chart.svg
    assert chart.rows == (("Cause", name, "", ""),)


def test_a_single_bad_one_among_thousands_is_still_seen():
    root = XML.fromstring(tally(counts=[("kept", 9_999), ("broken", 1)], sentence="s"))
    assert float(root.findall("rect")[1].get("width")) >= 6


def test_a_wide_chart_has_the_last_value_beside_its_line_clear_of_the_promise():
    import re

    for rate in (97, 98, 99, 100):
        svg = success_line(days=month(lambda day, rate=rate: rate), target=0.98, width=740).svg
        value = re.search(r'class="value" x="664" y="([\d.]+)"', svg)
        promise = re.search(r'axis--promise" x="664" y="([\d.]+)">promise 98%', svg)
        assert value and promise, svg
        assert abs(float(value[1]) - float(promise[1])) > 13.9


def test_two_hundred_services_are_drawn_without_one_box_upon_another_and_every_line_stands_in_words():
    keys = range(200)
    pairs = [(one, other) for other in keys for one in {other * 7 // 11, other // 3} if one != other]
    layer = layers.layers_of(keys, pairs)
    columns = [
        (f"Layer {n}", [layers.LayerBox(key=key, title=f"Service {key}") for key in keys if layer[key] == n])
        for n in range(max(layer.values()) + 1)
    ]  # fmt: skip
    lines = [layers.LayerLine(source=one, target=other, words="needs") for one, other in pairs]
    chart = layers.layered_graph(columns=columns, lines=lines, sentence="200 services")
    corners = [(float(x), float(y)) for x, y in re.findall(r'class="node-box" x="([0-9.]+)" y="([0-9.]+)"', chart.svg)]
    assert len(corners) == 200 == len({*corners})
    near = [
        (a, b) for n, a in enumerate(corners) for b in corners[:n] if abs(a[0] - b[0]) < layers.WIDTH and abs(a[1] - b[1]) < layers.HEIGHT
    ]
    assert near == []
    assert all(f">Service {key}<" in chart.svg for key in keys), "no title is cut"
    assert len(chart.rows) == len(pairs) and ("Service 9", "needs", "Service 3") in chart.rows


def _points(way):
    """Points along the `d` of a path, close enough to each other that none jumps over a box."""
    found, x, y = [], 0.0, 0.0
    for letter, numbers in re.findall(r"([MCH])([^MCH]*)", way):
        told = [float(each) for each in numbers.split()]
        before = (x, y)
        if letter == "C":
            x1, y1, x2, y2, x, y = told
            for t in (step / 20 for step in range(1, 21)):
                u = 1 - t
                found.append(
                    tuple(u**3 * a + 3 * u * u * t * b + 3 * u * t * t * c + t**3 * d for a, b, c, d in
                          ((before[0], x1, x2, x), (before[1], y1, y2, y)))
                )  # fmt: skip
        else:
            x, y = (told[0], told[1]) if letter == "M" else (told[0], y)
            found += [(before[0] + (x - before[0]) * step / 20, y) for step in range(1, 21)] if letter == "H" else [(x, y)]
    return found


def test_no_line_of_two_hundred_services_passes_behind_a_box_or_lies_upon_another():
    keys = range(200)
    pairs = [(one, other) for other in keys for one in sorted({other * 7 // 11, other // 3}) if one != other]
    pairs += [(150, 3), (90, 60)]  # against the current: a circle
    layer = layers.layers_of(keys, pairs)
    columns = [
        (f"Layer {n}", [layers.LayerBox(key=key, title=f"Service {key}") for key in keys if layer[key] == n])
        for n in range(max(layer.values()) + 1)
    ]  # fmt: skip
    lines = [layers.LayerLine(source=one, target=other, words="needs", dashed=other % 3 == 0) for one, other in pairs]
    svg = layers.layered_graph(columns=columns, lines=lines, sentence="200 services").svg
    boxes = [(float(x), float(y)) for x, y in re.findall(r'class="node-box" x="([0-9.]+)" y="([0-9.]+)"', svg)]
    ways = re.findall(r'<path class="edge[^"]*" d="([^"]+)"', svg)
    assert len(ways) == len(pairs) == len({*ways})
    hidden = [
        (x, y) for way in ways for x, y in _points(way) for left, top in boxes
        if left + 0.2 < x < left + layers.WIDTH - 0.2 and top < y < top + layers.HEIGHT
    ]  # fmt: skip
    assert hidden == []
    # past a column: at one height run only lines that come from the same service, dashed and others apart
    source_at = {}
    for (source, _), line, way in zip(pairs, lines, ways, strict=True):
        for end, y in re.findall(r"([0-9.]+) ([0-9.]+)H", way):
            source_at.setdefault((end, y), set()).add((source, line.dashed))
    assert source_at and all(len(each) == 1 for each in source_at.values())


def test_a_line_that_passes_a_column_is_drawn_and_is_no_row():
    columns = [
        ("A", [TreeNode("one")]),
        ("B", [TreeNode("two", parents=(0,)), TreeNode("", parents=(0,))]),
        ("C", [TreeNode("three", parents=(1,))]),
    ]
    chart = impact_tree(columns=columns, sentence="s")
    assert [row[1] for row in chart.rows] == ["one", "two", "three"]
    assert chart.svg.count('class="node ') == 3 and chart.svg.count('class="edge"') == 4
