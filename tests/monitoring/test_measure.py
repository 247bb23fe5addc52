"""The command `measure`: a result as JSON, or one sentence and exit code 2; never a database."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

CASE = next(
    case
    for case in json.loads((Path(__file__).parents[1] / "golden" / "golden-metrics.json").read_text())
    if case["method_id"] == "BM-RPO-EXP"
)


def measure(*arguments: str) -> str:
    out = io.StringIO()
    call_command("measure", *arguments, stdout=out)
    return out.getvalue()


def test_it_prints_the_result_as_json(tmp_path):
    inputs = tmp_path / "inputs.json"
    inputs.write_text(json.dumps(CASE["inputs"]))
    assert json.loads(measure("--method", "BM-RPO-EXP", "--version", "1", "--inputs", str(inputs))) == CASE["expected"]


def test_it_reads_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(json.dumps(CASE["inputs"]).encode())))
    assert json.loads(measure("--method", "BM-RPO-EXP", "--inputs", "-")) == CASE["expected"]


@pytest.mark.parametrize(
    ("method", "version", "content", "sentence"),
    [
        ("BM-NOPE", "1", "{}", "no method BM-NOPE"),
        ("BM-EB", "7", "{}", "no version 7"),
        ("BM-RPO-EXP", "1", "{}", "lack “points”"),
        ("BM-RPO-EXP", "1", "[]", "one JSON object"),
        ("BM-RPO-EXP", "1", "{", "no JSON"),
        ("BM-RPO-EXP", "1", "\udcff", "no JSON"),
        ("BM-VAR", "1", '{"actual": 1e999, "monthly_history": [1, 2, 3], "higher_is_better": true}', "no number"),
        ("BM-EB", "1", None, "No such file"),
    ],
)
def test_it_refuses_with_one_sentence_and_exit_code_2(tmp_path, method, version, content, sentence):
    inputs = tmp_path / "inputs.json"
    if content is not None:
        inputs.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(CommandError, match=sentence) as caught:
        measure("--method", method, "--version", version, "--inputs", str(inputs))
    assert caught.value.returncode == 2
