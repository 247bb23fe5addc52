"""Tables of text as people exchange them: CSV, XLSX and YAML, read into rows and written from rows.

XLSX is a zip of XML files; what one sheet of plain cells needs of it stands here. Nothing in a file is ever run or fetched.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import yaml

from itsm_backup.common.admin.fields import listed

FORMATS = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "yaml": "application/yaml; charset=utf-8",
}
OF_LINES = ("offerings",)  # columns whose lists are of lines, not of words
MOST_ROWS, MOST_BYTES, MOST_UNPACKED = 5_000, 5_000_000, 50_000_000
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_FORMULA = "=+-@\t\r"  # a spreadsheet takes text that begins so for a formula
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


class Unreadable(ValueError):
    """The file as a whole cannot be read; the message says what to do."""


class Row(NamedTuple):
    """One row: its number as the person sees it in the file, and its cells by the name of their column, as text."""

    number: int
    cells: dict[str, str]


def read(content: bytes) -> list[Row]:
    """The rows of a file of any of the formats, told from its content; empty rows are left out. Raises Unreadable."""
    if len(content) > MOST_BYTES:
        raise Unreadable(f"The file is larger than {MOST_BYTES // 1_000_000} MB. Send it in parts.")
    if content[:2] == b"PK":
        rows = _from_table(_xlsx_lines(content))
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise Unreadable("The file is neither XLSX nor UTF-8 text. Save it as CSV in UTF-8, or as XLSX.") from None
        first = next((line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")), "")
        is_yaml = first.rstrip() == "---" or re.match(r"(entries\s*:|-\s)", first)
        rows = _yaml_rows(text) if is_yaml else _from_table(_csv_lines(text))
    found = [row for row in rows if any(row.cells.values())]
    if len(found) > MOST_ROWS:
        raise Unreadable(f"The file has more than {MOST_ROWS:,} rows. Send it in parts.")
    if not found:
        raise Unreadable(
            "The file has no rows that could be read. The first line of CSV or XLSX names the columns, each further line is one entry;"
            " YAML begins with ---."
        )
    return found


def named(text: str) -> str:
    """The column that a head means, as people write it: “ Operations Team” is operations_team."""
    return re.sub(r"[\s_-]+", "_", text.strip()).casefold()


def _from_table(lines: Iterable[tuple[int, list[str]]]) -> list[Row]:
    numbered = iter(lines)
    _, head = next(numbered, (1, []))
    if not head:
        return []
    names = [named(name) for name in head]
    while names and not names[-1]:
        names.pop()
    twice = sorted({name for name in names if names.count(name) > 1})
    if not names or twice or "" in names:
        what = f"{', '.join(twice)} stands there twice" if any(twice) else "there is a column without a name"
        raise Unreadable(f"The first line must name every column once; {what}.")
    rows = []
    for number, cells in numbered:
        if any(cell.strip() for cell in cells[len(names) :]):
            raise Unreadable(f"Row {number} has more cells than the first line has columns. Put text with commas into quotes.")
        filled = [*cells, *[""] * (len(names) - len(cells))]
        rows.append(Row(number, {name: _clean(cell) for name, cell in zip(names, filled, strict=False)}))
    return rows


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub("", text).strip()


def _csv_lines(text: str) -> Iterable[tuple[int, list[str]]]:
    first = text.lstrip().split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    before = 0
    try:
        for cells in reader:
            number, before = before + 1, reader.line_num
            yield number, [_as_meant(cell) for cell in cells]
    except csv.Error as error:
        raise Unreadable(f"Line {reader.line_num} is no CSV: {error}.") from None


def _as_meant(cell: str) -> str:
    """What was marked as text for a spreadsheet, without the mark."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in tuple(_FORMULA) else cell


