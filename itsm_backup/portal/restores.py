"""The restore tests of a service, newest first, as known at an instant."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.safestring import SafeString

from itsm_backup.common.time import duration_words
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.words import DIFFERS, clock, many, size
from monitoring.models import RestoreTest

SHOWN = 10
RESULTS = {"passed": ("kept", "Passed"), "failed": ("broken", "Failed"), "inconclusive": ("no_data", "No result")}


@dataclass(frozen=True, kw_only=True)
class RestoreRow:
    when: SafeString
    href: str
    verdict: str
    result: str
    scope: str
    took: str
    amount: str
    note: str


def restores_of(*, service_id: int, moment: Moment) -> tuple[RestoreRow, ...]:
    """The newest restore tests; in the past those that were known then, with what is known of them today."""
    tests = RestoreTest.objects.filter(job__service=service_id, started_at__lte=moment.at).select_related("point")
    if moment.past:
        tests = tests.filter(run__first_seen_at__lte=moment.at)
    return tuple(_row(test, moment) for test in tests.order_by("-ended_at", "-run")[:SHOWN])


def _row(test: RestoreTest, moment: Moment) -> RestoreRow:
    verdict, result = RESULTS[test.outcome]
    amounts = [many(test.rows, "row") if test.rows is not None else "", many(test.files, "file") if test.files is not None else ""]
    compared = "" if test.verified or test.outcome != "passed" else "Not compared"
    copy = f"Copy of {test.point.captured_at:%d %b %H:%M} UTC" if test.point else ""
    differs = DIFFERS if test.verified is False else ""
    took_s = test.duration_s if test.duration_s is not None else (test.ended_at - test.started_at).total_seconds()
    return RestoreRow(
        when=clock(test.started_at, moment),
        href=moment.href("run", test.run_id),
        verdict=verdict,
        result=result,
        scope="Everything" if test.scope == "full" else "A sample",
        took=duration_words(took_s) if took_s else "",
        amount=", ".join(filter(None, [*amounts, size(test.size_bytes)])),
        note=". ".join(filter(None, [differs, compared, copy, test.message.strip().split("\n")[0][:160]])),
    )
