"""Import: every row is told its problem by column, good rows become drafts, what is in force never changes."""

from __future__ import annotations

import datetime as dt

import pytest
from django import forms

from catalogue import batching, comparing, exporting, importing, publishing, sheets, wording, working_through
from catalogue.models import Batch, Service, ServiceVersion
from catalogue.refusing import NotReady
from itsm_backup.common.admin.fields import ListField, words_of
from tests.catalogue.makers import NOON, make_approver, make_author, make_draft, make_service, make_team, make_user, take_out

pytestmark = pytest.mark.django_db


@pytest.fixture
def steward():
    make_author()
    return make_user("author", "catalogue.view_service", "catalogue.change_service", "catalogue.add_service")


def csv(*lines: str) -> list[sheets.Row]:
    return sheets.read("\n".join(lines).encode())


def looked(rows, by):
    return importing.wishes(rows, by=by, at=NOON)


def imported(rows, by, *, partly=False):
    batch = batching.propose(act="draft", title="Import", wishes=looked(rows, by), by=by, at=NOON, reason="Yearly check")
    batching.start(batch=batch, by=by, at=NOON, partly=partly)
    working_through.work(batch=batch, clock=lambda: NOON)
    return batch


def test_three_bad_rows_of_a_thousand_stop_everything_until_only_the_good_are_asked_for(steward):
    make_team()
    lines = [f"SVC-{n:04},Service {n},3,2026-01-01,26 h" for n in range(997)]
    bad = ["SVC-X001,No tier,,2026-01-01,26 h", "SVC-X002,Bad time,3,2026-01-01,soon", "SVC 003,Bad code,3,2026-01-01,26 h"]
    rows = csv("code,name,tier,commissioned_at,rpo", *lines[:500], *bad, *lines[500:])
    batch = batching.propose(act="draft", title="Import", wishes=looked(rows, steward), by=steward, at=NOON, reason="New site")
    with pytest.raises(NotReady, match="3 of 1000 cannot be done"):
        batching.start(batch=batch, by=steward, at=NOON)
    working_through.work(batch=batch, clock=lambda: NOON)
    assert not Service.objects.exists(), "nothing was started"
    told = list(batch.items.filter(state="refused").values_list("place", "problems"))
    assert told == [
        (502, [["tier", "A new entry needs a tier from 1 to 4."]]),
        (503, [["rpo", "Write a number and its unit, such as 4 h, 26 h, 35 d or 90 min."]]),
        (504, [["code", "SVC 003 cannot be a code. Use letters, digits, dot, dash and underscore only."]]),
    ]
    batching.start(batch=batch, by=steward, at=NOON, partly=True)
    assert batch.items.filter(state="waiting").count() == 997
    assert working_through.work(batch=batch, clock=lambda: NOON, most=40) == 40
    batch.refresh_from_db()
    assert (Service.objects.count(), batch.items.filter(state="done").count(), batch.finished_at) == (40, 40, None)
    assert set(ServiceVersion.objects.values_list("state", flat=True)) == {"draft"}, "somebody else approves"


@pytest.mark.parametrize("format", sheets.FORMATS)
def test_an_export_imported_again_changes_nothing_and_one_cell_changes_one_field(steward, format):
    make_service("pacs", labels=["Patient data", "GDPR"], regions=["Leeds"], summary="Pictures, all: of them", rpo_s=14_400)
    make_service("ris", tier=2)
    content = exporting.entries(user=steward, at=NOON, format=format)
    same = looked(sheets.read(content), steward)
    assert [(wish.values, wish.problems) for wish in same] == [({}, []), ({}, [])]
    changed = looked([row._replace(cells={**row.cells, "rpo": "2 h"}) for row in sheets.read(content)], steward)
    assert [wish.values for wish in changed] == [{"rpo_s": 7_200}, {"rpo_s": 7_200}]
    assert importing.in_words(changed)[0] == "Recovery point (RPO) 4 h → 2 h"


@pytest.mark.parametrize("format", sheets.FORMATS)
def test_a_word_with_a_comma_stays_one_word(steward, format):
    make_service("pacs", regions=["London, UK", "Leeds"], labels=['"Old", they say', "iso:27001"])
    content = exporting.entries(user=steward, at=NOON, format=format)
    assert [(wish.values, wish.problems) for wish in looked(sheets.read(content), steward)] == [({}, [])]
    changed = looked([row._replace(cells={**row.cells, "regions": "London, UK, Leeds"}) for row in sheets.read(content)], steward)
    assert importing.in_words(changed)[0] == 'Regions "London, UK", Leeds → London, UK, Leeds'
    assert sheets.plain(["London, UK", "Site: Leeds"], 1, "regions") == '"London, UK", Site: Leeds'
    assert words_of('"London, UK" ,Leeds,, 19" rack') == ListField(forms.CharField()).clean('"London, UK", Leeds, 19" rack')


