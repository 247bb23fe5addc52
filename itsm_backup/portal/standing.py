"""Where services stand at an instant: the judged state now, in the past the latest judgement of then as far as it reached."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

from django.db.models import (
    Case,
    CharField,
    DateTimeField,
    F,
    Func,
    IntegerField,
    JSONField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
    When,
)
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, NullIf

from catalogue.models import Propagation, Service, ServiceVersion
from itsm_backup.common.charts import exposure_bar
from itsm_backup.common.time import duration_words
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.framing import Exposure
from itsm_backup.portal.words import VERDICTS, age_of_promise, many, short_instant
from monitoring.bridging import Bridged, bridge, gap_of
from monitoring.models import Evaluation
from monitoring.serving import SERVES, WORDS, serving

AT_RISK_FROM = 0.9  # of the promise
WORST_FIRST = ("broken", "at_risk", "no_data", "held", SERVES, "kept")
UNPROMISED, UNMEASURED = "Not promised", "None of its own"
NO_POINT = "No recovery point is promised; what is promised is kept."


Between = Mapping[int, Bridged]


def between(user: Any, moment: Moment, *, code: str = "") -> Between:
    """What is known today of the services, or of one, whose judgement of then did not reach the moment; empty for now."""
    if not moment.past:
        return {}
    versions = entries(user, moment)
    return bridge(versions.filter(service__code=code) if code else versions, moment.at, now=moment.now)


def standings(user: Any, moment: Moment, known_today: Between | None = None) -> QuerySet[ServiceVersion]:
    """The versions in force of the services that the user may see, each with `verdict` (`serves` where nothing of its own is measured
    and others rest on it), `rank` (0 is worst), `captured_at`,
    `promised_s`, `stands` (operational status), `next_due_at` (None in the past), `judgement` (id of the evaluation), and
    where a provider affects it `reaches` (the status that does), `reached_by` (id of the service it comes from) `reach` (the step)
    and `reach_kind` (of its own relation on the way), `reach_from` (the status of that service).

    `known_today` is what `between` gave, for pages that tell of it; else it is asked for here."""
    versions = entries(user, moment).select_related("service", "steward")
    if known_today is None:
        known_today = between(user, moment)
    rows = _known_then(versions, moment.at, known_today) if moment.past else _known_now(versions)
    serves = Q(verdict="no_data") & serving(at=moment.at, known_then=moment.past)
    ranks = [When(verdict=verdict, then=Value(rank)) for rank, verdict in enumerate(WORST_FIRST) if verdict != SERVES]
    rank = Case(When(serves, then=Value(WORST_FIRST.index(SERVES))), *ranks, default=Value(len(WORST_FIRST)), output_field=IntegerField())
    # The rank first: it asks the verdict several times, and whom an entry serves shall be asked once.
    return rows.annotate(rank=rank).annotate(verdict=Case(When(serves, then=Value(SERVES)), default=F("verdict"), output_field=CharField()))


def entries(user: Any, moment: Moment) -> QuerySet[ServiceVersion]:
    """The versions in force of the services that the user may see: those listed today, or all that stood in the catalogue then."""
    versions, seen = ServiceVersion.objects.in_force(moment.at), Service.objects.visible_to(user)
    if not moment.past:
        versions = versions.filter(service__lifecycle__in=Service.LISTED)
    return versions.filter(service__in=seen) if seen.query.has_filters() else versions  # who sees all is compared with no list


def worst_first(rows: QuerySet[ServiceVersion]) -> QuerySet[ServiceVersion]:
    return rows.order_by("rank", "tier", F("captured_at").asc(nulls_first=True), "service__code")


def _known_now(versions: QuerySet[ServiceVersion]) -> QuerySet[ServiceVersion]:
    return versions.annotate(
        verdict=Coalesce("service__judged__verdict", Value("no_data"), output_field=CharField()),
        captured_at=F("service__judged__captured_at"),
        promised_s=F("service__judged__rpo_s"),
        judgement=F("service__judged__evaluation"),
        stands=Coalesce("service__status__status", Value("unknown"), output_field=CharField()),
        next_due_at=F("service__judged__next_due_at"),
        reaches=F("service__propagated__status"),
        reached_by=F("service__propagated__cause"),
        reach=F("service__propagated__step"),
        reach_kind=_kind_of("service__propagated__step__inputs"),
        reach_from=_status_in("service__propagated__step__inputs"),
    )


def _known_then(versions: QuerySet[ServiceVersion], at: dt.datetime, known_today: Between) -> QuerySet[ServiceVersion]:
    latest = Evaluation.objects.filter(service=OuterRef("service"), at__lte=at).order_by("-at", "-id")
    step = Propagation.objects.filter(service=OuterRef("service"), at__lte=at).order_by("-at", "-id")
    # The RPO claim, where there is one, is the first of the claims.
    first_claim = KeyTextTransform("captured_at", KeyTextTransform("0", "result__claims"))
    where_known = Case(When(result__claims__0__verdict="no_data", then=Value(None)), default=first_claim, output_field=TextField())
    captured_at = Cast(Subquery(latest.annotate(_captured=where_known).values("_captured")[:1]), DateTimeField())
    verdict = Coalesce(Subquery(latest.values("verdict")[:1]), Value("no_data"), output_field=CharField())
    verdicts = {pk: one.verdict for pk, one in known_today.items()}
    copies = {pk: one.captured_at.isoformat() if one.captured_at else None for pk, one in known_today.items()}
    return versions.annotate(
        verdict=_rather(verdicts, verdict, CharField()),
        captured_at=_rather(copies, captured_at, DateTimeField()),
        promised_s=F("commitment__rpo_s"),
        judgement=Subquery(latest.values("pk")[:1]),
        stands=Coalesce(Subquery(latest.values("status")[:1]), Value("unknown"), output_field=CharField()),
        next_due_at=Value(None, output_field=DateTimeField()),
        reaches=NullIf(Subquery(step.values("status")[:1]), Value(""), output_field=CharField()),
        reached_by=Subquery(step.values("cause")[:1]),
        reach=Subquery(step.values("pk")[:1]),
        reach_kind=Subquery(step.annotate(_kind=_kind_of("inputs")).values("_kind")[:1]),
        reach_from=Subquery(step.annotate(_from=_status_in("inputs")).values("_from")[:1]),
    )


def _kind_of(inputs: str) -> KeyTextTransform:
    """By which kind of relation the service itself is reached."""
    return KeyTextTransform("kind", KeyTextTransform("0", KeyTextTransform("relations", inputs)))


def _status_in(inputs: str) -> KeyTextTransform:
    """The own status of the service that it comes from."""
    return KeyTextTransform("status", KeyTextTransform("cause", inputs))


def _rather(known: Mapping[int, str | None], otherwise: Any, field: Any) -> Any:
    """The value that is known of a service by its id, else the other; in the database, so that lists can filter and sort by it."""
    if not known:
        return otherwise
    by_service = Cast(Value(json.dumps(known), output_field=TextField()), JSONField())
    found = Func(by_service, Cast("service", TextField()), function="jsonb_extract_path_text", output_field=TextField())
    return Case(When(service__in=list(known), then=Cast(found, field)), default=otherwise, output_field=field)


def told_between(known_today: Between, *, total: int | None = None) -> str:
    """A sentence for pages of a time from which no judgement is kept; empty where one reached the moment."""
    gap = gap_of(known_today.values())
    if gap is None:
        return ""
    since, until = gap
    told = f"between {short_instant(since)} and {short_instant(until)}" if until else f"since {short_instant(since)}"
    count = sum(one.unwatched for one in known_today.values())
    of = "" if count == total else f" of {many(count, 'service')}"
    return f"No new judgement{of} was made {told}: ages are computed from what is known today."


def exposure_of(row: Any, moment: Moment) -> Exposure:
    """The exposure of a row of `standings`, in words and as a bar."""
    return exposure(row.verdict, row.captured_at, row.promised_s, moment)


def exposure(verdict: str, captured_at: dt.datetime | None, promised_s: int | None, moment: Moment) -> Exposure:
    """Age of the newest restorable copy; unknown while there is no data of it, "no copy" where none can be restored.

    A copy that is known is told, also where something else of the promise is not: nobody said when the backups are due.
    """
    age_s = max(0.0, (moment.at - captured_at).total_seconds()) if captured_at else None
    promise = duration_words(promised_s) if promised_s else ""
    asked = promised_s is not None or verdict != "kept"  # an entry that keeps other promises alone owes no copy
    lacking = age_s is None and asked and verdict not in ("no_data", "held", SERVES)
    if age_s is None and verdict == SERVES:
        return _of_none(promised_s)
    words = duration_words(age_s) if age_s is not None else "No copy" if lacking else "Unknown" if asked else UNPROMISED
    told = f"Newest restorable copy: {words} old" if age_s is not None else f"Newest restorable copy: {words.lower()}"
    beyond = lacking and verdict != "kept"  # a young service may not owe a copy yet: then its bar is empty, not full
    bar_s = age_s if age_s is not None else 2.0 * promised_s if beyond and promised_s else None
    of_age = _of_age(verdict, age_s, promised_s)
    word = VERDICTS[verdict if age_s is None or verdict != "no_data" else of_age]
    sentence = f"{told}, promise {promise or 'not set'}. {word}." if asked or age_s is not None else NO_POINT
    return Exposure(
        verdict=verdict,
        of_age=of_age,
        age=words,
        promise=promise,
        tile=f"no copy / {promise}" if lacking and promise else age_of_promise(age_s, promised_s) if asked else words.lower(),
        bar=exposure_bar(age_s=bar_s, promise_s=promised_s, verdict=of_age, sentence=sentence),
        known=age_s is not None,
        captured=f"{captured_at.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}" if age_s is not None and captured_at and not moment.past else "",
        promise_s=promised_s,
    )


def _of_none(promised_s: int | None) -> Exposure:
    """Of an entry that has no backups of its own: an empty bar, and no word of copies that could be missed."""
    told = "Nothing of its own is measured; the backups of others rest on it."
    return Exposure(
        verdict=SERVES, of_age=SERVES, age=UNMEASURED, promise=duration_words(promised_s) if promised_s else "", tile=WORDS.lower(),
        bar=exposure_bar(age_s=None, promise_s=None, verdict=SERVES, sentence=told), known=False, promise_s=promised_s,
    )  # fmt: skip


def _of_age(verdict: str, age_s: float | None, promised_s: int | None) -> str:
    """What the age alone is worth: a young copy is good where something else is broken, and known where something else is not."""
    if age_s is None or promised_s is None or verdict not in ("at_risk", "broken", "no_data"):
        return verdict
    if age_s <= AT_RISK_FROM * promised_s:
        return "kept"
    return verdict if verdict != "no_data" else "at_risk" if age_s <= promised_s else "broken"
