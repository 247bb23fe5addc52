"""Incidents: list, page, and what people do there."""

from types import SimpleNamespace

import pytest

from catalogue.models import Relation
from incidents import announcing, assigning, merging, working
from incidents.models import Incident, IncidentEntry, OwnChannel
from incidents.reaching import Recipient
from itsm_backup.common.models import Notice, because
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.impact_tree import _cause
from itsm_backup.portal.incident_list import incidents_page
from itsm_backup.portal.incident_page import find, incident_page
from itsm_backup.portal.incident_told import BEFORE_SUBJECT
from itsm_backup.portal.trouble import handled_in
from itsm_backup.portal.words import person
from monitoring.models import Alert
from tests.factories import make_service, make_user
from tests.portal.makers import HOUR, make_person

pytestmark = pytest.mark.django_db


def page_of(estate, user, moment=None):
    moment = moment or estate.moment
    return incident_page(incident=find(number=Incident.objects.get().number, user=user, moment=moment), user=user, moment=moment)


def test_the_list_shows_open_mine_and_resolved(estate, root):
    incident = Incident.objects.get()
    page = incidents_page(user=root, moment=estate.moment, view="", page=1)
    assert (page.sentence, page.rows[0].number, page.rows[0].service.words) == ("1 incident is open.", incident.number, "Imaging archive")
    assert incidents_page(user=root, moment=estate.moment, view="mine", page=1).sentence == "0 open incidents with you."
    working.take(incident=incident, by=root, at=estate.at)
    assert incidents_page(user=root, moment=estate.moment, view="mine", page=1).sentence == "1 open incident with you."
    assert incidents_page(user=root, moment=estate.moment, view="resolved", page=1).sentence == "0 incidents resolved."


def test_the_queue_of_the_past_names_nobody_who_took_it_later(estate, root):
    working.take(incident=Incident.objects.get(), by=root, at=estate.at + HOUR)
    for at, who in ((estate.at, "Nobody yet"), (estate.at + HOUR, "root")):
        page = incidents_page(user=root, moment=Moment(at=at, now=estate.at + 2 * HOUR), view="", page=1, asked={"assignee": "nobody"})
        assert [row.assignee for row in page.rows] == [who]
        assert [name for name, *_ in page.filters.selects] == ["priority"]


def test_an_incident_is_not_known_before_it_was_noticed(estate, root):
    early = Moment(at=estate.at - 2 * HOUR, now=estate.at)
    assert incidents_page(user=root, moment=early, view="", page=1).sentence == "No incident was open."
    assert find(number=Incident.objects.get().number, user=root, moment=early) is None


def test_what_is_over_shows_who_felt_it_when_it_opened_and_the_present_where_it_is_asked_for(estate, root):
    incident = Incident.objects.get()

    def told(impact=""):
        page = incident_page(
            incident=find(number=incident.number, user=root, moment=estate.moment), user=root, moment=estate.moment, impact=impact
        )
        return page.impact.note, page.impact.other.words

    assert told()[1] == "As it was when it opened"
    how = {"resolution": "fixed", "cause": "storage"}
    working.move(incident=incident, to="resolved", reason="A disk was added", by=root, at=estate.at, **how)
    assert told() == told("opening") and told()[1] == "As it is now"
    assert told("now")[0].startswith("From the relations of the catalogue as they stand now")


def test_a_resolved_incident_was_open_then(estate, root):
    working.move(
        incident=Incident.objects.get(),
        to="resolved",
        resolution="fixed",
        cause="storage",
        reason="moved to another pool",
        by=root,
        at=estate.at + HOUR,
    )
    then = incidents_page(user=root, moment=Moment(at=estate.at, now=estate.at + 2 * HOUR), view="", page=1)
    assert [row.state for row in then.rows] == ["New"]


def test_the_queue_of_the_past_says_where_it_was_handed_on_since(estate, root):
    other, now = make_person("operator", estate.at), estate.at + 3 * HOUR

    def then(hours, view="", user=root):
        return [
            row.assignee for row in incidents_page(user=user, moment=Moment(at=estate.at + hours * HOUR, now=now), view=view, page=1).rows
        ]

    working.take(incident=Incident.objects.get(), by=root, at=estate.at + HOUR)
    assert then(0) == then(0, "free") == ["Nobody yet"] and then(0, "mine") == []
    assert then(1) == then(1, "mine") == [person(root)] and then(1, "free") == []
    assigning.assign(incident=Incident.objects.get(), assignee=other, by=root, at=estate.at + 2 * HOUR)
    assert then(0) == ["Nobody yet"] and then(1) == ["Handed on since"] and then(2) == ["Operator Person"]
    assert then(1, "mine", other) == [] and then(2, "mine", other) == ["Operator Person"]
    state = {label: str(value) for label, value, _ in page_of(estate, root, Moment(at=estate.at + HOUR, now=now)).facts}["State"]
    assert state == "In progress"


