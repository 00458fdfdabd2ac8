"""Keys that sign players' tokens."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from events.models import Game


class TokenKey(models.Model):
    """One signing key of a game, named by ``kid``.

    The secret itself is derived from the deployment's token key and this row's salt, so
    the database alone signs nothing. The newest that is not retired signs; all that are
    not retired verify.
    """

    game = models.ForeignKey(Game, on_delete=models.CASCADE, related_name="token_keys")
    kid = models.CharField(max_length=32, unique=True)
    salt = models.BinaryField(max_length=32)
    created = models.DateTimeField(default=timezone.now)
    retired = models.DateTimeField(null=True, blank=True, help_text="From then on its tokens are refused.")

    class Meta:
        ordering: ClassVar = ["game", "-created"]

    def __str__(self) -> str:
        return self.kid
