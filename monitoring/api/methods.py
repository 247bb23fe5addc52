"""`/api/v1/methods/`: how every figure is calculated, with a worked example a method."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView
from rest_framework.response import Response

from monitoring.methods import METHODS, MethodError, find
from monitoring.methods.examples import Example, examples
from monitoring.methods.registry import Method


class MethodExampleSerializer(serializers.Serializer):
    note = serializers.CharField()
    inputs = serializers.DictField()
    expected = serializers.JSONField()


class MethodSerializer(serializers.Serializer):
    id = serializers.CharField()
    version = serializers.CharField()
    title = serializers.CharField()
    text = serializers.CharField(source="published", help_text="Formula and edge cases.")


class MethodDetailSerializer(MethodSerializer):
    example = serializers.SerializerMethodField(help_text="Inputs, and what the method must give for them.")

    @extend_schema_field(MethodExampleSerializer(allow_null=True))
    def get_example(self, method: Method) -> Any:
        one: Example | None = examples().get((method.id, method.version))
        return MethodExampleSerializer(one).data if one else None


class Methods(GenericAPIView):
    """Every published method in every version."""

    pagination_class = None
    serializer_class = MethodSerializer

    @extend_schema(operation_id="methods_list", responses=MethodSerializer(many=True))
    def get(self, request: Any) -> Response:
        return Response(MethodSerializer(list(METHODS.values()), many=True).data)


class MethodDetail(GenericAPIView):
    """One version of a method, with its worked example."""

    pagination_class = None
    serializer_class = MethodDetailSerializer

    @extend_schema(operation_id="methods_retrieve")
    def get(self, request: Any, method_id: str, version: str) -> Response:
        try:
            return Response(MethodDetailSerializer(find(method_id, version)).data)
        except MethodError as error:
            raise NotFound(str(error)) from None
