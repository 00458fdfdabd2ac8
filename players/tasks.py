"""Celery's doors to the players room."""

from celery import shared_task

from players import presence, tokens


@shared_task(name="players.sweep_presence", ignore_result=True)
def sweep_presence() -> None:
    """End the presence of players whose gateway has died."""
    presence.sweep()


@shared_task(name="players.retire_token_keys", ignore_result=True)
def retire_token_keys() -> None:
    """Retire keys whose last token has expired."""
    tokens.retire_outlived()
