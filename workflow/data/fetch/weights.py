"""Bring weights that timm or torchvision publish to data/weights: the library says from where, of which network and for
which preprocessing. What is there already is not fetched again."""

import argparse
import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow.config.library_weights import LibraryWeights, library_weights
from workflow.core.errors import UserError, cli_entry_point
from workflow.core.files import sha256, write_json
from workflow.data.fetch.download import PATIENCE, RetryPolicy, download
from workflow.data.validation.errors import os_errors_as_user_errors

FILE = "model.safetensors"  # of timm's on the hub
POINTER = re.compile(r"oid sha256:([0-9a-f]{64})\nsize (\d{1,15})\s*")  # a Git LFS pointer, which the hub's `raw` gives
IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.\w+$")  # torch.hub's convention: a file's name ends with its SHA-256's start
RGB = "RGB"  # the order of both libraries


@dataclass(frozen=True)
class Published:
    """What a library says of weights: their full `name`, `url`, the address of their Git LFS `pointer` ("" if there is
    none), mean and std of the channels (0 to 1)."""

    name: str
    url: str
    pointer: str
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def preprocessing(self) -> dict[str, Any]:
        """As a config declares it, in pixel units."""
        mean, std = ([round(255 * value, 6) for value in values] for values in (self.mean, self.std))
        return {"channel_order": RGB, "mean": mean, "std": std}


def of_timm(name: str) -> Published:
    """timm's weights. UserError if it has none of the name."""
    from huggingface_hub import hf_hub_url
    from timm import list_pretrained
    from timm.models import get_pretrained_cfg

    try:
        about = get_pretrained_cfg(name)
    except RuntimeError:  # the network is known, but not the weights
        about = None
    if about is None or not (about.hf_hub_id or about.url):
        raise unknown("timm", name, list_pretrained())
    full = f"{about.architecture}.{about.tag}" if about.tag else name
    if not about.hf_hub_id:
        return Published(full, about.url, "", about.mean, about.std)
    url = hf_hub_url(about.hf_hub_id, about.hf_hub_filename or FILE, endpoint=os.environ.get("HF_ENDPOINT"))
    return Published(full, url, url.replace("/resolve/", "/raw/", 1), about.mean, about.std)


def of_torchvision(name: str) -> Published:
    """torchvision's weights: those of this name, or the default ones of a network. UserError if it has none."""
    from torchvision import models

    known = {name: models.get_model_weights(name).DEFAULT for name in models.list_models(module=models)}
    known |= {str(weights): weights for one in known.values() for weights in type(one)}
    if name not in known:
        raise unknown("torchvision", name, list(known))
    weights, prepare = known[name], known[name].transforms()
    return Published(str(weights), weights.url, "", tuple(prepare.mean), tuple(prepare.std))


def unknown(library: str, name: str, known: list[str]) -> UserError:
    """The error for a name that the library does not have."""
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    advice = f"; did you mean {' or '.join(close)}?" if close else ""
    return UserError(f"checkpoint {library}:{name}: {library} publishes no weights of this name{advice}")


def fetch(weights: LibraryWeights, patience: RetryPolicy = PATIENCE) -> dict[str, Any]:
    """Bring weights to their folder, if they are not there; returns the note of them.

    Raises:
        UserError: if the library has none of the name, the file cannot be had, or its SHA-256 is another one.
    """
    read = {"timm": of_timm, "torchvision": of_torchvision}[weights.library]
    return weights.fetched() or download_weights(weights, read(weights.name), patience)


def download_weights(weights: LibraryWeights, published: Published, patience: RetryPolicy = PATIENCE) -> dict[str, Any]:
    """Download weights to their folder, and write the note of them; UserError as of `fetch`."""
    file = weights.folder / published.url.rpartition("/")[2]
    weights.folder.mkdir(parents=True, exist_ok=True)
    digest, size = expected(published, weights.folder, patience)
    download(published.url, file, size, patience)
    found = sha256(file)
    if not found.startswith(digest):
        file.unlink()
        raise UserError(f"{published.url}: not the published file: its sha256 is {found}, and must begin with {digest}")
    about = {"weights": f"{weights.library}:{published.name}", "file": file.name, "url": published.url}
    note = {**about, "sha256": found, "published_sha256": digest, "preprocessing": published.preprocessing}
    write_json(weights.note, note)
    return note


def expected(published: Published, folder: Path, patience: RetryPolicy) -> tuple[str, int | None]:
    """(what the SHA-256 of the file begins with, its bytes if that is known), as its publisher says."""
    if not published.pointer:
        in_name = IN_NAME.search(published.url)
        return (in_name[1] if in_name else ""), None
    file = folder / "pointer.txt"
    file.unlink(missing_ok=True)
    download(published.pointer, file, None, patience)
    found = POINTER.search(file.read_bytes()[:1000].decode(errors="replace"))
    file.unlink()
    if not found:
        raise UserError(f"{published.pointer}: not a Git LFS pointer, which would give the file's sha256")
    return found[1], int(found[2])


@cli_entry_point
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Fetch weights that timm or torchvision publish; what is there stays.")
    parser.add_argument("weights", help="timm:NAME or torchvision:NAME, as the library names them")
    parser.add_argument("--out", required=True, type=Path, help="where to write the record")
    parser.add_argument("--times", type=int, default=1, help="how many times they were fetched, with this one")
    args = parser.parse_args()
    weights = library_weights(args.weights)
    if weights is None:
        raise UserError(f"{args.weights}: neither timm:NAME nor torchvision:NAME")
    with os_errors_as_user_errors(weights.folder):
        record = fetch(weights) | {"times": args.times}
    write_json(args.out, record)


if __name__ == "__main__":
    main()
