"""The portal's doors: sign-in, rights, time, safety, and every page that there is."""

import re

import pytest
from django.urls import reverse

from incidents.models import Incident
from itsm_backup.portal.urls import urlpatterns
from monitoring.models import Alert, BackupRun
from tests.portal.makers import make_person

pytestmark = pytest.mark.django_db
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture
def pages(estate_now):
    """Every page that can be read, as its address."""
    return [
        "/",
        "/?by=department",
        "/first-steps/",
        "/search?q=imaging",
        "/services/",
        "/services/SVC-003/",
        "/services/SVC-033/",
        "/services/SVC-003/runs/",
        "/services/SVC-003/graph/",
        "/services/matrix/",
        "/services/matrix/?column=SVC-003&kind=depends_on",
        "/services/graph/",
        "/services/relations/",
        "/calendar/",
        "/calendar/?trouble=yes&by=department&rows=compact",
        "/services/SVC-003/calendar/",
        f"/services/SVC-003/days/{estate_now.at:%Y-%m-%d}/",
        f"/services/SVC-033/days/{estate_now.at:%Y-%m-%d}/",
        "/evidence/duties/",
        "/services/SVC-003/versions/",
        "/services/SVC-003/versions/1/",
        "/services/SVC-003/versions/1..1/",
        "/services/SVC-003/commitment/",
        "/services/SVC-003/status/",
        "/services/SVC-003/objectives/",
        "/services/SVC-033/objectives/",
        "/thresholds/?fall_after=1&days=30",
        "/deviations/",
        "/services/retired/",
        "/services/SVC-003/retirement/",
        "/services/SVC-003/history/",
        "/services/detected/",
        "/tools/",
        "/tools/bkp-ctl-02/",
        "/tools/bkp-ctl-02/words/",
        "/tools/bkp-ctl-02/quarantine/",
        "/cadence/",
        "/reports/recounted/",
        "/restores/",
        "/incidents/muted/",
        "/incidents/messages/",
        "/digest/",
        "/tools/compare?c=tool:bkp-ctl-02&c=kind:restic&w_read_runs=9",
        "/ownership/",
        "/services/SVC-003/ownership/",
        f"/runs/{BackupRun.objects.filter(service=estate_now.imaging).latest('pk').pk}/",
        "/incidents/",
        "/incidents/escalation/?days=90",
        "/incidents/on-call/",
        "/incidents/problems/",
        "/incidents/known-errors/?q=disk",
        "/major/",
        "/major/status/business/",
        "/reviews/",
        "/reviews/?view=published&q=pool",
        "/reviews/?view=mine",
        f"/incidents/{Incident.objects.get().number}/",
        f"/incidents/{Incident.objects.get().number}/?impact=opening",
        "/reports/",
        "/methods/",
        "/methods/BM-ANO-WD/1/",
        "/improve/rules/",
        "/improve/rules/?kind=cause",
        "/improve/unmatched/",
        "/explain/status/SVC-003/",
        f"/explain/alert/{Alert.objects.latest('pk').pk}/",
    ]


def test_every_page_opens_and_obeys_the_strict_policy(client, root, pages):
    client.force_login(root, backend=BACKEND)
    for page in pages:
        response = client.get(page)
        text = response.content.decode()
        assert response.status_code == 200, page
        assert "script-src 'self'" in response["Content-Security-Policy"]
        assert response["Cache-Control"] == "private, no-store"
        assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=|javascript:", text), page
        assert text.count("<h1") == 1, page
        assert '<main id="main"' in text and 'class="skip"' in text


def test_every_page_is_for_signed_in_people(client, pages):
    for page in pages:
        response = client.get(page)
        assert response.status_code == 302 and response["Location"].startswith("/accounts/login/?next="), page


def test_every_page_answers_head_as_it_answers_get(client, root, pages):
    client.force_login(root, backend=BACKEND)
    for page in pages:
        answer = client.head(page)
        assert (answer.status_code, answer.content) == (200, b""), page


