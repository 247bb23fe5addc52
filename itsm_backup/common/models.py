"""Rows that remember why they changed, rows that may only be added to, what a person may see, and the outbox."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Self, TypeVar

import pgtrigger
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.db import connection, models, transaction
from django.db.models.functions import Cast
from simple_history.models import HistoricalRecords

M = TypeVar("M", bound=type[models.Model])


class ReasonMissing(Exception):
    """A tracked row was about to change without a reason."""

    def __init__(self, what: str) -> None:
        super().__init__(f"Say why {what} changes: a reason is kept with every change.")


_because: ContextVar[tuple[str, Any] | None] = ContextVar("because", default=None)


@contextmanager
def because(reason: str, *, by: Any = None) -> Iterator[None]:
    """Every tracked change inside carries this reason and person; raises ReasonMissing for an empty reason."""
    if not reason or not reason.strip():
        raise ReasonMissing("this")
    token = _because.set((reason.strip(), by))
    try:
        yield
    finally:
        _because.reset(token)


@contextmanager
def on_record(*, by: Any, reason: str) -> Iterator[None]:
    """Rights given and taken inside are recorded with this person and reason (the database itself records them, catalogue.GrantEntry)."""
    said = "SELECT set_config('itsm_backup.by', %s, true), set_config('itsm_backup.reason', %s, true)"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(said, [str(by.pk) if by else "", reason])
        yield
        cursor.execute(said, ["", ""])


class History(HistoricalRecords):
    """History whose every entry has a reason: there is no path around it, because entries are written by the row itself."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("history_change_reason_field", models.TextField())
        super().__init__(**kwargs)

    def get_change_reason_for_object(self, instance: Any, history_type: str, using: str) -> str:
        ambient = _because.get()
        reason = getattr(instance, "_change_reason", None) or (ambient[0] if ambient else "")
        if not reason:
            raise ReasonMissing(f"{instance._meta.verbose_name} {instance}")
        return reason

    def get_history_user(self, instance: Any) -> Any:
        ambient = _because.get()
        if ambient and ambient[1] is not None:
            return ambient[1]
        return super().get_history_user(instance)


class VisibleQuerySet(models.QuerySet):
    """The one verb of object permission: `visible_to(user, action)`."""

    def visible_to(self, user: Any, action: str = "view") -> Self:
        """Rows on which the user may do `action`: by role, by object permission, or through the row that owns them.

        A model names its owners in `permission_from` (paths to foreign keys); a row is visible through the first owner
        that it has. A role's permission on the model itself covers every row whose owner the user may view. Where reading
        and writing are different duties, `changed_from` names the owners whose grants allow every action but "view".
        """
        if not user.is_active:
            return self.none()
        if user.is_superuser:
            return self
        owners = getattr(self.model, "permission_from", ())
        by_role = _has_role(self.model, user, action)
        if action != "view" and not by_role:
            owners = getattr(self.model, "changed_from", owners)
        if not owners:
            return self if by_role else self.filter(_granted(self.model, user, action))
        condition, earlier_absent = models.Q(), models.Q()
        for path in owners:
            owner = _related_model(self.model, path)
            seen = _seen_once(owner, user, "view" if by_role else action)
            condition |= earlier_absent & models.Q(**{f"{path}__in": seen})
            earlier_absent &= models.Q(**{f"{path}__isnull": True})
        if action not in self.model._meta.default_permissions:  # "see_ping_address": the owner knows no such right
            condition |= _granted(self.model, user, action)
        return self.filter(condition)


def _seen_once(owner: Any, user: Any, action: str) -> Any:
    """What `visible_to` gives of an owner, made once for a person as it was loaded: most rows hang on the same few owners.

    It is a question that nobody has asked yet, so it answers with the rights of the moment in which it is.
    """
    made = user.__dict__.setdefault("_owners_seen", {})
    key = (owner, action)
    if key not in made:
        made[key] = owner._default_manager.visible_to(user, action)
    return made[key]


def _granted(model: Any, user: Any, action: str) -> models.Q:
    """Rows on which this very right was granted, to the person or to one of their roles."""
    from guardian.models import GroupObjectPermission, UserObjectPermission

    meta = model._meta
    wanted = {"permission__codename": f"{action}_{meta.model_name}", "permission__content_type__app_label": meta.app_label}
    mine = UserObjectPermission.objects.filter(user=user, **wanted)
    ours = GroupObjectPermission.objects.filter(group__in=user.groups.all(), **wanted)
    as_id = Cast("object_pk", models.BigIntegerField())
    return models.Q(pk__in=mine.values_list(as_id)) | models.Q(pk__in=ours.values_list(as_id))


def _has_role(model: Any, user: Any, action: str) -> bool:
    return user.has_perm(f"{model._meta.app_label}.{action}_{model._meta.model_name}")


def _related_model(model: Any, path: str) -> Any:
    for name in path.split("__"):
        model = model._meta.get_field(name).related_model
    return model


