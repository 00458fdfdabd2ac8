"""The page that shows a secret, in the answer to the request that made it: a redirect would have to store it."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

NOT_KEPT = "Clarion stores it nowhere: it is worked out anew for each call."
"""Of secrets that are derived from a key and a stored salt."""


def show_once(
    model_admin: Any, request: HttpRequest, secret: str, *, title: str, use: str, page: str, **said: Any
) -> HttpResponse:
    """Show a secret; ``use`` is the template that says what to do with it, ``page`` where one goes on.

    ``said`` has ``whose`` it is, what is ``kept`` of it, and whatever ``use`` wants.
    """
    context = {
        **model_admin.admin_site.each_context(request),
        "title": title,
        "secret": secret,
        "use": use,
        "page": page,
    }
    response = TemplateResponse(request, "admin/console/secret.html", context | said)
    response["Cache-Control"] = "no-store"
    return response
