"""The roof: every app's doors, mounted."""

from django.contrib import admin
from django.urls import include, path

urlpatterns: list = [
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
]
