"""API keys for Django REST framework's views, of this room and of those to the left."""

from typing import cast

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from events import keys, ratelimit


class ApiKeyAuthentication(BaseAuthentication):
    """``Authorization: Bearer <API key>``; ``request.user`` becomes the ``Caller``."""

    def authenticate(self, request: Request) -> tuple[keys.Caller, None]:
        """Return the caller.

        Raises:
            Unauthorized: there is no valid key.
        """
        return keys.verify(request.headers.get("Authorization")), None

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return "Bearer"


def caller_of(request: Request) -> keys.Caller:
    """Return whoever holds the API key of an authenticated request."""
    return cast("keys.Caller", request.user)


class HasScope(BasePermission):
    """Asks for the scope that the view names for the method: ``scopes = {"GET": "events:read"}``."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Check the scope, and charge the call to the key's minute; the answer says what is left of it.

        Raises:
            Forbidden: the key lacks the scope.
            RateLimited: the minute is used up.
        """
        scopes: dict[str, str] = getattr(view, "scopes", {})
        caller = caller_of(request)
        method = "GET" if request.method == "HEAD" else request.method  # DRF serves both by one method
        if method in scopes:
            caller.require(scopes[method])
            if left := ratelimit.charge(caller, 1):
                view.headers.update(left.headers())  # DRF puts them on the answer
        return True
