"""One or many events in a post."""

from django.conf import settings
from rest_framework.response import Response
from rest_framework.views import APIView

from tests.benchmarks.baseline.models import Event
from tests.benchmarks.baseline.serializers import EventSerializer
from tests.benchmarks.baseline.tasks import process_event, process_events


class Events(APIView):
    def post(self, request):
        many = isinstance(request.data, list)
        serializer = EventSerializer(data=request.data, many=many)
        serializer.is_valid(raise_exception=True)
        events = serializer.validated_data if many else [serializer.validated_data]
        if settings.BULK:
            Event.objects.bulk_create([self._row(event) for event in events], ignore_conflicts=True)
            process_events.delay([event["id"] for event in events])
        else:
            for event in events:
                process_event.delay(event)
        return Response({"accepted": len(events)}, status=202)

    @staticmethod
    def _row(event):
        return Event(
            event_id=event["id"],
            source=event["source"],
            type=event["type"],
            player=event["partitionkey"],
            data=event["data"],
        )
