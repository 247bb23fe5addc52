"""The portal has no rows of its own; people and roles are the roof's."""

from itsm_backup import accounts_admin  # noqa: F401 - registers its doors