def test_a_row_that_says_nothing_new_needs_nothing_whatever_stands_in_the_way_of_a_change(steward):
    drafted, retired = make_service("pacs", rpo_s=14_400), make_service("ris", rpo_s=14_400)
    draft = make_draft(drafted)
    take_out(retired)
    rows = csv("code,version,rpo", "pacs,1,4 h", "ris,1,4 h")
    assert [(wish.values, wish.problems) for wish in looked(rows, steward)] == [({}, []), ({}, [])]
    batch = batching.propose(act="draft", title="Import", wishes=looked(rows, steward), by=steward, at=NOON, reason="Yearly check")
    assert set(batch.items.values_list("state", flat=True)) == {"nothing"}
    (same,) = importing.to_change(["pacs"], {"rpo_s": 14_400}, by=steward)
    assert not same.problems
    (other,) = looked(csv("code,rpo", "pacs,2 h"), steward)
    assert "has an open version already" in other.problems[0][1] and draft.state == "draft"


def test_people_who_have_changed_since_stand_in_no_way_of_a_row_that_names_them_as_before(steward):
    make_service("pacs", owner=make_user("olga"))
    sheet = exporting.entries(user=steward, at=NOON, format="csv")
    olga = make_user("olga")
    olga.is_active = False
    olga.save()
    (row,) = looked(sheets.read(sheet), steward)
    assert (row.values, row.problems) == ({}, [])
    (row,) = looked(sheets.read(sheet.replace(b"Service pacs", b"Archive")), steward)
    assert (row.values, row.problems) == ({"name": "Archive"}, [])
    (row,) = looked(csv("code,steward", "pacs,olga"), steward)
    assert [column for column, _ in row.problems] == ["steward"], "nobody new who has left"


def test_a_column_left_out_stays_and_an_empty_cell_empties(steward):
    make_service("pacs", department="Radiology", supplier="Archive Ltd")
    batch = imported(csv("code,supplier", "pacs,"), steward)
    made = batch.items.get().version
    assert (made.state, made.department, made.supplier, made.reason) == ("draft", "Radiology", "", "Yearly check")
    assert Service.objects.get().version_at(NOON).supplier == "Archive Ltd", "what is in force stays in force"


@pytest.mark.parametrize(
    ("line", "column", "words"),
    [
        ("pacs,9,,,", "tier", "less than or equal to 4"),
        ("pacs,,,,", "tier", "never empty"),
        ("pacs,3,nobody,,", "owner", "nobody is no active account"),
        ("pacs,3,,Moon,", "operations_team", "Teams: Storage"),
        ("pacs,3,,,somewhere", "hosting", "Write on_premises, cloud, hybrid"),
        ("draft,3,,,", "code", "has an open version already: number 1, draft"),
        ("foreign,3,,,", "code", "You may not change foreign"),
        ("hidden,3,,,", "code", "cannot be used"),
        ("import,3,,,", "code", "cannot be used"),
    ],
)  # fmt: skip
def test_each_problem_names_its_column_and_what_to_do(steward, line, column, words):
    from guardian.shortcuts import assign_perm

    make_service("pacs")
    make_draft("draft")
    make_service("foreign")
    make_service("hidden")
    limited = make_user("limited", "catalogue.add_service")
    for code in ("pacs", "draft"):
        assign_perm("catalogue.change_service", limited, Service.objects.get(code=code))
        assign_perm("catalogue.view_service", limited, Service.objects.get(code=code))
    assign_perm("catalogue.view_service", limited, Service.objects.get(code="foreign"))
    (wish,) = looked(csv("code,tier,owner,operations_team,hosting", line), limited)
    assert any(where == column and words in told for where, told in wish.problems), wish.problems


def test_two_packages_of_one_name_are_a_problem_of_the_row(steward):
    make_service("pacs")
    (wish,) = looked(csv("code,offerings", 'pacs,"Gold: kept 9 d', 'Gold: kept 8 d"'), steward)
    assert wish.problems == [("offerings", "There are two offerings named Gold.")]


def test_a_duration_without_its_unit_is_a_problem_of_the_row(steward):
    make_service("pacs")
    (wish,) = looked(csv("code,rpo", "pacs,3600"), steward)
    assert wish.problems == [("rpo", "Write a number and its unit, such as 4 h or 90 min.")]


def test_a_row_of_an_old_export_is_refused_when_the_entry_has_changed_since(steward):
    make_service("pacs")
    old = exporting.entries(user=steward, at=NOON, format="csv")
    make_service("pacs", at=NOON + dt.timedelta(hours=1), department="Surgery")
    (wish,) = looked(sheets.read(old), steward)
    assert wish.problems == [
        ("version", "The row was written from version 1; version 2 is the newest by now. Export the entry again and change that.")
    ]


