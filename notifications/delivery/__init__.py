"""Bringing notifications by other channels than the socket: from rows that hubs have written.

``channel.py`` is the port, ``channels/`` are its adapters. A hub's transaction writes rows
(``writing``); a turn (``turns``) claims what is due, sends it outside of any transaction and
commits what came of it. A process that is killed in between repeats the try with the same id.
Nothing promises an order between channels, or between the deliveries of one of them.
"""