def test_every_link_on_every_page_leads_somewhere(client, root, pages):
    client.force_login(root, backend=BACKEND)
    links = {link for page in pages for link in re.findall(r'href="(/[^"#]*)', client.get(page).content.decode())}
    broken = [link for link in sorted(links) if "/static/" not in link and client.get(link.replace("&amp;", "&")).status_code >= 400]
    assert not broken


def test_the_past_keeps_to_itself_and_offers_no_deed(client, pages, estate_now):
    client.force_login(make_person("operator", estate_now.at), backend=BACKEND)
    then = f"{estate_now.at:%Y-%m-%dT%H:%MZ}"
    for page in pages:
        if page.startswith(("/first-steps", "/digest/")):  # of now
            continue
        text = client.get(f"{page}{'&' if '?' in page else '?'}as_of={then}").content.decode()
        assert "You are looking at" in text and "Back to now" in text, page
        forms = re.findall(r'<form method="post" action="([^"]*)"', text)
        assert {form for form in forms if not form.startswith(("/display", "/accounts/", "/explain/"))} == set(), page


@pytest.mark.parametrize("instant", ["0001-01-01T00:00Z", "1969-12-31T23:59Z", "9000-01-01T00:00Z", "0001-01-01"])
def test_no_page_shows_an_instant_that_no_calendar_can_reckon_with(client, root, pages, instant):
    client.force_login(root, backend=BACKEND)
    answers = {page: client.get(f"{page}{'&' if '?' in page else '?'}as_of={instant}").status_code for page in pages}
    assert set(answers.values()) == {400}, answers


@pytest.mark.parametrize("on", ["0001-01-01", "0001-01-02", "1969-12-31", "9999-12-31"])
def test_no_page_shows_a_day_that_no_calendar_can_reckon_with(client, root, estate_now, on):
    client.force_login(root, backend=BACKEND)
    assert client.get(f"/services/SVC-003/days/{on}/").status_code == 404
    assert client.get(f"/calendar/?ending={on}").status_code == 200
    assert client.get(f"/services/SVC-003/calendar/?month={on[:7]}").status_code == 200
    assert client.get(f"/search?q={on}").status_code == 200
    assert client.get(f"/services/SVC-003/runs/?before={on}T00:00%2B14:00").status_code == 200


@pytest.mark.parametrize("text", ["nonsense", "2999-01-01T00:00Z", "2026-02-30"])
def test_a_bad_instant_is_told_not_thrown(client, root, estate_now, text):
    client.force_login(root, backend=BACKEND)
    response = client.get(f"/services/?as_of={text}")
    assert response.status_code == 400
    assert "That instant cannot be shown" in response.content.decode()


@pytest.mark.parametrize(
    "path",
    [
        "/services/nothing/",
        "/services/SVC-003%00/",
        "/services/nothing/calendar/",
        "/services/nothing/days/2026-07-14/",
        "/services/SVC-003/days/2026-02-30/",
        "/incidents/INC-9999/",
        "/runs/99999/",
        "/runs/999999999999999999/",
        "/explain/alert/0/",
        "/services/?text=%00",
        "/x",
    ],
)
def test_what_is_not_there_is_404_in_our_words(client, root, estate_now, path):
    client.force_login(root, backend=BACKEND)
    response = client.get(path)
    assert response.status_code == 404
    assert "There is nothing at this address for you" in response.content.decode()


def test_what_one_may_not_see_looks_like_what_is_not_there(client, estate_now):
    somebody = make_person("stakeholder", estate_now.at, services=[estate_now.research])
    client.force_login(somebody, backend=BACKEND)
    run = BackupRun.objects.filter(service=estate_now.imaging).first()
    today = f"/services/SVC-003/days/{estate_now.at:%Y-%m-%d}/"
    assert client.get(today, headers={"X-Fragment": "card"}).status_code == 404
    for path in (
        "/services/SVC-003/",
        "/services/SVC-003/runs/",
        "/services/SVC-003/calendar/",
        today,
        f"/runs/{run.pk}/",
        f"/incidents/{Incident.objects.get().number}/",
    ):
        assert client.get(path).status_code == 404, path
    for path in ("/", "/services/", "/calendar/", "/calendar/?format=csv", "/incidents/", "/search?q=imaging"):
        assert "Imaging" not in client.get(path).content.decode().replace("for “imaging”", ""), path


