"""From a row of the administration one click leads to the page of the portal that shows it."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import resolve, reverse

from catalogue.models import Service
from incidents.models import Incident
from monitoring.models import Alert, QuarantinedRecord, StatusMap, StatusWorkflow, Tool
from tests.factories import make_tool
from tests.portal.makers import make_person

LEADS = [(model, own) for model, own in admin.site._registry.items() if getattr(own, "portal_page", ())]


def address(model: type, row: object) -> str:
    return admin.site._registry[model].portal_url(row)


@pytest.mark.parametrize(("model", "own"), LEADS, ids=[model.__name__ for model, _ in LEADS])
def test_every_page_that_is_named_exists_and_takes_what_it_is_given(model, own):
    page, *parts = own.portal_page
    assert resolve(reverse(page, args=["1" for _ in parts])).view_name == page
    for part in parts:
        first, _, rest = part.partition(".")
        assert hasattr(model, first), f"{model.__name__} has no {first}"
        assert not rest or hasattr(model._meta.get_field(first).related_model, rest), f"{model.__name__} has no {part}"


def test_a_row_leads_to_its_own_page():
    tool = Tool(name="nas", label="NAS")
    assert address(Tool, tool) == "/tools/nas/"
    assert address(StatusMap, StatusMap(tool=tool)) == "/tools/nas/words/"
    assert address(QuarantinedRecord, QuarantinedRecord(tool=tool)) == "/tools/nas/quarantine/"
    assert address(StatusWorkflow, StatusWorkflow()) == "/thresholds/"
    assert address(Incident, Incident(pk=7)) == "/incidents/INC-0007/"


def test_what_belongs_to_nothing_with_a_page_leads_nowhere():
    assert address(Alert, Alert(service=None)) == ""
    assert address(Alert, Alert(service=Service(code="SVC-1"))) == "/services/SVC-1/"


@pytest.mark.django_db
def test_the_form_shows_the_way(noon):
    tool = make_tool(at=noon)
    visitor = Client()
    visitor.force_login(make_person("monitoring-admin", noon))
    page = visitor.get(reverse("admin:monitoring_tool_change", args=[tool.pk])).content.decode()
    assert f'<a href="/tools/{tool.name}/">See in portal</a>' in page
