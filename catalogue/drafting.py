"""Drafts: what people write before it is reviewed. Every content that a draft ever had is remembered as a revision."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import transaction

from catalogue import comparing, duties, naming, wording
from catalogue.comparing import COMMITMENT_FIELDS, CONTENT_FIELDS, OF_ITS_OWN, OFFERING_FIELDS
from catalogue.models import Commitment, Label, Offering, Revision, Service, ServiceVersion, TierDefault
from catalogue.refusing import TRANSITIONS, NotReady, locked, problems_of
from itsm_backup.common.models import because

State = ServiceVersion.State
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
Levels = Mapping[str, Any]
RESERVED_CODES = ("detected", "export", "graph", "import", "matrix", "relations", "retired")  # pages below /services/


def create_service(*, code: str, by: Any, at: dt.datetime, reason: str) -> Service:
    """A new entry in the pipeline, without content. Raises NotReady when the code is taken or not usable."""
    service = Service(code=code, created_at=at)
    problems = problems_of(service)
    if code.lower() in RESERVED_CODES:
        problems.append(f"The code {code} is the address of another page. Choose another one.")
    if problems:
        raise NotReady(problems)
    with transaction.atomic(), because(reason, by=by):
        service.save()
    return service


def draft_version(
    *, service: Service, content: Mapping[str, Any], commitment: Mapping[str, Any], by: Any, at: dt.datetime, reason: str,
    offerings: Sequence[Levels] | None = None, tier_defaults: bool = False,
) -> ServiceVersion:  # fmt: skip
    """The next numbered draft: the newest approved content with `content`, `commitment` and `offerings` on top; `by` is its author.

    Keys are CONTENT_FIELDS, COMMITMENT_FIELDS and OFFERING_FIELDS. With `tier_defaults` what is not promised otherwise is what
    the tier starts with. Raises NotReady when an open version exists, the entry is retired, or the first draft lacks a name,
    tier or date; TypeError for a key that is no field.
    """
    _only(content, CONTENT_FIELDS)
    _only(commitment, COMMITMENT_FIELDS)
    duties.keep_apart(by=by, act="change", on=service, at=at)
    with transaction.atomic(), because(reason, by=by):
        service = Service.objects.select_for_update().get(pk=service.pk)
        _may_be_drafted(service)
        newest = service.versions.approved().order_by("-number").first()
        version = ServiceVersion(service=service, number=_next_number(service), reason=reason)
        promise = Commitment(version=version)
        packages: list[Offering] = []
        if newest is not None:
            _put(version, {name: getattr(newest, name) for name in CONTENT_FIELDS if name not in OF_ITS_OWN})
            earlier = Commitment.objects.filter(version=newest).first()
            _put(promise, {name: getattr(earlier, name) for name in COMMITMENT_FIELDS} if earlier else {})
            packages = list(newest.offerings.all())
        _write(version, promise, packages, content, commitment, offerings, by=by, at=at, reason=reason, tier_defaults=tier_defaults)
    return version


def roll_back(*, to: ServiceVersion, by: Any, at: dt.datetime, reason: str) -> ServiceVersion:
    """A draft with the whole content of an earlier version of the entry: history goes on, it never goes back."""
    content = {name: getattr(to, name) for name in CONTENT_FIELDS if name not in OF_ITS_OWN}
    earlier = getattr(to, "commitment", None) or Commitment()
    promise = {name: getattr(earlier, name) for name in COMMITMENT_FIELDS}
    packages = [{name: getattr(row, name) for name in OFFERING_FIELDS} for row in to.offerings.all()]
    return draft_version(service=to.service, content=content, commitment=promise, offerings=packages, by=by, at=at, reason=reason)


def edit_draft(
    *, version: ServiceVersion, content: Mapping[str, Any], commitment: Mapping[str, Any], by: Any, at: dt.datetime, reason: str,
    offerings: Sequence[Levels] | None = None, base: str = "", asked: bool = False,
) -> ServiceVersion:  # fmt: skip
    """The open version with the new content; `by` joins its authors, and a version in review goes back to draft.

    Without a real difference nothing is written; `asked` that the reason itself is one, for what others ask of the entry: whoever edits
    and approves it reads that. `base` is the hash of the content that the editor started from: raises Stale
    when somebody changed it meanwhile. Raises WrongState for an approved or cancelled version.
    """
    _only(content, CONTENT_FIELDS)
    _only(commitment, COMMITMENT_FIELDS)
    duties.keep_apart(by=by, act="change", on=version, at=at)
    with transaction.atomic(), because(reason, by=by):
        version = locked(version, "edit", seen=base)
        promise = Commitment.objects.filter(version=version).first() or Commitment(version=version)
        packages = list(version.offerings.all())
        _write(version, promise, packages, content, commitment, offerings, by=by, at=at, reason=reason, asked=asked)
    return version


def _write(
    version: ServiceVersion, promise: Commitment, packages: list[Offering], content: Mapping[str, Any], commitment: Mapping[str, Any],
    offerings: Sequence[Levels] | None, *, by: Any, at: dt.datetime, reason: str, tier_defaults: bool = False,
    asked: bool = False,
) -> None:  # fmt: skip
    """Store the version with what it now says, what weighs the difference, and the revision that remembers it."""
    before = comparing.put_together(version, promise, packages)
    named = {duty: person for duty, person in content.items() if duty in naming.EXCLUDED and person != getattr(version, duty)}
    if barred := naming.refusals(named, at):
        raise NotReady(barred)
    _put(version, content)
    _put(promise, commitment)
    _can_be_stored(version)
    if tier_defaults:
        _put(promise, usual_levels(version.tier, {name: getattr(promise, name) for name in COMMITMENT_FIELDS}))
    wanted = packages if offerings is None else _packages(offerings)
    after = comparing.put_together(version, promise, wanted)
    _reads_as_stored({**after, "reason": reason})
    if not version._state.adding and not promise._state.adding and after == before and (not asked or reason.strip() in version.reason):
        return
    if not version._state.adding and reason.strip() and reason.strip() not in version.reason:
        version.reason = f"{version.reason.rstrip('. ')}; {reason.strip()}"  # who approves reads why each change was made
    version.author_ids = sorted({*version.author_ids, by.pk})
    version.state, version.submitted_at = TRANSITIONS["edit"].target, None
    weigh(version, after)
    version.save()
    promise.version = version
    promise.save()
    _store_packages(version, wanted)
    _name_labels(version.labels)
    Revision.objects.create(version=version, at=at, by=by, reason=reason, content=after, content_hash=comparing.hash_of(after))


def _reads_as_stored(content: Mapping[str, Any]) -> None:
    """Raises NotReady for marks that turn the direction of text: who approves it would read something else than what is stored."""
    turned = [wording.label(name) for name, value in content.items() if _TURNING.search(str(value))]
    if turned:
        raise NotReady([f"{', '.join(turned)}: it holds invisible marks that turn the direction of the text. Write it anew without them."])


def usual_levels(tier: int | None, promise: Mapping[str, Any]) -> dict[str, Any]:
    """What entries of the tier usually promise, of all that this promise leaves empty."""
    usual = TierDefault.objects.filter(tier=tier).first()
    open_ones = [name for name in COMMITMENT_FIELDS if promise.get(name) in (None, "")]
    return {name: getattr(usual, name) for name in open_ones if hasattr(usual, name)}


def _packages(offerings: Sequence[Levels]) -> list[Offering]:
    for levels in offerings:
        _only(levels, OFFERING_FIELDS)
    rows = [Offering(**levels) for levels in offerings]
    problems = [f"Offering {row.name or 'without a name'}: {problem}" for row in rows for problem in problems_of(row, only=OFFERING_FIELDS)]
    twice = {row.name for row in rows if [other.name for other in rows].count(row.name) > 1}
    problems += [f"There are two offerings named {name}." for name in sorted(twice)]
    if problems:
        raise NotReady(problems)
    return rows


def _store_packages(version: ServiceVersion, wanted: Sequence[Offering]) -> None:
    """Write what differs, row by row, so that each has its history."""
    stored = {row.name: row for row in version.offerings.all()}
    for row in wanted:
        kept = stored.pop(row.name, None) or Offering(version=version, name=row.name)
        if kept._state.adding or comparing.offered(kept) != comparing.offered(row):
            _put(kept, {name: getattr(row, name) for name in OFFERING_FIELDS})
            kept.save()
    for row in stored.values():
        row.delete()


def _name_labels(words: Collection[str]) -> None:
    """A label that nobody wrote before joins the list of labels, for somebody to say what it means."""
    for word in sorted(set(words) - set(Label.objects.filter(word__in=words).values_list("word", flat=True))):
        Label.objects.create(word=word)


def weigh(version: ServiceVersion, content: comparing.Content) -> None:
    """Say how much the version differs from the one before it, and number it by that."""
    before = version.service.versions.approved().exclude(pk=version.pk).order_by("-number").first()
    version.level = comparing.level_of(comparing.diff(comparing.content_of(before), content)) if before else ServiceVersion.Level.MAJOR
    version.release = comparing.next_release(before.release if before else "", version.level)


def _only(values: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    unknown = sorted(values.keys() - set(allowed))
    if unknown:
        raise TypeError(f"{', '.join(unknown)} is no field of a version. Fields: {', '.join(allowed)}.")


def _put(row: Any, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)


def _may_be_drafted(service: Service) -> None:
    if service.lifecycle == Service.Lifecycle.RETIRED:
        raise NotReady([f"{service.code} is retired for good. Make a new entry that supersedes it."])
    open_one = service.versions.filter(state__in=[State.DRAFT, State.IN_REVIEW]).first()
    if open_one is not None:
        raise NotReady([f"{service.code} has an open version already: number {open_one.number}, {open_one.get_state_display()}. "
                        "Finish or cancel that one first."])  # fmt: skip


def _next_number(service: Service) -> int:
    newest = service.versions.order_by("-number").values_list("number", flat=True).first()
    return (newest or 0) + 1


def _can_be_stored(version: ServiceVersion) -> None:
    """A draft may be incomplete, but a few fields have no empty value."""
    words = {"name": "a name", "short_name": "a short name of at most 22 characters", "tier": "a tier from 1 to 4",
             "commissioned_at": "the date from which its data exists"}  # fmt: skip
    problems = [f"A draft needs {what}." for field, what in words.items() if getattr(version, field) in (None, "")]
    if problems:
        raise NotReady(problems)
