"""The players room's HTTP API."""
