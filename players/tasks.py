"""Celery's doors to the players room."""

from celery import shared_task

from players import forgetting, presence, tokens

TURN_S = 1.0


@shared_task(name="players.sweep_presence", ignore_result=True)
def sweep_presence() -> None:
    """End the presence of players whose gateway has died."""
    presence.sweep()


@shared_task(name="players.retire_token_keys", ignore_result=True)
def retire_token_keys() -> None:
    """Retire keys whose last token has expired."""
    tokens.retire_outlived()


@shared_task(name="players.forget", ignore_result=True)
def forget() -> None:
    """Free the log of erased players, for about a second."""
    forgetting.work_for(TURN_S)