def test_the_page_tells_facts_impact_alerts_and_story(estate, root):
    page = page_of(estate, root)
    facts = {label: str(value) for label, value, _ in page.facts}
    assert facts["Priority"] == "P1" and facts["State"] == "New" and "Imaging archive" in facts["Hit hardest"]
    heads = {branch.head: [name for name, *_ in branch.members] for branch in page.branches}
    assert heads["Services hit"] == ["Imaging archive"]
    assert heads["Depends on it"] == ["Radiology reporting"]
    assert heads["Who feels it"] == ["Radiology"]
    assert page.impact.tree.sentence == "Imaging archive: 1 service depends on it."
    assert {alert.verdict for alert in page.alerts} == {"broken"}
    assert page.story[-1].text.startswith("Opened for: ")


def test_the_story_says_what_became_of_each_mail(estate, root):
    def mails():
        return [story.who for story in page_of(estate, root).story if story.text.startswith("Mail to")]

    Notice.objects.update(attempts=0, sent_at=None)
    assert mails() == ["Not sent yet"]
    Notice.objects.update(attempts=8, latest_error="The mail server refuses.")
    assert mails() == ["Not sent yet, 8 attempts: The mail server refuses."]
    Notice.objects.update(sent_at=estate.at)
    assert mails() == [f"Sent {estate.at:%d %b %H:%M} UTC"]


def test_each_recipient_of_a_level_is_told_of_with_the_fate_of_their_own_message(estate, root):
    incident = Incident.objects.get()
    with because("test"):
        own = [OwnChannel.objects.create(person=root, name=name, kind="service", secrets={"address": "ntfy://x/y"}, asked_at=estate.at)
               for name in ("Phone", "Phone at home")]  # fmt: skip
    whom = [
        Recipient(who="Olive Post", address="olive@example.org"),
        Recipient(who="Storage", address="storage@example.org", why="instead of Ben Low, who is not there"),
        Recipient(who="Room", address="Room", channel="Room"),
        *(Recipient(who=f"root, {one.name}", address=one.key, channel=one.key) for one in own),
    ]
    announcing._write(incident, "opened", f"[{incident.number}] P3 Once more", None, estate.at, {"rule": "x"}, whom, key="opened/9.1.0")
    refused = Notice.objects.filter(key__startswith=f"incident/{incident.pk}/opened/9", recipient__in=["Room", own[0].key])
    Notice.objects.exclude(pk__in=refused).update(sent_at=estate.at, attempts=1)
    assert refused.update(sent_at=None, attempts=6, latest_error="No address.") == 2
    told = {one.text.partition(": [")[0]: one.who for one in page_of(estate, root).story if "Once more" in one.text}
    sent, waits = f"Sent {estate.at:%d %b %H:%M} UTC", "Not sent yet, 6 attempts: No address."
    assert told == {
        "Mail to olive@example.org": sent,
        "Mail to storage@example.org instead of Ben Low, who is not there": sent,
        "Message to Room": waits,
        "Message to root, Phone": waits,
        "Message to root, Phone at home": sent,
    }


def test_the_top_of_the_page_says_who_was_told_last(client, estate, root):
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    page = client.get(f"/incidents/{Incident.objects.get().number}/").content.decode()
    top = page[: page.index('id="impact-title"')]
    assert "Told last: Storage" in top
    Notice.objects.update(attempts=2, sent_at=None, given_up_at=None, latest_error="Connection refused")
    again = client.get(f"/incidents/{Incident.objects.get().number}/").content.decode()
    assert "Not sent yet, 2 attempts: Connection refused." in again[: again.index('id="impact-title"')], "nobody was told"
    Notice.objects.update(sent_at=estate.at)
    again = client.get(f"/incidents/{Incident.objects.get().number}/").content.decode()
    assert "Not sent" not in again[: again.index('id="impact-title"')]
    incident = Incident.objects.get()
    IncidentEntry.objects.create(
        incident=incident, at=estate.at + HOUR, kind="mail", text=f"Mail to ward@example.org: [{incident.number}] P5"
    )
    later = page_of(estate, root, Moment(at=estate.at + HOUR, now=estate.at + HOUR))
    assert later.told_last.who == later.latest_told[0].who == "Mail to ward@example.org", "as the list beside it says"


