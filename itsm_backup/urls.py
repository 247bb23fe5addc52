"""The roof: every app's doors, mounted."""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from itsm_backup import api, health, metrics

urlpatterns: list = [
    path("healthz", health.healthz, name="healthz"),
    path("metrics", metrics.metrics, name="metrics"),
    path("api/schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="api-schema", template_name="api/docs.html"), name="api-docs"),
    path("api/v1/", include("monitoring.api.urls")),
    path("api/v1/", include("incidents.api")),
    path("api/v1/", include("incidents.api.digest")),
    path("api/v1/", include("incidents.api.muted")),
    path("api/v1/", include("reporting.api")),
    re_path(r"^api/(?P<rest>(?s:.*))\Z", api.nothing_here),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
]
if find_spec("itsm_backup.portal.urls"):
    urlpatterns.append(path("", include("itsm_backup.portal.urls")))
handler500 = "itsm_backup.portal.views.failed"
