"""What the check of a data set has found: the content of CHECK.json, which all that uses the set reads."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workflow.core.errors import UserError
from workflow.core.files import read_hashed, write_hashed

REQUIRED = {"set": str, "root": str, "fingerprint": str, "classes": list, "counts": dict}
SHOWN = 3  # class names in a message
OPTIONAL = {"split": str, "kinds": list, "with_object": int}


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """A checked data set.

    Args:
        set: name of its layout.
        root: its folder.
        split: of a layout with several, the one that was checked.
        fingerprint: hash of its images and annotations.
        classes: their names, in the order of the labels.
        kinds: the annotations that it has, where a set may lack some; None: all.
        with_object: number of training images with an object; None where no images are annotated with objects.
        counts: images and captions by part.
    """

    set: str
    root: str
    split: str | None = None
    fingerprint: str
    classes: list[str]
    kinds: list[str] | None = None
    with_object: int | None = None
    counts: dict[str, int]

    @classmethod
    def read(cls, path: str | Path) -> "DatasetInfo":
        """From CHECK.json.

        Raises:
            UserError: if it is damaged, or the result of something else.
        """
        content = read_hashed(Path(path), *REQUIRED)
        for key, kind in {**REQUIRED, **OPTIONAL}.items():
            if key in content and not isinstance(content[key], kind):
                raise UserError(f"{path}: {key}: must be {kind.__name__}, not {content[key]!r:.60}")
        return cls(**{key: content[key] for key in (*REQUIRED, *OPTIONAL) if key in content})

    def as_dict(self) -> dict[str, Any]:
        """The content of CHECK.json: what is None is left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    def write(self, path: Path) -> None:
        """To CHECK.json."""
        write_hashed(path, self.as_dict())


def unknown_classes(known: Sequence[str], names: Sequence[str]) -> str:
    """The classes among `names` that are not `known`: the first of them, and how many more; "" if there are none."""
    unknown = sorted(set(names) - set(known))
    return ", ".join(unknown[:SHOWN]) + (f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else "")
