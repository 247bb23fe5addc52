"""Lists of the administration name people and entries as people know them; entries are found by code or name; forms lead to the portal."""

import datetime as dt
import re

import pytest
from django.contrib import admin

from catalogue import agreeing, deviating, relating
from catalogue.models import (
    Agreement,
    AgreementVersion,
    Cmdb,
    ConfigurationItem,
    Deviation,
    ImpactAnalysis,
    LegalHold,
    Relation,
    ScopeLine,
    ServiceVersion,
    Window,
)
from itsm_backup.common.models import because
from tests.admin_forms import change_url, signed_in, url
from tests.factories import make_admin, make_service
from tests.portal.makers import make_person

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def steward(noon):
    return make_person("steward", noon)


@pytest.fixture
def pair(noon, steward):
    """An entry that depends on another one."""
    consumer, provider = make_service("SVC-1", name="Maternity record", at=noon), make_service("SVC-2", name="Patient record", at=noon)
    said = {"kind": "depends_on", "strength": "hard", "by": steward, "at": noon, "reason": "Seen"}
    return consumer, provider, relating.relate(consumer=consumer, provider=provider, **said)


def text(response):
    assert response.status_code == 200, response
    return response.content.decode()


def cells(page):
    return [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r'<t[hd] class="field-[^>]*>(.*?)</t[hd]>', page)]


def test_columns_name_entries_and_people(pair, steward, noon):
    client = signed_in(steward)
    assert cells(text(client.get(url(Relation, "changelist"))))[:4] == [
        "SVC-1 Maternity record",
        "depends on",
        "SVC-2 Patient record",
        "hard",
    ]
    with because("test", by=steward):
        Window.objects.create(
            service=pair[0], purpose="Move", starts_at=noon, ends_at=noon + DAY, decided_by=steward, decided_at=noon
        )  # fmt: skip
    assert "Steward Person" in cells(text(client.get(url(Window, "changelist"))))


def test_a_list_is_filtered_by_the_code_of_an_entry_or_a_part_of_its_name(pair, steward):
    client = signed_in(steward)
    listed = url(Relation, "changelist")
    for asked, found in (("svc-1", 1), ("maternity", 1), ("patient", 0), ("SVC-2", 0), ("nothing like it", 0)):
        page = text(client.get(listed, {"of_consumer": asked}))
        assert page.count("field-provider") == found, asked
        assert f": <b>{asked}</b>" in page
    page = text(client.get(listed, {"consumer__id__exact": pair[0].pk, "kind__exact": "depends_on"}))
    assert page.count("field-provider") == 1 and ": <b>SVC-1</b>" in page and '<option value="SVC-2">Patient record</option>' in page
    assert 'type="hidden" name="kind__exact" value="depends_on"' in page, "the other filters stay"
    assert text(client.get(listed, {"consumer__id__exact": "soon"})).count("field-provider") == 0


def test_a_limited_person_is_offered_and_finds_only_what_they_may_see(pair, noon):
    limited = make_person("steward", noon, services=[pair[1]])
    page = text(signed_in(limited).get(url(ServiceVersion, "changelist")))
    assert '<option value="SVC-2">' in page and "SVC-1" not in page
    assert "field-number" not in text(signed_in(limited).get(url(ServiceVersion, "changelist"), {"of_service": "SVC-1"}))


def test_forms_lead_to_the_portal_and_say_how_the_entry_stands(pair, steward, noon):
    consumer, _, relation = pair
    client = signed_in(steward)
    analysis = {"mtpd_s": 7_200, "tolerated_loss_s": 60, "wrt_s": 0, "mbco": "", "review_due_on": (noon + 9 * DAY).date()}
    drafted = agreeing.draft_analysis(service=consumer, content=analysis, by=steward, at=noon, reason="Yearly")
    deviation = deviating.ask(
        service=consumer, code="SCHEDULE_EXCEEDS_RPO", owner=make_person("stakeholder", noon), expires_on=(noon + 9 * DAY).date(),
        by=steward, at=noon, reason="New array",
    )  # fmt: skip
    with because("test", by=steward):
        hold = LegalHold.objects.create(service=consumer, owner=steward, reason="Case 7", held_from=noon)
        line = ScopeLine.objects.create(name="Backup of records", created_at=noon)
        agreement = Agreement.objects.create(name="Board", kind="sla", party="Board")
    for row, address in ((relation, "/services/SVC-1/graph/"), (drafted, "/services/SVC-1/commitment/"), (hold, "/services/SVC-1/"),
                         (deviation, "/services/SVC-1/commitment/"), (line, f"/scope/{line.pk}/")):  # fmt: skip
        page = text(client.get(change_url(row)))
        assert f'<a href="{address}">See in portal</a>' in page and '<dl class="facts card">' in page, row
        assert client.get(address).status_code == 200
    page = text(client.get(change_url(drafted)))
    assert "Does what is in force hold?" in page and "Once this is approved, this does not hold:" in page and "RPO_EXCEEDS_BIA" in page
    page = text(client.get(f"{url(Deviation, 'add')}?service={consumer.pk}"))
    assert "Does what is in force hold?" in page and "SVC-1 · Maternity record" in page and "SVC-2 ·" not in page
    named = agreeing.draft_agreement(
        agreement=agreement, content={"from_on": noon.date(), "rpo_s": 3_600}, by=steward, at=noon, reason="New"
    )  # fmt: skip
    assert "Entries in force that name it" in text(client.get(change_url(named)))
    assert AgreementVersion.objects.count() == 1 and ImpactAnalysis.objects.count() == 1


def test_a_configuration_item_is_read_with_several_fields_on_one_line(noon):
    with because("test"):
        cmdb = Cmdb.objects.create(name="netbox", label="NetBox", kind="netbox", address="https://netbox.example")
    seen = {"first_seen_at": noon, "last_seen_at": noon, "changed_at": noon}
    item = ConfigurationItem.objects.create(cmdb=cmdb, table="virtual-machines", external_id="7", name="pacs01", **seen)
    page = text(signed_in(make_admin()).get(change_url(item)))
    assert "pacs01" in page and "virtual-machines" in page


def test_no_list_shows_a_sign_in_name_or_a_bare_code_where_there_are_names(rf):
    """Every column of every list that leads to a person or an entry says so by name, unless the name stands beside it."""
    request = rf.get("/")
    request.user = make_admin()
    for model, door in admin.site._registry.items():
        for name in door.get_list_display(request):
            field = model._meta.get_field(name) if isinstance(name, str) and name in {f.name for f in model._meta.get_fields()} else None
            related = getattr(field, "related_model", None)
            if related is not None and name not in getattr(door, "plain_columns", ()):
                assert related._meta.label not in ("auth.User", "catalogue.Service"), (model, name)
