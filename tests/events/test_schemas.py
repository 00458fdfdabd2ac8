"""A type's schema is compiled without reaching for anything outside of it."""

import socket
from collections.abc import Iterator

import pytest

from events.schemas import compile_schema, schema_problems


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server of Mallory's; it never answers, it only notices who comes."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(0)
        yield server


def test_a_reference_to_another_machine_is_refused_and_not_followed(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    found = list(schema_problems({"$ref": f"http://127.0.0.1:{port}/schema.json"}, None))
    assert [name for name, _ in found] == ["schema"]
    assert "may only point into the schema itself" in found[0][1]
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_a_reference_to_a_file_is_refused() -> None:
    found = list(schema_problems({"$ref": "file:///etc/hostname"}, None))
    assert found
    assert "may only point into the schema itself" in found[0][1]


def test_a_reference_within_the_schema_is_followed() -> None:
    schema = {"$ref": "#/$defs/level", "$defs": {"level": {"type": "integer"}}}
    assert compile_schema(schema).is_valid(7)
    assert not compile_schema(schema).is_valid("7")


def test_a_sample_that_the_schema_refuses_is_named_with_its_place() -> None:
    schema = {"type": "object", "properties": {"level": {"type": "integer"}}}
    assert list(schema_problems(schema, {"level": "x"})) == [
        ("sample", 'at /level: "x" is not of type "integer"')
    ]


@pytest.mark.parametrize("schema", [[], "x", {"type": "nope"}, {"pattern": "("}])
def test_what_is_no_schema_is_refused(schema: object) -> None:
    assert [name for name, _ in schema_problems(schema, None)] == ["schema"]
