"""Models whose rows, once written, are never changed through the ORM."""

from collections.abc import Iterable
from typing import Any, ClassVar, NoReturn, Self, TypeVar

from django.db import models

from events.errors import AppendOnly

M = TypeVar("M", bound=models.Model)


class AppendOnlyQuerySet(models.QuerySet[M]):
    """Reads only. What must change (heads, erasure) is done by the log's own statements."""

    def _refuse(self, verb: str) -> NoReturn:
        raise AppendOnly(self.model.__name__, verb)

    def update(self, **kwargs: Any) -> int:
        """Refuse.

        Raises:
            AppendOnly: always.
        """
        self._refuse("update")

    def delete(self) -> tuple[int, dict[str, int]]:
        """Refuse.

        Raises:
            AppendOnly: always.
        """
        self._refuse("delete")

    def bulk_update(self, objs: Iterable[M], fields: Iterable[str], batch_size: int | None = None) -> int:
        """Refuse.

        Raises:
            AppendOnly: always.
        """
        self._refuse("bulk_update")


class AppendOnlyManager(models.Manager[M]):
    """Hands out querysets that only read."""

    def get_queryset(self) -> AppendOnlyQuerySet[M]:
        """Return one."""
        return AppendOnlyQuerySet(self.model, using=self._db)


class AppendOnlyModel(models.Model):
    """Refuses ``save`` and ``delete``: the room's own statements write it."""

    objects: ClassVar[models.Manager[Self]] = AppendOnlyManager()

    class Meta:
        abstract = True

    def save(self, *_args: object, **_kwargs: object) -> None:
        """Refuse.

        Raises:
            AppendOnly: always.
        """
        raise AppendOnly(type(self).__name__, "save")

    def delete(self, *_args: object, **_kwargs: object) -> tuple[int, dict[str, int]]:
        """Refuse.

        Raises:
            AppendOnly: always.
        """
        raise AppendOnly(type(self).__name__, "delete")
