"""The web server's entry."""

import os
from importlib import import_module

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application

from itsm_backup.launcher import held

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "itsm_backup.settings")
django.setup()
import_module(settings.ROOT_URLCONF)  # all pages, before the first visitor waits for them
held.wait()
application = get_wsgi_application()  # it lists the files it serves only now: the first start has just made the typefaces
