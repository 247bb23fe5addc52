"""Estate files: everything that is wrong is said at once, with line and remedy."""

import json
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest

from itsm_backup.estate import amounts
from itsm_backup.estate.reading import Unusable, read
from itsm_backup.estate.schema import schema

DOCS = Path(__file__).resolve().parents[2] / "docs"


def problems(tmp_path, text):
    file = tmp_path / "estate.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(Unusable) as refusal:
        read(file)
    return [str(problem) for problem in refusal.value.problems]


def data(tmp_path, text):
    file = tmp_path / "estate.yaml"
    file.write_text(text)
    return read(file).data


def test_the_published_schema_is_the_one_in_force():
    assert json.loads((DOCS / "estate.schema.json").read_text()) == schema(), (
        "run: manage.py load_estate --schema > docs/estate.schema.json"
    )
    jsonschema.Draft202012Validator.check_schema(schema())


def test_every_problem_is_told_with_its_line_and_a_remedy(tmp_path):
    text = """\
services:
  - code: PACS
    name: Imaging archive
    tier: high
    comitments: {rpo: 4 h}
  - name: Ward files
    commitments:
      rpo: 4 hours
      success_rate: 120 %
relations:
  - {consumer: PACS, provider: DB, strength: firm}
"""
    assert problems(tmp_path, text) == [
        "line 4, services[1].tier: “high” stands where a whole number is expected. 1 (critical to life) to 4 (supporting).",
        "line 5, services[1].comitments: comitments is not known here. Do you mean commitments? Known: code, name, short_name, summary,"
        " department, application_type, labels, tier, zone, kind, hosting, provider, regions, supplier, regulations, review_due,"
        " escalation_policy, change_reference, sla, ola, contract, take_tier_defaults, offerings, commissioned_at, owner, steward,"
        " operations_team, commitments.",
        "line 6, services[2]: code is missing. Letters, digits, dot, dash and underscore; never changes.",
        "line 8, services[2].commitments.rpo: “4 hours” cannot be read. Recovery point, e.g. 4 h or 1 d 2 h.",
        "line 9, services[2].commitments.success_rate: “120 %” cannot be read. Share of due backups that succeed in a month, e.g. 98 %.",
        "line 11, relations[1].strength: “firm” is not one of hard, soft.",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("services:\n\t- code: x", "line 2: This is not YAML: found character '\\t' that cannot start any token."),
        ("- a\n- b", "line 1: A list stands where a mapping is expected."),
        ("teams: [{name: A, name: B, email: a@b.c}]", "line 1, teams[1].name: name stands here twice, first in line 1. Keep one."),
        ("tools: &t\n  - *t", "line 1, tools[1]: An alias leads to itself"),
        ("teams: !!python/object/apply:os.system [x]", "line 1, teams: The tag"),
        ("organisation: !!binary aGFsbG8=", "line 1, organisation: The tag tag:yaml.org,2002:binary is not used"),
        ('organisation: "a\\0b"', "line 1, organisation: It holds a NUL character"),
        ("cis: []", "line 1, cis: An estate file cannot declare configuration items in this version."),
        ("organisation: 2026", "line 1, organisation: “2026” stands where a text is expected. Put it in quotes."),
        ("services: [{code: A, name: ''}]", "line 1, services[1].name: It cannot be empty."),
        ("a: b\n---\nc: d", "line 2: This is not YAML"),
        (b"organisation: \xff", "is not written in UTF-8. Save it as UTF-8."),
    ],
)
def test_odd_files_are_refused_in_words(tmp_path, text, told):
    assert any(told in problem for problem in problems(tmp_path, text)), problems(tmp_path, text)


def test_a_file_that_explodes_through_aliases_is_refused(tmp_path):
    layers = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 9))
    assert any("far too much" in problem for problem in problems(tmp_path, f"l0: &l0 [x, x]\n{layers}"))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(Unusable, match=r"none.yaml cannot be read: No such file"):
        read(tmp_path / "none.yaml")


def test_a_secret_in_the_file_is_refused_without_being_repeated(tmp_path):
    for text in ("secrets: {password: hunter2}", "settings: {password: hunter2}", "secrets: hunter2", "secrets: {password: 4711}"):
        (told,) = problems(tmp_path, f"tools:\n  - name: a\n    kind: restic\n    {text}")
        assert told.startswith("line 4, tools[1].s")
        assert "hunter2" not in told and "4711" not in told


def test_yaml_holds_no_surprises(tmp_path):
    text = "jobs: [{tool: no, id: on, schedule: {at: [01:30, 13:30], starts_on: 2026-08-01}}]"
    assert data(tmp_path, text)["jobs"] == [{"tool": "no", "id": "on", "schedule": {"at": ["01:30", "13:30"], "starts_on": "2026-08-01"}}]
    assert data(tmp_path, "") == {}


def test_settings_are_known_by_the_kind_of_tool(tmp_path):
    (told,) = problems(tmp_path, "tools: [{name: a, kind: restic, settings: {repo: /srv}}]")
    assert "repo is not known here. Do you mean repository?" in told


@pytest.mark.parametrize(
    ("text", "found"), [("4 h", 14_400), ("26h", 93_600), ("1 d 12 h", 129_600), ("90 min", 5_400), ("1.5 h", 5_400), ("45 s", 45)]
)
def test_a_span_becomes_seconds(text, found):
    assert amounts.seconds(text) == found


def test_spans_in_days_and_shares_are_exact():
    assert (amounts.days("5 w"), amounts.share("99.5 %"), amounts.share("100 %")) == (35, Decimal("0.995"), Decimal("1"))
    for wrong in (
        lambda: amounts.days("36 h"),
        lambda: amounts.days("0 d"),
        lambda: amounts.share("0 %"),
        lambda: amounts.instant("2026-02-30"),
    ):
        with pytest.raises(ValueError, match=r"\."):
            wrong()


def test_a_date_begins_in_its_zone():
    assert amounts.instant("2026-07-14", "Europe/London").isoformat() == "2026-07-13T23:00:00+00:00"
