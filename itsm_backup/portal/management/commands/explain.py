"""Why something is what it is, and the same answer worked out again."""

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError, CommandParser

from catalogue.models import Propagation, Service
from incidents.explaining import NotExplained, evaluation_of, explain_incident, opening_alert
from incidents.models import Incident
from itsm_backup.common.time import iso
from monitoring import recalculating, tracing
from monitoring.explaining import Explanation, explain
from monitoring.models import Alert, Evaluation, Figure
from monitoring.repeating import Repetition, repeat

Found = tuple[Explanation, Callable[[], Repetition]]


class Command(BaseCommand):
    help = "Explain a status (service code), alert, incident, figure, evaluation or propagation; --again works it out anew and compares."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=["status", "alert", "incident", "figure", "evaluation", "propagation"])
        parser.add_argument("id", help="service code for a status, number for the rest (INC-0001 or 1)")
        parser.add_argument("--again", action="store_true", help="recompute from stored inputs and from the runs")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        figure = _free_figure(options["id"]) if options["kind"] == "figure" else None
        if figure is not None:
            self._figure(figure, again=options["again"], as_json=options["json"])
            return
        try:
            explanation, repetition = _find(options["kind"], options["id"])
        except NotExplained as error:
            raise CommandError(str(error)) from None
        again = repetition() if options["again"] else None
        if options["json"]:
            found = {"explanation": msgspec.to_builtins(explanation), "again": msgspec.to_builtins(again) if again else None}
            self.stdout.write(msgspec.json.encode(found).decode())
        else:
            self._print(explanation)
            if again:
                self._compare(again)
        if again and not again.agrees:
            raise SystemExit(1)

    def _figure(self, figure: Figure, *, again: bool, as_json: bool) -> None:
        """A figure that stands for itself is worked out again by its own method and version, from its own inputs."""
        found = recalculating.recalculate(figure) if again else None
        told = {
            "figure": figure.pk, "service": figure.service.code, "method": figure.method_id, "version": figure.method_version,
            "inputs": figure.inputs, "value": figure.value, "computed_at": iso(figure.computed_at), "again": found,
        }  # fmt: skip
        if as_json:
            self.stdout.write(msgspec.json.encode(told).decode())
        else:
            self.stdout.write(
                f"{figure.method_id} version {figure.method_version} of {figure.service.code}, computed {told['computed_at']}"
            )
            self.stdout.write("\n".join(f"   {name}: {value}" for name, value in figure.value.items()))
            if found is not None:
                self.stdout.write(f"again from stored inputs: {'same' if found['agrees'] else 'DIFFERENT'}")
        if found is not None and not found["agrees"]:
            raise SystemExit(1)

    def _print(self, found: Explanation) -> None:
        write = self.stdout.write
        write(f"{found.subject}: {found.answer}")
        write(f"verdict {found.verdict}, status {found.status}, judged {found.at} (evaluation {found.evaluation})\n")
        write("1 Runs read")
        for run in found.runs:
            gone = "" if run.answer_is_kept else "  (its raw answer is no longer kept)"
            write(f"   run {run.run}  {run.occurred_at}  {run.outcome}  {run.job}  {run.message or ''}".rstrip() + gone)
        write(f"2 Rule applied: {found.rule.title} (version {found.rule.version})\n   {found.rule.text}")
        write("3 Matched to this entry by")
        for mapping in found.mapping:
            write(f"   {mapping.title} (version {mapping.version}): {mapping.text}")
        write(f"4 Promise read: {found.promise.title}\n   {found.promise.text}")
        write(f"5 Arithmetic ({', '.join(found.methods) or found.method})")
        for line in found.arithmetic:
            write(f"   {line}")
        if found.priority:
            write("6 Priority (BM-PRIO)")
            write("\n".join(f"   {line}" for line in found.priority))
        write(f"record {found.digest[:16]}")

    def _compare(self, again: Any) -> None:
        self.stdout.write(f"\nagain from stored inputs: {'same' if again.from_inputs else 'DIFFERENT'}")
        self.stdout.write(f"again from the runs: {'same' if again.from_runs else 'DIFFERENT'}")
        for line in [*again.altered, *again.differences]:
            self.stdout.write(f"   {line}")


def _free_figure(given: str) -> Figure | None:
    return Figure.objects.filter(pk=given, evaluation=None).select_related("service").first() if given.isdigit() else None


def _find(kind: str, given: str) -> Found:
    if kind == "status":
        service = Service.objects.filter(code=given).select_related("judged__evaluation").first()
        evaluation = getattr(getattr(service, "judged", None), "evaluation", None)
        return _explained(evaluation, f"No service {given} has been judged. Codes: {', '.join(_codes()) or 'none'}.")
    if kind == "propagation":
        return _propagation(given)
    number = given.upper().removeprefix("INC-")
    if not number.isdigit():
        raise CommandError(f"{given} is no number of an {kind}.")
    if kind == "evaluation":
        return _explained(Evaluation.objects.filter(pk=number).first(), f"There is no evaluation {number}.")
    if kind == "figure":
        figure = Figure.objects.filter(pk=number).select_related("evaluation").first()
        return _explained(figure and figure.evaluation, f"There is no figure {number}.")
    if kind == "alert":
        alert = Alert.objects.filter(pk=number).select_related("evaluation").first()
        if alert is None:
            raise CommandError(f"There is no alert {number}.")
        evaluation = evaluation_of(alert)
        return explain(evaluation, alert=alert), partial(repeat, evaluation)
    incident = Incident.objects.filter(pk=number).first()
    if incident is None:
        raise CommandError(f"There is no incident {number}.")
    return explain_incident(incident), partial(repeat, evaluation_of(opening_alert(incident)))


def _propagation(given: str) -> Found:
    """By its number, or by the code of a service: then what reaches it now, or reached it last."""
    rows = Propagation.objects.filter(service__code=given) | Propagation.objects.filter(pk=int(given) if given.isdigit() else 0)
    step = rows.order_by("-at", "-pk").first()
    if step is None:
        raise CommandError(f"Nothing reached {given} from a provider.")
    cause = tracing.cause_of(step)
    if cause is None:
        raise CommandError(f"{step.inputs['cause']['service']} is not judged, so there is nothing to work out.")
    return tracing.explain_step(step, cause), partial(tracing.repeat_step, step)


def _explained(evaluation: Evaluation | None, missing: str) -> Found:
    if evaluation is None:
        raise CommandError(missing)
    return explain(evaluation), partial(repeat, evaluation)


def _codes() -> list[str]:
    return list(Service.objects.filter(judged__evaluation__isnull=False).order_by("code").values_list("code", flat=True)[:20])
