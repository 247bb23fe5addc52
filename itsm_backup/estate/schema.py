"""What an estate file may say, as JSON Schema; every description tells how to write the value, and is shown when it is wrong."""

from __future__ import annotations

from typing import Any

from catalogue.models import Agreement, Commitment, Relation, ScopeDecision, ServiceVersion
from catalogue.scoping import QUESTIONS
from itsm_backup.estate import amounts
from itsm_backup.roles import ROLES
from monitoring import converting
from monitoring.conditions import OPERATORS
from monitoring.connectors import CONNECTORS
from monitoring.connectors.base import Connector
from monitoring.declaring import PROFILES
from monitoring.models import CauseRule

SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"
DAY = r"^\d{4}-\d{2}-\d{2}$"
CONDITION_FIELDS = {"job": "external_id", "name": "name", "host": "target_name", "repository": "repository_name"}
CONDITION_OPERATORS = {"is": "equals", **{name: name for name in OPERATORS if name != "equals"}}


def schema() -> dict[str, Any]:
    """The whole schema (draft 2020-12), as it is published in docs/estate.schema.json."""
    return {
        "$schema": SCHEMA_ID,
        "title": "Estate of itsm-backup",
        **_mapping(
            "A mapping with one key for each kind of thing: services, tools, jobs …",
            organisation=_text("The name of the organisation.", 120),
            teams=_list(_team()),
            users=_list(_user()),
            labels=_list(_label()),
            agreements=_list(_agreement()),
            services=_list(_service()),
            impact_analyses=_list(_analysis()),
            relations=_list(_relation()),
            tools=_list(_tool()),
            jobs=_list(_job()),
            attribution_rules=_list(_rule()),
            cause_rules=_list(_cause_rule()),
            maintenance_windows=_list(_window()),
            scope=_list(_scope()),
            mappings=_list(_attribute_mapping()),
        ),
    }


def _team() -> dict[str, Any]:
    return _mapping(
        "A team that runs backups.",
        name=_text("What people call the team.", 120),
        email=_text("Where incidents of its services are mailed, e.g. storage@example.org.", 254),
        required=("name", "email"),
    )


def _user() -> dict[str, Any]:
    limited = _mapping(
        "A role limited to services, tools or departments.",
        role=_choice("The role.", ROLES),
        services=_list(_text("The code of a service.", 40)),
        tools=_list(_text("The name of a tool.", 80)),
        departments=_list(_text("A department as services name it.", 80)),
        required=("role",),
    )
    limited["type"] = ["string", "object"]
    limited["description"] = f"A role, or a mapping with role and services, tools or departments. Roles: {', '.join(ROLES)}."
    return _mapping(
        "A person. New ones get no password: an administrator sets it.",
        username=_text("The name to sign in with: letters, digits, dot, dash, underscore, plus and @.", 150),
        name=_text("First and last name.", 250),
        email=_text("The person's e-mail address.", 254),
        active=_boolean("Whether the account may be used."),
        roles=_list(limited, "All roles of the person: those that are missing here are taken away. Leave the key out to change none."),
        required=("username",),
    )


