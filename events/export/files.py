"""Writing a part of a partition to a file with its manifest, and reading it back."""

import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import IO, Any

import msgspec
import orjson
from django.core.files.base import ContentFile
from django.core.files.storage import Storage

from events.errors import ExportBroken
from events.export.lines import checked, line_of
from events.log import digests
from events.log.rows import event_pk
from events.models import Event, Partition

EVENTS = 5_000
BYTES = 8 << 20
"""A file ends with the event that reaches one of the two: some hundred milliseconds of work."""
MANIFEST = ".manifest.json"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a file; it stands beside it, under its name and ``.manifest.json``."""

    game: str
    partition: int  # its number
    first: int  # offsets
    last: int
    count: int
    sha256: str  # of the compressed file
    size: int
    previous: str  # digest of the chain before the first event
    digest: str  # digest of the last event
    name: str
    made: datetime


@dataclass(frozen=True, kw_only=True)
class Span:
    """A part of a partition: offsets, both included; nothing recorded at or after ``until``."""

    first: int
    last: int
    until: datetime | None = None


def write(storage: Storage, partition: Partition, span: Span) -> Manifest | None:
    """Write the beginning of a span, at most one file's worth, and read it back; None where nothing is in it.

    The name follows from the content, so a repeat after a crash writes the same file again and
    never over another one.

    Raises:
        ExportBroken: what was read back is not what was written; nothing may be erased for it.
    """
    content, found = _compressed(partition, span)
    if not found:
        return None
    digest = sha256(content).hexdigest()
    first, last = found[0], found[-1]
    folder = f"{partition.game.slug}/{partition.number:03}"
    name = f"{folder}/{first[0]:012}-{last[0]:012}-{digest[:12]}.ndjson.gz"
    manifest = Manifest(
        game=partition.game.slug,
        partition=partition.number,
        first=first[0],
        last=last[0],
        count=len(found),
        sha256=digest,
        size=len(content),
        previous=_digest_before(partition.pk, first[0]).hex(),
        digest=last[1].hex(),
        name=name,
        made=datetime.now(UTC),
    )
    _save(storage, name, content)
    _save(storage, name + MANIFEST, orjson.dumps(msgspec.to_builtins(manifest), option=orjson.OPT_INDENT_2))
    with storage.open(name, "rb") as file:
        verify(file, manifest)
    return manifest


def verify(file: IO[bytes] | Any, manifest: Manifest | None) -> int:
    """Check a file line by line against the chain, and against its manifest if there is one; return its events.

    Raises:
        ExportBroken: with the first thing that is wrong.
    """
    content = file.read()
    if manifest and sha256(content).hexdigest() != manifest.sha256:
        raise ExportBroken("the file is not the one that its manifest was written for: SHA-256 differs")
    count, before, offset = 0, manifest.previous if manifest else None, None
    for text in _lines(content):
        line = checked(text)
        if (before is not None and line.clarionprevious != before) or (
            offset is not None and line.clarionoffset != offset + 1
        ):
            raise ExportBroken(f"the chain breaks at offset {line.clarionoffset}")
        count, before, offset = count + 1, line.clariondigest, line.clarionoffset
    if manifest and (count, offset, before) != (manifest.count, manifest.last, manifest.digest):
        raise ExportBroken(f"the manifest names {manifest.count} events up to offset {manifest.last}")
    return count


def manifest_of(text: bytes) -> Manifest:
    """Return a manifest.

    Raises:
        ExportBroken: it is none.
    """
    try:
        return msgspec.json.decode(text, type=Manifest)
    except msgspec.MsgspecError as error:
        raise ExportBroken(f"the manifest cannot be read ({error})") from None


def _compressed(partition: Partition, span: Span) -> tuple[bytes, list[tuple[int, bytes]]]:
    """Return the file, and the offset and digest of each event in it. The same events make the same bytes."""
    out, size, found = io.BytesIO(), 0, list[tuple[int, bytes]]()
    previous = _digest_before(partition.pk, span.first)
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as file:
        for row in _rows(partition.pk, span):
            line = line_of(row, previous)
            file.write(line)
            previous, size = bytes(row.digest), size + len(line)
            found.append((row.offset, previous))
            if size >= BYTES:
                break
    return out.getvalue(), found


def _rows(partition_id: int, span: Span) -> Iterator[Event]:
    bounds = (event_pk(partition_id, span.first), event_pk(partition_id, span.last))
    rows = Event.objects.filter(id__range=bounds).order_by("id")[:EVENTS]
    for row in rows.iterator(chunk_size=500):
        if span.until is not None and row.recorded >= span.until:
            return
        yield row


def _digest_before(partition_id: int, offset: int) -> bytes:
    if offset <= 1:
        return digests.GENESIS
    rows = Event.objects.filter(pk=event_pk(partition_id, offset - 1))
    return bytes(rows.values_list("digest", flat=True).get())


def _lines(content: bytes) -> Iterator[bytes]:
    try:
        yield from gzip.GzipFile(fileobj=io.BytesIO(content))
    except (OSError, EOFError) as error:
        raise ExportBroken(f"the file cannot be decompressed ({error})") from None


def _save(storage: Storage, name: str, content: bytes) -> None:
    """Write under exactly this name: what is there was left by a try that did not end."""
    if storage.exists(name):
        storage.delete(name)
    if (saved := storage.save(name, ContentFile(content))) != name:
        raise ExportBroken(f"the storage wrote {saved} where {name} was asked for")
