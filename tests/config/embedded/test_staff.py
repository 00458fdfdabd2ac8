"""The first staff user, made once."""

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.management import call_command

from config.embedded import staff

pytestmark = pytest.mark.django_db


def test_the_first_start_makes_admin_with_a_random_password() -> None:
    password = staff.make_first()
    assert password is not None
    assert len(password) >= 16
    user = authenticate(username="admin", password=password)
    assert user is not None
    assert user.is_superuser


def test_later_starts_make_nobody() -> None:
    staff.make_first()
    assert staff.make_first() is None
    assert get_user_model().objects.count() == 1


def test_where_somebody_may_log_in_already_nobody_is_made() -> None:
    get_user_model().objects.create_user("olive", password="her own", is_staff=True)
    assert staff.make_first() is None


def test_two_first_starts_have_different_passwords() -> None:
    first = staff.make_first()
    get_user_model().objects.all().delete()
    assert staff.make_first() != first


def test_the_password_is_changed_as_the_first_start_says(monkeypatch: pytest.MonkeyPatch) -> None:
    staff.make_first()
    monkeypatch.setattr("getpass.getpass", lambda *_args, **_kwargs: "a-better-one-2024")
    call_command("changepassword", staff.NAME)
    assert authenticate(username="admin", password="a-better-one-2024") is not None
