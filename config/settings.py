"""All settings; nothing else reads the environment. README.md lists every variable.

``DATABASE_URL`` set means services (PostgreSQL, Redis, RabbitMQ); not set means embedded,
one process on SQLite below ``CLARION_DATA``.
"""

import os
import socket
from pathlib import Path
from typing import Any

import environ
from kombu import Queue

from config.console.unfold import UNFOLD  # noqa: F401 - the console's look is long, and no variable
from config.data_folder import DataFolder
from config.logs import configure as configure_logs
from config.modes import known_role, refuse_by_accident, refuse_other_databases
from config.networks import networks
from events.breakers import broker_is_blocked

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parent.parent

# -- which of the two ways --------------------------------------------------------------------------
CLARION_SERVICES = bool(env.str("DATABASE_URL", default=""))
CLARION_ENTRY = env.str("CLARION_ENTRY", default="")  # set by `up` and by the tests, by nobody else
CLARION_DATA = Path(env.str("CLARION_DATA", default=str(BASE_DIR / "var")))
CLARION_PREFIX = env.str("CLARION_PREFIX", default="")  # before every Redis key and queue, to share servers
CLARION_ROLE = known_role(env.str("CLARION_ROLE", default="command"))  # set by config.asgi and config.celery
# Here already, before a data folder is made by a server that was meant to have a database:
refuse_by_accident(CLARION_ROLE, services=CLARION_SERVICES, entry=CLARION_ENTRY)
secrets = {} if CLARION_SERVICES else DataFolder(CLARION_DATA).secrets()

# -- secrets ------------------------------------------------------------------------------------------
CLARION_SECRET_KEY_GIVEN = not CLARION_SERVICES or bool(env.str("SECRET_KEY", default=""))
# Django refuses to load with an empty key; ours lets the check speak, which names every missing variable.
SECRET_KEY = env.str("SECRET_KEY", default="") or secrets.get("secret_key", "unset")
CLARION_TOKEN_KEY = env.str("CLARION_TOKEN_KEY", default=secrets.get("token_key", ""))
CLARION_DEMO_KEY = env.str("CLARION_DEMO_KEY", default=secrets.get("demo_key", ""))
# Whether /play/ hands out tokens of the demo's players to whoever asks: on services only by choice.
CLARION_DEMO = env.bool("CLARION_DEMO", default=not CLARION_SERVICES)
CLARION_TOKEN_ISSUER = env.str("CLARION_TOKEN_ISSUER", default="clarion")

# -- who may call, and through what ------------------------------------------------------------------
DEBUG = False
# Embedded listens on this machine only; other names would be a web page's that was rebound to it.
LOCAL = [".localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS = env.list("CLARION_ALLOWED_HOSTS", default=[] if CLARION_SERVICES else LOCAL)
CSRF_TRUSTED_ORIGINS = env.list("CLARION_CSRF_TRUSTED_ORIGINS", default=[])
CLARION_HTTPS = env.bool("CLARION_HTTPS", default=CLARION_SERVICES)  # off only behind plain http
CLARION_BEHIND_PROXY = env.bool("CLARION_BEHIND_PROXY", default=False)  # trust X-Forwarded-Proto and -Host
if CLARION_BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    USE_X_FORWARDED_HOST = True
# Where webhooks may go beside the public Internet. Embedded, to this machine: somebody tries them out there.
CLARION_WEBHOOK_NETWORKS = networks(
    "CLARION_WEBHOOK_NETWORKS",
    env.list("CLARION_WEBHOOK_NETWORKS", default=[] if CLARION_SERVICES else ["127.0.0.0/8", "::1/128"]),
)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = CLARION_HTTPS
SECURE_SSL_REDIRECT = CLARION_HTTPS and CLARION_BEHIND_PROXY
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if CLARION_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = False  # the host may be one of many below its domain
X_FRAME_OPTIONS = "DENY"
# A web process that is told to end says so at /readyz, and listens for so many seconds more: until the load
# balancer has looked. Embedded there is none.
CLARION_DRAIN_DELAY = env.float("CLARION_DRAIN_DELAY", default=3.0 if CLARION_SERVICES else 0.0)

# -- the application -----------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "channels",
    "config",
    "events",
    "players",
    "notifications",
]
MIDDLEWARE = [
    "config.middleware.ApiFirst",  # API calls need none of the rest, which would cost them a thread hop each
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
APPEND_SLASH = True
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]

