"""
The usual Django way to notify players: what Clarion's benchmarks stand beside.

A DRF serializer takes the events, Celery does a task for each on RabbitMQ, the ORM saves, and
``group_send`` on the pub/sub layer reaches the players' sockets. Written before Clarion was tuned,
and left alone since: every doubt was decided in its favour. It checks no key, keeps no order, counts
nothing unread, resumes nothing, and loses what a dead worker was at.

``BASELINE=bulk`` is its other variant: ``bulk_create`` in the request and one task per request.
"""
