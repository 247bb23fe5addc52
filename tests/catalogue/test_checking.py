"""Promises that cannot hold stop a version; a deviation bears them, granted by somebody else, for a time."""

import datetime as dt

import pytest
from django.db import DatabaseError, connection, transaction
from guardian.shortcuts import assign_perm

from catalogue import agreeing, checking, comparing, deviating, publishing
from catalogue.checking import Measured
from catalogue.models import Agreement, Deviation, Relation, Service, TierDefault
from catalogue.refusing import NotAllowed, NotReady, WrongState
from catalogue.shipping import ship_defaults
from itsm_backup.common.models import Notice, because
from tests.catalogue.makers import NOON, make_approver, make_author, make_content, make_draft, make_service, make_user

pytestmark = pytest.mark.django_db
HOUR, DAY = 3_600, dt.timedelta(days=1)
NIGHTLY = Measured(interval_s=24 * HOUR, p95_duration_s=2 * HOUR, copy_lag_s=0)


def codes(version, measured=checking.UNMEASURED, at=NOON):
    return [finding.code for finding in checking.findings(asked=checking.question_of(version), measured=measured, at=at)]


def analysis(service, **bounds):
    content = {"mtpd_s": 8 * HOUR, "tolerated_loss_s": 24 * HOUR, "wrt_s": 2 * HOUR, "review_due_on": dt.date(2027, 1, 1), **bounds}
    row = agreeing.draft_analysis(service=service, content=content, by=make_author(), at=NOON, reason="Asked the wards")
    return agreeing.approve(row=row, by=make_approver(), at=NOON, reason="Agreed")


def agreed(kind, **objectives):
    with because("test"):
        agreement = Agreement.objects.create(kind=kind, name=f"{kind} of radiology", party="Radiology")
    content = {"from_on": NOON.date(), **objectives}
    row = agreeing.draft_agreement(agreement=agreement, content=content, by=make_author(), at=NOON, reason="Signed")
    return agreeing.approve(row=row, by=make_user("boss", "catalogue.approve_service"), at=NOON, reason="Signed")


def test_a_nightly_backup_cannot_keep_24_hours():
    version = make_draft(rpo_s=24 * HOUR)
    (finding,) = checking.findings(asked=checking.question_of(version), measured=NIGHTLY, at=NOON)
    assert finding.code == "SCHEDULE_EXCEEDS_RPO" and finding.stops
    assert "every 24 h" in finding.sentence and "26 h old" in finding.sentence
    assert codes(make_draft("other", rpo_s=26 * HOUR), NIGHTLY) == []


def test_the_impact_analysis_bounds_the_promise():
    version = make_draft(rpo_s=26 * HOUR)
    publishing.edit_draft(version=version, content={}, commitment={"rto_s": 7 * HOUR}, by=make_author(), at=NOON, reason="x")
    analysis(version.service)
    version = version.service.versions.get()
    found = codes(version, Measured(restore_p95_s=6 * HOUR))
    assert found == ["RPO_EXCEEDS_BIA_TOLERANCE", "RTO_PLUS_WRT_EXCEEDS_MTPD"]
    assert codes(version, Measured(restore_p95_s=9 * HOUR))[2] == "MEASURED_RESTORE_EXCEEDS_RTO"


def test_a_restore_that_nobody_measured_is_said_but_stops_nothing():
    version = make_draft()
    version = publishing.edit_draft(version=version, content={}, commitment={"rto_s": HOUR}, by=make_author(), at=NOON, reason="x")
    (finding,) = checking.findings(asked=checking.question_of(version), measured=checking.UNMEASURED, at=NOON)
    assert (finding.code, finding.state) == ("RESTORE_TIME_UNMEASURED", "consider")


@pytest.mark.parametrize(
    ("bounds", "code"),
    [({"retention_min_days": 90}, "RETENTION_BELOW_MINIMUM"), ({"retention_max_days": 20}, "RETENTION_ABOVE_MAXIMUM"),
     ({"restore_test_days": 365}, "RETENTION_SHORTER_THAN_RESTORE_TEST")],
)  # fmt: skip
def test_retention_lies_between_its_bounds(bounds, code):
    version = make_draft()
    version = publishing.edit_draft(
        version=version, content={}, commitment={"retention_days": 35, **bounds}, by=make_author(), at=NOON, reason="x"
    )
    assert codes(version) == [code]


