"""A headless Chromium, driven over its DevTools pipe: what a page asks for, what it complains of, how it looks."""

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
SCREENSHOTS = Path(__file__).parents[3] / ".work/screenshots"
SHEET = 977  # px across of the narrower of A4 and US letter in landscape: 11 in at 96 px, less two margins of 10 mm
DESKTOP, PHONE = (1400, 1000), (390, 844)  # px
LOOK = Path(__file__).with_name("look.js").read_text(encoding="utf-8")


def executable() -> str | None:
    """The browser's program, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One tab. `asked` holds the addresses of all requests, `said` what the console and the security policy say."""

    def __init__(self, reads: int, writes: int) -> None:
        self.reads, self.writes, self.left, self.number = reads, writes, b"", 0
        self.asked: list[str] = []
        self.said: list[str] = []
        self.loaded, self.session = False, ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command and its result; events that come before it are kept."""
        self.number += 1
        number, message = self.number, {"id": self.number, "method": method, "params": parameters}
        message |= {"sessionId": self.session} if self.session else {}
        os.write(self.writes, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer}"
                return answer["result"]

    def receive(self, patience: float = 60) -> dict[str, Any]:
        """The next message."""
        end = time.monotonic() + patience
        while b"\0" not in self.left:
            assert select.select([self.reads], [], [], max(0, end - time.monotonic()))[0], "Chromium says nothing"
            part = os.read(self.reads, 1 << 20)
            assert part, "Chromium has ended"
            self.left += part
        text, _, self.left = self.left.partition(b"\0")
        message = json.loads(text)
        self.note(message.get("method", ""), message.get("params", {}))
        return message

    def receive_until(self, done: Callable[[], bool], patience: float = 60) -> None:
        """Wait for what the page does on its own."""
        end = time.monotonic() + patience
        while not done():
            assert time.monotonic() < end, "the page does not do it"
            time.sleep(0.05)

    def note(self, event: str, about: dict[str, Any]) -> None:
        """Keep what an event tells."""
        if event == "Network.requestWillBeSent":
            self.asked.append(about["request"]["url"])
        if event == "Log.entryAdded":
            self.said.append(about["entry"]["text"])
        if event in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            self.said.append(json.dumps(about))
        self.loaded |= event == "Page.loadEventFired"

    def open(self, file: Path, size: tuple[int, int] = DESKTOP, dark: bool = False) -> dict[str, Any]:
        """Open a file at a size in px; what LOOK says of it."""
        width, height = size
        phone = {"deviceScaleFactor": 1, "mobile": size == PHONE}
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, **phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.loaded = False
        self.call("Page.navigate", url=file.resolve().as_uri())
        while not self.loaded:
            self.receive()
        result = self.call("Runtime.evaluate", expression=LOOK, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"]["value"]

    def picture(self, name: str) -> Path:
        """Keep the whole page as SCREENSHOTS/<name>.png."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        (SCREENSHOTS / f"{name}.png").write_bytes(base64.b64decode(data))
        return SCREENSHOTS / f"{name}.png"


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser with a fresh profile, which resolves no host name; gone after the block."""
    reads, its_writes = os.pipe()
    its_reads, writes = os.pipe()
    flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    flags += ["--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}", "--remote-debugging-pipe"]

    def pipes() -> None:
        """The program reads commands from 3 and answers on 4."""
        kept = os.dup(its_writes)
        os.dup2(its_reads, 3)
        os.dup2(kept, 4)

    with (profile.parent / "chromium.txt").open("wb") as log:
        program = subprocess.Popen([executable(), *flags], pass_fds=(3, 4), preexec_fn=pipes, stdout=log, stderr=log)
    os.close(its_reads)
    os.close(its_writes)
    try:
        yield Browser(reads, writes)
    finally:
        os.close(writes)
        os.close(reads)
        try:
            program.wait(timeout=20)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()


def check(page: Path, profile: Path, name: str, sections: set[str], lines: dict[str, list[str]]) -> None:
    """AssertionError unless the page draws all that it has, on a desktop, in the dark and on a phone, asks nothing of
    anybody and complains of nothing. `lines`: task to the names of its trained runs, each of which has a loss and
    evaluations. Keeps three pictures."""
    with browser(profile) as tab:
        seen = {}
        for kind, size, dark in (("desktop", DESKTOP, False), ("dark", DESKTOP, True), ("phone", PHONE, False)):
            seen[kind] = look = tab.open(page, size, dark)
            print(f"screenshot: {tab.picture(f'{name}-{kind}')}")
            assert sections <= set(look["sections"])
            assert all(look["images"]), "an image is not drawn"
            assert look["drawings"], "there are learning curves"
            assert all(look["drawings"]), "a drawing is empty"
            assert_lines(dict(look["lines"]), lines)
            assert any(look["verdicts"]), "there is no verdict"
            assert max(look["heat"], default=0) > 1, "there is no AP of each class"
            assert min(look["tables"]) > 1, "a table has no rows"
            assert "record" in look["trail"]
            assert look["dangling"] == 0
            assert look["width"] <= size[0], f"{kind}: the page itself scrolls sideways"
            untold = [label for label, scrolls, told in look["boxes"] if scrolls != told]
            assert kind != "phone" or not untold, f"what scrolls, or does not, says otherwise: {untold}"
        assert_prints(tab)
        assert seen["desktop"]["paper"] != seen["dark"]["paper"]
        assert seen["desktop"]["ink"] != seen["dark"]["ink"]
        outside = [url for url in tab.asked if not url.startswith("data:") and url != page.resolve().as_uri()]
        assert not outside, "the page asks for something"
        assert not tab.said


def assert_prints(tab: Browser) -> None:
    """The page that is open, on the sheet of its print styles: no cell and no picture is wider than the sheet."""
    tab.call("Emulation.setEmulatedMedia", media="print")
    tab.call("Emulation.setDeviceMetricsOverride", width=SHEET, height=700, deviceScaleFactor=1, mobile=False)
    script = """[...document.querySelectorAll("th, td, img, svg, .sideways")]
      .map((part) => [part.getBoundingClientRect().right, part.matches(".sideways") && part.offsetHeight > 0])"""
    parts = tab.call("Runtime.evaluate", expression=script, returnByValue=True)["result"]["value"]
    assert max(right for right, _ in parts) <= SHEET + 1, "printed, a table or a picture loses its right side"
    assert not any(told for _, told in parts), "paper does not scroll"


def assert_lines(drawn: dict[str, list[str]], wanted: dict[str, list[str]]) -> None:
    """Every trained run has its line among the losses, and among the evaluations of its task where more than the last
    one is drawn; no other has."""
    for task, names in wanted.items():
        label = next((label for label in drawn if label.startswith(f"Learning curves of {task}:")), "")
        panels = 2 if "training loss and" in label else 1
        assert sorted(drawn.get(label, [])) == sorted(panels * names), f"{task}: a run has no line"