def _service() -> dict[str, Any]:
    return _mapping(
        "An entry of the service catalogue. What differs from the version in force becomes a new version.",
        code=_text("Letters, digits, dot, dash and underscore; never changes.", 40),
        name=_text("What its customers call it.", 160),
        short_name=_text("At most 22 characters, for tiles; needed when the name is longer.", 22),
        summary=_text("What it does, in the customers' words.", 4_000, least=0),
        department=_text("The department that it serves.", 80, least=0),
        application_type=_text("The kind of application, e.g. database.", 80, least=0),
        labels=_list(_text("A classification label, e.g. confidential.", 40)),
        tier=_number("1 (critical to life) to 4 (supporting).", 1, 4),
        zone=_text("The time zone of its days and windows, an IANA name such as Europe/London.", 64),
        kind=_choice("What kind of entry it is; business_service when left out.", ServiceVersion.Kind.values),
        hosting=_choice("Where it runs; on_premises when left out.", ServiceVersion.Hosting.values),
        provider=_text("Who hosts it, where that is somebody else.", 120, least=0),
        regions=_list(_text("Where its data and copies lie.", 60)),
        supplier=_text("Who is paid for it.", 120, least=0),
        regulations=_list(_text("What it must comply with, e.g. GDPR.", 80)),
        review_due=_pattern("By when it is read again, e.g. 2027-03-31.", DAY),
        escalation_policy=_text("The policy by which its incidents escalate; empty: the one for priority and tier.", 120, least=0),
        change_reference=_text("The change under which a version with what is stated here is made, e.g. CHG-0791.", 80, least=0),
        sla=_text("The name of the service level agreement that it keeps; its newest version is meant.", 120),
        ola=_text("The name of the operational level agreement behind it.", 120),
        contract=_text("The name of the underpinning contract behind it.", 120),
        take_tier_defaults=_boolean("Whether a new entry promises what its tier usually does, where nothing is said; false when left out."),
        offerings=_list(_offering(), "Packages of the service, each with levels of its own."),
        commissioned_at=_pattern(
            "Since when data exists that can be lost: 2025-01-31, or an instant such as 2025-01-31T08:00Z.", amounts.DAY_OR_INSTANT
        ),
        owner=_text("The username of the one who is accountable.", 150),
        steward=_text("The username of the one who is responsible for the content; the steward who loads the file when left out.", 150),
        operations_team=_text("The name of the team that runs its backups.", 120),
        commitments=_commitments(),
        required=("code", "name"),
    )


def _commitments() -> dict[str, Any]:
    return _mapping(
        "What is promised; null takes a promise back.",
        rpo=_pattern("Recovery point, e.g. 4 h or 1 d 2 h.", amounts.DURATION, null=True),
        rto=_pattern("Recovery time, e.g. 8 h.", amounts.DURATION, null=True),
        retention=_pattern("How long copies are kept, in days or weeks, e.g. 35 d.", amounts.DURATION, null=True),
        success_rate=_pattern("Share of due backups that succeed in a month, e.g. 98 %.", amounts.SHARE, null=True),
        on_time_rate=_pattern("Share of due backups that are good in time, e.g. 95 %.", amounts.SHARE, null=True),
        measurement_calendar=_text("Days on which due backups count, e.g. Mon-Fri except 2026-12-25; empty for every day.", 400, least=0),
        backup_window=_pattern("When backups may run, e.g. 20:00-06:00.", amounts.SPAN, null=True),
        restore_test_every=_pattern("A restore test at least every so many days or weeks, e.g. 180 d.", amounts.DURATION, null=True),
        rpo_attainment=_pattern("Share of a month in which a fresh enough copy exists, e.g. 99 %.", amounts.SHARE, null=True),
        retention_min=_pattern("Law or contract asks for at least so long, e.g. 30 d.", amounts.DURATION, null=True),
        retention_max=_pattern("Law or contract allows at most so long, e.g. 10 w.", amounts.DURATION, null=True),
        immutability=_pattern("Copies are locked for so long, e.g. 14 d.", amounts.DURATION, null=True),
        copy_scheme=_text("How many copies on which media, e.g. 3-2-1-1-0.", 40, least=0),
        encryption=_choice("Where copies are encrypted.", Commitment.Encryption.values),
    )


def _offering() -> dict[str, Any]:
    return _mapping(
        "One package; a level that is left out is the service's.",
        name=_text("What customers call it, e.g. Gold.", 60),
        price=_text("As customers read it, e.g. 120 a month for each TB.", 80, least=0),
        rpo=_pattern("Recovery point, e.g. 4 h.", amounts.DURATION),
        rto=_pattern("Recovery time, e.g. 4 h.", amounts.DURATION),
        retention=_pattern("How long copies are kept, e.g. 90 d.", amounts.DURATION),
        success_rate=_pattern("Share of due backups that succeed in a month, e.g. 99 %.", amounts.SHARE),
        required=("name",),
    )


