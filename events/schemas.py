"""Checking an event type's schema and sample before they are saved."""

from collections.abc import Iterator
from typing import Any

import jsonschema_rs


def schema_problems(schema: Any, sample: Any) -> Iterator[tuple[str, str]]:
    """Yield (field, sentence) for a schema that is none, and for a sample that the schema refuses."""
    if schema is None:
        return
    try:
        validator = jsonschema_rs.validator_for(schema)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        yield "schema", f"is no JSON Schema: {getattr(error, 'message', error)}"
        return
    if sample is not None:
        for found in validator.iter_errors(sample):
            yield "sample", f"at /{'/'.join(map(str, found.instance_path))}: {found.message}"
