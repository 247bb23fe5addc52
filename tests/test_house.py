"""The rules of the house, executed."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = ("catalogue", "monitoring", "incidents", "reporting", "itsm_backup")
FORBIDDEN_NAMES = {"services", "utils", "helpers", "managers", "signals", "constants"}
LONGEST_FILE, LONGEST_FUNCTION = 400, 50
DOORS = ("admin", "api", "management", "portal", "launcher", "commands")
DOOR_FILES = {
    "tasks.py",
    "journey.py",
    "health.py",
    "metrics.py",
    "accounts_admin.py",
    "time.py",
    "embedded.py",
    "settings.py",
    "api.py",
    "admin.py",
}


def sources() -> list[Path]:
    found = [path for app in APPS for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts]
    assert len(found) > 50
    return found


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


def test_it_imports_only_downwards():
    program = shutil.which("lint-imports") or str(Path(sys.executable).with_name("lint-imports"))
    found = subprocess.run([program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-3_000:]


def test_it_names_modules_for_acts():
    assert names([path for path in sources() if path.stem in FORBIDDEN_NAMES]) == []


def test_it_keeps_files_short():
    assert names([path for path in sources() if len(path.read_text().splitlines()) > LONGEST_FILE]) == []


def test_it_keeps_functions_short():
    long = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION:
                long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert long == []


def test_it_keeps_the_cellar_small():
    modules = {
        path.name
        for path in (ROOT / "itsm_backup/common").iterdir()
        if path.name not in ("__init__.py", "__pycache__", "apps.py", "migrations")
    }
    assert len(modules) <= 8, modules


def test_it_reads_no_clock_inside_an_act():
    clock = re.compile(r"\bnow\(\)|timezone\.now|datetime\.now|date\.today|time\.time\(")
    guilty = []
    for path in sources():
        parts = path.relative_to(ROOT).parts
        if (parts[0] == "itsm_backup" and parts[1] not in ("common", "estate")) or set(parts) & set(DOORS) or path.name in DOOR_FILES:
            continue
        lines = [line for line in path.read_text().splitlines() if clock.search(line.split("#")[0]) and "CURRENT" not in line]
        if lines:
            guilty.append(f"{path.relative_to(ROOT)}: {lines}")
    # the runner of programs measures when they ran: its clock is part of the answer
    assert [one for one in guilty if not one.startswith("monitoring/connectors/")] == []


def test_it_sends_no_signals_between_apps():
    signals = re.compile(r"@receiver|(post|pre)_(save|delete|init)\b|signals import")
    assert names([path for path in sources() if signals.search(path.read_text()) and "apps.py" not in path.name]) == []


def test_it_leaves_nothing_half_done():
    words = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    assert names([path for path in sources() if words.search(path.read_text())]) == []


def test_no_page_and_no_door_cuts_what_is_typed():
    """Browsers cut silently what is pasted into a field that names its length; doors read whole texts (common/http/typed.py)."""
    assert names([path for path in (ROOT / "templates").rglob("*.html") if "maxlength" in path.read_text()]) == []
    cut = re.compile(r"(POST\b|\btyped\(|\braw\().*\[ *: *\w+\]|for name, value in request\.POST\.items")
    allowed = ("itsm_backup/common/http/typed.py: ", "itsm_backup/portal/cadence_doors.py: ", "itsm_backup/portal/agreement_doors.py: ")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}" for path in sources() for line in path.read_text().splitlines() if cut.search(line)
    ]
    assert [one for one in found if not (one.startswith(allowed) and ("getlist" in one or "items()" in one))] == []


def test_it_documents_every_connector():
    from monitoring.connectors import CONNECTORS

    pages = {path.stem for path in (ROOT / "docs/connectors").glob("*.md")}
    assert sorted(set(CONNECTORS) - pages) == []


def test_it_says_of_connectors_only_what_a_test_marks():
    from monitoring.connectors import CONNECTORS
    from monitoring.connectors.base import TESTED_WORDS

    evidence = _evidence()
    best = {kind: next((one for one in TESTED_WORDS if (one, kind) in evidence), None) for kind in CONNECTORS}
    assert {kind: connector.tested for kind, connector in CONNECTORS.items()} == best
    silent = [
        kind
        for kind, connector in CONNECTORS.items()
        if TESTED_WORDS[connector.tested].lower() not in (ROOT / f"docs/connectors/{kind}.md").read_text().lower()
    ]
    assert silent == []


def test_its_readme_tells_which_connectors_are_tested_how():
    from monitoring.connectors import CONNECTORS
    from monitoring.connectors.map_document import shipped

    (row,) = re.findall(r"^\| 2\.3 \| (.*?) \| ", (ROOT / "README.md").read_text(), re.MULTILINE)
    live, _, rest = row.partition("tested live")
    parts = {"live": live, "documented": rest.partition("tested on documented payloads")[0]}
    called = {"push": "bulk records", "mapped": "by a map", "pbs": "Proxmox Backup Server", "icinga2": "Icinga 2"}
    named = {kind: called.get(kind, kind.replace("-", " ")) for kind in (*CONNECTORS, *shipped())}
    tested = {kind: CONNECTORS[kind if kind in CONNECTORS else "mapped"].tested for kind in named}
    told = {kind: [part for part, text in parts.items() if name.lower() in text.lower()] for kind, name in named.items()}
    assert told == {kind: [how] for kind, how in tested.items()}


def _evidence() -> set[tuple[str, str]]:
    """Every (kind of evidence, connector) that a test is marked with; live counts only where the real tool is needed, too."""
    found: set[tuple[str, str]] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        tree = ast.parse(path.read_text())
        everywhere = [top for top in tree.body if isinstance(top, ast.Assign) and "pytestmark" in ast.unparse(top)]
        for function in [node for node in tree.body if isinstance(node, ast.FunctionDef)]:
            nodes = [node for mark in (*everywhere, *function.decorator_list) for node in ast.walk(mark)]
            calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
            real = any(call.func.attr == "real_tool" for call in calls)
            for call in calls:
                if call.func.attr == "tested":
                    kind, *connectors = [ast.literal_eval(one) for one in call.args]
                    found |= {(kind, one) for one in connectors if kind != "live" or real}
    return found


def test_it_documents_every_method():
    from monitoring.methods import METHODS

    page = (ROOT / "docs/methods.md").read_text()
    assert [method for method, _ in METHODS if method not in page] == []


def test_it_documents_every_role():
    from itsm_backup.roles import ROLES

    page = (ROOT / "docs/roles.md").read_text()
    assert [name for name in ROLES if f"roles/{name}.md" not in page] == []
    assert {path.stem for path in (ROOT / "docs/roles").glob("*.md")} == set(ROLES)


def test_it_leads_to_pages_that_are_there():
    broken = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text()):
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def test_it_documents_every_setting():
    from itsm_backup import configuration_page

    page = configuration_page.PAGE.read_text()
    anew = "Write it anew: manage.py shell -c 'from itsm_backup.configuration_page import main; main()'"
    assert configuration_page.with_table(page) == page, anew


def test_it_declares_the_settings_that_it_reads_and_no_others():
    from itsm_backup.environment import SETTINGS

    read = {name for path in sources() for name in re.findall(r"\bsetting\(\"([A-Z_]+)\"", path.read_text())}
    assert read == set(SETTINGS)


def test_it_claims_only_what_a_journey_proves():
    claimed = set(re.findall(r"^\| (\d\.\d) \|", (ROOT / "README.md").read_text(), re.MULTILINE))
    proven: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for marked in re.findall(r"mark\.req\(([^)]*)\)", path.read_text()):
            proven |= set(re.findall(r"\"(\d\.\d)\"", marked))
    assert claimed
    assert sorted(claimed - proven) == []


def test_no_two_parts_of_the_api_share_a_name():
    """The published schema names them by their class: of two with one name only the last would be described."""
    names = [name for path in sources() for name in re.findall(r"^class (\w+Serializer)\(", path.read_text(), re.MULTILINE)]
    assert len(names) > 20 and sorted(names) == sorted(set(names))


def test_every_claim_links_to_a_test_that_carries_its_mark():
    rows = re.findall(r"^\| (\d\.\d) \| .* \| (.*) \|$", (ROOT / "README.md").read_text(), re.MULTILINE)
    for requirement, links in rows:
        paths = re.findall(r"\]\((tests/[^)]+)\)", links)
        assert paths, requirement
        for path in paths:
            assert re.search(rf"mark\.req\([^)]*\"{requirement}\"", (ROOT / path).read_text()), (requirement, path)


@pytest.mark.parametrize("command", ["python3 manage.py up", "python3 manage.py test"])
def test_it_shows_the_two_commands(command):
    assert command in (ROOT / "README.md").read_text()