# -- static files, served by whitenoise in both ways ---------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = Path(env.str("CLARION_STATIC", default=str(BASE_DIR / "staticfiles")))
STATICFILES_DIRS = [
    (name, folder)
    for name in ("demo", "console")
    if (folder := BASE_DIR / "config" / name / "static" / name).is_dir()
]
WHITENOISE_USE_FINDERS = not CLARION_SERVICES or CLARION_ENTRY == "tests"
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if WHITENOISE_USE_FINDERS
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# -- database ------------------------------------------------------------------------------------------
DATABASES: dict[str, Any]
if CLARION_SERVICES:
    DATABASES = {"default": env.db_url("DATABASE_URL")}
    refuse_other_databases(DATABASES["default"]["ENGINE"])  # before Django looks for their drivers
    DATABASES["default"]["ENGINE"] = "config.postgres"  # Django's, with a circuit breaker
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"]["OPTIONS"] = {
        # A machine that is gone without a word is noticed within seconds:
        "connect_timeout": 3,
        "application_name": f"clarion {CLARION_ROLE} {socket.gethostname()}:{os.getpid()}"[
            :63
        ],  # who holds a lock
        "keepalives": 1,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
        **DATABASES["default"].get("OPTIONS", {}),  # what the URL says, such as ?sslmode=require
    }
    if CLARION_ROLE == "web" and CLARION_ENTRY != "tests":
        # A thread per request comes and goes under ASGI. A short reconnect_timeout: while the database is
        # away our breaker asks for it, and when it is back the pool must not be in a pause of its own.
        DATABASES["default"]["OPTIONS"]["pool"] = {
            "min_size": 2,
            "max_size": env.int("CLARION_POOL", default=10),
            "timeout": 2.0,
            "reconnect_timeout": 1.0,
        }
    elif CLARION_ROLE == "worker":
        # Celery closes Django's pool at each task; a prefork worker keeps its one connection instead.
        DATABASES["default"]["CONN_MAX_AGE"] = None
else:
    DATABASES = {
        "default": {
            "ENGINE": "config.sqlite",
            "NAME": CLARION_DATA / "clarion.sqlite3",
            "CONN_MAX_AGE": 60,
            "OPTIONS": {"timeout": 5, "transaction_mode": "IMMEDIATE"},
            "TEST": {"NAME": CLARION_DATA / "test.sqlite3"},
        }
    }
# Where the log is exported to before payloads go: a folder, or a storage of Django's with its options.
CLARION_EXPORT = env.str("CLARION_EXPORT", default="" if CLARION_SERVICES else str(CLARION_DATA / "exports"))
# How much the database may take, where the disk is another machine's and SQL cannot tell.
CLARION_DISK_BYTES = env.int("CLARION_DISK_BYTES", default=0)

# -- alarms that leave the console --------------------------------------------------------------------
CLARION_EMAIL = bool(env.str("EMAIL_URL", default=""))
vars().update(env.email_url("EMAIL_URL", default="dummymail://"))
EMAIL_TIMEOUT = 10  # a mail server that hangs must not hold up the other ways out
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.str("CLARION_EMAIL_FROM", default="")
# Where staff open the console, such as https://clarion.example: what is sent can then lead there.
CLARION_CONSOLE_URL = env.str("CLARION_CONSOLE_URL", default="").rstrip("/")

