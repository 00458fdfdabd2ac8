"""CloudEvents, as a plain serializer checks them."""

from rest_framework import serializers


class EventSerializer(serializers.Serializer):
    specversion = serializers.ChoiceField(choices=["1.0"])
    id = serializers.CharField(max_length=200)
    source = serializers.CharField(max_length=200)
    type = serializers.CharField(max_length=200)
    partitionkey = serializers.CharField(max_length=200)
    data = serializers.DictField()