def test_a_promise_is_as_strict_as_its_sla_and_stands_on_what_underpins_it():
    sla, contract = agreed("sla", rpo_s=12 * HOUR, success_rate="0.99"), agreed("contract", rpo_s=48 * HOUR)
    version = make_draft(rpo_s=26 * HOUR, sla=sla, contract=contract)
    found = checking.findings(asked=checking.question_of(version), measured=checking.UNMEASURED, at=NOON)
    assert [finding.code for finding in found] == ["COMMITMENT_WEAKER_THAN_SLA"] * 2 + ["AGREEMENT_TOO_WEAK"]
    assert found[0].sentence == (
        "The entry promises a recovery point of 26 h; sla of radiology, version 1 asks for a recovery point of 12 h."
    )


def test_nothing_it_hangs_on_promises_less_through_any_number_of_hard_relations(django_assert_num_queries):
    storage, archive = make_service("storage", rpo_s=50 * HOUR), make_service("archive", rpo_s=26 * HOUR)
    portal = make_service("portal", rpo_s=4 * HOUR)
    with because("test"):
        Relation.objects.create(consumer=portal, provider=archive)
        Relation.objects.create(consumer=archive, provider=storage)
        Relation.objects.create(consumer=storage, provider=portal)  # a circle ends
        Relation.objects.create(consumer=archive, provider=make_service("soft", rpo_s=99 * HOUR), strength="soft")
    version = archive.version_at(NOON)
    found = checking.findings(asked=checking.question_of(version), measured=checking.UNMEASURED, at=NOON)
    sentences = " ".join(finding.sentence for finding in found)
    assert {finding.code for finding in found} == {"INHERITED_COMMITMENT_TOO_WEAK"}
    assert "Service storage, which promises only a recovery point of 50 h" in sentences and "Service portal stops with it" in sentences
    assert "soft" not in sentences
    for number in range(20):
        with because("test"):
            Relation.objects.create(consumer=make_service(f"more-{number}"), provider=archive)
    asked = checking.question_of(version)
    with django_assert_num_queries(5):
        checking.findings(asked=asked, measured=checking.UNMEASURED, at=NOON)


@pytest.mark.req("1.4")
def test_a_store_is_asked_for_its_recovery_time_and_not_for_its_recovery_point():
    """A restore needs the store; that the store saves its own files seldom, or not at all, weakens nobody's recovery point."""
    services = []
    for code, rpo, rto in (("pool", 99, 8), ("archive", 26, 4), ("portal", 26, 2)):
        version, said = make_draft(code, rpo_s=rpo * HOUR), {"by": make_author(), "at": NOON}
        version = publishing.edit_draft(version=version, content={}, commitment={"rto_s": rto * HOUR}, reason="x", **said)
        publishing.submit(version=version, by=make_author(), at=NOON)
        services.append(publishing.approve(version=version, by=make_approver(), at=NOON).service)
    pool, archive, portal = services
    with because("test"):
        Relation.objects.create(consumer=archive, provider=pool, kind="stores_to")
        Relation.objects.create(consumer=portal, provider=archive)
    services = [pool, archive, portal]
    asked = [checking.question_of(one.version_at(NOON), reader=make_author()) for one in services]
    many = checking.findings_of_many(asked=asked, measured={}, at=NOON)
    told = {
        one.code: [found.sentence for found in each if found.code == checking.INHERITED] for one, each in zip(services, many, strict=True)
    }
    assert told == {
        "pool": ["The restore of Service portal needs it, and recovery in 2 h is promised: recovery in 8 h is too weak for that."],
        "archive": [
            "Its restore needs Service pool, which promises only recovery in 8 h: recovery in 4 h cannot hold.",
            "Service portal stops with it and promises recovery in 2 h: recovery in 4 h is too weak for that.",
        ],
        "portal": ["Its restore needs Service pool, which promises only recovery in 8 h: recovery in 2 h cannot hold."],
    }
    for one, each in zip(asked, many, strict=True):
        assert checking.findings(asked=one, measured=checking.UNMEASURED, at=NOON) == each, "one by one it is the same"


