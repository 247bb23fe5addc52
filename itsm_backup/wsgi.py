"""The web server's entry."""

import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from itsm_backup.launcher import held

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "itsm_backup.settings")
application = get_wsgi_application()
import_module(settings.ROOT_URLCONF)  # all pages, before the first visitor waits for them
held.wait()
