"""Addresses of the portal."""

import datetime as dt

from django.urls import path, register_converter
from django.views.generic import RedirectView

from itsm_backup.common.time import is_tellable
from itsm_backup.portal import (
    agreement_doors,
    audience_doors,
    batch_doors,
    cadence_doors,
    calendar_doors,
    deeds,
    detected_doors,
    digest_doors,
    duty_doors,
    entry_history,
    escalation_doors,
    known_error_doors,
    major_doors,
    mapping_doors,
    meaning_doors,
    message_doors,
    method_doors,
    muted_doors,
    objective_doors,
    on_call_doors,
    own_channel_doors,
    ownership_doors,
    problem_doors,
    quarantine_doors,
    queue_doors,
    reconciliation_doors,
    remark_doors,
    report_doors,
    restore_plan_doors,
    retirement_doors,
    review_doors,
    rule_doors,
    scope_doors,
    status_doors,
    thresholds_doors,
    tool_doors,
    update_doors,
    version_doors,
    views,
    weave_doors,
)


class IncidentNumber:
    """`INC-0001`, as pages and mails write it; the bare number is understood."""

    regex = "(?:[Ii][Nn][Cc]-)?[0-9]{1,18}"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return str(value)


class ProblemNumber(IncidentNumber):
    """`PRB-0001`."""

    regex = "(?:[Pp][Rr][Bb]-)?[0-9]{1,18}"


class KnownErrorNumber(IncidentNumber):
    """`KE-0001`."""

    regex = "(?:[Kk][Ee]-)?[0-9]{1,18}"


class MajorNumber(IncidentNumber):
    """`MAJ-0001`."""

    regex = "(?:[Mm][Aa][Jj]-)?[0-9]{1,18}"


class ReviewNumber(IncidentNumber):
    """`PIR-0007` or `7`."""

    regex = "(?:[Pp][Ii][Rr]-)?[0-9]{1,18}"


class ExplainKind:
    regex = "status|alert|incident|figure|evaluation|propagation"

    def to_python(self, value: str) -> str:
        return value

    def to_url(self, value: str) -> str:
        return value


class RowId:
    """A row's number that fits the database's column."""

    regex = "[0-9]{1,18}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


class Day:
    """A calendar day, `2026-07-13`."""

    regex = "[0-9]{4}-[0-9]{2}-[0-9]{2}"

    def to_python(self, value: str) -> dt.date:
        day = dt.date.fromisoformat(value)
        if not is_tellable(day):
            raise ValueError(f"{value} lies outside the years 1970 to 8999")
        return day

    def to_url(self, value: dt.date) -> str:
        return value.isoformat()


register_converter(IncidentNumber, "incident")
register_converter(ProblemNumber, "problem")
register_converter(KnownErrorNumber, "knownerror")
register_converter(MajorNumber, "major")
register_converter(ReviewNumber, "review")
register_converter(ExplainKind, "explainkind")
register_converter(RowId, "rowid")
register_converter(Day, "day")

