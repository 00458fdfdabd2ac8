"""Old notifications and decisions: what leaves an inbox is a change, and what is removed is never missed."""
