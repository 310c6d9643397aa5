"""Download one file over HTTP: goes on where it broke off, and starts again where the file on the server has changed.

What has come lies in FILE.part; FILE.part.json says from where and of which version (ETag or Last-Modified) it is."""

import http.client
import shutil
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from workflow.training.errors import UserError
from workflow.training.escaping import say
from workflow.training.files import read_json, write_json

CHUNK = 1 << 17
BUSY = (408, 425, 429)  # of the client errors, those that pass


class Patience(NamedTuple):
    """Seconds without an answer; how many times in a row to try without getting further; seconds before the second
    try, doubled from then on."""

    timeout: float = 60
    tries: int = 5
    wait: float = 2


PATIENCE = Patience()


class PassingError(Exception):
    """What went wrong may go right the next time."""


def download(url: str, path: Path, size: int | None = None, patience: Patience = PATIENCE) -> None:
    """Bring `url` to `path`, which appears only when complete. `size`: the bytes that it must have, if known.

    Raises UserError if there is no such file, if it has another length, or if all tries in a row have failed.
    """
    part, most, failures = path.with_name(f"{path.name}.part"), 0, 0
    while not path.exists():
        try:
            _go_on(url, part, size, patience.timeout)
            part.replace(path)
            _note(part).unlink(missing_ok=True)
        except PassingError as fault:
            have = _length(part)
            most, failures = max(most, have), 1 if have > most else failures + 1
            if failures >= patience.tries:
                raise UserError(f"{url}: {fault} ({failures} tries); the same command goes on from here") from None
            say(f"{url}: {fault}; trying again")
            time.sleep(patience.wait * 2 ** (failures - 1))


def need_room(folder: Path, size: int, what: str) -> None:
    """UserError if the disk of `folder` has less than `size` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise UserError(f"{folder}: {what} needs {size / 1e9:.1f} GB, the disk has {free / 1e9:.1f} GB free")


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _begun(url: str, part: Path) -> tuple[int, dict]:
    """How many bytes are there that can be gone on from, and what is known of their file."""
    try:
        note = read_json(_note(part))
    except UserError:
        return 0, {}
    usable = note["url"] == url and (note["version"] or note["length"] == _length(part))
    return (_length(part), note) if usable else (0, {})


def _go_on(url: str, part: Path, size: int | None, timeout: float) -> None:
    """One try: ask for what is missing and append it; PassingError if another try may help."""
    have, note = _begun(url, part)
    if have and have == note["length"]:
        return  # complete: stopped before it got its name
    headers = {"User-Agent": "backbone-transfer", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": note["version"]}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout) as answer:
            _receive(answer, url, part, have, note, size)
    except urllib.error.HTTPError as error:
        _refused(error, url, part, have)
    except TimeoutError:
        raise PassingError(f"no answer for {timeout:g} s") from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise UserError(f"{url}: the server's certificate is not valid: {error.reason.verify_message}") from None
        if isinstance(error.reason, TimeoutError):
            raise PassingError(f"no answer for {timeout:g} s") from None
        raise PassingError(f"cannot be reached: {getattr(error.reason, 'strerror', None) or error.reason}") from None
    except (ConnectionError, http.client.HTTPException, ssl.SSLError) as error:
        raise PassingError(f"the connection broke off: {error or type(error).__name__}") from None


def _refused(error: urllib.error.HTTPError, url: str, part: Path, have: int) -> None:
    """What an answer that is no file means: nothing is missing, try again (PassingError), or give up (UserError)."""
    if error.code == 416:  # nothing lies beyond what we have
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return
        part.unlink(missing_ok=True)
        raise PassingError("the file on the server has changed")
    answer = f"the server answers {error.code} {error.reason}"
    if error.code in BUSY or error.code >= 500:
        raise PassingError(answer)
    raise UserError(f"{url}: {answer}")


def _version(headers: http.client.HTTPMessage) -> str | None:
    """What tells two versions of the file apart; a weak ETag may not be used for ranges."""
    tag = headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")


def _receive(answer: http.client.HTTPResponse, url: str, part: Path, have: int, note: dict, size: int | None) -> None:
    """Write what the server sends: behind what we have if it is the rest of the same file, else from the beginning."""
    version, start = _version(answer.headers), 0
    if answer.status == 206:
        sent = (answer.headers.get("Content-Range") or "").removeprefix("bytes ").split("-")[0]
        if sent != str(have) or version not in (None, note["version"]):
            part.unlink(missing_ok=True)
            raise PassingError("the file on the server has changed")
        version, start = note["version"], have
    length = None if answer.length is None else start + answer.length
    if size and length and length != size:
        raise UserError(f"{url}: the server has {length:,} bytes, the official file has {size:,}: another file")
    total = length or size
    if total:
        need_room(part.parent, total - start, part.name.removesuffix(".part"))
    write_json(_note(part), {"url": url, "version": version, "length": length})
    got = start + _write(answer, part, start, total)
    if total and got < total:
        raise PassingError(f"the connection broke off after {got:,} of {total:,} bytes")


def _write(answer: http.client.HTTPResponse, part: Path, start: int, total: int | None) -> int:
    """Append to `part` from byte `start` on, with a progress bar; returns the number of bytes that came."""
    with (
        part.open("r+b" if start else "wb") as file,
        tqdm(total=total, initial=start, desc=part.name.removesuffix(".part"), unit="B", unit_scale=True) as bar,
    ):
        file.seek(start)
        while chunk := answer.read1(CHUNK):  # not `read`: what came before a stall counts
            file.write(chunk)
            bar.update(len(chunk))
        return file.tell() - start
