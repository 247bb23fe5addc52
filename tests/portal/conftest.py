from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from tests.factories import make_admin
from tests.portal.makers import Estate, make_estate


@pytest.fixture(autouse=True)
def _times_in_utc(settings: Any) -> None:
    settings.TIME_ZONE = "UTC"


@pytest.fixture
def estate(db: Any, noon: dt.datetime) -> Estate:
    """The small estate at a fixed noon, for questions that take their instant."""
    return make_estate(noon)


@pytest.fixture
def estate_now(db: Any) -> Estate:
    """The same at the present minute, for doors, which look at the clock."""
    return make_estate(dt.datetime.now(dt.UTC).replace(second=0, microsecond=0))


@pytest.fixture
def root(db: Any) -> Any:
    return make_admin("root")
