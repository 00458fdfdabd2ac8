"""What gateways count, for Prometheus."""

from prometheus_client import Counter, Gauge

sockets = Gauge("clarion_gateway_sockets", "Sockets of this process.", multiprocess_mode="livesum")
sent = Counter("clarion_gateway_frames_total", "Frames sent.", ["kind"])
repaired = Counter("clarion_gateway_repaired_total", "Sockets repaired from the database.")
restarts = Counter(
    "clarion_gateway_restarts_total", "Tasks of the gateway that failed and were started again.", ["task"]
)
closed = Counter("clarion_gateway_closed_total", "Sockets closed by the server.", ["code"])
overflows = Counter(
    "clarion_gateway_overflows_total", "Times that too many hints waited, and every player was looked at."
)
