"""A session that ends while somebody writes: nothing is sent, it is said, and nothing that was typed is lost."""

import pytest
from django.conf import settings

from catalogue import publishing
from catalogue.models import Comment
from tests.admin_forms import url
from tests.factories import make_service

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def signed_out(page):
    page.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)


def sign_in_again(page, person):
    page.wait_for_selector("[name=login]")
    assert "You were signed out before this was sent" in page.inner_text("main")
    page.fill("[name=login]", person.username)
    page.fill("[name=password]", "a long enough password")
    page.click("main button[type=submit]")
    page.wait_for_url(lambda address: "/accounts/" not in address)
    page.wait_for_selector("text=What you typed stands here again")


def test_what_was_typed_stands_in_the_form_again(sign_in, present):
    service = make_service("SVC-1", name="Imaging archive")
    page, person = sign_in("steward")
    draft = publishing.draft_version(service=service, content={"supplier": "A"}, commitment={}, by=person, at=present, reason="New")
    page.goto("/services/SVC-1/versions/2/")
    page.fill("[name=text]", "The supplier\nhas moved.")
    signed_out(page)
    page.click("form[action$='/comment'] button")
    sign_in_again(page, person)
    assert page.url.endswith("/services/SVC-1/versions/2/") and page.input_value("[name=text]") == "The supplier\nhas moved."
    page.click("form[action$='/comment'] button")
    page.wait_for_selector("text=Your comment is kept")
    assert Comment.objects.get().text == "The supplier\nhas moved."

    page.goto(url(type(draft), "change", draft.pk))
    page.fill("[name=summary]", "All pictures of all patients.")
    page.fill("[name=change_reason]", "Said better")
    signed_out(page)
    page.click("[name=_continue], [name=_save]")
    sign_in_again(page, person)
    assert (
        page.input_value("[name=summary]") == "All pictures of all patients." and page.input_value("[name=change_reason]") == "Said better"
    )
    page.click("[name=_continue], [name=_save]")
    page.wait_for_selector(".messagelist")
    draft.refresh_from_db()
    assert draft.summary == "All pictures of all patients."
