"""How entries hang together: who feels it when one fails."""

from __future__ import annotations

from django.db import models

from catalogue.models.service import Service
from itsm_backup.common.models import Tracked, tracked


@tracked
class Relation(Tracked):
    """`consumer` depends on `provider`. Impact travels from provider to consumer, over hard relations."""

    class Kind(models.TextChoices):
        DEPENDS_ON = "depends_on", "depends on"
        HOSTED_ON = "hosted_on", "hosted on"
        STORES_TO = "stores_to", "stores to"
        PART_OF = "part_of", "part of"

    class Strength(models.TextChoices):
        HARD = "hard", "hard: the consumer stops with it"
        SOFT = "soft", "soft: the consumer goes on without it"

    permission_from = ("consumer",)

    provider = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="consumer_relations")
    consumer = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="provider_relations")
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.DEPENDS_ON)
    strength = models.CharField(max_length=4, choices=Strength.choices, default=Strength.HARD)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "consumer", "kind"], name="relation_once"),
            models.CheckConstraint(
                condition=~models.Q(provider=models.F("consumer")),
                name="relation_not_to_itself",
                violation_error_message="A service cannot depend on itself.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.consumer} {self.get_kind_display()} {self.provider}"
