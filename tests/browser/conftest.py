"""A real Chromium for the tests of pages; they are skipped where there is none."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from itsm_backup.common.time import now
from itsm_backup.portal.fonts import ensure_fonts
from tests.portal.makers import Estate, make_estate, make_person

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
SIZES = {"desk": (1440, 900), "phone": (390, 844), "narrow": (320, 640)}


@pytest.fixture
def chromium(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    from playwright.sync_api import sync_playwright

    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # Playwright's own loop runs in this thread
    ensure_fonts(settings.FONTS_DIR)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, "--disable-component-update", "--disable-sync"])
        yield browser
        browser.close()


def settled(page: Any) -> Callable[..., None]:
    """A click that ends when the page it led to is read: counting what stands on a page does not wait for it by itself."""
    click = page.click

    def clicked(*args: Any, **more: Any) -> None:
        click(*args, **more)
        page.wait_for_load_state("domcontentloaded")

    return clicked


@pytest.fixture
def tab(chromium: Any, live_server: Any) -> Callable[..., Any]:
    """Opens a tab in which somebody is signed in; `tab.complaints` fills with whatever the browser is unhappy about."""

    def opened(user: Any = None, *, size: str = "desk", scheme: str = "light", scripts: bool = True) -> Any:
        width, height = SIZES[size]
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            java_script_enabled=scripts,
            base_url=live_server.url,
            reduced_motion="reduce",
        )
        if user is not None:
            client = Client()
            client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
            cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": live_server.url}])
        page = context.new_page()
        page.click = settled(page)
        page.complaints = []
        page.on("console", lambda told: page.complaints.append(told.text) if told.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("response", lambda answer: page.complaints.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
        return page

    return opened


LOOKS = [("desk", "light"), ("desk", "dark"), ("phone", "light"), ("phone", "dark")]


@pytest.fixture
def look_at(tmp_path):
    """Opens an address in a tab and asserts, in both widths and both themes, that it fits and that axe finds nothing."""

    from axe_playwright_python.sync_playwright import Axe

    def looked(page: Any, name: str, address: str) -> None:
        page.goto(address)
        for size, scheme in LOOKS:
            width, height = SIZES[size]
            page.set_viewport_size({"width": width, "height": height})
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=tmp_path / f"{name}-{size}-{scheme}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, size)
            assert [(one["id"], one["nodes"][0]["target"]) for one in Axe().run(page).response["violations"]] == [], (name, size, scheme)
        page.set_viewport_size({"width": SIZES["desk"][0], "height": SIZES["desk"][1]})

    return looked


@pytest.fixture
def estate_now(transactional_db: Any) -> Estate:
    """The small estate as it stands at the present minute."""
    return make_estate(dt.datetime.now(dt.UTC).replace(second=0, microsecond=0))


@pytest.fixture
def present():
    return now().replace(second=0, microsecond=0)


@pytest.fixture
def sign_in(tab, present):
    """Opens a browser of its own, in which a new person of the role signs in with name and password, as people do."""

    def as_role(role: str, path: str = "/", **limits):
        person = make_person(role, present, **limits)
        page = tab()
        page.set_default_timeout(60_000)
        page.goto(path)
        page.fill("[name=login]", person.username)
        page.fill("[name=password]", "a long enough password")
        page.click("main button")
        page.wait_for_url(lambda address: "/accounts/" not in address)
        return page, person

    return as_role
