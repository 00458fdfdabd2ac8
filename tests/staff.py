"""Who uses the console in tests: Olive operates and may do everything, Vera only looks."""

import re
from typing import Any

from django.contrib.auth.models import Permission, User
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

LINE = re.compile(r"\s+")


def given_staff(name: str, *permissions: str, everything: bool = False) -> User:
    """Make somebody who may log in, with these permissions, such as ``players.change_player``."""
    user = User.objects.create_user(name, password="a long password", is_staff=True, is_superuser=everything)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


class Console:
    """The console as one of the staff sees it."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.client = Client()
        self.client.force_login(user)

    def get(self, path: str, **query: Any) -> HttpResponse:
        """Open a page."""
        return self.client.get(path, query)

    def post(self, path: str, data: dict[str, Any], *, follow: bool = False) -> Any:
        """Send a form."""
        return self.client.post(path, data, follow=follow)

    def listed(self, model: str, **query: Any) -> HttpResponse:
        """Open a list, such as ``events_event``."""
        return self.get(reverse(f"admin:{model}_changelist"), **query)

    def rows(self, model: str, **query: Any) -> list[Any]:
        """Return the rows of a list's page."""
        response = self.listed(model, **query)
        assert response.status_code == 200, response.status_code
        return list(response.context["cl"].result_list)

    def page(self, row: Any) -> HttpResponse:
        """Open a row's page."""
        return self.get(address(row))


def address(row: Any, then: str = "change") -> str:
    """Return the address of a row's page, or of one of its levers."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{then}", args=[row.pk])


def olive() -> Console:
    """Return the console of who may do everything."""
    return Console(given_staff("olive", everything=True))


def vera() -> Console:
    """Return the console of who may look at everything, and at nothing else."""
    user = given_staff("vera")
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    return Console(user)


def text(response: Any) -> str:
    """Return what a page says, in one line."""
    return LINE.sub(" ", response.content.decode())


def said(response: Any) -> list[str]:
    """Return the messages that a page shows."""
    return [str(each) for each in response.context["messages"]]
