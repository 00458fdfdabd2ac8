"""How cases are taken up, and how they fail."""

from tests.contracts.player_socket.line import Broken
from tests.contracts.player_socket.stage import Case

CASES: dict[str, Case] = {}


def case(run: Case) -> Case:
    """Take up a case under its function's name."""
    CASES[run.__name__.replace("_", "-")] = run
    return run


def expect(so: object, otherwise: str) -> None:
    """Fail with these words unless something is so."""
    if not so:
        raise Broken(otherwise)
