"""Download one file over HTTP: goes on where it broke off, and starts again where the file on the server has changed.

A server is trusted with nothing: no more comes than the file is long, and nowhere but over http and https.

What has come lies in FILE.part; FILE.part.json says from where and of which version (ETag or Last-Modified) it is."""

import http.client
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO, Any, NamedTuple

from tqdm import tqdm

from workflow.core.errors import UserError
from workflow.core.escaping import say
from workflow.core.files import read_json, write_json

CHUNK = 1 << 17
SLOWEST = 1000  # bytes a second; a server that drips less is asked again, as one that hangs
RESERVE = 1 << 30  # bytes of the disk that a file of unknown length leaves free
BUSY = (408, 425, 429)  # of the client errors, those that pass


class RetryPolicy(NamedTuple):
    """Seconds without an answer; how many times in a row to try without getting further; seconds before the second
    try, doubled from then on."""

    timeout: float = 60
    tries: int = 5
    wait: float = 2


PATIENCE = RetryPolicy()


class TransientError(Exception):
    """What went wrong may go right the next time."""


class Redirect(urllib.request.HTTPRedirectHandler):
    """Followed from http to http or https, and from https to https: urllib's own goes to ftp as well."""

    def redirect_request(
        self, request: urllib.request.Request, *answer: Any
    ) -> urllib.request.Request | None:  # answer: file, code, reason, headers, the new address
        """The next request; UserError if it leads elsewhere."""
        scheme = answer[-1].partition(":")[0].lower()
        if scheme not in ("http", "https") or (request.type == "https" and scheme == "http"):
            shown = ascii(answer[-1][:200])
            raise UserError(f"{request.full_url}: the server sends us from {request.type} to {shown}: not followed")
        return super().redirect_request(request, *answer)

    def http_error_302(self, request: urllib.request.Request, answer: IO[bytes], code: int, *rest: Any) -> Any:
        """What urllib does, but that an address of another kind is named before it is refused."""
        address = rest[-1].get("Location", "")
        if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:", address):
            self.redirect_request(request, answer, code, *rest, address)
        return super().http_error_302(request, answer, code, *rest)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302