def test_services_one_may_not_see_are_counted_not_named(estate):
    somebody = make_person("stakeholder", estate.at, services=[estate.imaging])
    page = page_of(estate, somebody)
    assert "Radiology reporting" not in str(page)
    assert page.impact.note.endswith("1 more service that you may not see")


def test_only_who_may_see_an_alert_of_it_sees_the_incident(estate):
    somebody = make_person("stakeholder", estate.at, services=[estate.research])
    assert find(number=Incident.objects.get().number, user=somebody, moment=estate.moment) is None
    assert incidents_page(user=somebody, moment=estate.moment, view="", page=1).rows == ()


def test_an_operator_may_work_and_a_stakeholder_is_told_who_can(estate):
    operator, stakeholder = make_person("operator", estate.at), make_person("stakeholder", estate.at)
    deeds = page_of(estate, operator).deeds
    assert (deeds.acknowledge, deeds.note, deeds.resolve) == (True, True, True)
    assert next((head, [choice.words for choice in group]) for head, group in deeds.whom) == ("People", ["Operator Person"])
    refused = page_of(estate, stakeholder).deeds
    assert (refused.acknowledge, refused.note, refused.resolve) == (False, False, False)
    assert refused.refusal == "Operators can work on this. Operator Person can."


def test_a_page_of_the_past_counts_only_relations_that_were_known_then(estate, root):
    with because("Forgotten until now"):
        Relation.objects.create(consumer=make_service("LATE", at=estate.at - 5 * HOUR, name="Late ward"), provider=estate.imaging)

    def depending(at, now):
        heads = {branch.head: branch.members for branch in page_of(estate, root, Moment(at=at, now=now)).branches}
        return [name for name, *_ in heads["Depends on it"]]

    assert depending(estate.at, estate.at) == ["Radiology reporting", "Late ward"]
    assert depending(estate.at, estate.at + HOUR) == ["Radiology reporting"], "who looked then did not know of the other"


def test_nobody_works_on_the_past(estate):
    operator = make_person("operator", estate.at)
    deeds = page_of(estate, operator, Moment(at=estate.at - HOUR / 4, now=estate.at)).deeds
    assert not (deeds.acknowledge or deeds.whom or deeds.note or deeds.resolve or deeds.steps or deeds.merge)
    assert "Go back to now" in deeds.refusal


@pytest.fixture
def at_work(estate_now, client):
    """An operator signed in, with the incident's address."""
    operator = make_person("operator", estate_now.at)
    client.force_login(operator, backend="django.contrib.auth.backends.ModelBackend")
    return client, operator, f"/incidents/{Incident.objects.get().number}/"


def test_acknowledging_takes_it(at_work):
    client, operator, address = at_work
    response = client.post(f"{address}acknowledge", follow=True)
    assert response.redirect_chain == [(address, 302)]
    assert Incident.objects.get().assignee == operator
    assert "You have taken INC-" in response.content.decode()


def test_handing_it_on_is_in_the_story(at_work, estate_now):
    client, _, address = at_work
    other = make_person("operator", estate_now.at)
    client.post(f"{address}assign", {"whom": f"person:{other.pk}"})
    incident = Incident.objects.get()
    assert (incident.assignee, incident.state) == (other, "in_progress")
    assert incident.entries.filter(text="Handed to Operator Person").exists()


@pytest.mark.parametrize("whom", ["", "person:0", "person:99999999999999999", "x", "person:-1", "team:0", "team:", "role:1"])
def test_it_is_handed_to_nobody_who_may_not_work_on_it(at_work, whom):
    client, _, address = at_work
    if whom == "person:0":
        whom = f"person:{make_user('passer-by').pk}"
    response = client.post(f"{address}assign", {"whom": whom})
    assert response.status_code == 409
    assert "Choose somebody who may work on incidents, or a team." in response.content.decode()
    assert Incident.objects.get().assignee is None


def test_a_note_is_kept_as_text(at_work):
    client, _, address = at_work
    page = client.post(f"{address}note", {"text": "<b>freed 2 TB</b>\nretry\x00 at 11:30"}, follow=True).content.decode()
    assert "&lt;b&gt;freed 2 TB&lt;/b&gt;<br>retry at 11:30" in page
    assert "Operator Person</span>" in page


def test_a_note_that_is_too_long_is_refused_and_not_cut(at_work):
    client, _, address = at_work
    response = client.post(f"{address}note", {"text": "x" * 200_000})
    assert response.status_code == 409
    assert "That is 200,000 characters, and 4,000 fit." in response.content.decode()
    assert not Incident.objects.get().entries.filter(kind="note").exists()


