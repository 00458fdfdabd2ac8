"""The config room: settings, doors to the outside, the two ways to run Clarion."""

__version__ = "0.1.0"
