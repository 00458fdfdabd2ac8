"""What looks, by what it looks at. Each rule returns the conditions that hold, and changes nothing."""
