"""Config values and sections compared key by key."""

from typing import Any

NOTHING = "absent"


def flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one: {"a": {"b": 1}} to {"a.b": 1}."""
    result: dict[str, Any] = {}
    for key, value in content.items():
        inner = isinstance(value, dict) and value
        result |= flat(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": value}
    return result


def differing(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The dotted keys on which two mappings differ, with both values, sorted."""
    a, b = flat(one), flat(other)
    pairs = {key: (a.get(key, NOTHING), b.get(key, NOTHING)) for key in sorted({*a, *b})}
    return {key: pair for key, pair in pairs.items() if not equal(*pair)}


def equal(one: object, other: object) -> bool:
    """Whether two config values say the same: 1 and 1.0 do, 1 and true do not."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other and isinstance(one, bool) == isinstance(other, bool)
