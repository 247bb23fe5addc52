"""The entry, its numbered versions, and what each version commits to."""

from __future__ import annotations

import datetime as dt
from typing import Any, Self

import pgtrigger
from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeOperators
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import functions

from itsm_backup.common.models import Tracked, TrackedQuerySet, authors_stay, tracked


def validate_zone(name: str) -> None:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except Exception:
        raise ValidationError(f"{name} is no time zone. Write an IANA name such as Europe/London.") from None


class SpanToItself(models.Func):
    """int8range(x, x, '[]'): lets an exclusion constraint compare a plain number without an extension."""

    function = "int8range"
    template = "%(function)s(%(expressions)s, %(expressions)s, '[]')"


@tracked
class Team(Tracked):
    """Who runs backups: the operations team of an entry, and the address that its messages go to."""

    name = models.CharField(max_length=120, unique=True)
    email = models.EmailField(help_text="Incidents of this team's services are mailed here.")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


@tracked
class TeamMember(Tracked):
    """Somebody who belongs to an operations team, and speaks for it where it is asked to take over the backups of an entry."""

    permission_from = ("team",)

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="members")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["team__name", "person__username"]
        constraints = [
            models.UniqueConstraint(
                fields=["team", "person"], name="team_member_once", violation_error_message="This person belongs to the team already."
            )
        ]

    def __str__(self) -> str:
        return f"{self.person.get_full_name() or self.person.get_username()} of {self.team}"


class ServiceQuerySet(TrackedQuerySet):
    def visible_to(self, user: Any, action: str = "view") -> Self:
        """As everywhere; and to look at, those that the person answers for as accountable owner: nobody attests what they cannot read."""
        seen = super().visible_to(user, action)
        if action != "view" or not user.is_active or user.has_perm("catalogue.view_service"):
            return seen
        owned = ServiceVersion.objects.approved().filter(effective__endswith=None, owner=user)
        return seen | self.filter(pk__in=owned.values("service"))

    def listed(self) -> Self:
        """Entries that stand in the catalogue today."""
        return self.filter(lifecycle__in=Service.LISTED)

    def with_words(self) -> Self:
        """Each with what people choose it by (`words`): its newest approved name, or that of its first draft."""
        rows = ServiceVersion.objects.filter(service=models.OuterRef("pk")).order_by("-number")
        approved, newest = (models.Subquery(each.values("name")[:1]) for each in (rows.approved(), rows))
        return self.annotate(words=functions.Coalesce(approved, newest))