class _AsWritten(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML in which every scalar is the text that stands there, as in a cell: 22:00 is no number, 007 keeps its noughts, a day that does
    not exist is a problem of its row. Only what stands for nothing (~, null) is nothing.
    """

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in kinds if tag in ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")]
        for first, kinds in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _yaml_rows(text: str) -> list[Row]:
    try:
        stated = yaml.load(text, Loader=_AsWritten)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"Line {mark.line + 1} is" if mark else "The file is"
        raise Unreadable(f"{where} no YAML: {getattr(error, 'problem', None) or 'it cannot be read'}.") from None
    entries = stated.get("entries") if isinstance(stated, dict) else stated
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Unreadable("A YAML file is a list of entries, each with its fields: “- code: SVC-001”.")
    return [Row(n, _entry_cells(entry, n)) for n, entry in enumerate(entries, 1)]


def _entry_cells(entry: dict[Any, Any], number: int) -> dict[str, str]:
    cells: dict[str, str] = {}
    for name, value in entry.items():
        if named(str(name)) in cells:
            raise Unreadable(f"Entry {number}: {name} stands there twice. Keep one of them.")
        cells[named(str(name))] = plain(value, number, name)
    return cells


def plain(value: Any, number: int, name: Any) -> str:
    """A value as the text of a cell. Raises Unreadable for what no cell can hold."""
    if value is None:
        return ""
    if isinstance(value, list) and not any(isinstance(each, (list, dict)) for each in value):
        return _clean("\n".join(map(str, value)) if named(str(name)) in OF_LINES else listed(value))
    if isinstance(value, (list, dict)):
        raise Unreadable(f"Entry {number}: {name} is neither a value nor a list of values.")
    return _clean(value.isoformat() if hasattr(value, "isoformat") else str(value))


def _xlsx_lines(content: bytes) -> Iterable[tuple[int, list[str]]]:
    """(row number, cells) of the first sheet that is listed in the workbook."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(part.file_size for part in packed.infolist()) > MOST_UNPACKED:
                raise Unreadable("The workbook unpacks to more than 50 MB. Send it in parts.")
            names = packed.namelist()
            shared = _shared(packed) if "xl/sharedStrings.xml" in names else []
            sheet = _xml(packed.read(_first_sheet(packed)))
    except (zipfile.BadZipFile, KeyError, ElementTree.ParseError, RuntimeError, EOFError) as error:
        raise Unreadable("The file is no XLSX workbook that can be read. Save it again as XLSX, or as CSV in UTF-8.") from error
    lines = []
    for place, row in enumerate(sheet.iter(f"{_MAIN}row"), 1):
        cells: dict[int, str] = {}
        for order, cell in enumerate(row.iter(f"{_MAIN}c")):
            column = _column(cell.get("r", "")) if cell.get("r") else order
            if column < 1_000:
                cells[column] = _cell(cell, shared)
        lines.append((int(row.get("r", place)), [cells.get(n, "") for n in range(max(cells, default=-1) + 1)]))
    return lines


def _first_sheet(packed: zipfile.ZipFile) -> str:
    """The part that holds the first sheet in the order of the tabs."""
    book = _xml(packed.read("xl/workbook.xml"))
    first = next(iter(book.iter(f"{_MAIN}sheet")))
    wanted = next(value for name, value in first.attrib.items() if name.endswith("}id"))
    links = _xml(packed.read("xl/_rels/workbook.xml.rels"))
    target = next(link.get("Target", "") for link in links if link.get("Id") == wanted)
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _xml(content: bytes) -> Any:
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:  # no workbook has one; it could only be an attack
        raise Unreadable("The workbook holds a document type, which no spreadsheet writes. Save it again as XLSX.")
    return ElementTree.fromstring(content)  # noqa: S314 - without entities there is nothing to expand


def _shared(packed: zipfile.ZipFile) -> list[str]:
    return [_text(item) for item in _xml(packed.read("xl/sharedStrings.xml")).iter(f"{_MAIN}si")]


def _text(node: Any) -> str:
    """All runs of a text, without the reading aids of Japanese."""
    aids = {id(part) for aid in node.iter(f"{_MAIN}rPh") for part in aid.iter(f"{_MAIN}t")}
    return "".join(part.text or "" for part in node.iter(f"{_MAIN}t") if id(part) not in aids)


def _column(reference: str) -> int:
    number = 0
    for letter in re.match(r"[A-Z]*", reference).group():  # type: ignore[union-attr]
        number = number * 26 + ord(letter) - 64
    return number - 1


def _cell(cell: Any, shared: Sequence[str]) -> str:
    if cell.get("t") == "inlineStr":
        return _text(cell)
    value = cell.findtext(f"{_MAIN}v") or ""
    if cell.get("t") == "s":
        return shared[int(value)] if value.isdigit() and int(value) < len(shared) else ""
    return value[:-2] if re.fullmatch(r"-?\d+\.0", value) else value


def write(format: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """A file of the format with these columns and rows of text."""
    return {"csv": _csv, "xlsx": _xlsx, "yaml": _yaml}[format](columns, rows)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([f"'{cell}" if cell[:1] in tuple(_FORMULA) else cell for cell in row] for row in rows)
    return out.getvalue().encode()


def _yaml(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    entries = [{name: cell for name, cell in zip(columns, row, strict=True) if cell} for row in rows]
    return yaml.safe_dump({"entries": entries}, allow_unicode=True, sort_keys=False, width=130).encode()


def _xlsx(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in _PARTS.items():
            packed.writestr(name, _HEAD + content)
        lines = "".join(_line(number, row) for number, row in enumerate([columns, *rows], 1))
        frozen = '<sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" state="frozen"/></sheetView></sheetViews>'
        widths = f'<cols><col min="1" max="{len(columns)}" width="18" customWidth="1"/></cols>'
        sheet = f'<worksheet xmlns="{_MAIN[1:-1]}">{frozen}{widths}<sheetData>{lines}</sheetData></worksheet>'
        packed.writestr("xl/worksheets/sheet1.xml", _HEAD + sheet)
    return out.getvalue()


def _line(number: int, row: Sequence[str]) -> str:
    cells = (f'<c t="inlineStr"><is><t xml:space="preserve">{escape(_UNPRINTABLE.sub("", cell))}</t></is></c>' for cell in row)
    return f'<row r="{number}">{"".join(cells)}</row>'


_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_SHEETS = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_SHEETS}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_SHEETS}.worksheet+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN[1:-1]}" xmlns:r="{_OFFICE}">'
    '<sheets><sheet name="Entries" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
}