@pytest.mark.parametrize("page", ["?page=0", "?page=-1", "?page=x", "?page=99999999999"])
def test_an_odd_page_number_is_a_page(client, root, estate_now, page):
    client.force_login(root, backend=BACKEND)
    assert client.get(f"/services/{page}").status_code == 200
    assert client.get(f"/incidents/{page}").status_code == 200


def test_the_csv_is_a_download(client, root, estate_now):
    client.force_login(root, backend=BACKEND)
    response = client.get("/services/?format=csv&tier=1")
    assert response["Content-Type"].startswith("text/csv")
    assert response["Content-Disposition"] == 'attachment; filename="services.csv"'


def test_theme_and_keys_are_remembered_by_the_browser(client, root, estate_now):
    client.force_login(root, backend=BACKEND)
    response = client.post("/display", {"theme": "dark", "letter_keys": "off", "next": "/services/"})
    assert response["Location"] == "/services/"
    text = client.get("/services/").content.decode()
    assert 'data-theme="dark"' in text and 'data-letter-keys="off"' in text
    client.post("/display", {"theme": '"><script>'})
    assert "data-theme" not in client.get("/services/").content.decode()


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_going_back_never_leaves_the_site(client, root, target):
    client.force_login(root, backend=BACKEND)
    assert client.post("/display", {"theme": "dark", "next": target})["Location"] == "/"


def test_a_failing_page_gives_a_reference_that_stands_in_the_log(client, root, estate_now, monkeypatch, caplog):
    client.force_login(root, backend=BACKEND)
    client.raise_request_exception = False
    monkeypatch.setattr("itsm_backup.portal.service_list.worst_first", lambda rows: 1 / 0)
    response = client.get("/services/")
    text = response.content.decode()
    assert response.status_code == 500
    reference = re.search(r'<dd class="mono">([0-9a-f]{12})</dd>', text)[1]
    assert reference in caplog.text
    assert "ZeroDivisionError" not in text


def test_a_page_takes_few_queries_also_for_somebody_with_limited_rights(client, estate_now, pages, django_assert_max_num_queries):
    operator = make_person("operator", estate_now.at, services=[estate_now.imaging, estate_now.reporting, estate_now.research])
    client.force_login(operator, backend=BACKEND)
    client.get("/")
    for page in pages:
        if page.startswith(("/evidence/", "/thresholds/", "/incidents/escalation/", "/incidents/on-call/")):
            continue  # not for limited rights: tests/portal/test_duties_page.py
        if page.startswith(("/incidents/problems/", "/incidents/known-errors/")) or page == "/major/":
            assert client.get(page).status_code == 403, page  # they name tools
            continue
        checked = any(part in page for part in ("/versions/1", "/commitment/", "ownership/"))  # with the checks of the promise, and gaps
        # 3 of the person and their rights; a day is told from twelve sides, a digest from sixteen
        with django_assert_max_num_queries(
            26
            if checked or page == "/digest/"
            else 18
            if "/days/" in page or "/improve/" in page
            else 20  # one or two for each part of the entry, in words
            if page.endswith("/history/")
            else 15
            if page == "/first-steps/"
            else 14
        ):
            assert client.get(page).status_code == 200, page