def _opener() -> urllib.request.OpenerDirector:
    """Of http and https alone: no file, ftp or data address is opened."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        *(urllib.request.ProxyHandler(), urllib.request.HTTPHandler(), urllib.request.HTTPSHandler(), Redirect()),
        *(urllib.request.HTTPDefaultErrorHandler(), urllib.request.HTTPErrorProcessor()),
    ):
        opener.add_handler(handler)
    return opener


def download(url: str, path: Path, size: int | None = None, patience: RetryPolicy = PATIENCE) -> None:
    """Bring `url` to `path`, which appears only when complete. `size`: the bytes that it must have, if known.

    Raises UserError if there is no such file, if it has another length, or if all tries in a row have failed.
    """
    if url.partition(":")[0].lower() not in ("http", "https"):
        raise UserError(f"{url}: only http and https addresses are downloaded")
    part, most, failures = path.with_name(f"{path.name}.part"), 0, 0
    while not path.exists():
        try:
            _go_on(url, part, size, patience.timeout)
            part.replace(path)
            _note(part).unlink(missing_ok=True)
        except TransientError as fault:
            have = _length(part)
            further = have > most + SLOWEST * patience.timeout
            most, failures = max(most, have), 1 if further else failures + 1
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
    """One try: ask for what is missing and append it; TransientError if another try may help."""
    have, note = _begun(url, part)
    if size and have > size:  # of another file
        _remove(part)
        have, note = 0, {}
    if have and have == note["length"]:
        return  # complete: stopped before it got its name
    headers = {"User-Agent": "backbone-transfer", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": note["version"]}
    try:
        with _opener().open(urllib.request.Request(url, headers=headers), timeout=timeout) as answer:
            _receive(answer, url, part, have, note, size, timeout)
    except urllib.error.HTTPError as error:
        _refused(error, url, part, have)
    except TimeoutError:
        raise TransientError(f"no answer for {timeout:g} s") from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise UserError(f"{url}: the server's certificate is not valid: {error.reason.verify_message}") from None
        if isinstance(error.reason, TimeoutError):
            raise TransientError(f"no answer for {timeout:g} s") from None
        raise TransientError(f"cannot be reached: {getattr(error.reason, 'strerror', None) or error.reason}") from None
    except (ConnectionError, http.client.HTTPException, ssl.SSLError) as error:
        raise TransientError(f"the connection broke off: {error or type(error).__name__}") from None


def _refused(error: urllib.error.HTTPError, url: str, part: Path, have: int) -> None:
    """What an answer that is no file means: nothing is missing, try again (TransientError), or give up (UserError)."""
    if error.code == 416:  # nothing lies beyond what we have
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return
        part.unlink(missing_ok=True)
        raise TransientError("the file on the server has changed")
    answer = f"the server answers {error.code} {' '.join(str(error.reason).split())[:200]}"
    if error.code in BUSY or error.code >= 500:
        raise TransientError(answer)
    raise UserError(f"{url}: {answer}")


def _version(headers: http.client.HTTPMessage) -> str | None:
    """What tells two versions of the file apart; a weak ETag may not be used for ranges."""
    tag = headers.get("ETag")
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")


def _remove(part: Path) -> None:
    """What has come of a file that is not wanted."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _receive(
    answer: http.client.HTTPResponse, url: str, part: Path, have: int, note: dict, size: int | None, timeout: float
) -> None:
    """Write what the server sends: behind what we have if it is the rest of the same file, else from the beginning."""
    version, start, whole = _version(answer.headers), 0, None
    if answer.status == 206:
        sent = re.fullmatch(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", answer.headers.get("Content-Range") or "")
        whole = int(sent[3]) if sent and sent[3] != "*" else None
        if not sent or int(sent[1]) != have or version not in (None, note["version"]):
            part.unlink(missing_ok=True)
            raise TransientError("the file on the server has changed")
        version, start = note["version"], have
    length = whole if answer.length is None else start + answer.length
    for stated in (length, whole):
        if size and stated is not None and stated != size:
            _remove(part)
            coded = f" in {answer.headers['Content-Encoding']!a}" if answer.headers["Content-Encoding"] else ""
            raise UserError(
                f"{url}: the server has {stated:,} bytes{coded}, the official file has {size:,}: another file"
            )
    total = size or length
    if total:
        need_room(part.parent, total - start, part.name.removesuffix(".part"))
    write_json(_note(part), {"url": url, "version": version, "length": length})
    got = start + _write(answer, part, start, total, timeout)
    if total and got > total:
        _remove(part)
        raise UserError(f"{url}: the server sends more than the {total:,} bytes of the file: another file")
    if total and got < total:
        raise TransientError(f"the connection broke off after {got:,} of {total:,} bytes")


def _write(answer: http.client.HTTPResponse, part: Path, start: int, total: int | None, timeout: float) -> int:
    """Append to `part` from byte `start` on, with a progress bar; returns the number of bytes that came. No more than
    one chunk beyond `total` is read, and where that is unknown, no more than the disk can spare."""
    since, before = time.monotonic(), 0
    with (
        part.open("r+b" if start else "wb") as file,
        tqdm(total=total, initial=start, desc=part.name.removesuffix(".part"), unit="B", unit_scale=True) as bar,
    ):
        file.seek(start)
        while chunk := answer.read1(CHUNK):  # not `read`: what came before a stall counts
            file.write(chunk)
            bar.update(len(chunk))
            came = file.tell() - start
            if total and start + came > total:
                break
            if total is None and shutil.disk_usage(part.parent).free < RESERVE:
                _remove(part)
                raise UserError(f"{part}: the disk is full, and the server does not say how long the file is")
            if (passed := time.monotonic() - since) > timeout:
                if came - before < SLOWEST * timeout:
                    raise TransientError(f"only {came - before:,} bytes in {passed:.1f} s")
                since, before = time.monotonic(), came
        return file.tell() - start
