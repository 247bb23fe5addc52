"""What an audience reads on its page: only what was approved and sent, of what it may read; and by an address without signing in."""

from __future__ import annotations

import datetime as dt
import re
from xml.etree import ElementTree

import pytest
from django.urls import reverse

from incidents import leading, nominating, publishing_status, updating, working
from incidents.models import Incident, MajorDelivery, MajorIncident, StatusLink
from itsm_backup.common.models import Notice
from itsm_backup.common.time import now
from itsm_backup.portal.asof import Moment
from itsm_backup.portal.incident_page import find, incident_page
from tests.factories import make_admin
from tests.incidents.makers import fail, make_estate
from tests.portal.makers import HOUR, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.req("5.6")]
BACKEND = "django.contrib.auth.backends.ModelBackend"
INSIDE = ("NAS-02", "bkp-ctl-02", "pacs-2h")


@pytest.fixture
def people(estate_now):
    roles = {"manager": "incident-manager", "lead": "operator", "user": "stakeholder", "boss": "executive"}
    return {name: make_person(role, estate_now.at) for name, role in roles.items()}


@pytest.fixture
def major(estate_now, people):
    made = nominating.propose(incident=Incident.objects.get(), reason="The clinic waits", by=people["lead"], at=estate_now.at)
    said = {"manager": people["manager"], "communications_lead": people["lead"], "interval_min": 30}
    return leading.declare(major=made, by=people["manager"], at=estate_now.at, **said)


def tell(major, people, *, at, words="New disks are built in.", audiences=("responders", "executives", "business"), send=True):
    said = {"words": words, "details": "Pool NAS-02 on bkp-ctl-02", "audiences": list(audiences)}
    update = updating.draft(major=major, by=people["lead"], at=at, **said)
    return updating.send(update=update, by=people["manager"], at=at) if send else update


def read(client, path, status=200):
    answer = client.get(path)
    assert answer.status_code == status, path
    return answer.content.decode()


def test_only_what_was_approved_and_sent_is_read(client, estate_now, people, major):
    client.force_login(people["user"], backend=BACKEND)
    assert "Business users: nothing was told yet." in read(client, "/major/status/business/")
    tell(major, people, at=estate_now.at, send=False)
    assert "New disks" not in read(client, "/major/status/business/")
    updating.send(update=major.updates.get(), by=people["manager"], at=estate_now.at)
    page = read(client, "/major/status/business/")
    assert "Business users: 1 major incident goes on." in page and "New disks are built in." in page
    assert not any(name in page for name in INSIDE)


def test_each_reads_the_pages_of_what_they_were_told(client, estate_now, people, major):
    tell(major, people, at=estate_now.at)
    for name, allowed in (
        ("user", {"business"}),
        ("boss", {"business", "executives"}),
        ("lead", {"business", "executives", "responders", "owners"}),
    ):
        client.force_login(people[name], backend=BACKEND)
        for audience in ("business", "executives", "responders", "owners"):
            read(client, f"/major/status/{audience}/", 200 if audience in allowed else 403)
            read(client, f"/major/status/{audience}/feed", 200 if audience in allowed else 403)
    assert "NAS-02" in read(client, "/major/status/responders/")
    read(client, "/major/status/nobody/", 404)


def test_words_for_others_stand_on_no_page_of_the_incident(client, estate_now, people, major):
    address = f"/incidents/{major.incident.number}/"
    tell(major, people, at=estate_now.at, words="NAS-02 is pruned with the key of bkp-ctl-02", audiences=["responders"])
    for name in ("user", "boss"):
        client.force_login(people[name], backend=BACKEND)
        page = read(client, address)
        assert "is pruned" not in page and "Nothing was told yet that is for you" in page
    client.force_login(people["lead"], backend=BACKEND)
    page = read(client, address)
    assert "NAS-02 is pruned" in page and "): responders" in page
    tell(major, people, at=estate_now.at + HOUR / 60, words="New disks are built in.", audiences=["responders", "business"])
    tell(major, people, at=estate_now.at + HOUR / 30, words="NAS-02 is pruned again", audiences=["responders"])
    client.force_login(people["user"], backend=BACKEND)
    later = now() + HOUR  # the page asks what was sent by then
    page = incident_page(
        incident=find(number=major.incident.number, user=people["user"], moment=Moment(at=later, now=later)),
        user=people["user"],
        moment=Moment(at=later, now=later),
    )
    assert (
        page.major.doing == "New disks are built in." and page.major.told[1].words == "Update 2" and page.major.told[2] == "business users"
    )


def test_who_may_see_none_of_the_services_reads_nothing_of_it(client, estate_now, people, major):
    tell(major, people, at=estate_now.at)
    client.force_login(make_person("stakeholder", estate_now.at, services=[estate_now.research]), backend=BACKEND)
    assert "Imaging" not in read(client, "/major/status/business/")
    assert "Imaging" not in read(client, "/major/status/business/feed")


