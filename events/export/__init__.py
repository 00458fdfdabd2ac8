"""The log in files: compressed lines of CloudEvents that prove themselves against the chain of digests."""
