"""A hub that hangs in one worker: an app and settings for processes that tests start."""
