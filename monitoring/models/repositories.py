"""What people say of the places where copies lie, because no tool tells it: medium, site, whether they are offline or locked."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models

from itsm_backup.common.models import Tracked, tracked
from monitoring.models.jobs import BackupJob
from monitoring.models.tools import Tool

LONGEST_CHAIN = 5  # a copy of a copy of a copy


@tracked
class Repository(Tracked):
    """One place of copies: that to which jobs write, or one to which its storage copies by itself. What is empty is not known."""

    class Medium(models.TextChoices):
        DISK = "disk", "disk"
        FLASH = "flash", "flash"
        OBJECT = "object", "object storage"
        TAPE = "tape", "tape"
        OPTICAL = "optical", "optical disc"

    permission_from = ("tool",)

    tool = models.ForeignKey(Tool, on_delete=models.CASCADE, related_name="repositories")
    name = models.CharField(
        max_length=300, blank=True, help_text="As the tool names it; empty: where its jobs write that name none. A place to which"
        " no job writes has any name, and says below what is copied to it.",
    )  # fmt: skip
    copy_of = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.RESTRICT, related_name="copied_to", verbose_name="holds every copy of",
        help_text="The repository whose copies are all here, too. Empty: it holds what no other holds.",
    )  # fmt: skip
    medium = models.CharField(max_length=8, choices=Medium.choices, blank=True)
    site = models.CharField(max_length=80, blank=True, help_text="Where it stands, e.g. Harbour data centre.")
    is_offsite = models.BooleanField("away from the site of what it protects", null=True, blank=True)
    is_offline = models.BooleanField(
        "offline", null=True, blank=True, help_text="Nobody can reach it over the network, such as tapes in a safe."
    )
    lock_days = models.PositiveIntegerField(
        "days for which copies are locked",
        null=True,
        blank=True,
        help_text="Nobody can change or delete a copy for so long. 0: not locked.",
    )

    class Meta:
        ordering = ["tool", "name"]
        verbose_name_plural = "repositories"
        constraints = [
            models.UniqueConstraint(fields=["tool", "name"], name="repository_once"),
            models.CheckConstraint(
                condition=models.Q(copy_of=None) | ~models.Q(copy_of=models.F("id")),
                name="repository_no_copy_of_itself",
                violation_error_message="A repository is no copy of itself.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name or 'unnamed repository'} of {self.tool}"

    def clean(self) -> None:
        if self.tool_id and self.copy_of_id is None:
            self._check_that_jobs_write_to_it()
        above, steps = self.copy_of, 0
        while above is not None:
            steps += 1
            if above.pk == self.pk or steps > LONGEST_CHAIN:
                raise ValidationError({"copy_of": "This makes a circle, or a chain of more than five. Name the first repository."})
            above = above.copy_of

    def _check_that_jobs_write_to_it(self) -> None:
        told = BackupJob.objects.filter(tool=self.tool_id).values_list("repository_name", flat=True).distinct().order_by("repository_name")
        names = [name or "" for name in told[:200]]
        if self.name not in names:
            known = ", ".join(filter(None, names[:8])) or "none so far"
            raise ValidationError(
                {"name": f"No job of {self.tool} writes to it ({known}). Correct the name, or say of which repository it holds every copy."}
            )
