"""Adding a connector is one file, one registration line, one folder of recordings and one page: a toy one, made like that, is read,
offered in the admin, polled and normalised without another change."""

from __future__ import annotations

import json
import re
import sys
import textwrap
from pathlib import Path

import pytest

from itsm_backup.common.http.addresses import Allowed
from monitoring import connectors, polling
from monitoring.connectors.base import TESTED_WORDS
from monitoring.models import BackupRun, Tool
from monitoring.normalising_files import normalised
from tests.admin_forms import signed_in, url
from tests.factories import make_admin, make_tool
from tests.toolserver import Says, tool_server

ROOT = Path(__file__).resolve().parents[3]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
ROWS = [
    {"id": "r1", "job": "nightly", "begun": "2026-07-14T01:00:00Z", "ok": True},
    {"id": "r2", "job": "nightly", "begun": "2026-07-15T01:00:00Z", "ok": False},
]


def the_file() -> str:
    """The example that CONTRIBUTING.md shows, as it stands there."""
    shown = re.search(r"```python\n(.*?)```", CONTRIBUTING, re.DOTALL)
    assert shown is not None
    return textwrap.dedent(shown[1])


@pytest.fixture
def toy(monkeypatch):
    module = type(sys)("monitoring.connectors.toy")
    monkeypatch.setitem(sys.modules, "monitoring.connectors.toy", module)
    exec(compile(the_file(), "monitoring/connectors/toy.py", "exec"), module.__dict__)
    made = module.Toy()
    monkeypatch.setitem(connectors.CONNECTORS, made.kind, made)  # the registration line
    return made


def test_the_recordings_of_a_new_kind_are_read(toy, tmp_path):
    (tmp_path / "runs.json").write_text(json.dumps(ROWS))
    steps = [{"name": "runs", "command": "GET https://toy.example.org/runs", "exit_code": 200, "stdout": "runs.json"}]
    (tmp_path / "case.json").write_text(json.dumps({"tool": "toy", "tz": "UTC", "steps": steps}))
    assert [line["outcome"] for line in normalised("toy", tmp_path)] == ["success", "failed"]


@pytest.mark.django_db
def test_a_new_kind_is_offered_and_polled(toy, noon, settings):
    settings.TOOL_ADDRESSES = Allowed("127.0.0.1")
    page = signed_in(make_admin()).get(url(Tool, "add") + "?kind=toy").content.decode()
    assert 'name="setting_address"' in page and "Connect Toy" in page
    with tool_server(lambda asked: Says(body=ROWS)) as server:
        tool = make_tool("toy", at=noon, settings={"address": server.address})
        assert polling.poll(tool=tool, at=noon).complete and polling.poll(tool=tool, at=noon).complete
    assert sorted(BackupRun.objects.values_list("external_id", "outcome")) == [("r1", "success"), ("r2", "failed")]


def test_every_connector_has_its_one_file_line_folder_and_page():
    registered = (ROOT / "monitoring/connectors/__init__.py").read_text()
    for kind, connector in connectors.CONNECTORS.items():
        assert registered.count(f"    {type(connector).__name__}(),\n") == 1
        assert Path(sys.modules[type(connector).__module__].__file__ or "").parent == ROOT / "monitoring/connectors"
        assert TESTED_WORDS[connector.tested].lower() in (ROOT / f"docs/connectors/{kind}.md").read_text().lower()
        assert kind == "push" or any((ROOT / "tests/recorded" / kind).iterdir())
