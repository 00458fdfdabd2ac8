"""What the demo game consists of: players, types of events, rules and their words. Data only."""

from dataclasses import dataclass
from typing import Any

from events.lanes import Lane


@dataclass(frozen=True, kw_only=True)
class DemoPlayer:
    """Somebody who plays the demo, with the profile that the game server reports."""

    key: str
    name: str
    locale: str
    timezone: str


PLAYERS = (
    DemoPlayer(key="alice", name="Alice", locale="en", timezone="Europe/London"),
    DemoPlayer(key="bruno", name="Bruno", locale="pt-BR", timezone="America/Sao_Paulo"),
    DemoPlayer(key="chiyo", name="千代", locale="ja", timezone="Asia/Tokyo"),
    DemoPlayer(key="dieter", name="Dieter", locale="de-AT", timezone="Europe/Vienna"),
    DemoPlayer(key="eunji", name="은지", locale="ko", timezone="Asia/Seoul"),
)
GUILDS = ("Night Owls", "Copper Foxes", "The Long Table", "Salt & Storm", "Quiet Thunder")
FRIENDS = ("Mirela", "Tomasz", "Ayo", "Ingrid", "Kenji", "Noor")
MAPS = ("Glass Harbour", "Ember Pass", "Drowned Court")
GIFTS = (
    "Storm Lantern",
    "Paper Dragon",
    "Silver Compass",
    "Emberglass x 3",
)  # names of things stay untranslated


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}}


_PLAYER = {"type": "string", "minLength": 1, "maxLength": 128}
_TEXT = {"type": "string", "minLength": 1, "maxLength": 200}


@dataclass(frozen=True, kw_only=True)
class DemoType:
    """A type of event, and the rule that turns it into notifications. ``words``: locale -> (title, body)."""

    name: str
    label: str
    description: str
    schema: dict[str, Any]
    sample: dict[str, Any]
    words: dict[str, tuple[str, str]]
    category: str
    lane: Lane = Lane.NORMAL
    notification_class: str = "inbox"
    ttl_s: int | None = None
    condition: str = ""
    audience_path: str = "data.player_id"
    weight: int  # how often the game server sends it, against the others

    @property
    def rule_slug(self) -> str:
        """Return the rule's lasting name."""
        return self.name.replace(".", "-")


