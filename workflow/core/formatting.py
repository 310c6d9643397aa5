"""Config values in words, the same in card, gallery and report."""


def plain(value: object) -> str:
    """A config value as a person writes it."""
    if isinstance(value, dict) and value:
        return ", ".join(f"{key} {plain(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return " ".join(map(plain, value)) or "none"
    if value is None or value == {}:
        return "none"
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
