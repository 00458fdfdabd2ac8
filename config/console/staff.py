"""Who may use the console: users and groups, in the console's look."""

from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from events.admin.cells import Cell, ago
from events.admin.lists import ConsoleAdmin

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class StaffAdmin(DjangoUserAdmin, ConsoleAdmin):
    """People who may log in. Nobody gives rights that they do not have themselves."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display: Any = ("username", "email", "may", "is_active", "seen")
    list_filter: ClassVar[Any] = ("is_active", "is_superuser", "groups")
    search_fields = ("username__istartswith", "email__istartswith")
    search_help_text = "how a name or an address begins"
    empty_hint: ClassVar[str] = "Add somebody, then give them a group: what it may view shows as screens."

    def get_queryset(self, request: HttpRequest) -> Any:
        """Read the groups with them."""
        return super().get_queryset(request).prefetch_related("groups")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Keep who may everything to themselves: others could make themselves one."""
        fields = super().get_readonly_fields(request, obj)
        return (
            fields if request.user.is_superuser else (*fields, "is_superuser", "user_permissions", "groups")
        )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse to change who may everything, unless one may everything oneself."""
        above = bool(obj and obj.is_superuser and not request.user.is_superuser)
        return not above and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse to delete anybody: what they did stays theirs. Take "active" away instead."""
        return False

    @display(description="may")
    def may(self, obj: User) -> str:
        """Say in short what they may do."""
        if not obj.is_staff:
            return "not log in here"
        return (
            "everything"
            if obj.is_superuser
            else ", ".join(str(each) for each in obj.groups.all()) or "nothing yet"
        )

    @display(description="last log-in", ordering="last_login")
    def seen(self, obj: User) -> Cell:
        """Say when."""
        return ago(obj.last_login)


@admin.register(Group)
class RoleAdmin(DjangoGroupAdmin, ConsoleAdmin):
    """Roles: what their members may view and change."""

    list_display: Any = ("name", "members", "rights")
    search_fields = ("name__istartswith",)
    empty_hint: ClassVar[str] = "Make a role, such as support, that may view everything and change nothing."

    def get_queryset(self, request: HttpRequest) -> Any:
        """Read members and rights with them."""
        return super().get_queryset(request).prefetch_related("user_set", "permissions")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Leave roles to those who may everything: a role gives rights."""
        return bool(request.user.is_superuser)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """As for changing."""
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for changing."""
        return bool(request.user.is_superuser)

    @display(description="members")
    def members(self, obj: Group) -> str:
        """Name them."""
        return ", ".join(str(each) for each in obj.user_set.all()) or "none"

    @display(description="rights")
    def rights(self, obj: Group) -> int:
        """Count what it may."""
        return len(obj.permissions.all())