def test_resolving_without_a_reason_is_refused_and_keeps_the_form_open(at_work):
    client, _, address = at_work
    response = client.post(f"{address}resolve", {"reason": "  "})
    page = response.content.decode()
    assert response.status_code == 409
    assert "Say why INC-" in page and '<details class="more" open>' in page
    assert Incident.objects.get().state == "new"


def test_resolving_with_a_reason_ends_it(at_work):
    client, _, address = at_work
    client.post(f"{address}resolve", {"resolution": "fixed", "cause": "storage", "reason": "Moved to another pool"})
    assert Incident.objects.get().state == "resolved"
    page = client.get(address).content.decode()
    assert "is resolved." in page and "Acknowledge INC-" not in page


def test_a_form_that_came_too_late_says_what_is_possible(at_work):
    client, _, address = at_work
    client.post(f"{address}acknowledge")
    response = client.post(f"{address}acknowledge")
    assert response.status_code == 409
    assert "is in progress already, with " in response.content.decode()


def test_who_may_only_look_is_refused_and_who_may_not_look_finds_nothing(estate_now, client):
    address = f"/incidents/{Incident.objects.get().number}/note"
    for limit, status in ((estate_now.imaging, 403), (estate_now.research, 404)):
        somebody = make_person("stakeholder", estate_now.at, services=[limit])
        client.force_login(somebody, backend="django.contrib.auth.backends.ModelBackend")
        assert client.post(address, {"text": "x"}).status_code == status
    assert not Incident.objects.get().entries.filter(kind="note").exists()


def test_acts_are_never_done_by_looking_which_leads_back_to_the_page(at_work):
    client, _, address = at_work
    before = Incident.objects.get().updated_at
    for act in ("acknowledge", "assign", "note", "resolve", "merge", "propose", "review", "draft", "feedback"):
        answer = client.get(f"{address}{act}")
        assert (answer.status_code, answer.url) == (302, address), act
    assert (Incident.objects.get().state, Incident.objects.get().updated_at) == ("new", before)
    assert client.put(f"{address}note").status_code == 405


def test_of_very_many_that_depend_on_it_the_nearest_are_listed_and_the_rest_counted(estate, root, monkeypatch):
    from itsm_backup.portal import impact_tree

    imaging = Incident.objects.get().service
    for number in range(8):
        with because("estate"):
            Relation.objects.create(consumer=make_service(f"WARD-{number}", at=estate.at - 2 * HOUR), provider=imaging)
    monkeypatch.setattr(impact_tree, "MOST_LISTED", 6)
    page = page_of(estate, root)
    listed = next([name for name, *_ in branch.members] for branch in page.branches if branch.head == "Depends on it")
    assert len(listed) == 7 and listed[-1] == "and 3 more"
    assert "and 4 more" in str(page.impact.tree.svg), "the picture has six boxes"


@pytest.mark.parametrize(
    ("told", "parts"),
    [
        ("Mail to a@b.example: [INC-0001] P3 archive failed", ["Mail to a@b.example", "[INC-0001] P3 archive failed"]),
        ("Mail to a@b.example (not sent: replayed): [INC-0001] P3", ["Mail to a@b.example (not sent: replayed)", "[INC-0001] P3"]),
        ("Nobody was told: Standard, level 1, reaches nobody.", ["Nobody was told", "Standard, level 1, reaches nobody."]),
    ],
)
def test_whom_and_what_of_a_message_are_told_apart(told, parts):
    assert BEFORE_SUBJECT.split(told, maxsplit=1) == parts


def test_what_was_cancelled_handles_nothing_any_more(estate, root):
    alert = Alert.objects.filter(incident_alert__isnull=False).select_related("incident_alert__incident").first()
    assert handled_in([alert], estate.moment)[0].words == alert.incident_alert.incident.number
    working.move(incident=Incident.objects.get(), to="cancelled", reason="A test", by=root, at=estate.at)
    alert = Alert.objects.select_related("incident_alert__incident").get(pk=alert.pk)
    assert handled_in([alert], Moment(at=estate.at + HOUR, now=estate.at + HOUR))[1] == "Watching, no incident"


def test_a_merge_into_nothing_says_so_at_the_field(at_work):
    client, _, address = at_work
    page = client.post(f"{address}merge", {"into": "INC-9999", "reason": "the same"}).content.decode()
    assert "There is no incident INC-9999 that you may work on." in page and 'id="into-error"' in page
    assert 'id="merge-error"' not in page