class TrackedQuerySet(VisibleQuerySet):
    """Bulk writes that would pass by the history are refused."""

    def update(self, **changes: Any) -> int:
        raise TypeError(f"{self.model.__name__} is tracked: change rows one by one with save(), inside because(reason, by=…).")

    def bulk_create(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{self.model.__name__} is tracked: make rows one by one with save(), inside because(reason, by=…).")


class Tracked(models.Model):
    """A row that people configure: every change keeps who, when, why, before and after."""

    history = History(inherit=True)
    objects = TrackedQuerySet.as_manager()

    class Meta:
        abstract = True


_REFUSE = "RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP;"


def authors_stay() -> pgtrigger.Trigger:
    """For a table with `author_ids`: who wrote a row stays one of its authors, so that nobody approves their own after a correction."""
    return pgtrigger.Trigger(
        name="authors_stay",
        when=pgtrigger.Before,
        operation=pgtrigger.Update,
        condition=pgtrigger.Condition("NOT NEW.author_ids @> OLD.author_ids"),
        func="RAISE EXCEPTION 'who wrote a row of % stays one of its authors', TG_TABLE_NAME;",
    )


def append_only(model: M) -> M:
    """Class decorator: the database refuses UPDATE, DELETE and TRUNCATE on this table, whoever asks."""
    for name, operation, level in (
        ("append_only", pgtrigger.Update | pgtrigger.Delete, pgtrigger.Row),
        ("no_truncate", pgtrigger.Truncate, pgtrigger.Statement),
    ):
        trigger = pgtrigger.Trigger(name=name, level=level, when=pgtrigger.Before, operation=operation, func=_REFUSE)
        pgtrigger.register(trigger)(model)
    return model


def tracked(model: M) -> M:
    """Class decorator for Tracked models: their history is append-only and no entry is without a reason."""
    history = model.history.model  # type: ignore[attr-defined]
    append_only(history)
    needs_reason = pgtrigger.Trigger(
        name="needs_reason",
        when=pgtrigger.Before,
        operation=pgtrigger.Insert,
        func="IF coalesce(btrim(NEW.history_change_reason), '') = '' THEN RAISE EXCEPTION 'a change needs a reason'; END IF; RETURN NEW;",
    )
    pgtrigger.register(needs_reason)(history)
    return model


@append_only
class AccountHistory(LogEntry):
    """What was done to people and their roles: Django's own log, which holds it, may only be added to."""

    class Meta:
        proxy = True
        default_permissions = ()


@append_only
class Refusal(models.Model):
    """An attempt that was refused: who, when, from where, at what, and why."""

    at = models.DateTimeField()
    who = models.CharField(max_length=150)
    person = models.BigIntegerField(null=True)
    method = models.CharField(max_length=10)
    path = models.CharField(max_length=500)
    address = models.CharField("from", max_length=45, blank=True)
    action = models.CharField("wanted to", max_length=60)
    what = models.CharField("on", max_length=200, blank=True)
    why = models.CharField(max_length=1_000)

    class Meta:
        verbose_name = "refused attempt"
        default_permissions = ("view",)
        indexes = [models.Index(fields=["-at"], name="refusal_by_time"), models.Index(fields=["what", "-at"], name="refusal_of_object")]

    def __str__(self) -> str:
        return f"{self.who}: {self.method} {self.path}"


class NoticeQuerySet(models.QuerySet):
    def waiting(self, at: dt.datetime) -> Self:
        """Notices to send now: unsent, due, not claimed (or claimed by a sender that died)."""
        free = models.Q(claimed_until__isnull=True) | models.Q(claimed_until__lte=at)
        return self.filter(free, sent_at__isnull=True, given_up_at__isnull=True, not_before__lte=at)


class Notice(models.Model):
    """One message that must leave the database exactly as written; repeats carry the same Message-ID."""

    class Channel(models.TextChoices):
        EMAIL = "email", "e-mail"
        CATALOGUE = "catalogue", "external catalogue"
        CMDB = "cmdb", "CMDB"
        MONITORING = "monitoring", "external monitoring"
        CHANNEL = "channel", "webhook, chat or push"

    channel = models.CharField(max_length=10, choices=Channel.choices, default=Channel.EMAIL)
    key = models.CharField(max_length=200, unique=True, help_text="What this message is about; the same fact never makes two messages.")
    thread = models.CharField(max_length=120, help_text="Messages of one thread arrive in order.")
    follows = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="+", help_text="The first mail of the conversation that it goes on with."
    )
    recipient = models.CharField(max_length=254)
    subject = models.CharField(max_length=300)
    body = models.TextField()
    created_at = models.DateTimeField()
    not_before = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    latest_error = models.TextField(blank=True)
    sent_at = models.DateTimeField(null=True)
    given_up_at = models.DateTimeField(null=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["not_before", "id"], name="notice_waiting", condition=models.Q(sent_at=None, given_up_at=None)),
            models.Index(fields=["thread", "id"], name="notice_thread", condition=models.Q(sent_at=None, given_up_at=None)),
        ]
        permissions = [("read_body_notice", "Can read what was sent")]

    def __str__(self) -> str:
        return f"{self.subject} → {self.recipient}"

    @property
    def message_id(self) -> str:
        """The same for every attempt to send this row, so that a repeat is recognisable."""
        return _message_id(self.pk)

    @property
    def headers(self) -> dict[str, str]:
        """What a mail of it carries: its id, its thread, and the first mail of the conversation."""
        headers = {"Message-ID": self.message_id, "Auto-Submitted": "auto-generated", "X-Thread": self.thread}
        if self.follows_id:
            headers |= dict.fromkeys(("In-Reply-To", "References"), _message_id(self.follows_id))
        return headers


def _message_id(pk: int) -> str:
    host = settings.BASE_URL.split("://")[-1].split("/")[0].split(":")[0] or "localhost"
    return f"<notice-{pk}@{host}>"


class Enclosure(models.Model):
    """A file that goes with a message, kept as it was sent."""

    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="enclosures")
    name = models.CharField(max_length=120)
    media_type = models.CharField(max_length=80)
    content = models.BinaryField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name


class SavedFilter(models.Model):
    """How somebody looks at a list of the admin: its filters, search and order under a name, for oneself or for everybody."""

    list = models.CharField(max_length=80, help_text="The model whose list it is, such as catalogue.service.")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1_000)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    shared = models.BooleanField(default=False)

    class Meta:
        ordering = ["list", "name", "pk"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["list", "owner", "name"], name="saved_filter_once")]

    def __str__(self) -> str:
        return self.name