app_name = "portal"
urlpatterns = [
    path("", views.home, name="estate"),
    path("first-steps/", views.guide, name="guide"),
    path("search", views.search, name="search"),
    path("display", views.display, name="display"),
    path("services/", views.services, name="services"),
    path("services/import/", batch_doors.import_entries, name="import_entries"),
    path("services/export/", batch_doors.export, name="export_entries"),
    path("batches/", batch_doors.batches, name="batches"),
    path("batches/<rowid:pk>/", batch_doors.batch, name="batch"),
    path("batches/<rowid:pk>/start", batch_doors.start, name="start_batch"),
    path("batches/<rowid:pk>/stop", batch_doors.stop, name="stop_batch"),
    path("batches/<rowid:pk>/submit", batch_doors.submit, name="submit_batch"),
    path("approvals/", batch_doors.approvals, name="approvals"),
    path("approvals/approve", batch_doors.approve, name="approve_many"),
    path("services/matrix/", weave_doors.matrix_shown, name="matrix"),
    path("services/matrix/change", weave_doors.change_cells, name="change_cells"),
    path("services/graph/", weave_doors.estate_graph, name="estate_graph"),
    path("services/relations/", weave_doors.relations, name="relations"),
    path("services/relations/import", weave_doors.import_relations, name="import_relations"),
    path("services/relations/seen/<rowid:pk>/accept", weave_doors.accept, name="accept_relation"),
    path("services/relations/seen/<rowid:pk>/reject", weave_doors.reject, name="reject_relation"),
    path("services/relations/planned/<rowid:pk>/take-back", weave_doors.take_back, name="take_back_relation"),
    path("services/relations/rejected/<rowid:pk>/again", weave_doors.propose_again, name="propose_relation_again"),
    path("services/detected/", detected_doors.detected, name="detected"),
    path("services/detected/<rowid:pk>/settle", detected_doors.settle, name="settle_detected"),
    path("services/agreement/", agreement_doors.agreement, name="agreement"),
    path("services/agreement/again", agreement_doors.again, name="compare_again"),
    path("services/agreement/items/", agreement_doors.items, name="agreement_items"),
    path("services/agreement/items/link", agreement_doors.link, name="link_items"),
    path("services/agreement/links/<rowid:pk>/end", agreement_doors.unlink, name="unlink_item"),
    path("services/agreement/conflicts/<rowid:pk>/decide", agreement_doors.decide, name="decide_conflict"),
    path("services/retired/", retirement_doors.retired, name="retired"),
    path("services/<str:code>/retirement/", retirement_doors.retirement, name="retirement"),
    path("services/<str:code>/retirement/<str:act>", retirement_doors.decide, name="retirement_act"),
    path("services/<str:code>/agreement/", agreement_doors.one, name="agreement_of"),
    path("services/<str:code>/", views.service, name="service"),
    path("services/<str:code>/graph/", weave_doors.service_graph, name="service_graph"),
    path("services/<str:code>/runs/", views.runs, name="runs"),
    path("services/<str:code>/history/", entry_history.entry_history, name="entry_history"),
    path("services/<str:code>/calendar/", calendar_doors.service_calendar, name="service_calendar"),
    path("services/<str:code>/days/<day:on>/", calendar_doors.day, name="day"),
    path("calendar/", calendar_doors.calendar, name="calendar"),
    path("services/<str:code>/versions/", version_doors.versions, name="versions"),
    path("services/<str:code>/versions/<rowid:one>..<rowid:other>/", version_doors.compare, name="compare"),
    path("services/<str:code>/versions/<rowid:number>/", version_doors.version, name="version"),
    path("services/<str:code>/versions/<rowid:number>/approve", version_doors.approve, name="version_approve"),
    path("services/<str:code>/versions/<rowid:number>/withdraw", version_doors.withdraw, name="version_withdraw"),
    path("services/<str:code>/versions/<rowid:number>/return", version_doors.give_back, name="version_return"),
    path("services/<str:code>/versions/<rowid:number>/comment", version_doors.comment, name="version_comment"),
    path("services/<str:code>/versions/<rowid:number>/again", version_doors.roll_back, name="version_again"),
    path("services/<str:code>/commitment/", version_doors.commitment, name="commitment"),
    path("services/<str:code>/objectives/", objective_doors.objectives, name="objectives"),
    path("services/<str:code>/status/", status_doors.status, name="status"),
    path("services/<str:code>/status/set", status_doors.set_by_hand, name="set_status"),
    path("services/status/<rowid:pk>/end", status_doors.end, name="end_status"),
    path("services/<str:code>/ownership/", ownership_doors.entry, name="entry_ownership"),
    path("services/<str:code>/ownership/hand-over", ownership_doors.hand_over, name="hand_over"),
    path("ownership/", ownership_doors.ownership, name="ownership"),
    path("ownership/hand-overs/<rowid:pk>/answer", ownership_doors.answer_hand_over, name="answer_hand_over"),
    path("ownership/attest", ownership_doors.ask_attestation, name="ask_attestation"),
    path("attestations/<rowid:pk>/", ownership_doors.attestation, name="attestation"),
    path("attestations/<rowid:pk>/answer", ownership_doors.attest, name="attest"),
    path("attestations/answers/<rowid:pk>/reply", remark_doors.reply_remark, name="reply_remark"),
    path("scope/", scope_doors.register, name="scope"),
    path("scope/decide", scope_doors.decide_many, name="decide_many_scopes"),
    path("scope/<rowid:pk>/", scope_doors.line, name="scope_line"),
    path("scope/decide/<str:subject>/", scope_doors.form, name="scope_decide"),
    path("scope/decide/<str:subject>/decide", scope_doors.decide, name="decide_scope"),
    path("scope/decide/<str:subject>/join", scope_doors.join, name="join_scope"),
    path("scope/parts/<rowid:pk>/release", scope_doors.release, name="release_scope"),
    path("tools/", tool_doors.tools, name="tools"),
    path("cadence/", cadence_doors.cadence, name="cadence"),
    path("cadence/set", cadence_doors.calibrate, name="calibrate"),
    path("tools/compare", tool_doors.compare, name="compare_tools"),
    path("tools/compare/weights", tool_doors.keep_weights, name="keep_weights"),
    path("tools/<str:name>/", tool_doors.one, name="tool"),
    path("tools/<str:name>/words/", meaning_doors.one, name="meaning"),
    path("tools/<str:name>/words/draft", meaning_doors.draft, name="draft_meaning"),
    path("tools/<str:name>/words/<rowid:number>/approve", meaning_doors.approve, name="approve_meaning"),
    path("tools/<str:name>/words/<rowid:number>/give-up", meaning_doors.give_up, name="give_up_meaning"),
    path("tools/<str:name>/quarantine/", quarantine_doors.one, name="quarantine"),
    path("tools/<str:name>/quarantine/<int:record>/set-aside", quarantine_doors.set_aside, name="set_aside"),
    path("tools/<str:name>/quarantine/read", quarantine_doors.read_again, name="read_again"),
    path("tools/<str:name>/test", tool_doors.test_connection, name="test_connection"),
    path("thresholds/", thresholds_doors.thresholds, name="thresholds"),
    path("thresholds/put-in-force", thresholds_doors.put_in_force, name="put_thresholds_in_force"),
    path("mappings/", mapping_doors.mappings, name="mappings"),
    path("mappings/<str:name>/", mapping_doors.one, name="mapping"),
    path("mappings/<str:name>/draft", mapping_doors.draft, name="draft_mapping"),
    path("mappings/<str:name>/<rowid:number>/approve", mapping_doors.approve, name="approve_mapping"),
    path("mappings/<str:name>/<rowid:number>/give-up", mapping_doors.give_up, name="give_up_mapping"),
    path("services/<str:code>/observed/", mapping_doors.promised_beside_observed, name="observed"),
    path("improve/", RedirectView.as_view(pattern_name="portal:rules", query_string=True), name="improve"),
    path("improve/rules/", rule_doors.rules, name="rules"),
    path("improve/rules/new/", rule_doors.new, name="new_rule"),
    path("improve/rules/save", rule_doors.save, name="save_rule"),
    path("improve/rules/suggest", rule_doors.suggest, name="suggest_rule"),
    path("improve/rules/versions/<rowid:pk>/", rule_doors.version, name="rule_version"),
    path("improve/rules/versions/<rowid:pk>/send", rule_doors.send, name="send_rule"),
    path("improve/rules/versions/<rowid:pk>/approve", rule_doors.approve, name="approve_rule"),
    path("improve/rules/versions/<rowid:pk>/give-up", rule_doors.give_up, name="give_up_rule"),
    path("improve/rules/<slug:kind>/<rowid:pk>/", rule_doors.rule, name="rule"),
    path("improve/unmatched/", rule_doors.queue, name="unmatched"),
    path("restores/", restore_plan_doors.restore_plans, name="restore_plans"),
    path("restores/<rowid:pk>/", restore_plan_doors.restore_plan, name="restore_plan"),
    path("restores/<rowid:pk>/record", restore_plan_doors.record_restore, name="record_restore"),
    path("restores/<rowid:pk>/verify", restore_plan_doors.verify_restore, name="verify_restore"),
    path("restores/<rowid:pk>/cancel", restore_plan_doors.cancel_restore, name="cancel_restore"),
    path("services/<str:code>/restores/plan", restore_plan_doors.plan_restore, name="plan_restore"),
    path("deviations/", version_doors.deviations, name="deviations"),
    path("runs/<rowid:pk>/", views.run, name="run"),
    path("incidents/", views.incidents, name="incidents"),
    path("incidents/act", queue_doors.act_on_many, name="act_on_incidents"),
    path("incidents/escalation/", escalation_doors.escalation, name="escalation"),
    path("digest/", digest_doors.digest, name="digest"),
    path("digest/choose", digest_doors.choose_digest, name="choose_digest"),
    path("digest/channels/add", own_channel_doors.add_channel, name="add_channel"),
    path("digest/channels/<int:pk>/confirm", own_channel_doors.confirm_channel, name="confirm_channel"),
    path("digest/channels/<int:pk>/again", own_channel_doors.ask_channel, name="ask_channel"),
    path("digest/channels/<int:pk>/remove", own_channel_doors.remove_channel, name="remove_channel"),
    path("incidents/messages/", message_doors.messages, name="messages"),
    path("incidents/muted/", muted_doors.muted, name="muted"),
    path("incidents/on-call/", on_call_doors.on_call, name="on_call"),
    path("incidents/on-call/<rowid:pk>/stand-in", on_call_doors.stand_in, name="stand_in"),
    path("incidents/on-call/swaps/<rowid:pk>/take-back", on_call_doors.take_back, name="take_back_swap"),
    path("reviews/", review_doors.reviews, name="reviews"),
    path("reviews/<review:number>/", review_doors.review, name="review"),
    path("reviews/<review:number>/step", review_doors.step, name="review_step"),
    path("reviews/<review:number>/write", review_doors.write, name="write_review"),
    path("reviews/<review:number>/answers", review_doors.answers, name="answer_review"),
    path("reviews/<review:number>/reread", review_doors.reread, name="reread_review"),
    path("reviews/<review:number>/actions", review_doors.add_action, name="add_review_action"),
    path("reviews/<review:number>/actions/<rowid:pk>/end", review_doors.end_action, name="end_review_action"),
    path("reviews/<review:number>/actions/<rowid:pk>/hand", review_doors.hand_action, name="hand_review_action"),
    path("reviews/<review:number>/proposals/<rowid:pk>", review_doors.answer_proposal, name="answer_entry_proposal"),
    path("incidents/<incident:number>/review", review_doors.start, name="start_review"),
    path("incidents/problems/", problem_doors.problems, name="problems"),
    path("incidents/problems/<problem:number>/", problem_doors.problem, name="problem"),
    path("incidents/problems/<problem:number>/step", problem_doors.step, name="problem_step"),
    path("incidents/problems/<problem:number>/write", problem_doors.write, name="write_problem"),
    path("incidents/problems/<problem:number>/risk", problem_doors.ask_risk, name="ask_risk"),
    path("incidents/problems/<problem:number>/risk-answer", problem_doors.answer_risk, name="answer_risk"),
    path("incidents/problems/<problem:number>/draft", problem_doors.draft, name="draft_from_problem"),
    path("incidents/known-errors/", known_error_doors.known_errors, name="known_errors"),
    path("incidents/known-errors/<knownerror:number>/", known_error_doors.known_error, name="known_error"),
    path("incidents/known-errors/<knownerror:number>/write", known_error_doors.write, name="write_known_error"),
    path("incidents/known-errors/<knownerror:number>/step", known_error_doors.step, name="known_error_step"),
    path("incidents/<incident:number>/draft", known_error_doors.draft, name="draft_from_incident"),
    path("incidents/<incident:number>/feedback", known_error_doors.feedback, name="say_whether_it_helped"),
    path("incidents/<incident:number>/", views.incident, name="incident"),
    path("incidents/<incident:number>/acknowledge", deeds.acknowledge, name="acknowledge"),
    path("incidents/<incident:number>/assign", deeds.assign, name="assign"),
    path("incidents/<incident:number>/note", deeds.note, name="note"),
    path("incidents/<incident:number>/resolve", deeds.resolve, name="resolve"),
    path("incidents/<incident:number>/step", deeds.step, name="incident_step"),
    path("incidents/<incident:number>/priority", deeds.priority, name="incident_priority"),
    path("incidents/<incident:number>/merge", deeds.merge, name="merge_incident"),
    path("incidents/<incident:number>/split", deeds.split, name="split_incident"),
    path("incidents/<incident:number>/propose", major_doors.propose_major, name="propose_major"),
    path("major/", major_doors.majors, name="majors"),
    path("major/status/", audience_doors.audience_pages, name="audience_pages"),
    path("major/status/links/make", audience_doors.make_status_link, name="make_status_link"),
    path("major/status/links/<rowid:pk>/revoke", audience_doors.revoke_status_link, name="revoke_status_link"),
    path("major/status/<slug:audience>/", audience_doors.audience, name="audience_page"),
    path("major/status/<slug:audience>/feed", audience_doors.audience_feed, name="audience_feed"),
    path("status/<slug:token>/", audience_doors.public_status, name="public_status"),
    path("status/<slug:token>/feed", audience_doors.public_feed, name="public_feed"),
    path("major/<major:number>/", major_doors.major, name="major"),
    path("major/<major:number>/declare", major_doors.declare_major, name="declare_major"),
    path("major/<major:number>/step", major_doors.major_step, name="major_step"),
    path("major/<major:number>/appoint", major_doors.appoint_to_major, name="appoint_to_major"),
    path("major/<major:number>/interval", major_doors.set_major_interval, name="set_major_interval"),
    path("major/<major:number>/updates/draft", update_doors.draft_update, name="draft_update"),
    path("major/<major:number>/updates/<rowid:pk>/", update_doors.major_update, name="major_update"),
    path("major/<major:number>/updates/<rowid:pk>/reword", update_doors.reword_update, name="reword_update"),
    path("major/<major:number>/updates/<rowid:pk>/render", update_doors.render_update, name="render_update"),
    path("major/<major:number>/updates/<rowid:pk>/send", update_doors.send_update, name="send_update"),
    path("major/<major:number>/updates/<rowid:pk>/withdraw", update_doors.withdraw_update, name="withdraw_update"),
    path("evidence/", RedirectView.as_view(pattern_name="portal:duties", query_string=True), name="evidence"),
    path("evidence/duties/", duty_doors.duties, name="duties"),
    path("reports/recounted/", reconciliation_doors.reconciliation, name="reconciliation"),
    path("reports/recounted/<rowid:pk>/explain", reconciliation_doors.explain_discrepancy, name="explain_discrepancy"),
    path("reports/", report_doors.reports, name="reports"),
    path("reports/<rowid:pk>/", report_doors.report, name="report"),
    path("reports/<rowid:pk>/again", report_doors.report_again, name="report_again"),
    path("reports/<rowid:pk>/compile", report_doors.report_compile, name="report_compile"),
    path("reports/<rowid:pk>/override", report_doors.report_override, name="report_override"),
    path("reports/preview/<slug:audience>", report_doors.report_preview, name="report_preview"),
    path("reports/<rowid:pk>/<str:name>", report_doors.report_file, name="report_file"),
    path("methods/", method_doors.methods, name="methods"),
    path("methods/<str:method_id>/", method_doors.method, name="method"),
    path("methods/<str:method_id>/<slug:version>/", method_doors.method, name="method"),
    path("explain/<explainkind:kind>/<str:key>/", views.explain, name="explain"),
    path("explain/<explainkind:kind>/<str:key>/again", views.explain_again, name="explain_again"),
]