def _label() -> dict[str, Any]:
    return _mapping(
        "A classification label. A label that only services name joins the list without a meaning.",
        word=_text("The word on entries, e.g. confidential.", 40),
        meaning=_text("What it obliges to.", 2_000),
        required=("word", "meaning"),
    )


def _agreement() -> dict[str, Any]:
    return _mapping(
        "An agreement that stands behind promises. What differs from its newest version becomes a new version.",
        name=_text("What people call it.", 120),
        kind=_choice("With customers (sla), with a team of ours (ola), or with a supplier (contract).", Agreement.Kind.values),
        party=_text("With whom.", 120),
        starts=_pattern("First day, e.g. 2026-01-01; today when left out.", DAY),
        ends=_pattern("Last day, e.g. 2026-12-31; until it is replaced when left out.", DAY),
        rpo=_pattern("Recovery point agreed, e.g. 4 h.", amounts.DURATION),
        rto=_pattern("Recovery time agreed, e.g. 8 h.", amounts.DURATION),
        retention=_pattern("Retention agreed, e.g. 35 d.", amounts.DURATION),
        success_rate=_pattern("Success agreed, e.g. 98 %.", amounts.SHARE),
        text=_text("What else was agreed, or where the signed paper lies.", 4_000, least=0),
        required=("name", "kind", "party"),
    )


def _analysis() -> dict[str, Any]:
    return _mapping(
        "What the business can bear when a service stops. What differs from the newest analysis becomes a new one.",
        service=_text("The code of the service.", 40),
        mtpd=_pattern("Longest tolerable outage, e.g. 8 h.", amounts.DURATION),
        tolerated_loss=_pattern("Work that may be lost at most, e.g. 4 h.", amounts.DURATION),
        wrt=_pattern("Work after the systems are back, e.g. 1 h; none when left out.", amounts.DURATION),
        mbco=_text("What must work during the disruption.", 2_000, least=0),
        review_due=_pattern("By when it is done again, e.g. 2027-03-31.", DAY),
        required=("service", "mtpd", "tolerated_loss", "review_due"),
    )


def _relation() -> dict[str, Any]:
    return _mapping(
        "One service needs another.",
        consumer=_text("The code of the service that needs the other.", 40),
        provider=_text("The code of the service that is needed.", 40),
        kind=_choice("How it needs it; depends_on when left out.", Relation.Kind.values),
        strength=_choice(
            "hard: the consumer stops with it, or its backup does; soft: it goes on. hard when left out.", Relation.Strength.values
        ),
        required=("consumer", "provider"),
    )


def _tool() -> dict[str, Any]:
    tool = _mapping(
        "A tool that we read from, or that reports to us.",
        name=_text("Lower-case word by which commands know it.", 80),
        label=_text("The name that people use.", 120, least=0),
        kind=_choice("What kind of tool it is.", sorted(CONNECTORS)),
        settings={"type": "object", "description": "What the connector needs, except secrets.", "additionalProperties": _setting()},
        secrets={"type": "object", "description": "Where secrets are found, never the secrets.", "additionalProperties": _secret()},
        zone=_text("The time zone of the machine that the tool runs on, e.g. Europe/London.", 64),
        poll_every=_pattern("How often it is asked, e.g. 15 min.", amounts.DURATION),
        enabled=_boolean("Whether it is asked and listened to."),
        replayed=_boolean("Whether nothing real is asked, because its answers are replayed recordings."),
        ping_key=_text(
            "First part of /ping/<ping key>/<job>, 8 to 40 letters, digits, dashes and underscores. Treat it like a password.", 40
        ),
        required=("name", "kind"),
    )
    tool["allOf"] = [_kind(connector) for connector in CONNECTORS.values()]
    return tool


