"""One run: what happened, what was read from which answer, and what was corrected later."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from catalogue.duties import names, who_may
from catalogue.models import ServiceVersion
from itsm_backup.common.time import duration_words, instant_words, parse_instant
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Link
from itsm_backup.portal.words import DIFFERS, instant, result_of, size, zone
from monitoring.answers import AnswerGone, open_answer
from monitoring.combining import PROOFS
from monitoring.connectors.base import Answer
from monitoring.models import BackupRun, RawAnswer, RunRevision, Tool
from monitoring.pointing import base_of

MOST_SHOWN, MOST_CORRECTIONS = 200_000, 50
EVIDENCE = {
    "run_log": "the tool's record of a run",
    "artefact": "a copy found in the tool's listing",
    "push": "a report of the job itself",
    "metric": "a metric",
    "alert": "an alert of another system",
    "manual": "an entry by hand",
    "derived": "worked out from other records",
}


@dataclass(frozen=True, kw_only=True)
class Correction:
    when: SafeString
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class RunPage:
    pk: int
    title: str
    verdict: str
    result: str
    service: Link | None
    facts: tuple[tuple[str, str | SafeString], ...]
    message: str
    corrections: tuple[Correction, ...]
    raw: str
    raw_note: str
    raw_refusal: str = ""


def find(*, pk: int, user: Any, moment: Moment) -> BackupRun | None:
    """The run if the user may see it and it was known at the moment."""
    runs = BackupRun.objects.visible_to(user).select_related("job", "tool", "service", "point")
    return runs.filter(pk=pk, first_seen_at__lte=moment.at).first()


def run_page(*, run: BackupRun, user: Any, moment: Moment) -> RunPage:
    """The page of a run that `find` gave."""
    corrections = list(RunRevision.objects.filter(run=run, at__lte=moment.at).order_by("-at")[:MOST_CORRECTIONS])
    raw, note, refusal = _raw(run, user)
    verdict, result = result_of(run)
    name = ServiceVersion.objects.in_force(moment.at).filter(service=run.service).values_list("name", flat=True).first()
    return RunPage(
        pk=run.pk,
        title=f"Run of {run.job.name}, {instant_words(run.occurred_at, zone=zone())}",
        verdict=verdict,
        result=result,
        service=Link(name, moment.href("service", run.service.code)) if run.service and name else None,
        facts=_facts(run, moment),
        message=_message(run),
        corrections=tuple(_correction(one) for one in corrections),
        raw=raw,
        raw_note=note,
        raw_refusal=refusal,
    )


def _message(run: BackupRun) -> str:
    """What the tool said; of a proof that refutes also what that means, because its exit code may have been good."""
    refuted = f"{DIFFERS}, so this {run.operation.replace('_', ' ')} failed." if run.verified is False else ""
    return " ".join(filter(None, [refuted, run.message or ""]))


def _compared(run: BackupRun) -> str | None:
    if run.operation not in PROOFS:
        return None
    return "nobody compared it" if run.verified is None else "compared, as saved" if run.verified else "compared, not as saved"


def _facts(run: BackupRun, moment: Moment) -> tuple[tuple[str, str | SafeString], ...]:
    """What the record tells; what it does not tell is left out, never shown as zero."""
    told: list[tuple[str, Any]] = [
        ("Job", run.job.name),
        ("Tool", f"{run.tool} (replayed recording)" if run.tool.replayed else str(run.tool)),
        ("What it was", f"{run.operation.replace('_', ' ')}, {run.level}" if run.level != "unknown" else run.operation.replace("_", " ")),
        ("Known from", EVIDENCE.get(run.evidence_kind, run.evidence_kind)),
        ("Started", run.started_at and instant(run.started_at)),
        ("Ended", run.ended_at and instant(run.ended_at)),
        ("Took", run.started_at and run.ended_at and duration_words((run.ended_at - run.started_at).total_seconds())),
        ("Data consistent at", run.captured_at and instant(run.captured_at)),
        ("What came back", _compared(run)),
        ("Exit code", None if run.exit_code is None else str(run.exit_code)),
        ("Protected", size(run.bytes_source)),
        ("Stored", size(run.bytes_stored)),
        (
            "Files",
            None if run.files_total is None else f"{run.files_total:,}" + (f", {run.files_failed:,} failed" if run.files_failed else ""),
        ),
        ("Encrypted", None if run.encrypted is None else "yes" if run.encrypted else "no"),
        ("Copy", run.artefact_id),
        ("Can be restored", _until(run, moment)),
        ("First known", instant(run.first_seen_at)),
    ]
    return tuple((label, value) for label, value in told if value not in (None, ""))


def _until(run: BackupRun, moment: Moment) -> str | None:
    """Since when the copy of this run is gone, or the full one that it builds on."""
    point = run.point if hasattr(run, "point") else None
    if point and point.gone_at and point.gone_at <= moment.at:
        return f"no longer: its copy is gone since {instant_words(point.gone_at, zone=zone())}"
    if point and point.invalid_from and point.invalid_from <= moment.at and (base := base_of(run)) and base.gone_at:
        taken, gone = (instant_words(one, zone=zone()) for one in (base.captured_at, base.gone_at))
        return f"no longer: the full copy of {taken} that it builds on is gone since {gone}"
    return None


def _correction(revision: RunRevision) -> Correction:
    lines = (f"{name.replace('_', ' ')}: {_plain(revision.before.get(name))} → {_plain(value)}" for name, value in revision.after.items())
    return Correction(when=instant(revision.at), lines=tuple(lines))


def _plain(value: Any) -> str:
    if value is None:
        return "not told"
    if isinstance(value, str) and len(value) >= 19 and value[4:5] == "-" and value[10:11] == "T":
        return instant_words(parse_instant(value), zone=zone())
    return str(value)


def _raw(run: BackupRun, user: Any) -> tuple[str, str, str]:
    """(text, note, refusal): the answer that the run was read from. It may speak of other services too, so the tool's right decides."""
    if run.answer is None:
        return "", "", "This run was not read from a kept answer."
    if not Tool.objects.visible_to(user).filter(pk=run.tool_id).exists():
        who = names(who_may("view", run.tool)[:6])
        return (
            "",
            "",
            "The tool's answer may hold data of other services, so it takes the right to see the tool. " + (f"{who} can." if who else ""),
        )
    try:
        _, answer = open_answer(run.answer)
    except AnswerGone as gone:
        return "", "", f"{gone} What was read from it stands above."
    kept = RawAnswer.objects.values("received_at", "sha256", "size_bytes").get(pk=run.answer)
    received = instant_words(kept["received_at"], zone=zone())
    seal = bytes(kept["sha256"]).hex()[:16]
    note = f"Received {received}, {size(kept['size_bytes'])}, secrets masked, sha256 {seal}, record {run.answer_index + 1}"
    own, count = own_record(answer, run.external_id)
    if own:
        return own, f"{note} of {count:,} in the answer; the others are left out here", ""
    return as_text(answer), note, ""


