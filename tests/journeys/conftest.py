"""Journeys that need the whole product running start it as the launcher's tests do."""

from tests.launcher.conftest import copy_of_source, product  # noqa: F401 - fixtures
