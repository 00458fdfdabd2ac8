"""An event type's schema: compiled, and checked with its sample before they are saved."""

from collections.abc import Iterator
from typing import Any, NoReturn

import jsonschema_rs


def compile_schema(schema: Any) -> jsonschema_rs.Validator:
    """Return what checks data against a schema.

    A ``$ref`` stays within the schema: nothing is fetched, neither from the network nor
    from this machine's files, whoever wrote it.

    Raises:
        ValueError: it is no JSON Schema; jsonschema_rs.ValidationError is one too.
    """
    return jsonschema_rs.validator_for(schema, retriever=_refuse)


def schema_problems(schema: Any, sample: Any) -> Iterator[tuple[str, str]]:
    """Yield (field, sentence) for a schema that is none, and for a sample that the schema refuses."""
    if schema is None:
        return
    try:
        validator = compile_schema(schema)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        yield "schema", f"is no JSON Schema: {getattr(error, 'message', error)}"
        return
    if sample is not None:
        for found in validator.iter_errors(sample):
            yield "sample", f"at /{'/'.join(map(str, found.instance_path))}: {found.message}"


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"$ref may only point into the schema itself, not to {uri}")
