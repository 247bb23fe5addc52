"""What a steward finds on a new installation: the levels of each tier and the usual labels. Rows like any other, to be changed."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from catalogue.models import Label, TierDefault
from itsm_backup.common.models import because

REASON = "Shipped with the product"
HOUR = 3_600


class Levels(NamedTuple):
    """26 h, not 24 h: a nightly backup is always older than a day when the next one ends (method BM-FEAS)."""

    rpo_s: int
    rto_s: int
    success_rate: Decimal
    rpo_attainment_rate: Decimal
    restore_test_days: int
    copy_scheme: str


TIERS = {
    1: Levels(4 * HOUR, 4 * HOUR, Decimal("0.99"), Decimal("0.995"), 90, "3-2-1-1-0"),
    2: Levels(12 * HOUR, 12 * HOUR, Decimal("0.98"), Decimal("0.99"), 180, "3-2-1-1-0"),
    3: Levels(26 * HOUR, 24 * HOUR, Decimal("0.95"), Decimal("0.97"), 365, "3-2-1"),
    4: Levels(50 * HOUR, 72 * HOUR, Decimal("0.90"), Decimal("0.95"), 365, "2 copies"),
}
LABELS = {
    "public": "Anybody may read it. Its backups need only be there.",
    "internal": "For people of the organisation. A fresh enough copy must exist for most of the time.",
    "confidential": "For named groups. Copies are encrypted, and who may read them is reviewed twice a year.",
    "restricted": "For named people. Copies are encrypted and locked, keys have a keeper, restores are tested each quarter.",
    "personal_data": "About living people. Copies are kept no longer than allowed, and erasures are repeated after a restore.",
    "ephi": "Electronic health records of patients. An exact copy can be retrieved, encrypted, and restoring it is practised.",
    "cardholder": "Data of payment cards. Copies lie in a safe place that is reviewed every year.",
    "financial_reporting": "What the annual accounts rest on. Every failed backup is followed up.",
}


def ship_defaults() -> None:
    """Make the levels and labels that never were here. What somebody changed or deleted stays as they left it."""
    tiers = set(TierDefault.history.values_list("tier", flat=True))
    words = set(Label.history.values_list("word", flat=True))
    with because(REASON):
        for tier, levels in TIERS.items():
            if tier not in tiers:
                TierDefault.objects.create(tier=tier, **levels._asdict())
        for word, meaning in LABELS.items():
            if word not in words:
                Label.objects.create(word=word, meaning=meaning)