def test_it_names_no_service_that_the_reader_may_not_see_and_none_that_was_not_known_then():
    storage, archive, portal = (make_service(code, rpo_s=hours * HOUR) for code, hours in (("storage", 50), ("archive", 26), ("portal", 4)))
    with because("test"):
        Relation.objects.create(consumer=portal, provider=archive)
        Relation.objects.create(consumer=archive, provider=storage)
    reader = make_user("maeve")
    assign_perm("catalogue.view_service", reader, archive)
    version = archive.version_at(NOON)

    def told(**how):
        found = checking.findings(asked=checking.question_of(version, **how), measured=checking.UNMEASURED, at=NOON)
        return [finding.sentence for finding in found]

    assert told(reader=reader) == [
        "It stops with a service that you may not see, and that promises less than a recovery point of 26 h: that cannot hold.",
        "A service that you may not see stops with it and promises more: a recovery point of 26 h is too weak for that.",
    ]
    assign_perm("catalogue.view_service", reader, storage)
    assert "Service storage, which promises only a recovery point of 50 h" in told(reader=reader)[0]
    assert len(told(reader=make_author())) == 2
    assert told(for_many=True) == [
        "It stops with another service, and that promises less than a recovery point of 26 h: that cannot hold.",
        "Another service stops with it and promises more: a recovery point of 26 h is too weak for that.",
    ], "what is kept for many readers names nobody"
    assert told(known_then=True) == [], "the relations were written after that noon"


def borne(version, *, asked_by=None, owner=None, days=30):
    return deviating.ask(
        service=version.service, code="SCHEDULE_EXCEEDS_RPO", owner=owner or make_user("owner"), expires_on=(NOON + days * DAY).date(),
        by=asked_by or make_author(), at=NOON, reason="The new array arrives in August",
    )  # fmt: skip


def test_what_cannot_hold_is_not_published_until_a_deviation_bears_it():
    version = publishing.submit(version=make_draft(rpo_s=24 * HOUR), by=make_author(), at=NOON)
    with pytest.raises(NotReady, match=r"A recovery point of 24 h cannot hold.*\(SCHEDULE_EXCEEDS_RPO\) Change it, or have a deviation"):
        publishing.approve(version=version, by=make_approver(), at=NOON, measured=NIGHTLY)
    row = borne(version)
    with pytest.raises(NotReady):
        publishing.approve(version=version, by=make_approver(), at=NOON, measured=NIGHTLY)  # asked for is not granted
    deviating.grant(deviation=row, by=make_approver(), at=NOON, reason="For a month", measured=NIGHTLY)
    assert publishing.approve(version=version, by=make_approver(), at=NOON, measured=NIGHTLY).state == "approved"
    (finding,) = checking.findings(asked=checking.question_of(version), measured=NIGHTLY, at=NOON)
    assert finding.state == "borne" and finding.deviation == row
    (later,) = checking.findings(asked=checking.question_of(version), measured=NIGHTLY, at=NOON + 31 * DAY)
    assert later.stops and deviating.state_of(Deviation.objects.get(), NOON + 31 * DAY) == "expired"


def test_a_version_planned_ahead_has_to_hold_on_its_first_day():
    version = make_draft(rpo_s=24 * HOUR)
    publishing.submit(version=version, by=make_author(), at=NOON, announce=False)
    deviating.grant(deviation=borne(version), by=make_approver(), measured=NIGHTLY, at=NOON, reason="For the move")
    asked = {"version": version, "by": make_approver(), "measured": NIGHTLY, "at": NOON}
    with pytest.raises(NotReady, match="SCHEDULE_EXCEEDS_RPO"):
        publishing.approve(**asked, effective_from=NOON + 40 * DAY)
    publishing.approve(**asked, effective_from=NOON + 20 * DAY)


def test_an_sla_that_begins_later_binds_later_and_what_carries_the_promise_is_there_from_its_first_day():
    version = make_draft(rpo_s=26 * HOUR)
    later = (NOON + 30 * DAY).date()
    texts = {kind: agreed(kind, rpo_s=rpo_s, from_on=later) for kind, rpo_s in (("sla", 4 * HOUR), ("ola", 2 * HOUR))}
    version = publishing.edit_draft(version=version, content=texts, commitment={}, by=make_author(), at=NOON, reason="x")
    (found,) = checking.findings(asked=checking.question_of(version), measured=checking.UNMEASURED, at=NOON)
    assert found.code == "AGREEMENT_TOO_WEAK" and found.sentence.endswith(f"begins only on {later:%d %b %Y}.")
    assert codes(version, at=NOON + 30 * DAY) == ["COMMITMENT_WEAKER_THAN_SLA"]