@tracked
class Service(Tracked):
    """An entry's identity. What it says stands in its versions; where it stands, in its status."""

    class Lifecycle(models.TextChoices):
        PIPELINE = "pipeline", "pipeline"
        CATALOGUE = "catalogue", "catalogue"
        PENDING_RETIREMENT = "pending_retirement", "pending retirement"
        RETIRED = "retired", "retired"

    LISTED = (Lifecycle.CATALOGUE, Lifecycle.PENDING_RETIREMENT)

    code = models.CharField(
        max_length=40,
        unique=True,
        validators=[RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z", "Use letters, digits, dot, dash and underscore only.")],
        help_text="Never changes: reports, tools and people refer to it.",
    )
    lifecycle = models.CharField(max_length=20, choices=Lifecycle.choices, default=Lifecycle.PIPELINE)
    created_at = models.DateTimeField()

    objects = ServiceQuerySet.as_manager()

    class Meta:
        ordering = ["code"]
        permissions = [
            ("approve_service", "Can approve versions of a service"),
            ("override_service", "Can set the status of a service by hand"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="code_is_fixed",
                when=pgtrigger.Before,
                operation=pgtrigger.UpdateOf("code"),
                func="IF NEW.code <> OLD.code THEN RAISE EXCEPTION 'the code of a service never changes'; END IF; RETURN NEW;",
            )
        ]

    def __str__(self) -> str:
        return self.code

    def version_at(self, at: dt.datetime) -> ServiceVersion | None:
        """The version in force at that instant."""
        return self.versions.approved().filter(effective__contains=at).select_related("commitment").first()


class VersionQuerySet(TrackedQuerySet):
    def approved(self) -> Self:
        return self.filter(state=ServiceVersion.State.APPROVED)

    def in_force(self, at: dt.datetime) -> Self:
        """The one version of each entry that is effective at `at`."""
        return self.approved().filter(effective__contains=at)

    def naming(self, agreement: Any, *, older_than: int) -> Self:
        """Those that name, as SLA, OLA or contract, a version of the agreement older than that number."""
        named = models.Q()
        for kind in ("sla", "ola", "contract"):
            named |= models.Q(**{f"{kind}__agreement": agreement, f"{kind}__number__lt": older_than})
        return self.filter(named)

    def read_by(self, user: Any, *, at: dt.datetime, past: bool) -> Self:
        """Those that this person may read, of entries that they may view: what was approved by then. What never was, only at present:
        its authors, people who may change or approve the entry, and whoever works in the administration.
        """
        approved = models.Q(state=ServiceVersion.State.APPROVED, approved_at__lte=at)
        if past:
            return self.filter(approved)
        if user.is_superuser or (user.is_active and user.is_staff):
            return self.filter(approved | ~models.Q(state=ServiceVersion.State.APPROVED))
        theirs = models.Q(author_ids__contains=[user.pk])
        for right in ("change", "approve"):
            theirs |= models.Q(service__in=Service.objects.visible_to(user, right))
        return self.filter(approved | (~models.Q(state=ServiceVersion.State.APPROVED) & theirs))


_APPROVED_IS_FIXED = """
IF TG_OP = 'DELETE' THEN
  IF OLD.state = 'approved' THEN RAISE EXCEPTION 'an approved version is never deleted'; END IF;
  RETURN OLD;
END IF;
IF OLD.state = 'approved' AND lower(OLD.effective) > clock_timestamp() AND NEW.state = 'cancelled' AND NEW.effective IS NULL
  AND (to_jsonb(NEW) - 'effective' - 'state') = (to_jsonb(OLD) - 'effective' - 'state') THEN
  RETURN NEW;  -- withdrawn before it took force
END IF;
IF OLD.state = 'approved' AND (
  (to_jsonb(NEW) - 'effective') IS DISTINCT FROM (to_jsonb(OLD) - 'effective')
  OR lower(NEW.effective) IS DISTINCT FROM lower(OLD.effective)
  OR (NOT upper_inf(OLD.effective) AND upper(NEW.effective) IS DISTINCT FROM upper(OLD.effective)
      AND NOT ((upper_inf(NEW.effective) OR upper(NEW.effective) > upper(OLD.effective)) AND upper(OLD.effective) > clock_timestamp()))
) THEN
  RAISE EXCEPTION 'an approved version is immutable: only the end of its range may close, or move further off while it lies ahead';
END IF;
RETURN NEW;
"""


def _agreement(name: str) -> models.ForeignKey:
    return models.ForeignKey(
        "catalogue.AgreementVersion", null=True, blank=True, verbose_name=name, on_delete=models.PROTECT, related_name="+"
    )


@tracked
class ServiceVersion(Tracked):
    """One numbered content of an entry. Approved content never changes; a change is a new version."""

    class Kind(models.TextChoices):
        BUSINESS = "business_service", "business service"
        SUPPORTING = "supporting_service", "supporting service"
        BACKUP = "backup_service", "backup service"

    class Hosting(models.TextChoices):
        ON_PREMISES = "on_premises", "on premises"
        CLOUD = "cloud", "cloud"
        HYBRID = "hybrid", "hybrid"

    class Level(models.TextChoices):
        MAJOR = "major", "major"
        MINOR = "minor", "minor"
        PATCH = "patch", "patch"

    class State(models.TextChoices):
        DRAFT = "draft", "draft"
        IN_REVIEW = "in_review", "in review"
        APPROVED = "approved", "approved"
        CANCELLED = "cancelled", "cancelled"

    permission_from = ("service",)

    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=12, choices=State.choices, default=State.DRAFT)
    name = models.CharField(max_length=160)
    short_name = models.CharField(max_length=22, help_text="At most 22 characters, for tiles.")
    summary = models.TextField(blank=True, help_text="What it does, in the customers' words.")
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.BUSINESS)
    department = models.CharField(max_length=80, blank=True)
    application_type = models.CharField(max_length=80, blank=True)
    labels = ArrayField(models.CharField(max_length=40), default=list, blank=True, help_text="Classification labels.")
    hosting = models.CharField(max_length=12, choices=Hosting.choices, default=Hosting.ON_PREMISES)
    provider = models.CharField(max_length=120, blank=True, help_text="Who hosts it, where that is somebody else.")
    regions = ArrayField(models.CharField(max_length=60), default=list, blank=True, help_text="Where its data and copies lie.")
    tier = models.PositiveSmallIntegerField(
        validators=[MinValueValidator(1), MaxValueValidator(4)], help_text="1 is critical to life, 4 is supporting."
    )
    zone = models.CharField("time zone", max_length=64, default="UTC", validators=[validate_zone])
    commissioned_at = models.DateTimeField(help_text="From here on data exists that can be lost.")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    steward = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    operations_team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    supplier = models.CharField(max_length=120, blank=True, help_text="Who is paid for it, under the underpinning contract.")
    escalation_policy = models.CharField(
        max_length=120, blank=True, default="", db_default="",
        help_text="Name of the policy by which its incidents escalate (Incidents, Who is told when). Empty: the one for priority and tier.",
    )  # fmt: skip
    regulations = ArrayField(models.CharField(max_length=80), default=list, blank=True, help_text="What it must comply with.")
    review_due_on = models.DateField("review due", null=True, blank=True, help_text="By then somebody reads the entry again.")
    change_reference = models.CharField(
        max_length=80, blank=True, default="", db_default="",
        help_text="The change under which this version is made, e.g. CHG-0791. It is not carried into the next one.",
    )  # fmt: skip
    sla = _agreement("service level agreement (SLA)")
    ola = _agreement("operational level agreement (OLA)")
    contract = _agreement("underpinning contract")
    analysis = models.ForeignKey(
        "catalogue.ImpactAnalysis", null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="+",
        help_text="The impact analysis that it was checked against when it was approved.",
    )  # fmt: skip
    release = models.CharField(max_length=24, blank=True, editable=False, help_text="major.minor.patch, by what changed.")
    level = models.CharField(max_length=5, choices=Level.choices, blank=True, editable=False)
    content_hash = models.CharField(max_length=64, blank=True, editable=False, help_text="SHA-256 of what was approved.")
    author_ids = ArrayField(models.IntegerField(), default=list, editable=False)
    approver = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="+"
    )
    submitted_at = models.DateTimeField(null=True, editable=False)
    approved_at = models.DateTimeField(null=True, editable=False)
    effective = DateTimeRangeField(null=True, editable=False)
    reason = models.TextField(help_text="Why this version is made.")

    objects = VersionQuerySet.as_manager()

    class Meta:
        ordering = ["service", "-number"]
        indexes = [
            models.Index("service", models.F("number").desc(), name="version_newest"),
            models.Index("approved_at", name="version_approved", condition=models.Q(state="approved")),  # every page counts them
            # What is in force is asked by every page, and read from here alone.
            models.Index(fields=["service"], name="version_in_force", include=["effective"], condition=models.Q(state="approved")),
        ]
        constraints = [
            models.UniqueConstraint(fields=["service", "number"], name="version_number_once"),
            models.UniqueConstraint(
                fields=["service"],
                condition=models.Q(state__in=["draft", "in_review"]),
                name="version_one_open",
                violation_error_message="There is already an open version of this service. Finish or cancel that one first.",
            ),
            models.CheckConstraint(condition=models.Q(tier__gte=1, tier__lte=4), name="version_tier_1_to_4"),
            models.CheckConstraint(
                condition=~models.Q(state="approved")
                | models.Q(
                    owner__isnull=False,
                    steward__isnull=False,
                    operations_team__isnull=False,
                    approver__isnull=False,
                    approved_at__isnull=False,
                    effective__isnull=False,
                ),
                name="version_approved_is_complete",
                violation_error_message="An approved version needs exactly one owner, one steward, one operations team and an approver.",
            ),
            models.CheckConstraint(
                condition=models.Q(approver__isnull=True)
                | ~models.Q(
                    author_ids__contains=models.Func(
                        models.F("approver_id"),
                        template="ARRAY[%(expressions)s]::integer[]",
                        output_field=ArrayField(models.IntegerField()),
                    )
                ),
                name="version_author_never_approves",
                violation_error_message="An author of a version cannot approve it.",
            ),
            ExclusionConstraint(
                name="version_one_effective",
                expressions=[
                    (SpanToItself(models.F("service_id")), RangeOperators.OVERLAPS),
                    ("effective", RangeOperators.OVERLAPS),
                ],
                condition=models.Q(state="approved"),
                violation_error_message="Another version is in force in that time.",
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="approved_is_fixed",
                when=pgtrigger.Before,
                operation=pgtrigger.Update | pgtrigger.Delete,
                func=_APPROVED_IS_FIXED,
            ),
            authors_stay(),
        ]

    def __str__(self) -> str:
        return f"{self.name} (version {self.number})"

    @property
    def numbers(self) -> str:
        """`version 7 (2.3.0)`: the running number, and how much each change weighed."""
        return f"version {self.number}" + (f" ({self.release})" if self.release else "")
