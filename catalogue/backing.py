"""What should stand behind a promise and does not: said beside its checks before it is published, and no reason to stop."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

from django.db.models import Q

from catalogue.checking import Finding, Measured, Question
from catalogue.models import AgreementVersion, Commitment, Relation

NO_JOB, NO_SLA, NO_RELATION = "NO_JOB", "NO_SLA", "NO_RELATION"
NEWER_AGREEMENT, UNENCRYPTED_LABEL = "NEWER_AGREEMENT", "LABEL_ASKS_FOR_ENCRYPTION"
ENCRYPTED_LABELS = ("restricted",)  # labels whose meaning, as it is shipped, asks for it


def considerations(*, asked: Question, measured: Measured, at: dt.datetime) -> list[Finding]:
    """One finding to consider for everything that is missing behind the promise; two queries."""
    return [Finding(code, sentence) for code, sentence in _missing(asked, measured, at)]


def _missing(asked: Question, measured: Measured, at: dt.datetime) -> Iterator[tuple[str, str]]:
    if measured.jobs == 0:
        yield NO_JOB, "No job protects it yet: nothing will be measured of what it promises."
    if not any(each.agreement.kind == "sla" for each in asked.agreements):
        yield NO_SLA, "It names no service level agreement: it is bound by its own promise alone."
    ends = Q(consumer=asked.service) | Q(provider=asked.service)
    if not Relation.objects.standing(at).filter(ends).exists():
        yield NO_RELATION, "No relation names it: nobody knows what it needs, and what stops with it."
    for own, newer in newer_versions(asked.agreements, at):
        yield NEWER_AGREEMENT, f"{own} is named, but {newer_words(newer)}"
    labels = [word for word in asked.labels if word.lower() in ENCRYPTED_LABELS]
    if labels and asked.promise.get("encryption") in (None, "", Commitment.Encryption.NONE):
        yield UNENCRYPTED_LABEL, f"The label {labels[0]} asks for encrypted copies, and it promises none."


def newer_versions(agreements: Iterable[AgreementVersion], at: dt.datetime) -> list[tuple[AgreementVersion, AgreementVersion]]:
    """Each of these agreement versions that has a newer approved one at `at`, with the newest; one query, none without agreements."""
    named = list(agreements)
    if not named:
        return []
    rows = AgreementVersion.objects.filter(agreement__in=[each.agreement_id for each in named], state="approved", approved_at__lte=at)
    newest = {row.agreement_id: row for row in rows.select_related("agreement").order_by("number")}
    pairs = [(own, newest.get(own.agreement_id)) for own in named]
    return [(own, newer) for own, newer in pairs if newer is not None and newer.number > own.number]


def newer_words(newer: AgreementVersion) -> str:
    return f"version {newer.number} of it is approved, in force from {newer.from_on:%d %b %Y}. The entry's next version can name that one."