def own_record(answer: Answer, external_id: str) -> tuple[str, int]:
    """(the one record of a bulk report that tells of this run, how many it holds); empty text when it is not such a report."""
    if answer.kind != "api" or len(answer.steps) != 1 or not answer.steps[0].stdout:
        return "", 0
    text = answer.steps[0].stdout
    try:
        held = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError:
        return "", 0
    if not isinstance(held, list) or len(held) < 2:
        return "", 0
    for record in held:
        told = record.get("data", record) if isinstance(record, dict) else None  # a CloudEvent wraps its record
        if isinstance(told, dict) and told.get("external_id") == external_id:
            return json.dumps(record, indent=2, ensure_ascii=False), len(held)
    return "", 0


def as_text(answer: Answer) -> str:
    """The answer as a reader follows it: each command or exchange with its exit code and what came back; at most 200,000 characters."""
    parts = []
    for step in answer.steps:
        head = f"$ {step.command}" if step.command else f"[{step.name}]"
        parts.append(head + ("" if step.exit_code is None else f"   → exit {step.exit_code}"))
        parts += [_indented(text) for text in (step.stdout, step.stderr) if text]
    whole = "\n".join(parts)
    return whole if len(whole) <= MOST_SHOWN else f"{whole[:MOST_SHOWN]}\n… {len(whole) - MOST_SHOWN:,} more characters are kept"


def _indented(text: str) -> str:
    """One JSON document over several lines; anything else as it came."""
    if len(text) < MOST_SHOWN and text.lstrip()[:1] in ("{", "["):
        try:
            return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        except ValueError:
            pass
    return text
