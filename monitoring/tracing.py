"""What reached a service from a provider, explained like a judgement: the cause's runs and promise, the relations between, and again."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from catalogue.models import Propagation, Relation, StatusChange
from catalogue.propagating import SPREADS, hash_of, hits_backup, reach
from catalogue.weave import ONLY_BACKUP
from itsm_backup.common.time import iso
from monitoring.explaining import Explanation, Reference, explain
from monitoring.models import Evaluation
from monitoring.repeating import Repetition

STANDS = {
    "degraded": "is degraded", "outage": "is out", "operational": "is operational", "maintenance": "is under maintenance",
    "unknown": "is of unknown status",
}  # fmt: skip
_DIRECTLY = dict(Relation.Kind.choices)


def cause_of(step: Propagation) -> Evaluation | None:
    """The judgement of the service that the step names as its cause; None when no judgement decided its status."""
    asked = step.inputs["cause"]["evaluation"]
    rows = Evaluation.objects.select_related("service", "version__service", "version__commitment", "version__approver", "tool")
    return rows.filter(pk=asked).first() if asked else None


def answer_of(step: Propagation) -> str:
    """What reaches the service and from where, in a sentence."""
    own, cause, ways = step.inputs["own"]["status"], step.inputs["cause"], step.inputs["relations"]
    stands = STANDS[cause["status"]]
    if not step.status:
        spread = cause["status"] in SPREADS
        return f"No provider affects it any more: {cause['service']} {stands}" + (", but does not reach it." if spread else ".")
    through = [relation["provider"] for relation in ways[:-1]]
    told = f", through {', then '.join(through)}" if through else ""
    if hits_backup(step.inputs, step.method_version):
        lacks = ONLY_BACKUP[ways[0]["kind"]]
        return f"By itself it {STANDS[own]}; {lacks}, because {cause['service']} {stands}{told}."
    return f"By itself it {STANDS[own]}; it is affected by {cause['service']}, which {stands}{told}."


def explain_step(step: Propagation, evaluation: Evaluation) -> Explanation:
    """The five references of a step: runs, rule and promise of its cause (`cause_of`), relations with their versions, the comparison."""
    told = explain(evaluation)
    return msgspec.structs.replace(
        told,
        at=iso(step.at) or "",
        subject=step.inputs["service"],
        answer=answer_of(step),
        verdict={"outage": "broken", "degraded": "at_risk"}.get(step.status, "kept"),
        status=step.status or step.inputs["own"]["status"],
        mapping=[_relation(one) for one in step.inputs["relations"]],
        arithmetic=_comparison(step),
        method=step.method_version,
        methods=[],
        digest=bytes(step.inputs_hash).hex(),
        inputs=step.inputs,
        result={"status": step.status},
    )


def _relation(one: dict[str, Any]) -> Reference:
    entry = Relation.history.filter(history_id=one["version"]).select_related("history_user").first()
    who = entry.history_user if entry else None
    return Reference(
        title=f"Relation {one['relation']}",
        text=f"{one['consumer']} {_DIRECTLY[one['kind']]} {one['provider']} ({one['strength']}), version {one['version']}.",
        version=one["version"],
        since=iso(entry.history_date) if entry else None,
        by=(who.get_full_name() or who.get_username()) if who else None,
    )


def _comparison(step: Propagation) -> list[str]:
    own, cause, ways = step.inputs["own"]["status"], step.inputs["cause"], step.inputs["relations"]
    lines = [f"own status: {own}", f"status of {cause['service']}: {cause['status']}"]
    if step.status:
        steps = f"{len(ways)} hard relations lead" if len(ways) > 1 else "1 hard relation leads"
        if hits_backup(step.inputs, step.method_version):
            return [
                *lines,
                f"{steps} there, and only its backup needs it: an outage there is degraded here",
                f"degraded is worse than {own}",
            ]
        return [*lines, f"{cause['status']} is worse than {own}, and {steps} there: affected, {step.status}"]
    return [*lines, "no hard relation leads to anything that is worse than the own status: not affected"]


def repeat_step(step: Propagation) -> Repetition:
    """Work it out again: from the stored inputs, and from the histories of the relations and statuses that they name."""
    again, intact = reach(step.inputs, step.method_version), hash_of(step.inputs) == bytes(step.inputs_hash)
    facts = _from_facts(step.inputs)
    from_facts = reach(facts, step.method_version)
    evaluation = step.inputs["cause"]["evaluation"] or 0
    return Repetition(
        evaluation=evaluation,
        from_inputs=again == step.status and intact,
        from_runs=from_facts == step.status,
        answer=answer_of(step),
        altered=[] if intact else ["The stored inputs do not have the hash they were kept with."],
        differences=[
            f"From {source}, the status that reaches it is {found or 'none'}, recorded was {step.status or 'none'}."
            for source, found in (("stored inputs", again), ("the histories", from_facts))
            if found != step.status
        ],
    )


def _from_facts(inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs anew, from the entries of the histories that they name."""
    entries = Relation.history.filter(history_id__in=[one["version"] for one in inputs["relations"]]).select_related("consumer", "provider")
    known = {entry.history_id: entry for entry in entries}
    steps = {row.pk: row for row in StatusChange.objects.filter(pk__in=[inputs[side]["step"] or 0 for side in ("own", "cause")])}
    sides = {
        side: {**inputs[side], "status": steps[inputs[side]["step"]].to_status if inputs[side]["step"] in steps else "unknown"}
        for side in ("own", "cause")
    }
    return {**inputs, **sides, "relations": [_as_kept(one, known.get(one["version"])) for one in inputs["relations"]]}


def _as_kept(one: dict[str, Any], entry: Any) -> dict[str, Any]:
    if entry is None:
        return {**one, "strength": "no longer known"}
    return {
        **one, "consumer": entry.consumer.code, "provider": entry.provider.code, "kind": entry.kind, "strength": entry.strength,
        "from": iso(entry.valid_from), "until": iso(entry.valid_until),
    }  # fmt: skip


def step_at(service_id: int, at: dt.datetime) -> Propagation | None:
    """The step that held for a service at an instant; None when nothing had reached it."""
    return Propagation.objects.filter(service=service_id, at__lte=at).order_by("-at", "-pk").first()
