"""PostgreSQL with a circuit breaker around its connections."""