def test_an_entry_that_changes_between_looking_and_doing_is_refused(steward):
    make_service("pacs")
    batch = batching.propose(
        act="draft", title="Import", wishes=looked(csv("code,department", "pacs,Radiology"), steward), by=steward, at=NOON, reason="Test"
    )  # fmt: skip
    make_service("pacs", at=NOON + dt.timedelta(hours=1), department="Surgery")
    batching.start(batch=batch, by=steward, at=NOON)
    working_through.work(batch=batch, clock=lambda: NOON + dt.timedelta(hours=2))
    item = batch.items.get()
    assert (item.state, "has another version by now: number 2" in item.told) == ("refused", True)
    assert not ServiceVersion.objects.filter(state="draft").exists()


def test_times_that_a_spreadsheet_keeps_as_numbers_are_understood(steward):
    from pathlib import Path

    content = (Path(__file__).parents[1] / "recorded/sheets/openpyxl-3.1.5.xlsx").read_bytes()
    one, other = looked(sheets.read(content), steward)
    assert (one.problems, other.problems) == ([], [])
    assert (one.values["commissioned_at"], other.values["commissioned_at"]) == ("2026-07-01T00:00:00Z", "2026-07-01T06:30:00Z")
    assert (one.values["window_opens"], one.values["window_closes"], one.values["success_rate"]) == ("22:00:00", "06:00:00", "0.98")


def test_looking_asks_the_database_as_often_for_one_row_as_for_many(steward, django_assert_max_num_queries):
    for n in range(12):
        make_service(f"SVC-{n}")
    content = sheets.read(exporting.entries(user=steward, at=NOON, format="csv"))
    for rows in (content[:1], content):
        with django_assert_max_num_queries(18):
            looked(rows, make_user("author"))


def test_what_one_may_not_see_is_not_exported(steward):
    make_service("pacs")
    make_service("ris")
    stranger = make_user("stranger")
    assert b"pacs" not in exporting.entries(user=stranger, at=NOON, format="csv")
    from guardian.shortcuts import assign_perm

    assign_perm("catalogue.view_service", stranger, Service.objects.get(code="ris"))
    told = exporting.entries(user=make_user("stranger"), at=NOON, format="csv")
    assert b"ris" in told and b"pacs" not in told


def test_what_nobody_started_is_forgotten_after_two_weeks(steward):
    make_service("pacs")
    wishes = looked(csv("code,department", "pacs,Radiology"), steward)
    kept = batching.propose(act="draft", title="Import", wishes=wishes, by=steward, at=NOON, reason="Test")
    assert batching.forget_unstarted(at=NOON + dt.timedelta(days=13)) == 0
    assert batching.forget_unstarted(at=NOON + dt.timedelta(days=15)) == 1
    assert not Batch.objects.filter(pk=kept.pk).exists()


def test_two_entries_never_bear_one_short_name_neither_in_the_file_nor_in_the_catalogue(steward):
    make_service("pacs", short_name="Imaging")
    make_service("ris", short_name="Reports")
    rows = csv(
        "code,name,short_name,tier,commissioned_at", "one,New,Wards,3,2026-01-01", "two,New,wards,3,2026-01-01",
        "ris,Same,imaging,3,2026-01-01",
    )  # fmt: skip
    told = [[text for name, text in wish.problems if name == "short_name"] for wish in looked(rows, steward)]
    assert told[0] == ["“Wards” stands in 2 rows. Give each entry a short name of its own."] and "“wards” stands in 2 rows" in told[1][0]
    assert told[2] == ["“imaging” is the short name of pacs. Choose another one."]
    assert not any(wish.problems for wish in looked(csv("code,short_name", "pacs,Reports", "ris,Imaging"), steward)), "both are said anew"


def test_a_name_that_is_too_long_is_refused_with_a_sentence(steward):
    make_service("pacs")
    (wish,) = looked(csv("code,name", f"pacs,{'n' * 165}"), steward)
    ((column, told),) = wish.problems
    assert column == "name" and "at most 160 characters (it has 165)" in told


def test_a_policy_and_a_change_are_imported_and_the_change_stays_with_its_version(steward):
    service = make_service("SVC-1")
    imported(csv("Code,Escalation Policy,Change Reference", "SVC-1,Night shift,CHG-0791"), steward)
    draft = service.versions.get(number=2)
    assert (draft.escalation_policy, draft.change_reference, draft.level) == ("Night shift", "CHG-0791", "minor")
    publishing.submit(version=draft, by=steward, at=NOON)
    publishing.approve(version=draft, by=make_approver(), at=NOON + dt.timedelta(hours=1))
    told = {each.field: each.after for each in wording.tell(comparing.diff({}, comparing.content_of(draft)))}
    assert (told["escalation_policy"], told["change_reference"]) == ("Night shift", "CHG-0791")
    following = publishing.draft_version(service=service, content={"summary": "More"}, commitment={}, by=steward, at=NOON, reason="x")
    assert (following.escalation_policy, following.change_reference) == ("Night shift", "")
    back = publishing.cancel(version=following, by=steward, at=NOON, reason="x") and publishing.roll_back(
        to=draft, by=steward, at=NOON, reason="Back"
    )  # fmt: skip
    assert back.change_reference == ""
