"""Every example of docs/api.md is run as it stands there."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from catalogue import relating
from catalogue.models import Agreement
from incidents.models import Incident
from itsm_backup import journey
from itsm_backup.common.models import because
from itsm_backup.common.time import now
from itsm_backup.metrics import Estate
from monitoring import tokens
from monitoring.api.urls import urlpatterns
from monitoring.connectors.push_records import COMPUTED, Sent
from reporting import compiling, rendering
from reporting.api import urlpatterns as report_patterns
from reporting.scoping import Month, Scope
from tests.factories import make_admin, make_job, make_service, make_tool, push, run_record

pytestmark = pytest.mark.django_db
PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
BLOCKS = re.findall(r"```http\n(.*?)```", PAGE, flags=re.DOTALL)
ANYTHING = "…"


@pytest.fixture
def replace():
    present = now()
    olga, tool = make_admin("olga"), make_tool("push", name="scripts", at=present - dt.timedelta(days=3))
    service = make_service("SVC-001", at=dt.datetime(2026, 6, 1, tzinfo=dt.UTC))
    make_job(tool, "imaging", service=service)
    push(tool, run_record("imaging", "success", present - dt.timedelta(days=2)), at=present - dt.timedelta(days=2))
    push(tool, run_record("imaging", "failed", present - dt.timedelta(hours=2)), at=present)
    journey.advance(at=present)
    june = Month(dt.date(2026, 6, 1), "UTC")
    rendering.render(report=compiling.compile_month(month=june, scope=Scope(), at=present, policy="mark")[0], at=present)
    said = {"by": olga, "at": present, "reason": "test"}
    pool, relation = make_service("SVC-002", tier=4), {"kind": "depends_on", "strength": "hard"}
    with because("test", by=olga):
        agreed = Agreement.objects.create(kind="sla", name="Imaging SLA", party="Imaging")
    stands = relating.relate(consumer=service, provider=pool, **relation, **said)
    words = {"INC-NUMBER": Incident.objects.get().number, "RELATION": str(stands.pk), "AGREEMENT": str(agreed.pk)}
    for scope in ("INGEST", "READ", "WRITE"):
        words[f"Bearer {scope}"] = "Bearer " + tokens.issue(
            user=olga, scope=scope.lower(), tool=tool if scope == "INGEST" else None, at=present, days=1
        )

    def replaced(text: str) -> str:
        for word, meant in words.items():
            text = text.replace(word, meant)
        return text

    return replaced


def fits(told: Any, found: Any) -> bool:
    """Whether the answer is as the page tells it; `…` stands for anything."""
    if told == ANYTHING:
        return True
    if isinstance(told, dict):
        return isinstance(found, dict) and all(name == ANYTHING or fits(told[name], found.get(name)) for name in told)
    if isinstance(told, list):
        return isinstance(found, list) and len(told) == len(found) and all(map(fits, told, found))
    return told == found


def test_it_answers_every_example_as_the_page_says(replace):
    requests, answers = BLOCKS[::2], BLOCKS[1::2]
    assert len(requests) == len(answers) >= 8
    for request, answer in zip(requests, answers, strict=True):
        head, _, body = replace(request).partition("\n\n")
        line, *header_lines = head.strip().split("\n")
        headers = dict(each.split(": ", 1) for each in header_lines)
        content_type = headers.pop("Content-Type", "application/json")
        method, address = line.split(" ")
        response = Client().generic(method, address, body, content_type=content_type, headers=headers)
        status, _, told = answer.partition("\n\n")
        assert response.status_code == int(status.split(" ")[1]), (line, response.content)
        assert fits(json.loads(told), response.json()), (line, response.content)


def test_it_names_every_field_of_a_record():
    table = set(re.findall(r"`(\w+)`", PAGE))
    assert set(Sent.__struct_fields__) <= table
    assert not set(COMPUTED) & table


def test_it_names_every_address():
    for pattern in [*urlpatterns, *report_patterns]:
        address = "/" + re.sub(r"<\w+:(\w+)>", r"<\1>", str(pattern.pattern)).replace("<pk>", "<id>")
        assert address in PAGE, address


def test_it_names_every_metric(replace):
    for family in Estate(make_admin(), now()).collect():
        assert family.name in PAGE, family.name
