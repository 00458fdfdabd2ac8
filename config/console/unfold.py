"""django-unfold's settings: what the console is called and what its sidebar holds."""

from typing import Any

from django.urls import reverse_lazy


def _item(title: str, icon: str, name: str) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{name}_changelist")}


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Clarion",
    "SITE_HEADER": "Clarion",
    "SITE_SUBHEADER": "operations console",
    "SITE_SYMBOL": "campaign",
    "SHOW_HISTORY": True,
    "ENVIRONMENT": "config.console.pulse.environment",
    "DASHBOARD_CALLBACK": "config.console.pulse.dashboard",
    "COMMAND": {"search_models": False},  # it would walk whole tables
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {
                "title": "Now",
                "items": [{"title": "Pulse", "icon": "monitor_heart", "link": reverse_lazy("admin:index")}],
            },
            {
                "title": "Rules",
                "items": [
                    _item("Rules", "rule", "notifications_rule"),
                    _item("Revisions", "history", "notifications_rulerevision"),
                    _item("Decisions", "gavel", "notifications_decision"),
                ],
            },
            {
                "title": "Events",
                "items": [
                    _item("Events", "receipt_long", "events_event"),
                    _item("Event types", "category", "events_eventtype"),
                ],
            },
            {
                "title": "Players",
                "items": [
                    _item("Players", "group", "players_player"),
                    _item("Notifications", "notifications", "notifications_notification"),
                ],
            },
            {
                "title": "Operations",
                "items": [
                    _item("Checkpoints", "flag", "events_checkpoint"),
                    _item("Dead letters", "mark_email_unread", "events_deadletter"),
                    _item("Large audiences", "groups", "notifications_fanout"),
                    _item("Gateways", "router", "players_gateway"),
                    _item("Outbox", "outbox", "events_outboxevent"),
                ],
            },
            {
                "title": "Access",
                "items": [
                    _item("Games", "sports_esports", "events_game"),
                    _item("API keys", "key", "events_apikey"),
                    _item("Token keys", "vpn_key", "players_tokenkey"),
                    _item("Staff", "badge", "auth_user"),
                ],
            },
        ],
    },
}