# -- Redis and the broker ------------------------------------------------------------------------------
REDIS_URL = env.str("REDIS_URL", default="") if CLARION_SERVICES else ""
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": f"{CLARION_PREFIX}clarion"},
    }
    if REDIS_URL
    else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
}
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="") if CLARION_SERVICES else "memory://localhost"
# Senders and workers say "urgent" and the like; the prefix is only what the broker sees.
CELERY_TASK_QUEUES = [
    Queue(f"{CLARION_PREFIX}{name}", routing_key=f"{CLARION_PREFIX}{name}", alias=name)
    for name in ("default", "urgent", "deliveries")
]
CELERY_TASK_DEFAULT_QUEUE = f"{CLARION_PREFIX}default"
# Other people's servers are slow: what waits for them never holds a worker of the lanes.
CELERY_TASK_ROUTES = {"notifications.deliver": {"queue": "deliveries"}}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_DELIVERY_MODE = (
    "transient"  # a wake-up need not outlive its broker: lanes are drained by age
)
CELERY_TASK_ACKS_LATE = (
    False  # tasks are wake-ups: a lost one costs less than one that comes back an hour later
)
# What hangs is ended by the watchdog after 5 s; this is for what does not even let that run.
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_PUBLISH_RETRY = False  # whoever sends a hint must not wait for a broker that is away
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_DB_REUSE_MAX = 1_000  # Django's connection is kept over so many tasks; closing it costs 2.6 ms each
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for its broker for as long as it takes
CELERY_BROKER_CONNECTION_TIMEOUT = 2
if not CLARION_SERVICES:
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {"polling_interval": 0.01}
elif CELERY_BROKER_URL.startswith("redis"):
    # What a killed worker had fetched comes back after visibility_timeout; no task of ours waits that long.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "visibility_timeout": 120,
    }
else:
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "read_timeout": 5,
        "write_timeout": 5,
        "on_blocked": broker_is_blocked,  # it takes connections, and confirms nothing
    }
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_SCHEDULE = {
    "sweep hubs and outbox": {"task": "events.sweep", "schedule": 5.0},
    "expire unread notifications": {"task": "notifications.expire", "schedule": 5.0},
    "retry dead letters": {"task": "events.retry_letters", "schedule": 3.0, "options": {"expires": 3.0}},
    "work off replays": {"task": "events.work_replays", "schedule": 3.0, "options": {"expires": 3.0}},
    "withdraw what came of erased payloads": {"task": "notifications.withdraw", "schedule": 5.0},
    "work off large audiences": {"task": "notifications.fan_out", "schedule": 5.0},
    "bring what is due by other channels": {"task": "notifications.deliver", "schedule": 5.0},
    "end lapsed presence": {"task": "players.sweep_presence", "schedule": 30.0},
    "forget erased players": {"task": "players.forget", "schedule": 15.0},
    "let go of what games do not keep": {"task": "events.retain", "schedule": 5.0},
    "remove leftovers": {"task": "events.tidy", "schedule": 60.0},
    "sample storage": {"task": "events.sample_storage", "schedule": 600.0},
    "retire outlived token keys": {"task": "players.retire_token_keys", "schedule": 3_600.0},
}
CELERY_TIMEZONE = "UTC"

# -- HTTP API --------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "events.problems.handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Clarion",
    "DESCRIPTION": "Tells players of live games what matters to them: at once, exactly once.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "EXTERNAL_DOCS": {
        "url": "/api/schema/socket.json",
        "description": "The player's socket, as a JSON Schema",
    },
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

# -- logs ------------------------------------------------------------------------------------------------
LOGGING_CONFIG = None
CLARION_LOG_LEVEL = env.str("CLARION_LOG_LEVEL", default="INFO").upper()
configure_logs(
    level=CLARION_LOG_LEVEL,
    json=CLARION_SERVICES,
    folder=None if CLARION_SERVICES or CLARION_ENTRY != "up" else CLARION_DATA / "logs",
)
