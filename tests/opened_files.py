"""What tests/opened adds to the project: a room with two tasks, a data set, a network, their tests and the rows of a
config."""

from pathlib import Path

PROJECT = Path(__file__).parents[1]
ADDED = Path(__file__).parent / "opened"


def of_network(file: str) -> bool:
    """Whether a file belongs to the network, which a page of its own shows."""
    return Path(file).stem.removeprefix("test_") == "plainnet"


def added() -> list[str]:
    """Its files, as they lie in the project that they are added to."""
    files = (path for path in ADDED.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return sorted(path.relative_to(ADDED).as_posix() for path in files)
