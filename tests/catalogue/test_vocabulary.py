"""Words of entries: what nearly says the same as a word in use is found, and written anew only on purpose."""

from __future__ import annotations

import datetime as dt

import pytest
from django.http import QueryDict

from catalogue import batching, importing, sheets, vocabulary
from catalogue.admin.many import EditManyForm
from catalogue.models import Label, ServiceVersion
from itsm_backup.common.models import because
from tests.admin_forms import filled, make_staff, signed_in, url
from tests.catalogue.makers import NOON, make_author, make_draft, make_service, make_user
from tests.factories import make_admin

MEANT = "tick “New words are meant”"


@pytest.mark.parametrize(
    ("known", "word", "near"),
    [
        ("Finance", "finance ", True), ("Finance", "Finances", True), ("Finance", "Fnance", True), ("Radiology", "Radiloogy", True),
        ("Patient data", "Patient-data", True), ("Patient data", "PatientData", True), ("Haematology", "Hæmatology", False),
        ("Café Léo", "Cafe Leo", True), ("R & D", "R and D", True), ("Haematology", "Hematology", True), ("Ιατρική", "ιατρικη", True),
        ("EU West", "EU East", False), ("Ward 1", "Ward 2", False), ("Surgery A", "Surgery B", False), ("eu-west-1", "eu-west-2", False),
        ("ISO 27001", "ISO 27002", False), ("3-2-1-1-0", "3-2-1", False), ("Cardiology", "Radiology", False), ("--", "++", False),
        ("Finance", "Finance", False), ("Finance", "", False),
    ],
)  # fmt: skip
def test_case_spaces_accents_and_one_letter_make_no_other_word(known, word, near):
    assert bool(vocabulary.Words([known]).nearly(word)) is near


@pytest.mark.django_db
def test_words_in_use_are_those_of_entries_in_sight_and_all_labels(django_assert_num_queries):
    make_service("pacs", department="Radiology", labels=["Patient data"], regions=["Leeds", "York"])
    make_draft("ris", department="Surgery")
    make_service("pacs", department="Imaging", at=NOON + dt.timedelta(hours=1))
    with because("test"):
        Label.objects.create(word="Restricted")
    root = make_admin("root")
    with django_assert_num_queries(2):
        found = vocabulary.in_use(by=root, at=NOON + dt.timedelta(hours=2))
    assert [*found["department"]] == ["Imaging", "Surgery"], "what is over is in use no more"
    assert [*found["labels"]] == ["Patient data", "Restricted"] and [*found["regions"]] == ["Leeds", "York"]
    assert not [*vocabulary.in_use(by=make_user("nobody"), at=NOON)["department"]]


@pytest.mark.django_db
def test_the_form_of_a_draft_offers_words_and_takes_new_ones_on_purpose():
    service = make_service("pacs", department="Finance", labels=["Patient data"])
    client = signed_in(
        make_staff("catalogue.view_service", "catalogue.change_service", "catalogue.change_serviceversion", "catalogue.add_serviceversion")
    )
    page = f"{url(ServiceVersion, 'add')}?service={service.pk}"
    form = client.get(page)
    html = form.content.decode()
    assert (
        'list="id_department-words"' in html and '<datalist id="id_department-words"><option value="Finance"></option></datalist>' in html
    )
    assert 'data-several="yes"' in html and '<option value="Patient data">' in html
    sent = filled(form, department="finance", labels="Patient data, Secret", change_reason="Why")
    answer = client.post(page, sent).content.decode()
    assert f"“finance” is nearly “Finance”, which is in use. Take one in use, or {MEANT}." in answer
    assert f"There is no label “Secret” yet. Take one in use, or {MEANT}." in answer
    assert not service.versions.filter(state="draft").exists()
    assert client.post(page, {**sent, "on_purpose": "on"}).status_code == 302
    made = service.versions.get(state="draft")
    assert (made.department, made.labels) == ("finance", ["Patient data", "Secret"])


@pytest.mark.django_db
def test_a_change_of_many_entries_and_a_new_label_ask_the_same():
    make_service("pacs", department="Finance")
    known = vocabulary.in_use(by=make_admin("root"), at=NOON)
    sent = "change_reason=Why&change=department&department=FINANCE"
    assert EditManyForm(QueryDict(sent), known=known).errors == {
        "department": [f"“FINANCE” is nearly “Finance”, which is in use. Take one in use, or {MEANT}."]
    }
    assert EditManyForm(QueryDict(f"{sent}&on_purpose=on"), known=known).is_valid()
    client = signed_in(make_admin("steward"))
    with because("test"):
        Label.objects.create(word="Restricted")
    page, said = url(Label, "add"), {"word": "restricted", "meaning": "", "change_reason": "Why"}
    assert f"“restricted” is nearly the label “Restricted”. Use that one, or {MEANT}." in client.post(page, said).content.decode()
    client.post(page, {**said, "on_purpose": "on"})
    assert Label.objects.count() == 2


@pytest.mark.django_db
def test_an_import_says_which_word_is_nearly_another_and_still_takes_it():
    make_service("pacs", department="Finance")
    make_service("ris", department="Surgery")
    make_service("lab", department="Surgery")
    make_author()
    steward = make_user("author", "catalogue.view_service", "catalogue.change_service", "catalogue.add_service")
    rows = sheets.read(b"code,department,regions\npacs,finance,Leeds\nris,Pathology,Leeds\nlab,pathology,York\n")
    wishes = importing.wishes(rows, by=steward, at=NOON)
    assert [wish.doubts for wish in wishes] == [
        [("department", "“finance” is nearly “Finance”, which is in use.")],
        [],
        [("department", "“pathology” is nearly “Pathology”, which is in use.")],
    ]
    batch = batching.propose(act="draft", title="Import", wishes=wishes, by=steward, at=NOON, reason="Yearly check")
    shown = signed_in(steward).get(f"/batches/{batch.pk}/").content.decode()
    assert "3 of 3 entries can be done" in shown and "Look at 2 rows with a word that is nearly one in use" in shown
    assert "<code>department</code> “finance” is nearly “Finance”, which is in use." in shown
    assert shown.index("“pathology”") < shown.index(">ris<"), "what is to be looked at stands first"
