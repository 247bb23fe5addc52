"""Roles as data: what each may do everywhere, and what of it when it is limited to services, tools or departments.

A role over the whole estate is a group of that name. A limited one is a group of its own, such as `steward on service
pacs`, that holds rights on single rows; `refresh_scopes` keeps those rows current when services, tools and departments move.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_BUSINESS = (
    "view: catalogue.service catalogue.serviceversion catalogue.commitment catalogue.relation catalogue.window catalogue.team"
    " catalogue.servicestatus catalogue.statuschange monitoring.servicestate monitoring.serviceday monitoring.evaluation"
    " monitoring.figure monitoring.alert monitoring.backupjob monitoring.backuprun monitoring.expectedrun incidents.incident"
    " monitoring.restoretest monitoring.restoreplan reporting.discrepancy incidents.postincidentreview incidents.entryproposal"
    " reporting.report catalogue.offering catalogue.agreement catalogue.agreementversion catalogue.impactanalysis catalogue.deviation"
    " catalogue.label catalogue.tierdefault catalogue.handover catalogue.attestationround catalogue.attestation catalogue.retirement"
)
_TECHNICAL = (
    f"{_BUSINESS} monitoring.tool monitoring.toolstate monitoring.jobstate monitoring.jobschedule monitoring.protecteditem"
    " monitoring.restorepoint monitoring.runrevision monitoring.quarantinedrecord monitoring.attributionrule"
    " monitoring.attributioncondition monitoring.causerule monitoring.ruleversion monitoring.statusworkflow monitoring.toolmap"
    " reporting.reportschedule reporting.reporttemplate"
    " catalogue.statusoverride catalogue.teammember"
    " catalogue.dutyexception catalogue.legalhold catalogue.scopeline catalogue.scopedecision monitoring.scopeclaim"
    " catalogue.externalcatalogue catalogue.publication"
    " monitoring.attributemapping monitoring.assessment monitoring.capabilityweights monitoring.toolday monitoring.statusmap"
    " monitoring.pollingpolicy monitoring.requestbudget monitoring.repository"
    " catalogue.cmdb catalogue.cmdbstate catalogue.configurationitem catalogue.itemrelation catalogue.itemreject catalogue.itemlink"
    " catalogue.fieldmaster monitoring.agreement monitoring.comparison monitoring.writeback monitoring.writeconflict"
    " monitoring.externalmonitoring monitoring.statuspublication"
    " monitoring.conflictdecision incidents.escalationpolicy incidents.escalationstep incidents.escalation incidents.telling"
    " incidents.rota incidents.rotamember incidents.rotaswap incidents.responsetarget incidents.workinghours"
    " incidents.problem incidents.riskacceptance incidents.knownerror incidents.majorincident incidents.majorappointment"
    " incidents.audiencetemplate incidents.majorupdate incidents.majormessage incidents.majordelivery"
)


def _permissions(*lines: str) -> frozenset[str]:
    """`change: catalogue.service` becomes `catalogue.change_service`; a line may hold several actions and models."""
    found = set()
    for line in lines:
        actions, models = line.split(": ")
        for model in models.split():
            app, name = model.split(".")
            found |= {f"{app}.{action}_{name}" for action in actions.split()}
    return frozenset(found)


@dataclass(frozen=True)
class Role:
    """One role. `everywhere` are its permissions over the whole estate; the others are what a limited grant gives:
    `on_service` on each service, `on_tool` on each named tool, `on_their_tools` on the tools that back the services up,
    `on_jobs` on the jobs of both, and `verbs` are permissions that reach no further than the rows one may see.
    """

    duty: str
    everywhere: frozenset[str]
    on_service: frozenset[str] = frozenset({"catalogue.view_service"})
    on_tool: frozenset[str] = frozenset({"monitoring.view_tool"})
    on_their_tools: frozenset[str] = frozenset()
    on_jobs: frozenset[str] = frozenset()
    verbs: frozenset[str] = frozenset()
    uses_admin: bool = False


_READ_EARLY = _permissions("read_early: incidents.postincidentreview")
_PUBLISH = _permissions("publish: incidents.postincidentreview")
_INCIDENT_WORK = (
    _permissions("change resolve: incidents.incident", "override: catalogue.service", "add change: incidents.postincidentreview")
    | _READ_EARLY
    | _PUBLISH
)
ROLES = {
    "steward": Role(
        duty="writes what entries say and promise",
        everywhere=_permissions(
            _TECHNICAL,
            "add change: catalogue.service catalogue.serviceversion catalogue.commitment catalogue.team",
            "add change delete: catalogue.relation catalogue.window catalogue.teammember",
            "add change: catalogue.offering catalogue.agreement catalogue.agreementversion catalogue.impactanalysis catalogue.deviation"
            " catalogue.label catalogue.tierdefault",
            "add change: catalogue.scopeline monitoring.scopeclaim monitoring.repository",
            "add: catalogue.scopedecision",
            "add change delete: catalogue.itemlink",
            "decide: monitoring.writeconflict",
            "add change delete: reporting.reportschedule",
            "change: reporting.reporttemplate",
            "compile: reporting.report",
            "settle: reporting.discrepancy",
        )
        | _READ_EARLY,
        on_service=_permissions("view change: catalogue.service"),
        verbs=_READ_EARLY,
        uses_admin=True,
    ),
    "approver": Role(
        duty="approves versions that others wrote",
        everywhere=_permissions(
            _TECHNICAL,
            "approve: catalogue.service monitoring.toolmap monitoring.attributemapping monitoring.statusmap monitoring.ruleversion",
            "override: reporting.report",
        ),
        on_service=_permissions("view approve: catalogue.service"),
        uses_admin=True,
    ),
    "operator": Role(
        duty="runs the backups and works on incidents",
        everywhere=_permissions(
            _TECHNICAL, "poll: monitoring.tool", "see_ping_address: monitoring.backupjob", "view read_body: common.notice",
            "add: incidents.rotaswap",
            "change: incidents.problem", "add change: incidents.knownerror", "add: incidents.majorupdate",
            "compile: reporting.report", "settle: reporting.discrepancy",
        )
        | _INCIDENT_WORK,
        on_tool=_permissions("view poll: monitoring.tool"),
        on_their_tools=_permissions("view poll: monitoring.tool"),
        on_jobs=_permissions("see_ping_address: monitoring.backupjob"),
        verbs=_INCIDENT_WORK,
    ),
    "incident-manager": Role(
        duty="declares major incidents and leads them",
        everywhere=_permissions(
            _TECHNICAL, "change resolve: incidents.incident", "declare: incidents.majorincident", "add approve: incidents.majorupdate",
            "view add: incidents.statuslink",
            "add: incidents.rotaswap",
            "view read_body: common.notice",
            "add change: incidents.postincidentreview",
        )
        | _READ_EARLY
        | _PUBLISH,
    ),
    "monitoring-admin": Role(
        duty="connects tools, maps jobs to services, sets schedules and thresholds",
        everywhere=_permissions(
            _TECHNICAL,
            "add change: monitoring.tool monitoring.backupjob catalogue.externalcatalogue monitoring.attributemapping",
            "add change delete: monitoring.jobschedule",
            "add change: monitoring.attributionrule monitoring.causerule monitoring.ruleversion",
            "change: monitoring.statusworkflow monitoring.capabilityweights",
            "view add change: incidents.channel",
            "view: incidents.reply", "change: incidents.audiencetemplate",
            "add change delete: incidents.escalationpolicy incidents.escalationstep incidents.rota incidents.rotamember incidents.rotaswap"
            " incidents.responsetarget incidents.workinghours",
            "change: monitoring.pollingpolicy",
            "add change delete: monitoring.requestbudget monitoring.repository",
            "add change: catalogue.cmdb monitoring.externalmonitoring",
            "add change delete: catalogue.itemlink catalogue.fieldmaster",
            "decide: monitoring.writeconflict",
            "add approve: monitoring.toolmap",
            "poll: monitoring.tool",
            "see_ping_address: monitoring.backupjob",
            "view: common.notice common.refusal incidents.digestpreference incidents.digest incidents.ownchannel",
        ),
        on_tool=_permissions("view change poll: monitoring.tool"),
        on_their_tools=_permissions("view poll: monitoring.tool"),
        on_jobs=_permissions("see_ping_address: monitoring.backupjob"),
        uses_admin=True,
    ),
    "requester": Role(duty="asks for changes", everywhere=_permissions(_TECHNICAL)),
    "change-manager": Role(
        duty="authorises changes and keeps the calendar of windows",
        everywhere=_permissions(_TECHNICAL, "add change delete: catalogue.window") | _READ_EARLY | _PUBLISH,
        verbs=_READ_EARLY | _PUBLISH,
        uses_admin=True,
    ),
    "auditor": Role(
        duty="reads everything and changes nothing",
        everywhere=_permissions(_TECHNICAL, "view read_body: common.notice", "view: admin.logentry catalogue.grantentry common.refusal",
            "view: incidents.reply incidents.digestpreference incidents.digest incidents.statuslink incidents.ownchannel")
        | _READ_EARLY,
        uses_admin=True,
    ),
    "stakeholder": Role(duty="depends on services and reads how they stand", everywhere=_permissions(_BUSINESS)),
    "executive": Role(duty="reads how the whole estate stands", everywhere=_permissions(_BUSINESS)),
}  # fmt: skip


@dataclass(frozen=True)
class Scope:
    """A role as a person holds it: everywhere (`kind` is empty), or on one service, tool or department."""

    role: str
    kind: str = ""
    name: str = ""

    @property
    def group(self) -> str:
        """The name of the group that stands for it."""
        if not self.kind:
            return self.role
        return f"{self.role} {'of' if self.kind == 'department' else 'on'} {self.kind} {self.name}"


_GROUP = re.compile(
    rf"(?P<role>{'|'.join(ROLES)})(?: (?:on (?=service|tool)|of (?=department))(?P<kind>service|tool|department) (?P<name>.+))?"
)


def scope_of(group: str) -> Scope | None:
    """What a group of this name stands for; None for a group that is no role."""
    found = _GROUP.fullmatch(group)
    return Scope(found["role"], found["kind"] or "", found["name"] or "") if found else None
