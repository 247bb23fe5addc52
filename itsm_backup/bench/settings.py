"""The product's settings in a throw-away database: cache and broker keep to keys of their own, which are removed afterwards."""

from itsm_backup.bench.keys import KEY_PREFIX
from itsm_backup.common.http.addresses import Allowed
from itsm_backup.settings import *  # noqa: F403
from itsm_backup.settings import CACHES, CELERY_BROKER_TRANSPORT_OPTIONS, LOGGING

CACHES = {"default": {**CACHES["default"], "KEY_PREFIX": KEY_PREFIX}}
CELERY_BROKER_TRANSPORT_OPTIONS = dict(CELERY_BROKER_TRANSPORT_OPTIONS, global_keyprefix=KEY_PREFIX)  # type: ignore[arg-type]
PINGS_PER_MINUTE = 10**9  # the limit is still counted, only never reached
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
ALLOWED_HOSTS = ["127.0.0.1", "testserver"]
TOOL_ADDRESSES = Allowed("127.0.0.1")
ORGANISATION = "Benchmark"
LOGGING = dict(LOGGING, root={"handlers": ["stderr"], "level": "WARNING"})