def test_a_deviation_bears_what_was_read_when_it_was_granted_and_nothing_worse():
    sla = agreed("sla", rto_s=8 * HOUR, success_rate="0.97")
    version = make_draft(rpo_s=24 * HOUR, sla=sla)
    promise = {"rto_s": 9 * HOUR, "success_rate": "0.98"}
    version = publishing.edit_draft(version=version, content={}, commitment=promise, by=make_author(), at=NOON, reason="x")
    asked = {"service": version.service, "owner": make_user("owner"), "expires_on": (NOON + 30 * DAY).date(), "by": make_author(),
             "at": NOON, "reason": "x"}  # fmt: skip
    for code in ("COMMITMENT_WEAKER_THAN_SLA", "SCHEDULE_EXCEEDS_RPO"):
        row = deviating.ask(code=code, **asked)
        deviating.grant(deviation=row, by=make_approver(), at=NOON, reason="Yes", measured=NIGHTLY)

    def states(measured=NIGHTLY, **promise):
        edited = publishing.edit_draft(version=version, content={}, commitment=promise, by=make_author(), at=NOON, reason="x")
        found = checking.findings(asked=checking.question_of(edited), measured=measured, at=NOON)
        return {(one.code, one.state) for one in found if one.state != "consider"}

    sla_borne, rpo_borne = ("COMMITMENT_WEAKER_THAN_SLA", "borne"), ("SCHEDULE_EXCEEDS_RPO", "borne")
    assert states(rto_s=9 * HOUR) == states(rto_s=8 * HOUR + 1_800) == {sla_borne, rpo_borne}
    assert states(rto_s=10 * HOUR) == {("COMMITMENT_WEAKER_THAN_SLA", "stops"), rpo_borne}, "an hour more than was read"
    assert states(rto_s=9 * HOUR, success_rate="0.5") == {sla_borne, ("COMMITMENT_WEAKER_THAN_SLA", "stops"), rpo_borne}
    assert states(success_rate="0.98", rpo_s=300) == {sla_borne, ("SCHEDULE_EXCEEDS_RPO", "stops")}
    slower = Measured(interval_s=24 * HOUR, p95_duration_s=3 * HOUR, copy_lag_s=0)
    assert states(slower, rpo_s=24 * HOUR) == {sla_borne, rpo_borne}, "durations vary"
    text = " ".join(checking.blocking(version=publishing.edit_draft(
        version=version, content={}, commitment={"rto_s": 10 * HOUR}, by=make_author(), at=NOON, reason="x"
    ), measured=NIGHTLY, at=NOON))  # fmt: skip
    assert "The deviation until 13 Aug 2026 was granted for less." in text


def test_each_offering_goes_through_the_same_inequalities():
    storage, service = make_service("storage", rpo_s=2 * HOUR), make_service("pacs", rpo_s=30 * HOUR)
    with because("test"):
        Relation.objects.create(consumer=service, provider=storage)
    analysis(service, tolerated_loss_s=40 * HOUR)
    levels = {"price": "", "rto_s": None, "retention_days": None, "success_rate": None}
    gold, bronze = {"name": "Gold", "rpo_s": HOUR, **levels}, {"name": "Bronze", "rpo_s": 48 * HOUR, **levels}
    version = make_draft("pacs", rpo_s=30 * HOUR)
    publishing.edit_draft(version=version, content={}, commitment={}, offerings=[gold, bronze], by=make_author(), at=NOON, reason="x")
    found = checking.findings(asked=checking.question_of(version), measured=NIGHTLY, at=NOON)
    told = {(one.code, one.state): one.sentence for one in found}
    assert told["SCHEDULE_EXCEEDS_RPO", "stops"].startswith("Gold: A recovery point of 1 h cannot hold")
    assert told["INHERITED_COMMITMENT_TOO_WEAK", "stops"].startswith("Gold: It stops with Service storage, which promises only")
    assert told["RPO_EXCEEDS_BIA_TOLERANCE", "stops"].startswith("Bronze: A recovery point of 2 d loses more")
    assert told["OFFERING_STRONGER_THAN_ENTRY", "stops"] == (
        "Gold promises a recovery point of 1 h, but the entry is judged by a recovery point of 30 h."
    )
    assert len(found) == 4


