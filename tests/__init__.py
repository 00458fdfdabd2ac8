"""Clarion's tests; the folders mirror the rooms."""