def test_the_history_is_kept_as_it_was_known(client, estate_now, people, major):
    tell(major, people, at=estate_now.at - 20 * HOUR / 60, words="A technician drives there.")
    tell(major, people, at=estate_now.at)
    client.force_login(people["user"], backend=BACKEND)
    page = read(client, "/major/status/business/")
    assert page.index("New disks are built in.") < page.index("A technician drives there.")
    then = read(client, f"/major/status/business/?as_of={estate_now.at - 10 * HOUR / 60:%Y-%m-%dT%H:%MZ}")
    assert "A technician drives there." in then and "New disks" not in then


def test_an_address_is_shown_once_reads_business_words_only_and_is_taken_back(client, estate_now, people, major):
    tell(major, people, at=estate_now.at)
    client.force_login(people["lead"], backend=BACKEND)
    assert client.post(reverse("portal:make_status_link"), {"label": "Ward screens"}).status_code == 403
    client.force_login(people["manager"], backend=BACKEND)
    assert "Say for whom" in client.post(reverse("portal:make_status_link"), {"label": " "}).content.decode()
    made = client.post(reverse("portal:make_status_link"), {"label": "Ward screens"})
    assert (made.status_code, made["Location"]) == (302, "/major/status/business/"), "to load it again makes no second one"
    kept = str(dict(client.session))
    answer = client.get(made["Location"])
    shown = answer.content.decode()
    path = re.search(r"/status/[\w-]{43}/", shown)[0]
    assert path.split("/")[2] not in kept and answer["Cache-Control"] == "private, no-store"
    assert path not in read(client, "/major/status/business/") and path.split("/")[2] not in StatusLink.objects.get().token_hash
    client.logout()
    answer = client.get(path)
    page = answer.content.decode()
    assert "1 major incident goes on." in page and "New disks are built in." in page and not any(name in page for name in INSIDE)
    assert (answer["Referrer-Policy"], answer["X-Robots-Tag"], answer["Cache-Control"]) == (
        "no-referrer",
        "noindex, nofollow",
        "private, no-store",
    )
    assert "/major/status/" not in page and "As of " in page
    assert 'href="/incidents/' not in page and "<form" not in page
    feed = ElementTree.fromstring(client.get(f"{path}feed").content)
    entries = feed.findall("{http://www.w3.org/2005/Atom}entry")
    assert len(entries) == 1 and "Backups of Imaging archive are disturbed" in entries[0].findtext("{http://www.w3.org/2005/Atom}title")
    summary = entries[0].find("{http://www.w3.org/2005/Atom}summary")
    assert summary.get("type") == "html" and summary.text.startswith("<p>Backups of") and summary.text.count("<p>") > 2
    assert "/major/status/" not in summary.text
    early = f"{path}?as_of={estate_now.at - HOUR:%Y-%m-%dT%H:%MZ}"
    assert "Nothing was told yet." in client.get(early).content.decode() and client.get(f"{path}?as_of=x").status_code == 404
    client.force_login(people["manager"], backend=BACKEND)
    client.post(reverse("portal:revoke_status_link", args=[StatusLink.objects.get().pk]))
    client.logout()
    assert client.get(path).status_code == client.get(f"{path}feed").status_code == client.get("/status/guessed/").status_code == 404


def test_an_address_is_taken_back_once(estate_now, people):
    link, token = publishing_status.make_link(label="Ward screens", by=people["manager"], at=now())
    publishing_status.revoke_link(link=link, by=people["manager"], at=now())
    with pytest.raises(working.NotPossible, match="was taken back already"):
        publishing_status.revoke_link(link=link, by=people["manager"], at=now())
    assert publishing_status.link_of(token) is None


def test_the_pages_ask_few_questions(client, estate_now, people, major, django_assert_max_num_queries):
    for minutes in (20, 10, 0):
        tell(major, people, at=estate_now.at - dt.timedelta(minutes=minutes))
    tell(major, people, at=estate_now.at, send=False)
    client.force_login(people["manager"], backend=BACKEND)
    client.get("/")
    for path, most in (
        ("/major/", 8),
        (f"/major/{MajorIncident.objects.get().number}/", 18),
        (f"/major/{MajorIncident.objects.get().number}/updates/1/", 14),
        ("/major/status/business/", 10),
    ):
        with django_assert_max_num_queries(most):
            read(client, path)


def test_who_does_not_work_on_them_is_refused_and_the_rest_of_the_world_sees_nothing(client, estate_now, people, major):
    for name, status in (("user", 403), ("lead", 200)):
        client.force_login(people[name], backend=BACKEND)
        read(client, "/major/", status)
        read(client, f"/major/{major.number}/", status)
    assert client.post(reverse("portal:declare_major", args=[major.number])).status_code == 403
    limited = make_person("operator", estate_now.at, services=[estate_now.research])
    client.force_login(limited, backend=BACKEND)
    assert client.get(f"/major/{major.number}/").status_code in (403, 404)


