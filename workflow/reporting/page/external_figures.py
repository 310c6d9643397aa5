"""Figures that rules of their own draw for the page: shown only where they are made of the records of now (law 8)."""

from pathlib import Path
from shlex import quote

from workflow.planning.plan import Plan
from workflow.reporting.figures import made_of, records
from workflow.reporting.outcome import FinishedRun, Outcome
from workflow.reporting.summary import Summary


def figures(todo: Plan, summary: Summary) -> tuple[dict[str, bytes], dict[str, str]]:
    """(name to file content of the figures to show, name to why it is not drawn) of a plan."""
    shown, missing = {}, {}
    for name, path in todo.figures.items():
        content = Path(path).read_bytes() if Path(path).is_file() else b""
        if why := fault(todo, name, content, summary):
            missing[name] = f"not drawn: {why}. To draw it, add `--force -- {quote(path)}` to your snakemake command."
        else:
            shown[name] = content
    return shown, missing


def fault(todo: Plan, name: str, content: bytes, summary: Summary) -> str:
    """Why a figure cannot be shown; empty if it can."""
    paths = {Path(run.record) for run in todo.material(name)}
    lacking = [one for one in summary.outcomes if one.path in paths and not isinstance(one, FinishedRun)]
    if lacking:
        return f"no record of {', '.join(f'{one.backbone} {one.seed_name} ({one.why})' for one in lacking)}"
    if not content:
        return "there is no such file yet"
    runs = {run.backbone: Path(run.record).parent for run in todo.material(name)}
    wanted = todo.gallery_of if name == "gallery" else records(runs)
    return (
        ""
        if made_of(content) == wanted
        else "the file that is there was made of other runs than those of now, or is damaged"
    )


def sources(content: bytes, summary: Summary) -> list[tuple[Outcome, str]]:
    """The runs that a figure is made of, each with the first digits of its record's hash."""
    hashes = made_of(content)
    paths = [(outcome, outcome.path.as_posix()) for outcome in summary.outcomes]
    return [(outcome, hashes[path][:10]) for outcome, path in paths if path in hashes]
