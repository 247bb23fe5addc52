"""Sheets: what one program writes, ours reads; what ours writes, it reads again; nonsense is refused with a sentence."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalogue import sheets

RECORDED = Path(__file__).parents[1] / "recorded/sheets"
cells = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30).map(str.strip)


@pytest.mark.parametrize("format", sheets.FORMATS)
@given(rows=st.lists(st.tuples(cells.filter(bool), cells), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_what_is_written_is_read_again(format, rows):
    told = [text for row in rows for text in row]
    if any(text.startswith("'") for text in told):  # the mark of text in spreadsheets
        return
    read = sheets.read(sheets.write(format, ["code", "name"], rows))
    assert [(row.cells["code"], row.cells.get("name", "")) for row in read] == rows


def test_a_workbook_of_another_program_is_read_with_its_row_numbers():
    rows = sheets.read((RECORDED / "openpyxl-3.1.5.xlsx").read_bytes())
    assert [(row.number, row.cells["code"], row.cells["name"]) for row in rows] == [
        (2, "SVC-100", "Bed planning"), (4, "SVC-101", "Röntgen & Co"),
    ]  # fmt: skip
    assert (rows[0].cells["tier"], rows[0].cells["success_rate"], rows[1].cells["window_opens"]) == ("3", "0.98", "")


def test_a_formula_of_a_spreadsheet_stays_text():
    content = sheets.write("csv", ["code", "name"], [("A", "=HYPERLINK(1)")])
    assert b"'=HYPERLINK" in content
    assert sheets.read(content)[0].cells["name"] == "=HYPERLINK(1)"


def test_a_semicolon_file_of_a_european_spreadsheet_is_read():
    rows = sheets.read("code;name\nSVC-1;Röntgen, neu\n\n".encode("utf-8-sig"))
    assert rows == [sheets.Row(2, {"code": "SVC-1", "name": "Röntgen, neu"})]


@pytest.mark.parametrize("head", ["Code,Operations Team", " CODE , operations_team", "code,Operations-team"])
def test_case_and_spaces_in_the_names_of_columns_do_not_matter(head):
    assert sheets.read(f"{head}\nSVC-1,Storage".encode()) == [sheets.Row(2, {"code": "SVC-1", "operations_team": "Storage"})]
    yaml = "- Code: SVC-1\n  Operations Team: Storage\n"
    assert sheets.read(yaml.encode()) == [sheets.Row(1, {"code": "SVC-1", "operations_team": "Storage"})]


def test_yaml_says_what_is_written_not_what_it_looks_like():
    cells = {
        "code": "007", "window_opens": "22:00", "window_closes": "06:00", "review_due_on": "2027-02-29", "tier": "2", "rto": "1_000",
        "supplier": "", "contract": "", "summary": "yes", "regions": "no, 1.10", "commissioned_at": "2020-01-01T10:00:00Z",
    }  # fmt: skip
    said = {**cells, "supplier": "~", "contract": "null", "regions": "[no, 1.10]"}
    (row,) = sheets.read(("- " + "\n  ".join(f"{name}: {value}" for name, value in said.items())).encode())
    assert row.cells == cells


@pytest.mark.parametrize("content", [b"Code,code\nA,B\n", b"- code: A\n  Code: B\n"])
def test_two_columns_of_one_name_are_refused(content):
    with pytest.raises(sheets.Unreadable, match="twice"):
        sheets.read(content)


def _workbook(**parts: bytes) -> bytes:
    out = io.BytesIO()
    good = zipfile.ZipFile(io.BytesIO(sheets.write("xlsx", ["code"], [("A",)])))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in good.namelist():
            packed.writestr(name, parts.get(name.split("/")[-1].split(".")[0], good.read(name)))
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "has no rows that could be read"),
        (b"code,code\na,b\n", "code stands there twice"),
        (b"code,name\na,b,c\n", "Row 2 has more cells"),
        (b"\xff\xfe\x00", "neither XLSX nor UTF-8"),
        (b"PK nothing", "no XLSX workbook"),
        (b"entries:\n- code: [a\n", "is no YAML"),
        (b"entries:\n- code: {a: b}\n", "neither a value nor a list"),
        (b"code\n" + b"a\n" * (sheets.MOST_ROWS + 1), "more than 5,000 rows"),
        (b"code\n" + b"a" * sheets.MOST_BYTES, "larger than 5 MB"),
        (_workbook(sheet1=b'<!DOCTYPE x [<!ENTITY a "b">]><worksheet/>'), "document type"),
        (_workbook(sheet1=b"<worksheet>"), "no XLSX workbook"),
        (_workbook(sheet1=b" " * (sheets.MOST_UNPACKED + 1)), "unpacks to more than 50 MB"),
    ],
)
def test_what_cannot_be_read_says_what_to_do(content, words):
    with pytest.raises(sheets.Unreadable, match=words):
        sheets.read(content)
