"""Tables of the notifications room: what to say, what was decided, what each player has."""

from notifications.models.announcements import Announcement, AnnouncementRead
from notifications.models.decisions import Decision, FanOut
from notifications.models.deliveries import Delivery, Outlet, WebhookEndpoint
from notifications.models.inbox import Notification
from notifications.models.rules import Rule, RuleRevision, RuleTemplate
from notifications.models.withdrawals import Withdrawal

__all__ = [
    "Announcement",
    "AnnouncementRead",
    "Decision",
    "Delivery",
    "FanOut",
    "Notification",
    "Outlet",
    "Rule",
    "RuleRevision",
    "RuleTemplate",
    "WebhookEndpoint",
    "Withdrawal",
]
