"""What the tests of reports share: our typefaces, and a June."""

from __future__ import annotations

import pytest
from django.conf import settings as configured

from itsm_backup.portal.fonts import ensure_fonts
from tests.reporting.makers import Estate, make_estate


@pytest.fixture
def typefaces(settings):
    """PDFs are made with the product's own typefaces, so they have to be there."""
    settings.ORGANISATION = "Northmoor Hospitals"
    return ensure_fonts(configured.FONTS_DIR)


@pytest.fixture
def estate() -> Estate:
    return make_estate()
