"""django-unfold's settings: what the console is called and what its sidebar holds."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse, reverse_lazy


def _may_view(app: str, model: str) -> Callable[[HttpRequest], bool]:
    """Show a screen only to who may open it."""
    return lambda request: bool(
        request.user.has_perm(f"{app}.view_{model}") or request.user.has_perm(f"{app}.change_{model}")
    )


def _item(title: str, icon: str, name: str, page: str = "changelist") -> dict[str, Any]:
    app, _, model = name.rpartition("_")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{name}_{page}"),
        "permission": _may_view(app, model),
    }


def _among_partitions(request: HttpRequest) -> bool:
    """Leave the screen of locks, whose address is below that of partitions, to its own entry."""
    below = request.path.removeprefix(reverse("admin:events_partition_changelist"))
    return below != request.path and not below.startswith("locks")


def _static(name: str) -> Callable[[HttpRequest], str]:
    return lambda _request: static(f"console/{name}")


def _paint(_request: HttpRequest) -> str:
    """Choose the colour of where one is; settings are not loaded yet when this file is."""
    return static(f"console/{'services' if settings.CLARION_SERVICES else 'embedded'}.css")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Clarion",
    "SITE_HEADER": "Clarion",
    "SITE_SUBHEADER": "operations console",
    "SITE_SYMBOL": "campaign",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _static("icon.svg")}],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "ENVIRONMENT": "config.console.front.environment",
    "DASHBOARD_CALLBACK": "config.console.front.dashboard",
    "STYLES": [_static("console.css"), _paint],
    "COLORS": {
        "primary": {
            "50": "oklch(97.5% .014 55)",
            "100": "oklch(94.5% .035 55)",
            "200": "oklch(89% .07 55)",
            "300": "oklch(82% .11 55)",
            "400": "oklch(77% .14 60)",
            "500": "oklch(67% .16 50)",
            "600": "oklch(53% .15 45)",
            "700": "oklch(46% .13 43)",
            "800": "oklch(40% .11 42)",
            "900": "oklch(34% .09 42)",
            "950": "oklch(25% .06 42)",
        },
    },
    "COMMAND": {
        "search_models": False,  # it would walk whole tables
        "search_callback": "config.console.search.search",
    },
    "SIDEBAR": {
        "show_search": True,
        "command_search": True,
        "show_all_applications": False,
        "navigation": [
            {
                "title": "Now",
                "items": [
                    {"title": "Pulse", "icon": "monitor_heart", "link": reverse_lazy("admin:index")},
                    _item("Alarms", "notification_important", "events_alarm"),
                    {"title": "Runbook", "icon": "menu_book", "link": reverse_lazy("runbook")},
                ],
            },
            {
                "title": "Messages",
                "items": [
                    _item("Rules", "rule", "notifications_rule"),
                    _item("Revisions", "history", "notifications_rulerevision"),
                    _item("Decisions", "gavel", "notifications_decision"),
                    _item("Notifications", "notifications", "notifications_notification"),
                    _item("Announcements", "campaign", "notifications_announcement"),
                    _item("Deliveries", "outgoing_mail", "notifications_delivery"),
                    _item("Webhook endpoints", "webhook", "notifications_webhookendpoint"),
                ],
            },
            {
                "title": "Players",
                "items": [
                    _item("Players", "group", "players_player"),
                    _item("Profile history", "manage_history", "players_profilerevision"),
                ],
            },
            {
                "title": "Log",
                "items": [
                    _item("Events", "receipt_long", "events_event"),
                    _item("Event types", "category", "events_eventtype"),
                    _item("Partitions", "view_week", "events_partition") | {"active": _among_partitions},
                    _item("Outbox", "outbox", "events_outboxevent"),
                    _item("Retention", "auto_delete", "events_retention"),
                    _item("Erasures", "ink_eraser", "events_erasure"),
                ],
            },
            {
                "title": "Operations",
                "items": [
                    _item("Hubs", "hub", "events_checkpoint"),
                    _item("Locks", "lock", "events_partition", "locks"),
                    _item("Dead letters", "mark_email_unread", "events_deadletter"),
                    _item("Replays", "replay", "events_replay"),
                    _item("Large audiences", "groups", "notifications_fanout"),
                    _item("Gateways", "router", "players_gateway"),
                    _item("Storage", "hard_drive", "events_storagesample"),
                    _item("Schedules", "schedule", "django_celery_beat_periodictask"),
                ],
            },
            {
                "title": "Access",
                "items": [
                    _item("Games", "sports_esports", "events_game"),
                    _item("API keys", "key", "events_apikey"),
                    _item("Token keys", "vpn_key", "players_tokenkey"),
                    _item("Staff", "badge", "auth_user"),
                    _item("Roles", "shield_person", "auth_group"),
                ],
            },
        ],
    },
    "TABS": [
        {
            "models": [f"events.{name}" for name in ("alarm", "alarmrecipient", "alarmmute", "alarmlimit")],
            "items": [
                {
                    "title": title,
                    "link": reverse_lazy(f"admin:events_{name}_changelist"),
                    "permission": _may_view("events", name),
                }
                for title, name in (
                    ("Alarms", "alarm"),
                    ("Recipients", "alarmrecipient"),
                    ("Muted", "alarmmute"),
                    ("Limits", "alarmlimit"),
                )
            ],
        },
        {
            "models": [
                "django_celery_beat.periodictask",
                "django_celery_beat.intervalschedule",
                "django_celery_beat.crontabschedule",
                "django_celery_beat.solarschedule",
                "django_celery_beat.clockedschedule",
            ],
            "items": [
                {"title": title, "link": reverse_lazy(f"admin:django_celery_beat_{name}_changelist")}
                for title, name in (
                    ("Tasks", "periodictask"),
                    ("Intervals", "intervalschedule"),
                    ("Crontabs", "crontabschedule"),
                    ("Solar", "solarschedule"),
                    ("Once", "clockedschedule"),
                )
            ],
        },
    ],
}
