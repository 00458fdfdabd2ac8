"""What to say, to whom, and whether it arrived."""
