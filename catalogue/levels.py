"""The levels that promises, packages and agreements share, and a promise put up for checking."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from catalogue.comparing import COMMITMENT_FIELDS, OFFERING_FIELDS
from catalogue.models import AgreementVersion, Commitment, Service, ServiceVersion
from itsm_backup.common.admin.fields import duration_text, share_text
from itsm_backup.common.time import duration_words


class Gap(NamedTuple):
    """One inequality that does not hold: what of the promise breaks it (`subject`), and how many times over (`size`)."""

    code: str
    sentence: str
    subject: str
    size: float = 1.0


@dataclass(frozen=True)
class Question:
    """What is asked: promises (fields of a commitment) of a service, stored or still being typed."""

    service: Service
    promise: Mapping[str, Any]
    agreements: tuple[AgreementVersion, ...] = ()
    offerings: tuple[Mapping[str, Any], ...] = ()  # name and levels of each package
    reader: Any = None  # who reads the answer: it names no service that they may not see; None for a machine, which may see all
    known_then: bool = False  # only relations that were known at the instant asked for
    labels: tuple[str, ...] = ()
    for_many: bool = False  # the answer is kept for readers who see different services: it names no other service


def question_of(version: ServiceVersion, *, reader: Any = None, known_then: bool = False, for_many: bool = False) -> Question:
    promise = getattr(version, "commitment", None) or Commitment()
    return Question(
        version.service,
        {name: getattr(promise, name) for name in COMMITMENT_FIELDS},
        tuple(each for each in (version.sla, version.ola, version.contract) if each is not None),
        tuple({name: getattr(each, name) for name in OFFERING_FIELDS} for each in version.offerings.all()),
        reader, known_then, tuple(version.labels), for_many,
    )  # fmt: skip


class Level(NamedTuple):
    """A level that promises and agreements share."""

    name: str
    words: Callable[[Any], str]
    less_is_stricter: bool

    def is_weaker(self, value: Any, than: Any) -> bool:
        return bool(value > than if self.less_is_stricter else value < than)


def exact(seconds: int) -> str:
    """As it was written, or in two units where one would be a long number of minutes."""
    return duration_text(seconds) if seconds % 3_600 == 0 or seconds < 7_200 else duration_words(seconds)


def times(value: Any, bound: Any) -> float:
    """How many times the bound; of a bound of nothing, of one."""
    return float(value) / (float(bound) or 1.0)


COMPARED = (
    Level("rpo_s", lambda value: f"a recovery point of {exact(value)}", True),
    Level("rto_s", lambda value: f"recovery in {exact(value)}", True),
    Level("retention_days", lambda value: f"{value} d of retention", False),
    Level("success_rate", lambda value: f"{share_text(value)} success", False),
)
INHERITABLE = COMPARED[:2]  # levels that travel along hard relations, each over those that carry it (`inheriting`)
