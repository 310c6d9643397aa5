"""What the commands that draw for the report share: whose results, which of the images, and how many bytes.

A figure says in its own file what it was made of: the records that it shows with their hashes, as JSON under COMMENT
(in a JSON file under RECORDS). The report shows it only where those are the records of now.
"""

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

from workflow.core.errors import UserError
from workflow.core.files import record_digest, sha256

if TYPE_CHECKING:
    from PIL.Image import Image

COMMENT, RECORDS = "Comment", "records"
QUALITY = 85  # of JPEG: the pictures are part of a page


def spread(total: int, count: int) -> list[int]:
    """`count` places of `total` at most, evenly spread: the rule by which the report's images are chosen."""
    count = min(count, total)
    return [n * total // count for n in range(count)]


def records(runs: dict[str, Path]) -> dict[str, str]:
    """What a figure of `runs` (name to folder) is made of: the path of each record, and the hash of its bytes."""
    files = [folder / "metrics.json" for folder in runs.values()]
    missing = [str(file) for file in files if not file.is_file()]
    if missing:
        raise UserError(f"{missing[0]}: no such record, and a figure says of which it is made")
    return {file.as_posix(): sha256(file) for file in files}


def comment(made_of: dict[str, str]) -> str:
    """As it stands in a picture."""
    return json.dumps(made_of, sort_keys=True)


def made_of(figure: bytes) -> dict[str, str]:
    """What a PNG, JPEG or JSON figure says that it was made of; {} if it says nothing, or is a
    JSON file that is not as it was written."""
    from PIL import Image

    try:
        if figure.lstrip().startswith(b"{"):
            content = json.loads(figure)
            found = content[RECORDS] if content["sha256"] == record_digest(content) else {}
        else:
            with Image.open(io.BytesIO(figure)) as image:
                found = json.loads(image.info.get(COMMENT) or image.info["comment"])
    except Exception:  # of another kind, of before figures said it, or damaged: Pillow knows many errors for that
        return {}
    return found if isinstance(found, dict) else {}


def photo(path: Path, side: int) -> "Image":
    """An image file as RGB, its pixels as they are stored, no side longer than `side` px."""
    from PIL import Image

    from workflow.data.validation.decoding import decode

    image = Image.fromarray(decode(path))
    image.thumbnail((side, side))
    return image


def jpeg(image: "Image", about: str = "") -> bytes:
    """An image as JPEG, with a comment if there is one: the same pixels are the same bytes."""
    buffer, more = io.BytesIO(), {"comment": about.encode()} if about else {}
    image.save(buffer, format="jpeg", quality=QUALITY, optimize=True, **more)
    return buffer.getvalue()
