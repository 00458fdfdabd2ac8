"""Who is connected: presence hangs on the lease of the gateway that holds the sockets."""

from typing import ClassVar

from django.db import models

from players.models.players import Player


class Gateway(models.Model):
    """A process that holds sockets. Its lease is renewed while it lives; past it, its players are gone."""

    id = models.UUIDField(primary_key=True)
    host = models.CharField(max_length=120)
    sockets = models.PositiveIntegerField(default=0)
    started = models.DateTimeField()
    lease_until = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.host} {self.id}"


class Presence(models.Model):
    """A player has at least one socket on a gateway. Renewed by nobody: the gateway's lease counts."""

    player = models.ForeignKey(Player, on_delete=models.CASCADE, related_name="presences", db_index=False)
    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, related_name="presences")
    since = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["player", "gateway"], name="presence_once"),
        ]

    def __str__(self) -> str:
        return f"{self.player_id} on {self.gateway_id}"


class Device(models.Model):
    """One tab or installation, and how far it has stored its player's changes."""

    player = models.ForeignKey(Player, on_delete=models.CASCADE, related_name="devices", db_index=False)
    name = models.CharField(max_length=64)
    acked = models.PositiveBigIntegerField(
        default=0, help_text="Everything up to this sequence is on the device."
    )
    epoch = models.PositiveIntegerField(
        default=0, help_text="The numbering that the sequence belongs to; 0 was written before it was noted."
    )
    seen = models.DateTimeField(help_text="When it was last heard of.")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["player", "name"], name="device_once")]
        indexes: ClassVar = [models.Index(fields=["seen"], name="device_seen")]

    def __str__(self) -> str:
        return self.name