def test_every_address_of_the_portal_is_tried_here_or_is_a_deed(pages):
    names = {pattern.name for pattern in urlpatterns}
    deeds = {"choose_digest", "acknowledge", "assign", "note", "resolve", "explain_again", "display",
             "version_approve", "version_return", "version_withdraw", "version_comment", "version_again",
             "hand_over", "answer_hand_over", "ask_attestation", "attest", "reply_remark", "ask_risk",
             "answer_risk"}  # fmt: skip
    deeds |= {"add_channel", "confirm_channel", "ask_channel", "remove_channel"}
    elsewhere = {"report", "report_file", "report_again", "report_compile"}  # tests/portal/test_report_pages.py
    deeds |= {"change_cells", "import_relations", "accept_relation", "reject_relation", "propose_relation_again", "take_back_relation"}
    elsewhere |= {"report_preview", "report_override"}
    elsewhere |= {"attestation"}  # tests/portal/test_ownership_pages.py
    read = {"estate", "guide", "search", "services", "service", "runs", "run", "incidents", "incident", "reports", "explain",
            "versions", "version", "compare", "commitment", "deviations", "ownership", "entry_ownership"}  # fmt: skip
    read |= {"retired", "retirement", "entry_history"}
    deeds |= {"retirement_act"}  # tests/portal/test_retirement_pages.py
    read |= {"matrix", "estate_graph", "relations", "service_graph", "duties", "calendar", "service_calendar", "day"}
    deeds |= {"start_batch", "stop_batch", "submit_batch", "approve_many"}
    elsewhere |= {"import_entries", "export_entries", "batches", "batch", "approvals"}  # tests/portal/test_batches.py
    deeds |= {"decide_scope", "decide_many_scopes", "join_scope", "release_scope"}
    elsewhere |= {"scope", "scope_line", "scope_decide"}  # tests/portal/test_scope_pages.py
    read |= {"detected", "status", "thresholds", "cadence", "reconciliation", "restore_plans", "muted", "messages", "digest"}
    deeds |= {"calibrate", "explain_discrepancy"}
    elsewhere |= {"restore_plan", "plan_restore"}  # tests/browser/test_restore_tests.py
    deeds |= {"record_restore", "verify_restore", "cancel_restore"}
    deeds |= {"settle_detected", "set_status", "end_status", "put_thresholds_in_force"}
    deeds |= {"test_connection", "keep_weights", "draft_meaning", "approve_meaning", "give_up_meaning", "read_again", "set_aside"}
    read |= {"tools", "tool", "compare_tools", "meaning", "quarantine"}
    deeds |= {"draft_mapping", "approve_mapping", "give_up_mapping"}
    elsewhere |= {"mappings", "mapping", "observed", "evidence"}  # tests/browser/test_mappings.py, tests/portal/test_duties_page.py
    deeds |= {"compare_again", "link_items", "unlink_item", "decide_conflict"}
    elsewhere |= {"agreement", "agreement_of", "agreement_items"}  # tests/portal/test_agreement_pages.py
    deeds |= {"save_rule", "suggest_rule", "send_rule", "approve_rule", "give_up_rule"}
    elsewhere |= {"rule", "rule_version", "new_rule", "improve"}  # tests/portal/test_rule_pages.py
    read |= {"rules", "unmatched", "escalation"}
    read |= {"rules", "unmatched", "methods", "method", "objectives"}
    read |= {"on_call"}
    deeds |= {"stand_in", "take_back_swap"}
    deeds |= {"act_on_incidents", "incident_step", "incident_priority", "merge_incident", "split_incident"}
    deeds |= {"problem_step", "write_problem", "draft_from_problem", "write_known_error", "known_error_step"}
    deeds |= {"draft_from_incident", "say_whether_it_helped"}
    elsewhere |= {"problem", "known_error"}  # tests/browser/test_problems.py
    read |= {"problems", "known_errors", "majors"}
    elsewhere |= {"major"}  # tests/browser/test_major_incidents.py
    elsewhere |= {"major_update"}
    read |= {"audience_page"}
    elsewhere |= {"audience_pages", "audience_feed", "public_status", "public_feed"}  # tests/portal/test_audience_pages.py
    deeds |= {"make_status_link", "revoke_status_link"}
    deeds |= {"draft_update", "reword_update", "render_update", "send_update", "withdraw_update"}
    deeds |= {"propose_major", "declare_major", "major_step", "appoint_to_major", "set_major_interval"}
    read |= {"problems", "known_errors", "reviews"}
    elsewhere |= {"review"}  # tests/portal/test_reviews_page.py
    deeds |= {"start_review", "review_step", "write_review", "answer_review", "reread_review", "add_review_action"}
    deeds |= {"end_review_action", "hand_review_action", "answer_entry_proposal"}
    assert names == read | deeds | elsewhere
    assert all(page.startswith(reverse("portal:estate")) for page in pages)