def test_neither_owner_nor_asker_grants_whoever_they_are():
    version = make_draft(rpo_s=24 * HOUR)
    boss = make_user("boss", "catalogue.view_service", "catalogue.approve_service", is_superuser=True)
    make_approver("berg")
    for row in (borne(version, owner=boss), borne(version, asked_by=boss)):
        with pytest.raises(NotAllowed, match=r"berg can\."):
            deviating.grant(deviation=row, by=boss, at=NOON, reason="Mine")
        with pytest.raises(DatabaseError, match="granted_by_somebody_else"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("UPDATE catalogue_deviation SET approver_id = %s WHERE id = %s", [boss.pk, row.pk])
    with pytest.raises(NotAllowed, match="You may not grant"):
        deviating.grant(deviation=row, by=make_user("stranger"), at=NOON, reason="x")


def test_a_granted_deviation_never_changes_and_is_taken_back_once():
    row = deviating.grant(deviation=borne(make_draft()), by=make_approver(), at=NOON, reason="Yes")
    for change in ("expires_on = '2030-01-01'", "reason = 'other'", "granted_at = NULL"):
        with pytest.raises(DatabaseError, match="never changes"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE catalogue_deviation SET {change} WHERE id = %s", [row.pk])
    deviating.end(deviation=row, by=make_author(), at=NOON + DAY, reason="The array came early")
    assert checking.deviations_at(row.service, NOON + DAY / 2) == [row]
    assert checking.deviations_at(row.service, NOON + DAY) == []
    with pytest.raises(WrongState, match="over already"):
        deviating.end(deviation=row, by=make_author(), at=NOON + DAY, reason="Again")


def test_a_deviation_that_cannot_be_is_refused_with_everything_that_is_wrong():
    with pytest.raises(NotReady) as refusal:
        deviating.ask(
            service=make_service(),
            code="NONSENSE",
            owner=make_user("gone", is_active=False),
            expires_on=dt.date(2020, 1, 1),
            by=make_author(),
            at=NOON,
            reason="x",
        )
    with pytest.raises(NotReady, match="01 Jan 2099 is more than a year ahead"):
        deviating.ask(
            service=Service.objects.get(), code="SCHEDULE_EXCEEDS_RPO", owner=make_user("owner"), expires_on=dt.date(2099, 1, 1),
            by=make_author(), at=NOON, reason="x",
        )  # fmt: skip
    text = str(refusal.value)
    assert "NONSENSE is no inequality" in text and "is over already" in text and "gone has left" in text


def test_its_owner_is_told_once_before_it_ends():
    deviating.grant(deviation=borne(make_service().version_at(NOON), days=10), by=make_approver(), at=NOON, reason="Yes")
    assert deviating.remind(at=NOON - 10 * DAY) == 0
    assert (deviating.remind(at=NOON), deviating.remind(at=NOON + DAY)) == (1, 0)
    notice = Notice.objects.get(key__startswith="deviation/")
    assert notice.recipient == "owner@example.org" and "24 Jul 2026" in notice.subject and "/services/pacs/commitment/" in notice.body


def test_approved_texts_never_change_and_their_author_approves_none():
    row = analysis(make_service())
    for table, pk in (("impactanalysis", row.pk), ("agreementversion", agreed("ola").pk)):
        for statement in (f"UPDATE catalogue_{table} SET number = 9 WHERE id = %s", f"DELETE FROM catalogue_{table} WHERE id = %s"):
            with pytest.raises(DatabaseError, match="immutable"), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement, [pk])
    draft = agreeing.draft_analysis(
        service=row.service,
        content={"mtpd_s": HOUR, "tolerated_loss_s": HOUR, "review_due_on": (NOON + 300 * DAY).date()},
        by=make_approver(),
        at=NOON,
        reason="x",
    )
    assert draft.number == 2
    with pytest.raises(NotAllowed, match="You wrote"):
        agreeing.approve(row=draft, by=make_approver(), at=NOON, reason="x")
    with pytest.raises(DatabaseError, match="author_never_approves"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE catalogue_impactanalysis SET approver_id = author_id WHERE id = %s", [draft.pk])


def test_a_version_remembers_the_analysis_that_it_was_checked_against():
    version = publishing.submit(version=make_draft(rpo_s=4 * HOUR), by=make_author(), at=NOON)
    row = analysis(version.service)
    assert publishing.approve(version=version, by=make_approver(), at=NOON).analysis == row


def test_a_first_draft_takes_what_its_tier_usually_promises():
    ship_defaults()
    ship_defaults()
    assert TierDefault.objects.count() == 4
    service = publishing.create_service(code="new", by=make_author(), at=NOON, reason="New")
    draft = publishing.draft_version(
        service=service,
        content=make_content("new", tier=2),
        commitment={"rpo_s": 3_600},
        by=make_author(),
        at=NOON,
        reason="x",
        tier_defaults=True,
    )
    promise = draft.commitment
    assert (promise.rpo_s, promise.rto_s, float(promise.success_rate), promise.restore_test_days, promise.copy_scheme) == (
        3_600, 12 * HOUR, 0.98, 180, "3-2-1-1-0",
    )  # fmt: skip
    with because("test"):
        row = TierDefault.objects.get(tier=2)
        row.rto_s = 60
        row.save()
    assert comparing.content_of(Service.objects.get(code="new").versions.get())["rto_s"] == 12 * HOUR