TYPES = (
    DemoType(
        name="guild.invite.received",
        label="Guild invitation",
        description="A guild asks the player to join. Kept in the inbox, one notification for each event.",
        schema=_object({"player_id": _PLAYER, "guild": _TEXT, "from": _TEXT}),
        sample={"player_id": "alice", "guild": "Night Owls", "from": "Mirela"},
        category="social",
        weight=90,
        words={
            "en": ("{{ data.guild }} wants you", "{{ data.from }} invites you to join {{ data.guild }}."),
            "de": ("{{ data.guild }} ruft dich", "{{ data.from }} lädt dich zu {{ data.guild }} ein."),
            "pt-BR": ("{{ data.guild }} quer você", "{{ data.from }} convidou você para {{ data.guild }}."),
            "ja": ("{{ data.guild }}からの招待", "{{ data.from }}さんが{{ data.guild }}に招待しています。"),
            "ko": ("{{ data.guild }} 초대", "{{ data.from }} 님이 {{ data.guild }}(으)로 초대했습니다."),
        },
    ),
    DemoType(
        name="match.ready",
        label="Match ready",
        description="The lobby is full. Urgent, shown for 20 seconds, never in the inbox.",
        schema=_object({"player_id": _PLAYER, "map": _TEXT}, {"players": {"type": "integer", "minimum": 2}}),
        sample={"player_id": "alice", "map": "Glass Harbour", "players": 8},
        category="match",
        lane=Lane.URGENT,
        notification_class="live",
        ttl_s=20,
        weight=30,
        words={
            "en": (
                "Your match is ready",
                "{{ data.map }} with {{ data.players | default: 2 }} players. Join now.",
            ),
            "de": (
                "Dein Spiel ist bereit",
                "{{ data.map }} mit {{ data.players | default: 2 }} Spielern. Jetzt beitreten.",
            ),
            "pt-BR": (
                "Partida pronta",
                "{{ data.map }} com {{ data.players | default: 2 }} jogadores. Entre já.",
            ),
            "ja": (
                "マッチの準備ができました",
                "{{ data.map }}、{{ data.players | default: 2 }}人。今すぐ参加。",
            ),
            "ko": ("매치 준비 완료", "{{ data.map }}, {{ data.players | default: 2 }}명. 지금 참가하세요."),
        },
    ),
    DemoType(
        name="level.reached",
        label="Level reached",
        description="The player has reached a level; every fifth is worth a word.",
        schema=_object({"player_id": _PLAYER, "level": {"type": "integer", "minimum": 1}}),
        sample={"player_id": "alice", "level": 15},
        category="progress",
        condition="data.level % 5 == 0",
        weight=120,
        words={
            "en": ("Level {{ data.level }}!", "New trails are open to you, {{ player.display_name }}."),
            "de": ("Stufe {{ data.level }}!", "Neue Pfade stehen dir offen, {{ player.display_name }}."),
            "pt-BR": ("Nível {{ data.level }}!", "Novas trilhas estão abertas, {{ player.display_name }}."),
            "ja": ("レベル{{ data.level }}到達!", "{{ player.display_name }}さん、新しい道が開きました。"),
            "ko": ("레벨 {{ data.level }} 달성!", "{{ player.display_name }} 님, 새로운 길이 열렸습니다."),
        },
    ),
    DemoType(
        name="gift.received",
        label="Gift",
        description="A friend has sent something.",
        schema=_object({"player_id": _PLAYER, "from": _TEXT, "gift": _TEXT}),
        sample={"player_id": "alice", "from": "Tomasz", "gift": "Paper Dragon"},
        category="gift",
        weight=60,
        words={
            "en": ("A gift from {{ data.from }}", "{{ data.from }} sends you {{ data.gift }}."),
            "de": ("Ein Geschenk von {{ data.from }}", "{{ data.from }} schickt dir {{ data.gift }}."),
            "pt-BR": ("Um presente de {{ data.from }}", "{{ data.from }} enviou {{ data.gift }}."),
            "ja": ("{{ data.from }}さんからの贈り物", "{{ data.gift }}が届きました。"),
            "ko": ("{{ data.from }} 님의 선물", "{{ data.gift }}을(를) 받았습니다."),
        },
    ),
    DemoType(
        name="friend.online",
        label="Friend online",
        description="A friend has just come online. Shown for a minute, never in the inbox.",
        schema=_object({"player_id": _PLAYER, "friend": _TEXT}),
        sample={"player_id": "alice", "friend": "Ayo"},
        category="social",
        notification_class="live",
        ttl_s=60,
        weight=90,
        words={
            "en": ("{{ data.friend }} is online", "Say hello while they are here."),
            "de": ("{{ data.friend }} ist online", "Sag hallo, solange es passt."),
            "pt-BR": ("{{ data.friend }} está online", "Diga olá enquanto dá tempo."),
            "ja": ("{{ data.friend }}さんがオンラインです", "声をかけてみましょう。"),
            "ko": ("{{ data.friend }} 님이 접속했습니다", "지금 인사해 보세요."),
        },
    ),
    DemoType(
        name="maintenance.scheduled",
        label="Maintenance",
        description="The servers will be down. To a list of players, in the bulk lane.",
        schema=_object(
            {
                "player_ids": {"type": "array", "items": _PLAYER, "minItems": 1},
                "minutes": {"type": "integer", "minimum": 1},
            }
        ),
        sample={"player_ids": ["alice", "bruno"], "minutes": 15},
        category="service",
        lane=Lane.BULK,
        ttl_s=3_600,
        audience_path="data.player_ids",
        weight=1,
        words={
            "en": (
                "Maintenance soon",
                "The servers rest for {{ data.minutes }} minutes. Your progress is safe.",
            ),
            "de": (
                "Bald Wartung",
                "Die Server ruhen {{ data.minutes }} Minuten. Dein Fortschritt ist sicher.",
            ),
            "pt-BR": (
                "Manutenção em breve",
                "Os servidores param por {{ data.minutes }} minutos. Seu progresso está seguro.",
            ),
            "ja": (
                "まもなくメンテナンス",
                "サーバーは{{ data.minutes }}分間停止します。進行状況は保存されます。",
            ),
            "ko": ("곧 점검 시작", "서버가 {{ data.minutes }}분 동안 쉽니다. 진행 상황은 안전합니다."),
        },
    ),
)
BY_NAME = {kind.name: kind for kind in TYPES}
