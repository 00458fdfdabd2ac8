"""Where exports go: a folder, or any storage of Django's that CLARION_EXPORT names."""

from functools import lru_cache
from urllib.parse import parse_qsl

from django.conf import settings
from django.core.files.storage import FileSystemStorage, Storage
from django.utils.module_loading import import_string

from events.errors import ExportRefused


def storage() -> Storage:
    """Return the storage: ``/folder``, or ``package.Class?option=value&...`` such as django-storages' S3.

    Raises:
        ExportRefused: CLARION_EXPORT is not set, or names none.
    """
    where = str(settings.CLARION_EXPORT)
    if not where:
        raise ExportRefused(
            "CLARION_EXPORT is not set; set it to a folder that all workers share, or to a storage, such as:"
            " storages.backends.s3.S3Storage?bucket_name=clarion-log"
        )
    return _of(where)


def folder(path: str) -> Storage:
    """Return a folder as a storage."""
    return FileSystemStorage(location=path)


@lru_cache(maxsize=4)
def _of(where: str) -> Storage:
    if where.startswith(("/", ".", "~")):
        return folder(where)
    name, _, options = where.partition("?")
    try:
        made: Storage = import_string(name)(**dict(parse_qsl(options)))
    except (ImportError, TypeError) as error:
        raise ExportRefused(f"CLARION_EXPORT names no storage ({type(error).__name__}: {name})") from None
    return made
