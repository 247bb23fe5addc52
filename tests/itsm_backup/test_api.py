"""The API as it is documented: complete, offline, and true."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from typing import Any

import pytest
import schemathesis
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import booleans
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from catalogue import (
    agreeing,
    attesting,
    batching,
    deviating,
    excepting,
    handing_over,
    importing,
    legal_holds,
    overriding,
    retiring,
    scoping,
)
from catalogue.models import (
    Agreement,
    Attestation,
    Batch,
    Cmdb,
    ConfigurationItem,
    Deviation,
    DutyException,
    HandOver,
    ImpactAnalysis,
    LegalHold,
    Propagation,
    Relation,
    Retirement,
    ScopeDecision,
    Service,
    StatusOverride,
)
from catalogue.propagating import hash_of
from incidents import (
    accepting,
    confirming,
    following_up,
    knowing,
    leading,
    nominating,
    publishing_status,
    reviewing,
    solving,
    updating,
    working,
)
from incidents.models import (
    Incident,
    IncidentAlert,
    KnownError,
    MajorIncident,
    MajorUpdate,
    OwnChannel,
    PostIncidentReview,
    Problem,
    ProblemIncident,
    ReviewAnswer,
    Rota,
    RotaMember,
)
from itsm_backup import journey
from itsm_backup.common.models import because
from itsm_backup.common.time import iso, now
from itsm_backup.wsgi import application
from monitoring import redefining, ruling, testing_restores, tokens, translating
from monitoring.models import (
    Alert,
    ApiToken,
    BackupJob,
    BackupRun,
    DetectedChange,
    Evaluation,
    QuarantinedRecord,
    RestorePlan,
    RuleVersion,
    Tool,
    WriteConflict,
)
from reporting import compiling, rendering
from reporting.models import Discrepancy, Report
from reporting.scoping import Month, Scope, month_named
from tests.factories import make_admin, make_job, make_service, make_team, make_tool, make_user, push, run_record

pytestmark = pytest.mark.django_db


@pytest.fixture
def document():
    return Client().get("/api/schema/?format=json").json()


def test_it_is_documented_as_openapi_3_1_for_everybody(document):
    assert document["openapi"] == "3.1.0"
    assert {"/api/v1/services/", "/api/v1/runs", "/api/v1/incidents/{number}/acknowledge/"} <= set(document["paths"])
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_it_documents_the_problems_of_every_operation(document):
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for code in ("400", "401", "403", "404"):
                content = operation["responses"][code]["content"]
                assert content["application/problem+json"]["schema"]["$ref"].endswith("/Problem"), (path, method, code)


def test_it_documents_every_field_of_a_record(document):
    schemas = document["components"]["schemas"]
    assert {"external_id", "job_external_id", "outcome", "bytes_source"} <= set(schemas["SentRecord"]["properties"])
    assert schemas["SentRecord"]["required"] == ["external_id", "job_external_id"]
    references = re.findall(r"#/components/schemas/(\w+)", str(document))
    assert set(references) <= set(schemas)


def test_it_shows_the_documentation_offline_and_under_the_strict_policy():
    response = Client().get("/api/docs/")
    page = response.content.decode()
    assert response.status_code == 200
    assert "unsafe" not in response["Content-Security-Policy"]
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page)
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>\s*\S", page), "an inline script would be blocked"
    assert "<style" not in page
    assert " style=" not in page
    for address in re.findall(r"(?:src|href)=\"(/[^\"]+)\"", page):
        assert Client().get(address.replace("&amp;", "&")).status_code == 200, address


def _operations() -> list[tuple[str, str]]:
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    return [(method, path) for path, operations in paths.items() for method in operations]


@pytest.fixture
def api_schema():
    for signal in (request_started, request_finished):  # or the end of a request would close the test's own transaction
        signal.disconnect(close_old_connections)
    tool = make_tool("push", name="scripts")
    job = make_job(tool, "nightly", service=make_service("SVC-001"))
    with because("test"):
        Relation.objects.create(consumer=Service.objects.get(code="SVC-001"), provider=make_service("SVC-002"))
    push(tool, run_record(job.external_id, "failed", now()), {"external_id": "bad"}, at=now())
    journey.advance(at=now())
    yield schemathesis.openapi.from_wsgi("/api/schema/?format=json", application)
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
OPERATIONS = _operations()
BOUNDED = settings(
    max_examples=25, deadline=None, derandomize=True, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)


def _batch(*, started: bool) -> Batch:
    """What the caller, who was made last, asked for."""
    person = get_user_model().objects.latest("pk")
    wishes = importing.to_change(["SVC-001"], {"tier": 2}, by=person)
    made = batching.propose(act="draft", title="Test", wishes=wishes, by=person, at=now(), reason="Test")
    return batching.start(batch=made, by=person, at=now()) if started else made


def _report() -> dict[str, object]:
    report = compiling.compile_month(month=Month(first=month_named("2026-06"), zone="UTC"), scope=Scope(), at=now())[0]
    rendering.render(report=report, at=now())
    return {"id": report.pk, "name": "snapshot.json"}


def _decided() -> ScopeDecision:
    wish = {name: value for name, value in WISH.items() if name not in ("name", "review_on")}
    return scoping.decide_new(name="Laptops", by=make_admin(), at=now(), review_on=dt.date(2099, 3, 31), entry=None, **wish)


def _problem() -> Problem:
    incident, at = Incident.objects.first(), now()
    told = [{"rule": "services", "words": "2 services within 7 days"}]
    made = Problem.objects.create(signature=incident.signature, title="Again", because=told, proposed_at=at, updated_at=at)
    ProblemIncident.objects.create(problem=made, incident=incident, attached_at=at)
    return made


def _sought() -> Problem:
    """A problem whose root cause is sought."""
    made = _problem()
    for to in ("new", "assess", "root_cause_analysis"):
        made = solving.move(problem=made, to=to, reason="", by=make_admin(), at=now())
    return made


def _borne() -> Problem:
    """One whose risk is to be accepted, as somebody else asked."""
    said = {"owner": make_admin(), "until": now().date() + dt.timedelta(days=30), "reason": "Fuzzed"}
    return accepting.ask(problem=_sought(), by=make_admin(), at=now(), **said).problem


def _over() -> Incident:
    """An incident that is over."""
    incident = Incident.objects.filter(service__isnull=False).first()
    how = {"to": "resolved", "reason": "Fuzzed", "resolution": "fixed", "cause": "storage"}
    return working.move(incident=incident, by=make_admin(), at=now(), **how)


def _review(*, published: bool = False) -> PostIncidentReview:
    """A draft with an action of who calls; published by somebody else, with one thing that was not right."""
    caller, by, at = _caller(), make_admin(), now()
    made = reviewing.start(incident=_over(), by=by, at=at)
    following_up.add(review=made, what="Watch it", owner=caller, due_on=dt.date(2099, 3, 31), by=by, at=at)
    if not published:
        return made
    for question in ReviewAnswer.Question.values:
        said = {"said": "no", "note": "8 h"} if question == "rpo" else {"said": "yes"}
        reviewing.answer(review=made, question=question, by=by, at=at, **said)
    reviewing.write(review=made, cause="Full", went_wrong="Unwatched", by=by, at=at)
    reviewing.submit(review=made, by=by, at=at)
    return reviewing.publish(review=made, by=make_admin("publisher"), at=at)


def _known_error() -> KnownError:
    said = {"by": make_admin(), "at": now(), "reason": "Fuzzed"}
    made = knowing.draft(source=Incident.objects.first(), by=said["by"], at=now())
    knowing.write(known_error=made, workaround="Prune by hand", **said)
    return knowing.move(known_error=made, to="published", **said)


def _leader(right: str) -> Any:
    """Somebody who sees everything and holds the right of those who lead major incidents, or work on incidents."""
    person = make_user()
    person.user_permissions.set(Permission.objects.filter(codename__in=[right, "view_service", "view_alert", "view_tool"]))
    return get_user_model().objects.get(pk=person.pk)


def _major(*, declared: bool = False) -> MajorIncident:
    made = nominating.propose(incident=Incident.objects.first(), reason="Fuzzed", by=make_admin(), at=now())
    if not declared:
        return made
    people = {"manager": _leader("declare_majorincident"), "communications_lead": _leader("change_incident")}
    return leading.declare(major=made, interval_min=None, by=make_admin(), at=now(), **people)


def _update() -> MajorUpdate:
    said = {"words": "A disk is on its way", "details": "", "audiences": ["owners"]}
    return updating.draft(major=_major(declared=True), by=make_admin(), at=now(), **said)


def _excepted() -> DutyException:
    asked = {"person": make_user(), "one": "steward", "other": "monitoring-admin", "owner": make_user(), "reason": "Cover"}
    return excepting.except_duties(**asked, valid_until=now() + dt.timedelta(days=30), by=make_admin(), at=now())


def _by_hand() -> StatusOverride:
    asked = {"service": Service.objects.get(code="SVC-001"), "status": "outage", "expires_at": now() + dt.timedelta(hours=1)}
    return overriding.override(**asked, owner=make_user(), by=make_admin(), at=now(), reason="Fuzzed")


def _held() -> LegalHold:
    service = Service.objects.get(code="SVC-002")
    return legal_holds.place(service=service, owner=make_user(), reason="Matter", by=make_admin(), at=now())


def _deviation() -> Deviation:
    asked = {"service": Service.objects.get(code="SVC-001"), "code": "RPO_EXCEEDS_BIA_TOLERANCE", "owner": make_user(), "reason": "Fuzzed"}
    return deviating.ask(**asked, expires_on=now().date(), by=make_user(), at=now())


def _agreement(*, drafted: bool = True) -> Agreement:
    with because("Fuzzed"):
        made = Agreement.objects.create(kind="sla", name="Ward SLA", party="Wards")
    if not drafted:
        return made
    agreeing.draft_agreement(agreement=made, content={"from_on": now().date(), "rpo_s": 3600}, by=make_user(), at=now(), reason="Fuzzed")
    return made


def _analysis() -> ImpactAnalysis:
    bounds = {"mtpd_s": 28_800, "tolerated_loss_s": 3_600, "review_due_on": dt.date(2099, 3, 31)}
    return agreeing.draft_analysis(service=Service.objects.get(code="SVC-001"), content=bounds, by=make_user(), at=now(), reason="Fuzzed")


def _attestation() -> Attestation:
    """One that asks who calls, as owner of a new entry."""
    service = make_service("SVC-OWN", owner=_caller())
    return attesting.open_round(services=[service], title="Fuzzed", due_on=now().date(), by=make_admin(), at=now()).attestations.get()


def _remark() -> Attestation:
    """One in which its owner said that an entry is not right."""
    service, at = make_service("SVC-ODD"), now()
    made = attesting.open_round(services=[service], title="Fuzzed", due_on=at.date(), by=make_admin(), at=at)
    attesting.answer(round=made, right=[], wrong={service.pk: "Its tier"}, by=made.attestations.get().person, at=at)
    return made.attestations.get()


def _hand_over() -> HandOver:
    """One that asks who calls."""
    caller, service = _caller(), make_service(f"SVC-{uuid.uuid4()}"[:30])
    return handing_over.ask(service=service, duty="owner", receiver=caller, by=make_user(), at=now(), reason="Fuzzed")


def _leaving() -> Retirement:
    """Asked for by somebody else than who calls."""
    service, day = Service.objects.get(code="SVC-002"), now() + dt.timedelta(days=30)
    return retiring.open_of(service) or retiring.ask(service=service, ends_at=day, by=make_admin(), at=now(), reason="Replaced")


def _detected() -> DetectedChange:
    service = Service.objects.get(code="SVC-002")
    return DetectedChange.objects.create(service=service, aspect="encrypted", before="encrypted", after="not encrypted", detected_at=now())


def _propagation() -> Propagation:
    consumer, provider = Service.objects.get(code="SVC-002"), Service.objects.get(code="SVC-001")
    judged = Evaluation.objects.filter(service=provider).latest("pk")
    inputs = {
        "at": iso(now()), "service": "SVC-002", "own": {"status": "operational", "step": None}, "relations": [],
        "cause": {"service": "SVC-001", "status": "outage", "step": None, "evaluation": judged.pk},
    }  # fmt: skip
    kept = {"status": "outage", "inputs": inputs, "inputs_hash": hash_of(inputs), "method_version": "propagation-1"}
    return Propagation.objects.create(service=consumer, at=now(), cause=provider, **kept)


def _mapped() -> dict[str, object]:
    draft = translating.draft_mapping(tool=Tool.objects.get(name="scripts"), rows=[MAPPED], by=make_admin(), at=now(), reason="As told")
    return {"name": "scripts", "number": draft.number}


def _cmdb() -> Cmdb:
    with because("test"):
        return Cmdb.objects.create(
            name="netbox", kind="netbox", address="https://netbox.example.org", secrets={"token": "x", "webhook": "x"}
        )


def _on_call() -> Rota:
    with because("Fuzzed"):
        rota, _ = Rota.objects.get_or_create(team=make_team(), defaults={"starts_on": dt.date(2026, 1, 5)})
        if not rota.members.exists():
            RotaMember.objects.create(rota=rota, person=make_user(), place=1)
        return rota


def _other_incident() -> Incident:
    weight = {"priority": "P5", "impact": "low", "urgency": "low"}
    return Incident.objects.create(cause_key="fuzzed", title="Fuzzed", opened_at=now(), updated_at=now(), **weight)


def _second_alert() -> Alert:
    incident, times = Incident.objects.first(), {"opened_at": now(), "last_seen_at": now(), "noticed_at": now()}
    words = {"dedup_key": "fuzzed", "cause_key": "fuzzed", "title": "Fuzzed", "alert_class": "job_failed", "severity": "error"}
    alert = Alert.objects.create(service=Service.objects.first(), state="firing", priority="P5", **words, **times)
    IncidentAlert.objects.create(incident=incident, alert=alert, attached_at=now())
    return alert


def _disputed() -> WriteConflict:
    item = ConfigurationItem.objects.create(
        cmdb=_cmdb(), table="device", external_id="1", name="pacs-01", first_seen_at=now(), last_seen_at=now()
    )  # fmt: skip
    service = Service.objects.get(code="SVC-001")
    return WriteConflict.objects.create(
        item=item, service=service, field="owner", ours="A", theirs="B", why="other", found_at=now()
    )  # fmt: skip


def _ruled(*, author: Any = None, sent: bool = True) -> RuleVersion:
    """A draft, by somebody else than the person who calls unless the author is given."""
    author, content = (
        author or make_admin(),
        {"service": Service.objects.get(code="SVC-002"), "conditions": [("name", "starts_with", "fuzz-")]},
    )
    said = {"by": author, "at": now(), "reason": "Fuzzed"}
    row = ruling.draft_rule(kind="attribution", name=f"Fuzzed {author.pk}", content=content, **said)
    return ruling.send(row=row, **said) if sent else row


def _meant() -> dict[str, object]:
    made = redefining.draft_map(tool=Tool.objects.get(name="scripts"), words=WORDS, units={}, by=make_admin(), at=now(), reason="As told")
    return {"name": "scripts", "number": made.number}


WORDS = {"odd": "failed"}
MAPPED = {"path": "list.archives[].start", "field": "retention_days", "unit": "instant", "transform": "oldest_age"}
WISH = {"name": "Backup of laptops", "outcome": "excluded", "hosting": "hybrid", "answers": dict.fromkeys(scoping.QUESTIONS, "no"),
        "review_on": "2099-03-31", "reason": "Fuzzed"}  # fmt: skip
REASON = {"reason": "Fuzzed"}
# What a known thing is sent, where chance alone would never write a body that is taken.
BODIES = {
    "/api/v1/reviews/{number}/state/": lambda: {"act": "correct", **REASON},
    "/api/v1/reviews/{number}/texts/": lambda: {"cause": "The pool was full"},
    "/api/v1/reviews/{number}/answers/": lambda: {"question": "rpo", "answer": "no", "note": "8 h, as it was"},
    "/api/v1/reviews/{number}/actions/": lambda: {"what": "Watch the pool", "owner": _caller().username, "due_on": "2099-03-31"},
    "/api/v1/review-actions/{id}/end/": lambda: {"state": "done", "outcome": "Watched"},
    "/api/v1/review-actions/{id}/hand/": lambda: {"owner": _caller().username, "due_on": "2099-03-31", **REASON},
    "/api/v1/entry-proposals/{id}/answer/": lambda: {"state": "settled", **REASON},
    "/api/v1/known-errors/{number}/feedback/": lambda: {"incident": Incident.objects.first().number, "helped": True},
    "/api/v1/problems/{number}/state/": lambda: {"state": "new", **REASON},
    "/api/v1/major-incidents/": lambda: {"incident": Incident.objects.first().number, **REASON},
    "/api/v1/major-incidents/{number}/declare/": lambda: {
        "manager": _leader("declare_majorincident").username, "communications_lead": _leader("change_incident").username,
    },
    "/api/v1/major-incidents/{number}/updates/": lambda: {"words": "New disks are built in", "audiences": ["owners"]},
    "/api/v1/major-incidents/{number}/updates/{update}/reword/": lambda: {"words": "Other disks are built in"},
    "/api/v1/major-incidents/{number}/updates/{update}/send/": lambda: {"read": updating.hash_of(MajorUpdate.objects.latest("pk"))},
    "/api/v1/major-incidents/{number}/updates/{update}/withdraw/": lambda: REASON,
    "/api/v1/status-links/": lambda: {"label": "Ward screens"},
    "/api/v1/audience-templates/{audience}/": lambda: {"subject": "{headline}", **REASON},
    "/api/v1/major-incidents/{number}/state/": lambda: {"state": "rejected", **REASON},
    "/api/v1/major-incidents/{number}/appoint/": lambda: {"part": "manager", "person": _leader("declare_majorincident").username, **REASON},
    "/api/v1/major-incidents/{number}/interval/": lambda: {"interval_min": 45, **REASON},
    "/api/v1/problems/{number}/texts/": lambda: {"workaround": "Prune by hand"},
    "/api/v1/problems/{number}/risk/": lambda: {
        "until": (now().date() + dt.timedelta(days=30)).isoformat(), "owner": _leader("change_incident").username, **REASON,
    },
    "/api/v1/problems/{number}/risk/answer/": lambda: {"granted": True},
    "/api/v1/own-channels/": lambda: {"name": f"Phone {uuid.uuid4()}"[:40], "kind": "service", "address": "ntfy://ntfy.example.org/x"},
    "/api/v1/own-channels/{id}/": lambda: {"code": "123456"},
    "/api/v1/digest/": lambda: {"digest": "daily", "told_at": "07:00", "zone": "UTC", "waits": ["P4"]},
    "/api/v1/discrepancies/{id}/explain": lambda: REASON,
    "/api/v1/restore-plans/": lambda: {
        "job": BackupJob.objects.filter(service__isnull=False).first().pk, "planned_on": "2027-01-01", **REASON,
        "tester": _caller().username,
    },
    "/api/v1/restore-plans/{id}/record": lambda: {
        "started_at": iso(now() - dt.timedelta(hours=1)), "ended_at": iso(now()), "outcome": "passed", "remark": "All of it",
    },
    "/api/v1/restore-plans/{id}/verify": lambda: {"agrees": True, "finding": "Read the log"},
    "/api/v1/restore-plans/{id}/cancel": lambda: REASON,
    "/api/v1/on-call/{id}/stand-in/": lambda: {
        "person": make_user().username, "starts_at": iso(now()), "ends_at": iso(now() + dt.timedelta(hours=1)), **REASON,
    },
    "/api/v1/attestations/{id}/answer": lambda: {"right": False, "remark": "The team moved"},
    "/api/v1/attestations/{id}/reply": lambda: {"text": "It is what the wards agreed"},
    "/api/v1/attestation-rounds/": lambda: {"title": "Fuzzed", "due_on": "2099-03-31", "services": ["SVC-001"]},
    "/api/v1/hand-overs/": lambda: {"service": "SVC-001", "duty": "owner", "receiver": _caller().username, **REASON},
    "/api/v1/hand-overs/{id}/decline": lambda: REASON,
    "/api/v1/agreements/": lambda: {"kind": "sla", "name": "Clinic SLA", "party": "Clinics", **REASON},
    "/api/v1/agreements/{id}/versions/": lambda: {"from_on": "2099-03-31", "rpo_s": 3600, **REASON},
    "/api/v1/impact-analyses/": lambda: {
        "service": "SVC-002", "mtpd_s": 28_800, "tolerated_loss_s": 3_600, "review_due_on": "2099-03-31", **REASON,
    },
    "/api/v1/deviations/": lambda: {
        "service": "SVC-001", "code": "RPO_EXCEEDS_BIA_TOLERANCE", "owner": make_user().username,
        "expires_on": f"{now():%Y-%m-%d}", **REASON,
    },
    "/api/v1/deviations/{id}/grant": lambda: REASON,
    "/api/v1/deviations/{id}/end": lambda: REASON,
    "/api/v1/batches/": lambda: {"act": "draft", "entries": [{"code": "SVC-001", "tier": 2}], **REASON},
    "/api/v1/cadence/": lambda: {"tools": [_asked()], **REASON},
    "/api/v1/detected-changes/{id}/settle": lambda: REASON,
    "/api/v1/duty-exceptions/": lambda: {
        "person": make_user().username, "one": "steward", "other": "monitoring-admin", "owner": make_user().username,
        "valid_until": iso(now() + dt.timedelta(days=30)), **REASON,
    },
    "/api/v1/incidents/{number}/assign/": lambda: {"team": make_team("Fuzzed").name},
    "/api/v1/incidents/{number}/merge/": lambda: {"into": _other_incident().number, **REASON},
    "/api/v1/incidents/{number}/priority/": lambda: {"priority": "P4", **REASON},
    "/api/v1/incidents/{number}/resolve/": lambda: {"resolution": "fixed", "cause": "storage", **REASON},
    "/api/v1/incidents/{number}/split/": lambda: {"alerts": [_second_alert().pk], **REASON},
    "/api/v1/incidents/{number}/state/": lambda: {"state": "on_hold", **REASON},
    "/api/v1/conflicts/{id}/decide": lambda: {"choice": "theirs", **REASON},
    "/api/v1/duty-exceptions/{id}/end": lambda: REASON,
    "/api/v1/retirements/": lambda: {"service": "SVC-002", **REASON},
    **{f"/api/v1/retirements/{{id}}/{act}": lambda: REASON for act in ("approve", "refuse", "call-off")},
    "/api/v1/legal-holds/": lambda: {"service": "SVC-002", "owner": make_user().username, **REASON},
    "/api/v1/legal-holds/{id}/release": lambda: REASON,
    "/api/v1/quarantine/{id}/set-aside": lambda: REASON,
    "/api/v1/scope/": lambda: WISH,
    "/api/v1/scope/{id}/decisions/": lambda: {**WISH, "replaces": ScopeDecision.objects.get().pk},
    "/api/v1/rules/": lambda: {
        "kind": "cause", "name": "fuzzed", "title": "it was fuzzed", "component": "job", **REASON,
        "conditions": [{"field": "message", "operator": "contains", "value": "fuzz"}],
    },
    "/api/v1/services/{code}/status/": lambda: {"status": "outage", "expires_at": iso(now() + dt.timedelta(hours=1)), **REASON},
    "/api/v1/services/{code}/status/{id}/end": lambda: REASON,
    "/api/v1/rules/{id}/send": lambda: REASON,
    "/api/v1/rules/{id}/approve": lambda: REASON,
    "/api/v1/rules/{id}/give-up": lambda: REASON,
    "/api/v1/tools/{name}/mapping/": lambda: {"rows": [MAPPED], **REASON},
    "/api/v1/tools/{name}/mapping/{number}/approve": lambda: REASON,
    "/api/v1/tools/{name}/status-map/": lambda: {"words": WORDS, **REASON},
    "/api/v1/tools/{name}/status-map/{number}/approve": lambda: REASON,
}  # fmt: skip
KNOWN = {
    "agreements": lambda: {"id": _agreement().pk, "number": 1, "act": "approve"},
    "/api/v1/agreements/{id}/versions/": lambda: {"id": _agreement(drafted=False).pk},
    "hand-overs": lambda: {"id": _hand_over().pk},
    "attestations": lambda: {"id": _attestation().pk},
    "/api/v1/attestations/{id}/reply": lambda: {"id": _remark().pk},
    "deviations": lambda: {"id": _deviation().pk},
    "impact-analyses": lambda: {"id": _analysis().pk, "act": "approve"},
    "on-call": lambda: {"id": _on_call().pk},
    "alertmanager": lambda: {"tool": make_tool("alertmanager").name},
    "batches": lambda: {"id": _batch(started=False).pk},
    "/api/v1/batches/{id}/stop": lambda: {"id": _batch(started=True).pk},
    "alerts": lambda: {"id": Alert.objects.first().pk},
    "/api/v1/restore-plans/{id}/verify": lambda: {"id": _restore_plan(recorded=True).pk},
    "discrepancies": lambda: {"id": _differing().pk},
    "restore-plans": lambda: {"id": _restore_plan().pk},
    "detected-changes": lambda: {"id": _detected().pk},
    "cmdb": lambda: {"name": _cmdb().name},
    "conflicts": lambda: {"id": _disputed().pk},
    "duty-exceptions": lambda: {"id": _excepted().pk},
    "evaluations": lambda: {"id": Evaluation.objects.first().pk},
    "incidents": lambda: {"number": Incident.objects.first().number},
    "jobs": lambda: {"id": BackupJob.objects.first().pk},
    "known-errors": lambda: {"number": _known_error().number},
    "retirements": lambda: {"id": _leaving().pk},
    "legal-holds": lambda: {"id": _held().pk},
    "problems": lambda: {"number": _problem().number},
    "major-incidents": lambda: {"number": _major().number},
    "audience-templates": lambda: {"audience": "owners"},
    "major-status": lambda: {"audience": "owners"},
    "status-links": lambda: {"id": publishing_status.make_link(label="Fuzzed", by=make_admin(), at=now())[0].pk},
    "/api/v1/major-incidents/{number}/updates/": lambda: {"number": _major(declared=True).number},
    **{
        f"/api/v1/major-incidents/{{number}}/updates/{{update}}/{act}": lambda: {"number": _update().major.number, "update": 1}
        for act in ("", "reword/", "render/", "send/", "withdraw/")
    },
    "/api/v1/major-incidents/{number}/appoint/": lambda: {"number": _major(declared=True).number},
    "/api/v1/major-incidents/{number}/interval/": lambda: {"number": _major(declared=True).number},
    "reviews": lambda: {"number": _review().number},
    "/api/v1/reviews/{number}/": lambda: {"number": _review(published=True).number},
    "/api/v1/reviews/{number}/state/": lambda: {"number": _review(published=True).number},
    "/api/v1/incidents/{number}/review/": lambda: {"number": _over().number},
    "review-actions": lambda: {"id": _review().actions.get().pk},
    "entry-proposals": lambda: {"id": _review(published=True).answers.get(question="rpo").proposal.pk},
    "quarantine": lambda: {"id": QuarantinedRecord.objects.first().pk},
    "methods": lambda: {"method_id": "BM-EB", "version": "1"},
    "own-channels": lambda: {"id": _own_channel().pk},
    "propagations": lambda: {"id": _propagation().pk},
    "relations": lambda: {"id": Relation.objects.first().pk},
    "reports": _report,
    "rules": lambda: {"id": _ruled().pk},
    "runs": lambda: {"id": BackupRun.objects.first().pk},
    "scope": lambda: {"id": _decided().line_id},
    "services": lambda: {"code": "SVC-001", "number": 1, "act": "submit"},
    "tools": lambda: {"name": "scripts"},
    "/api/v1/problems/{number}/risk/": lambda: {"number": _sought().number},
    "/api/v1/problems/{number}/risk/answer/": lambda: {"number": _borne().number},
    "/api/v1/problems/{number}/texts/": lambda: {
        "number": solving.move(problem=_problem(), to="new", reason="", by=make_admin(), at=now()).number
    },
    "/api/v1/rules/{id}/send": lambda: {"id": _ruled(author=get_user_model().objects.latest("pk"), sent=False).pk},  # who calls
    "/api/v1/services/{code}/status/{id}/end": lambda: {"code": "SVC-001", "id": _by_hand().pk},
    "/api/v1/tools/{name}/mapping/{number}/approve": _mapped,
    "/api/v1/tools/{name}/status-map/{number}/approve": _meant,
}


def _caller():
    return get_user_model().objects.latest("pk")


def _own_channel() -> OwnChannel:
    """Of who calls, and whose code is known."""
    said = {"kind": "service", "address": "ntfy://ntfy.example.org/x", "key": "", "priorities": ["P1"]}
    row = confirming.add(by=_caller(), name=f"Phone {uuid.uuid4()}"[:40], at=now(), **said)
    with because("Fuzzed"):
        row.code_hash = confirming._hash(row, "123456")
        row.save()
    return row


def _restore_plan(*, recorded: bool = False):
    """Planned for who calls; recorded by somebody else."""
    at, by = now(), make_admin() if recorded else _caller()
    job, day = BackupJob.objects.filter(service__isnull=False).first(), at.date() + dt.timedelta(days=RestorePlan.objects.count())
    plan = testing_restores.plan(job=job, scope="full", planned_on=day, tester=by, by=by, at=at, reason="Fuzzed")
    told = {"started_at": at - dt.timedelta(hours=1), "ended_at": at, "outcome": "passed", "compared": True, "remark": "All of it"}
    return testing_restores.record(row=plan, by=by, at=at, **told) if recorded else plan


def _differing():
    report = Report.objects.get(pk=_report()["id"])
    told = {"published": "kept", "found": "broken", "causes": ["late_data"], "told": [], "at": now(), "digest": uuid.uuid4().bytes * 2}
    return Discrepancy.objects.create(report=report, service=Service.objects.get(code="SVC-001"), figure="verdict", **told)


def _asked():
    return (Tool.objects.filter(name="asked").first() or make_tool("restic", name="asked", settings={"repository": "/r"})).name


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_it_answers_as_it_is_documented(api_schema, method, path):
    operation = api_schema[path][method]
    token = tokens.issue(user=make_admin(), scope=ApiToken.Scope.WRITE, tool=None, at=now(), days=1)
    facts = KNOWN.get(path) or KNOWN.get(path.split("/")[3])
    known = {name: each for name, each in facts().items() if f"{{{name}}}" in path} if facts and "{" in path else None
    body = BODIES[path]() if method == "post" and path in BODIES else None
    seen = set()

    @given(case=operation.as_strategy(), is_known=booleans())
    @settings(BOUNDED)
    def try_one(case, is_known):
        if path == "/api/v1/runs":
            case.query = {**(case.query or {}), "tool": "scripts"}
        if path.startswith("/api/v1/alertmanager/") and is_known:
            case.body = {"alerts": [case.body if isinstance(case.body, dict) else {}]}
        if path.endswith("/diff/") and is_known:
            case.query = {"from": "1", "to": "1"}
        if known and is_known:
            case.path_parameters = known
        if body and is_known:
            case.body = body
        if path.startswith("/api/v1/relations/") and method != "get" and is_known:
            case.headers = {**(case.headers or {}), "If-Match": "*"}
            ends = {"consumer": "SVC-001", "provider": "SVC-002", "kind": "supplied_by"} if method == "post" else {}
            if method == "delete":
                case.query = {"reason": "Fuzzed"}
            else:
                case.body = {"reason": "Fuzzed", **ends}
        seen.add(case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS).status_code)

    try_one()
    numbered = ("{number}/", "{act}", "/impact-analyses/{id}/")
    guarded = path.endswith(numbered) and method != "get"  # without the ETag of what was read nothing is written
    signed = path.endswith("/webhook")  # whoever does not know the shared secret never gets in
    assert {428} & seen if guarded else {403} & seen if signed else {200, 201, 207} & seen