def _kind(connector: Connector) -> dict[str, Any]:
    bags: dict[str, dict[str, Any]] = {"settings": {}, "secrets": {}}
    for field in connector.settings_fields:
        bags["secrets" if field.secret else "settings"][field.name] = {"description": f"{field.label}. {field.help}"}
    known = {bag: {"properties": fields, "additionalProperties": False} for bag, fields in bags.items()}
    return {"if": {"properties": {"kind": {"const": connector.kind}}, "required": ["kind"]}, "then": {"properties": known}}


def _job() -> dict[str, Any]:
    return _mapping(
        "A job, as its tool names it. Jobs read from tools appear by themselves; declare those to be scheduled, or told of by pings alone.",
        tool=_text("The name of its tool.", 80),
        id=_text("The id by which the tool knows it; for pings the word in the address.", 512),
        name=_text("What people call it; its id when left out.", 200),
        profile=_choice("How exit codes are read.", PROFILES),
        service=_text("The code of the service it protects: short for an attribution rule of its own.", 40),
        schedule=_schedule(),
        required=("tool", "id"),
    )


def _schedule() -> dict[str, Any]:
    return _mapping(
        "When the job is due.",
        rrule=_text("RFC 5545, e.g. FREQ=DAILY or FREQ=WEEKLY;BYDAY=MO,TH. FREQ=DAILY when left out.", 300),
        at={
            "type": ["string", "array"],
            "pattern": amounts.CLOCK,
            "items": _pattern('Hours and minutes, e.g. "01:30".', amounts.CLOCK),
            "description": 'One local time or a list of them, with two digits each, e.g. ["01:30", "13:30"].',
        },
        zone=_text("The time zone of these times; the tool's when left out.", 64),
        starts_on=_pattern("First day, e.g. 2026-08-01; from the first known run when left out.", r"^\d{4}-\d{2}-\d{2}$"),
        grace=_pattern("A good run must end so long after it is due, e.g. 2 h.", amounts.DURATION),
        early=_pattern("It may start so long before it is due, e.g. 15 min.", amounts.DURATION),
    )


def _rule() -> dict[str, Any]:
    condition = _mapping(
        "One condition: a field of the job, and how it must be. All conditions of a rule must hold.",
        field=_choice("What is looked at.", CONDITION_FIELDS),
        **{name: _text(f"The field {name.replace('_', ' ')} this text.", 512) for name in CONDITION_OPERATORS},
        required=("field",),
    )
    condition |= {"minProperties": 2, "maxProperties": 2}
    return _mapping(
        "Decides which service jobs belong to; the first rule that matches decides. Needs a tool, conditions, or both.",
        name=_text("What the rule is called.", 120),
        service=_text("The code of the service.", 40),
        tool=_text("Only jobs of this tool.", 80),
        position=_number("Lower is asked first; 100 when left out.", 0, 1_000_000),
        enabled=_boolean("Whether the rule is asked."),
        conditions=_list(condition),
        required=("name", "service"),
    )


def _cause_rule() -> dict[str, Any]:
    return _mapping(
        "Names the cause of a failed run by its message.",
        name=_text("A short word with dashes.", 60),
        title=_text("Completes the sentence: the backup fails because …", 120),
        pattern=_text("RE2, against the run's message, case ignored.", 400),
        component=_choice("What has the fault: incidents are grouped by it.", CauseRule.Component.values),
        position=_number("Lower is asked first; 100 when left out.", 0, 1_000_000),
        enabled=_boolean("Whether the rule is asked."),
        required=("name", "title", "pattern"),
    )