def bar(client, person, path="/services/"):
    client.force_login(person, backend=BACKEND)
    found = re.search(r'<span class="rail-major[^"]*">(.*?)</span>', read(client, path))
    return re.sub(r"<[^>]+>", "", found[1]) if found else ""


def test_the_bar_of_who_only_reads_counts_what_they_were_told_of(client, estate_now, people, major):
    assert bar(client, people["user"]) == bar(client, people["boss"]) == "" and bar(client, people["lead"]).startswith("1 major incident")
    tell(major, people, at=estate_now.at, audiences=("responders", "executives"))
    assert bar(client, people["user"]) == ""
    assert bar(client, people["boss"]).startswith("1 major incident, next update ")
    tell(major, people, at=estate_now.at)
    assert bar(client, people["user"]) == bar(client, people["lead"]) != ""


def test_who_was_told_by_mail_has_the_bar_though_they_may_see_none_of_it(client, estate_now, people, major):
    told = tell(major, people, at=estate_now.at)
    other = make_person("stakeholder", estate_now.at, services=[estate_now.research])
    assert bar(client, other) == ""
    row = told.deliveries.filter(message__audience="business").first()
    notice = Notice.objects.create(
        key="test", thread="test", recipient="o@example.org", subject="x", body="x", created_at=estate_now.at, not_before=estate_now.at
    )
    MajorDelivery.objects.create(
        update=told, message=row.message, who="Other", address="o@example.org", why="x", person=other, notice=notice
    )
    assert bar(client, other).startswith("1 major incident, next update ")
    ended = {"resolution": "fixed", "cause": "storage", "reason": "more disks"}
    working.move(incident=major.incident, to="resolved", by=people["lead"], at=estate_now.at, **ended)
    leading.move(major=major, to="mitigating", reason="", by=people["manager"], at=estate_now.at)
    leading.move(major=major, to="resolved", reason="", by=people["manager"], at=estate_now.at)
    assert bar(client, people["user"]) and not bar(client, people["lead"]), "they were not told yet that it is over"
    tell(major, people, at=estate_now.at + dt.timedelta(microseconds=1))
    assert bar(client, people["user"]) == ""


def test_no_two_addresses_in_force_are_for_the_same_and_taking_back_says_which(client, estate_now, people):
    client.force_login(people["manager"], backend=BACKEND)
    make = reverse("portal:make_status_link")
    client.post(make, {"label": "Ward screens"})
    again = client.post(make, {"label": " ward Screens"})
    assert again.status_code == 409 and "There is an address for ward Screens already." in again.content.decode()
    first = StatusLink.objects.get()
    other = StatusLink.objects.create(label="Ward screens", token_hash="of before", made_at=first.made_at + HOUR, made_by=people["manager"])
    said = client.post(reverse("portal:revoke_status_link", args=[first.pk]), follow=True).content.decode()
    assert f"made on {first.made_at:%d %b %H:%M:%S} UTC leads nowhere from now on. 1 other address for it can still be read." in said
    said = client.post(reverse("portal:revoke_status_link", args=[other.pk]), follow=True).content.decode()
    assert f"made on {other.made_at:%d %b %H:%M:%S} UTC leads nowhere from now on." in said and "can still be read" not in said
    assert client.post(make, {"label": "Ward screens"}).status_code == 302


def test_what_goes_on_stands_first_and_is_counted_however_much_was_told_since(client, estate_now, people, major):
    tell(major, people, at=estate_now.at - HOUR, words="A technician drives there.", audiences=["business"])
    fail(make_estate(estate_now.at - 48 * HOUR, "b"), "b", estate_now.at - 2 * HOUR, estate_now.at - HOUR)
    made = nominating.propose(incident=Incident.objects.latest("pk"), reason="It, too", by=people["lead"], at=estate_now.at)
    said = {"manager": people["manager"], "communications_lead": people["lead"], "interval_min": None}
    other = leading.declare(major=made, by=people["manager"], at=estate_now.at - HOUR, **said)
    for minutes in range(21):
        at = estate_now.at - dt.timedelta(minutes=30 - minutes)
        tell(other, people, at=at, words=f"Disk {minutes + 1:02} is in.", audiences=["business"])
    client.force_login(make_admin(), backend=BACKEND)
    first, second = read(client, "/major/status/business/"), read(client, "/major/status/business/?page=2")
    assert "2 major incidents go on." in first and "2 major incidents go on." in second
    assert first.index("Disk 21 is in.") < first.index("A technician drives there.") < first.index("Disk 20 is in.")
