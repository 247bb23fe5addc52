"""How entries hang together: who feels it when one fails, what was seen of it, and what people said to that."""

from __future__ import annotations

import datetime as dt
from typing import Self

import pgtrigger
from django.conf import settings
from django.db import models

from catalogue.models.service import Service
from itsm_backup.common.models import Tracked, TrackedQuerySet, VisibleQuerySet, tracked

WRITE_LOCK = 7_315_010  # relations are written one transaction at a time: two halves of a circle never pass each other

_STANDS = f"""
IF TG_OP = 'UPDATE' AND (NEW.consumer_id, NEW.provider_id, NEW.kind) IS DISTINCT FROM (OLD.consumer_id, OLD.provider_id, OLD.kind) THEN
  RAISE EXCEPTION 'a relation keeps its two services and its kind: end it and make another' USING ERRCODE = 'check_violation';
END IF;
IF NEW.valid_until <= NEW.valid_from THEN
  RAISE EXCEPTION 'a relation ends after it begins' USING ERRCODE = 'check_violation';
END IF;
PERFORM pg_advisory_xact_lock({WRITE_LOCK});
IF EXISTS (
  SELECT 1 FROM catalogue_relation r
  WHERE r.consumer_id = NEW.consumer_id AND r.provider_id = NEW.provider_id AND r.kind = NEW.kind AND r.id <> NEW.id
    AND tstzrange(r.valid_from, r.valid_until) && tstzrange(NEW.valid_from, NEW.valid_until)
) THEN
  RAISE EXCEPTION 'this relation stands already in that time' USING ERRCODE = 'unique_violation';
END IF;
IF NEW.kind IN ('part_of', 'supersedes') AND EXISTS (
  WITH RECURSIVE above(id) AS (
      SELECT NEW.provider_id
    UNION
      SELECT r.provider_id FROM above JOIN catalogue_relation r ON r.consumer_id = above.id
      WHERE r.kind = NEW.kind AND r.id <> NEW.id AND tstzrange(r.valid_from, r.valid_until) && tstzrange(NEW.valid_from, NEW.valid_until)
  ) SELECT 1 FROM above WHERE id = NEW.consumer_id
) THEN
  RAISE EXCEPTION 'a service cannot be part of, or supersede, itself through others' USING ERRCODE = 'check_violation';
END IF;
RETURN NEW;
"""  # noqa: S608 - our own words


class RelationQuerySet(TrackedQuerySet):
    def standing(self, at: dt.datetime) -> Self:
        """Relations that hold at `at`."""
        begun = models.Q(valid_from__isnull=True) | models.Q(valid_from__lte=at)
        return self.filter(begun, models.Q(valid_until__isnull=True) | models.Q(valid_until__gt=at))

    def planned(self, at: dt.datetime) -> Self:
        """Relations that begin after `at`."""
        return self.filter(valid_from__gt=at)


@tracked
class Relation(Tracked):
    """`consumer` needs `provider` in the way that `kind` says. Impact travels from provider to consumer, over hard relations;
    what a kind carries is said in `catalogue.weave`."""

    class Kind(models.TextChoices):
        """Each is read from the consumer: “the archive *stores to* the pool”."""

        PROTECTS = "protects", "is protected by"
        DEPENDS_ON = "depends_on", "depends on"
        HOSTED_ON = "hosted_on", "is hosted on"
        STORES_TO = "stores_to", "stores to"
        COPIES_TO = "copies_to", "copies to"
        PART_OF = "part_of", "is part of"
        OFFERS = "offers", "is offered by"
        SUPPLIED_BY = "supplied_by", "is supplied by"
        SUPERSEDES = "supersedes", "supersedes"

    class Strength(models.TextChoices):
        HARD = "hard", "hard: the consumer stops with it, or its backup does"
        SOFT = "soft", "soft: the consumer goes on without it"

    class Origin(models.TextChoices):
        DECLARED = "declared", "declared by a person"
        DISCOVERED = "discovered", "discovered, then confirmed by a person"

    permission_from = ("consumer",)

    provider = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="consumer_relations")
    consumer = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="provider_relations")
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.DEPENDS_ON)
    strength = models.CharField(max_length=4, choices=Strength.choices, default=Strength.HARD)
    origin = models.CharField(max_length=10, choices=Origin.choices, default=Origin.DECLARED, db_default=Origin.DECLARED, editable=False)
    valid_from = models.DateTimeField(null=True, blank=True, help_text="Empty: as far back as anybody knows.")
    valid_until = models.DateTimeField(null=True, blank=True, help_text="Empty: until further notice.")
    confirmed_at = models.DateTimeField(null=True, editable=False)
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, editable=False, on_delete=models.PROTECT, related_name="+")

    objects = RelationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "consumer", "kind"],
                condition=models.Q(valid_until__isnull=True),
                name="relation_once",
                violation_error_message="This relation stands already.",
            ),
            models.CheckConstraint(
                condition=~models.Q(provider=models.F("consumer")),
                name="relation_not_to_itself",
                violation_error_message="A service cannot depend on itself.",
            ),
            models.CheckConstraint(
                condition=models.Q(valid_until__gt=models.F("valid_from")) | models.Q(valid_from=None) | models.Q(valid_until=None),
                name="relation_ends_after_start",
                violation_error_message="The relation must end after it begins.",
            ),
            models.CheckConstraint(
                condition=~models.Q(kind="supersedes", strength="hard"),
                name="relation_supersedes_is_soft",
                violation_error_message="A service does not stop with the one that it supersedes: choose soft.",
            ),
            models.CheckConstraint(
                condition=models.Q(confirmed_at=None, confirmed_by=None) | models.Q(confirmed_at__isnull=False, confirmed_by__isnull=False),
                name="relation_confirmed_by_somebody",
            ),
        ]
        triggers = [pgtrigger.Trigger(name="stands", when=pgtrigger.Before, operation=pgtrigger.Insert | pgtrigger.Update, func=_STANDS)]

    def __str__(self) -> str:
        return f"{self.consumer} {self.get_kind_display()} {self.provider}"


class SeenQuerySet(VisibleQuerySet):
    def unanswered(self, at: dt.datetime) -> Self:
        """Still seen, not rejected, and no such relation stands."""
        stands = Relation.objects.standing(at).filter(
            consumer=models.OuterRef("consumer"), provider=models.OuterRef("provider"), kind=models.OuterRef("kind")
        )
        return self.filter(~models.Exists(stands), gone_at=None, rejected=None)


class SeenRelation(models.Model):
    """What the data of tools suggest: a relation that the catalogue may lack. Written by the machine, answered by people."""

    permission_from = ("consumer",)

    provider = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="+")
    consumer = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="seen_relations")
    kind = models.CharField(max_length=20, choices=Relation.Kind.choices)
    evidence = models.TextField(help_text="What was seen, in a sentence.")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    gone_at = models.DateTimeField(null=True)

    objects = SeenQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["consumer", "provider", "kind"], name="seen_relation_once")]

    def __str__(self) -> str:
        return f"{self.consumer} {self.get_kind_display()} {self.provider}"


@tracked
class RejectedRelation(Tracked):
    """A person's word that what was seen is no relation; taken back by deleting it, with a reason."""

    permission_from = ("seen__consumer",)

    seen = models.OneToOneField(SeenRelation, on_delete=models.CASCADE, related_name="rejected")
    reason = models.TextField()
    rejected_at = models.DateTimeField()
    rejected_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return f"Not so: {self.seen}"