def _window() -> dict[str, Any]:
    return _mapping(
        "Maintenance of one service: what becomes due in it is excused.",
        service=_text("The code of the service.", 40),
        starts_at=_pattern("An instant with its offset, e.g. 2026-08-01T20:00+01:00.", amounts.INSTANT),
        ends_at=_pattern("An instant with its offset, e.g. 2026-08-02T04:00+01:00.", amounts.INSTANT),
        purpose=_text("What is done.", 200),
        required=("service", "starts_at", "ends_at", "purpose"),
    )


def _mapping(description: str, /, *, required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "description": description, "properties": properties, "additionalProperties": False}
    return found | ({"required": list(required)} if required else {})


def _scope() -> dict[str, Any]:
    answer = {"enum": [*ScopeDecision.Answer.values, True, False], "description": "yes, no or unknown."}
    return _mapping(
        "Where a backup service stands in the catalogue. What differs from the decision that holds becomes a new decision.",
        name=_text("What people call the backup service.", 160),
        decision=_choice("listed as an entry of its own, referenced through another entry, or excluded.", ScopeDecision.Outcome.values),
        entry=_text("The code of the entry that it is, or that carries it; none when excluded.", 40),
        hosting=_choice("Where it runs; on_premises when left out.", ServiceVersion.Hosting.values),
        provider=_text("Who hosts it, where that is somebody else.", 120, least=0),
        answers=_mapping("Answers to the catalogue's questions; unknown when left out.", **dict.fromkeys(QUESTIONS, answer)),
        reason=_text("Why.", 2_000),
        review=_pattern("By when somebody decides again, e.g. 2027-03-31.", amounts.DAY_OR_INSTANT),
        repositories=_list(
            _mapping(
                "A repository with all its jobs.",
                tool=_text("The name of its tool.", 80),
                repository=_text("The repository as the tool names it.", 300),
                required=("tool", "repository"),
            )
        ),
        jobs=_list(
            _mapping(
                "A single job.",
                tool=_text("The name of its tool.", 80),
                id=_text("The id by which the tool knows it.", 512),
                required=("tool", "id"),
            )
        ),
        required=("name", "decision", "reason", "review"),
    )


def _attribute_mapping() -> dict[str, Any]:
    return _mapping(
        "Which attributes of a tool mean which fields of the catalogue. What differs from the version in force becomes a new one.",
        tool=_text("The name of the tool.", 80),
        attributes=_list(
            _mapping(
                "One attribute.",
                path=_text("Where the tool says it, e.g. info.encryption.mode.", 500),
                field=_choice("The field of the catalogue.", converting.FIELDS),
                unit=_choice("What the tool says it in.", converting.UNITS),
                transform=_choice("What is taken of it; value when left out.", converting.TRANSFORMS),
                words={
                    "type": "object",
                    "description": "The tool's word and what it means; * is every other.",
                    "additionalProperties": _choice("What it means.", converting.ENCRYPTIONS),
                },
                required=("path", "field", "unit"),
            )
        ),
        required=("tool", "attributes"),
    )


def _list(items: dict[str, Any], description: str = "A list.") -> dict[str, Any]:
    return {"type": "array", "description": description, "items": items}


def _text(description: str, most: int, *, least: int = 1) -> dict[str, Any]:
    return {"type": "string", "description": description, "minLength": least, "maxLength": most}


def _pattern(description: str, pattern: str, *, null: bool = False) -> dict[str, Any]:
    return {"type": ["string", "null"] if null else "string", "description": description, "pattern": pattern}


def _choice(description: str, values: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, "enum": list(values)}


def _number(description: str, least: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "description": description, "minimum": least, "maximum": most}


def _boolean(description: str) -> dict[str, Any]:
    return {"type": "boolean", "description": f"{description} true or false."}


def _setting() -> dict[str, Any]:
    return {"type": ["string", "integer", "number", "boolean"]}


def _secret() -> dict[str, Any]:
    text = "env:NAME (a variable of the environment) or file:PATH (a file, relative to this one). The secret itself never stands here."
    return {"type": "string", "pattern": r"^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$", "description": text}