def test_an_old_page_hands_nothing_on(at_work, estate_now):
    client, _, address = at_work
    other, third = make_person("operator", estate_now.at), make_person("operator", estate_now.at)
    was = assigning.whose(Incident.objects.get())
    client.post(f"{address}assign", {"whom": f"person:{other.pk}", "was": was})
    late = client.post(f"{address}assign", {"whom": f"person:{third.pk}", "was": was})
    assert late.status_code == 409 and "meanwhile" in late.content.decode()
    assert Incident.objects.get().assignee == other
    assert f'name="was" value="person:{other.pk}"' in late.content.decode()


def test_one_that_was_merged_says_where_its_alerts_went(estate, root):
    first = Incident.objects.get()
    other = Incident.objects.create(
        cause_key="other", title="Another", opened_at=estate.at, updated_at=estate.at, priority="P4", impact="low", urgency="low"
    )
    merging.merge(incident=first, into=other, reason="the same", by=root, at=estate.at)
    found = find(number=first.number, user=root, moment=estate.moment)
    page = incident_page(incident=found, user=root, moment=estate.moment)
    assert page.alerts_went_to is not None and page.alerts_went_to.words == other.number


def test_the_card_says_what_became_of_each_mail(estate, root):
    def became():
        return {(row.verdict, row.became) for row in page_of(estate, root).latest_told}

    Notice.objects.update(attempts=3, sent_at=None, latest_error="Connection refused")
    assert became() == {("at_risk", "Not sent yet, 3 attempts: Connection refused")}
    Notice.objects.update(given_up_at=estate.at)
    assert became() == {("broken", "Given up after 3 attempts: Connection refused")}
    Notice.objects.update(attempts=0, latest_error=announcing.REPLAYED)
    assert became() == {("no_data", announcing.REPLAYED)}, "it says once that it was not sent"
    Notice.objects.update(sent_at=estate.at, given_up_at=None)
    assert became() == {("kept", f"Sent {estate.at:%d %b %H:%M} UTC")}


@pytest.mark.parametrize(
    ("act", "sent", "why"),
    [
        ("assign", {"whom": ""}, "Choose somebody who may work on incidents, or a team."),
        ("merge", {"into": "INC-9999", "reason": "the same"}, "There is no incident INC-9999 that you may work on."),
        ("note", {"text": "x" * 5_000}, "That is 5,000 characters, and 4,000 fit."),
        ("resolve", {"reason": ""}, "Say why INC-"),
    ],
)
def test_a_refusal_stands_once_in_its_form(at_work, act, sent, why):
    client, _, address = at_work
    page = client.post(f"{address}{act}", sent).content.decode()
    assert page.count(why) == 1 and 'role="alert"' in page.partition(why)[0].rpartition("<")[2]


def test_a_refusal_whose_form_is_gone_stands_on_top(at_work):
    client, _, address = at_work
    client.post(f"{address}acknowledge")
    page = client.post(f"{address}acknowledge").content.decode()
    assert page.count("is in progress already, with ") == 1 and '<li class="note note--broken">INC-' in page


def test_why_there_is_nothing_to_do_stands_once(at_work, estate_now):
    client, _, address = at_work
    past = client.get(f"{address}?as_of={estate_now.at.isoformat()}").content.decode()
    assert past.count("You are looking at the past. Go back to now to work on it.") == 1 and 'id="deeds"' not in past
    client.post(f"{address}resolve", {"resolution": "fixed", "cause": "storage", "reason": "Moved to another pool"})
    client.get(address)  # what was done is told once
    page = client.get(address).content.decode()
    assert page.count(f"{Incident.objects.get().number} is resolved.") == 1 and 'href="#deeds"' in page and "Reopen it" in page


def test_the_title_of_what_is_over_is_told_of_the_past(at_work):
    client, _, address = at_work
    Incident.objects.update(title="Backups of Imaging archive fail because the storage is full")
    assert "<h1>Backups of Imaging archive fail because the storage is full</h1>" in client.get(address).content.decode()
    client.post(f"{address}resolve", {"resolution": "fixed", "cause": "storage", "reason": "Moved to another pool"})
    assert "<h1>Backups of Imaging archive failed because the storage was full</h1>" in client.get(address).content.decode()


def test_the_cause_of_one_that_another_was_merged_into_names_both_storages():
    def alert(key, title="the storage is full"):
        return SimpleNamespace(cause_title=title, cause_key=key)

    alerts = [alert("repository:r2"), alert("repository:r1"), alert("repository:r1")]
    node = _cause(alerts, "repository:r1", inside=True)
    assert (node.title, node.note) == ("The storage is full", "r1, r2")
    assert _cause(alerts, "repository:r1", inside=False).note == ""
    both = _cause([*alerts, alert("job:7", "it was interrupted")], "repository:r1", inside=True)
    assert both.note == "r1, r2, and 1 other cause"
