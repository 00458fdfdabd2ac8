"""The first staff user."""

import secrets

from django.contrib.auth import get_user_model

NAME = "admin"


def make_first() -> str | None:
    """Make the user ``admin`` unless somebody may log in already; return a new password."""
    users = get_user_model()
    if users.objects.filter(is_staff=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    users.objects.create_superuser(NAME, password=password)
    return password
