"""transfer.tex: the transfer table for a paper. \\input it where a table may float; it brings no preamble and fits the
\\textwidth of a plain article: at most five metrics side by side, further tasks in a panel below."""

import re
from collections.abc import Iterable
from itertools import groupby

from workflow.reporting.metrics import named, number, percent
from workflow.reporting.networks import against
from workflow.reporting.outcome import Outcome
from workflow.reporting.statistics.cells import ONE_PRETRAINING, TOO_FEW, Cell
from workflow.reporting.statistics.intervals import ENOUGH
from workflow.reporting.summary import Column, Summary
from workflow.reporting.tables.text_tables import clipped

ACROSS = 5  # metrics side by side
DOWN = 56  # lines of a float
STALE = 5  # reasons that a caption has room for
HEAD = r"""% The table of {experiment}, written from its records: run the workflow again rather than edit it.
% Needs \usepackage{{booktabs}} and \usepackage{{array}}; table* spans both columns of a two-column paper.
"""
NAME, NUMBER = r">{\raggedright\arraybackslash}p{0.17\textwidth}", r">{\centering\arraybackslash}p{0.166\textwidth}"
SPECIAL = str.maketrans(
    {char: f"\\{char}" for char in "{}$&#_%"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", '"': "''"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "–": r"\textendash{}"}
    | {"±": r"$\pm$", "×": r"$\times$", "…": r"\dots{}", "−": "$-$"}
)
Row = list[Cell]


def latex(summary: Summary) -> str:
    """The whole file."""
    panels = [(columns, panel(summary, columns)) for columns in side_by_side(summary.columns)]
    across = max(len(columns) for columns, _ in panels)
    tables: list[list[str]] = [[]]
    for _, lines in panels:
        if tables[-1] and len(tables[-1]) + len(lines) > DOWN:
            tables.append([])
        elif tables[-1]:
            tables[-1] += [r"\end{tabular}", "", r"\medskip"]
        tables[-1] += [rf"\begin{{tabular}}{{@{{}}{NAME}*{{{across}}}{{{NUMBER}}}@{{}}}}", *lines]
    captions = [rf"\caption{{{caption(summary)}}}\label{{tab:transfer}}"]
    captions += [r"\caption{Table~\ref{tab:transfer}, continued.}"] * (len(tables) - 1)
    floats = [floating(words, lines) for words, lines in zip(captions, tables, strict=True)]
    return HEAD.format(experiment=summary.experiment) + "".join(floats)


def floating(words: str, lines: list[str]) -> str:
    """One table* with its caption above."""
    begin = [r"\begin{table*}", words, r"\centering\footnotesize\setlength{\tabcolsep}{0pt}\smallskip"]
    return "\n".join([*begin, *lines, r"\end{tabular}", r"\end{table*}", ""])


def side_by_side(columns: list[Column]) -> list[list[Column]]:
    """Columns in panels; a task stays whole."""
    found: list[list[Column]] = [[]]
    for _, group in groupby(columns, key=lambda column: column[0]):
        metrics = list(group)
        if found[-1] and len(found[-1]) + len(metrics) > ACROSS:
            found.append([])
        found[-1] += metrics
    return found


def panel(summary: Summary, columns: list[Column]) -> list[str]:
    """The lines of a panel: its tasks, its metrics, and the rows with all that belongs to them."""
    tasks, rules, start = [], [], 2
    for task, group in groupby(columns, key=lambda column: column[0]):
        count = len(list(group))
        tasks.append(rf"\multicolumn{{{count}}}{{c}}{{{escape(title(summary, task))}}}")
        rules.append(rf"\cmidrule(lr){{{start}-{start + count - 1}}}")
        start += count
    metrics = [rf"{escape(named(one))} $\{'down' if one.better == 'lower' else 'up'}arrow$" for _, one in columns]
    lines = [r"\toprule", line(["", *tasks]), " ".join(rules), line(["", *metrics]), r"\midrule"]
    for network in summary.networks:
        if summary.several:
            heading = rf"\multicolumn{{{len(columns) + 1}}}{{@{{}}l}}{{\textbf{{{escape(network.words)}}}}}"
            lines += [line([heading]), r"\addlinespace"]
        for backbone in network.rows:
            lines += row([summary.cell(backbone, column) for column in columns], mixed(summary))
    for name in summary.references:
        scores = [summary.reference(name, column) for column in columns]
        if any(score is not None for score in scores):
            pairs = zip(columns, scores, strict=True)
            texts = ["" if score is None else number(metric, score) for (_, metric), score in pairs]
            lines += [r"\midrule", line([rf"\emph{{{escape(name)}}}", *texts]), r"\addlinespace"]
    return [*lines[:-1], r"\bottomrule"]


def title(summary: Summary, name: str) -> str:
    """Of a task's columns; with the name of the instance where that is another than the type's."""
    task = summary.tasks[name]
    return task.title if name == task.name else f"{task.title} ({name})"


def row(cells: Row, with_n: bool) -> list[str]:
    """A backbone's lines: means, and below them what there is of n, change, interval and the paper's number."""
    name = escape(cells[0].backbone).replace(r"\_", r"\_\allowbreak{}")
    lines = [line([name, *map(mean, cells)])]
    more = {"runs": [str(cell.n or "") for cell in cells]} if with_n else {}
    if cells[0].baseline not in ("", cells[0].backbone):
        more |= {"change": [change(cell) for cell in cells]}
        known = any(cell.low is not None for cell in cells)  # else the caption says why
        more |= {"interval": [interval(cell) for cell in cells]} if known else {}
    more |= {"paper": [paper(cell) for cell in cells]}
    for label, texts in more.items():
        if any(texts):
            lines.append(line(rf"\scriptsize {text}" if text else "" for text in [rf"\quad\emph{{{label}}}", *texts]))
    return [*lines, r"\addlinespace"]


def line(texts: Iterable[str]) -> str:
    """One line of a table."""
    return " & ".join(texts) + r" \\"


def mean(cell: Cell) -> str:
    """Mean and spread; better is bold with a star, worse has a dagger, whose width moves nothing."""
    if cell.mean is None:
        return r"\emph{stale}" if cell.missing.startswith("stale") else "--"
    text = number(cell.metric, cell.mean)
    text = rf"\textbf{{{text}}}" if cell.verdict == "better" else text
    spread = rf"\,$\pm$\,{number(cell.metric, cell.std)}" if cell.std is not None else ""
    mark = {"better": r"\ast", "worse": r"\dagger"}.get(cell.verdict)
    return text + spread + (rf"\rlap{{$^{{{mark}}}$}}" if mark else "")


def change(cell: Cell) -> str:
    """Against the baseline."""
    return f"${number(cell.metric, cell.change, sign=True)}$" if cell.change is not None else ""


def interval(cell: Cell) -> str:
    """Of the change, with a mark where it is one pretraining's; of too few seeds, that they are."""
    if cell.low is None or cell.high is None:
        return rf"\emph{{{cell.verdict}}}" if cell.verdict in TOO_FEW else ""
    mark = r"\rlap{$^{\mathrm{t}}$}" if cell.verdict == ONE_PRETRAINING else ""
    return rf"$[{number(cell.metric, cell.low)},{number(cell.metric, cell.high)}]${mark}"


def paper(cell: Cell) -> str:
    """The paper's number, and its change."""
    if not cell.paper:
        return ""
    gap = f" (${number(cell.metric, cell.paper_delta, sign=True)}$)" if cell.paper_delta is not None else ""
    return number(cell.metric, cell.paper.value) + gap


def shown(summary: Summary) -> list[Cell]:
    """The cells that have a number."""
    cells = (summary.cell(backbone, column) for backbone in summary.backbones for column in summary.columns)
    return [cell for cell in cells if cell.n]


def mixed(summary: Summary) -> bool:
    """Are some means over more runs than others?"""
    return len({cell.n for cell in shown(summary)}) > 1


def caption(summary: Summary) -> str:
    """What must be known to read the table."""
    cells = shown(summary)
    others = [cell for cell in cells if cell.change is not None]
    unit = escape(percent(metric for _, metric in summary.columns))
    parts = [rf"Transfer table \emph{{{escape(summary.experiment)}}}, {unit}; the last epoch counts.", runs(cells)]
    if not summary.several:
        parts.insert(1, rf"\emph{{Network}}: {escape(summary.networks[0].words)}.")
    if others:
        parts.append(rf"\emph{{Change}}: against {escape(against(summary.networks))}.")
    if any(cell.low is not None for cell in others):
        held = escape("; ".join(dict.fromkeys(cell.covers for cell in others if cell.covers)))
        parts.append(rf"\emph{{Interval}}: 95\,\% of that change, over {held}.")
    trained = [cell for cell in cells if cell.backbone not in summary.imported]
    once = dict.fromkeys(cell.backbone for cell in trained if cell.n >= ENOUGH and one_pretraining(cell))
    if once:
        names = escape(", ".join(once))
        parts.append(
            rf"Of one pretraining, so with the noise of its transfers alone (intervals: $^{{\mathrm{{t}}}}$): {names}."
        )
    parts += verdicts({cell.verdict for cell in others})
    if summary.references:
        parts.append(rf"\emph{{{escape(', '.join(summary.references))}}}: a reference that needs no network.")
    parts.append(stale(summary.stale))
    if any(cell.paper for cell in summary.cells.values()):
        parts.append(r"\emph{Paper}: CutMix, ICCV 2019, at its best epoch.")
    about = [f"{name}: {text}" for name, text in summary.origins.items() if text]
    parts += [escape("; ".join(about)) + "."] if about else []
    return " ".join(filter(None, [*parts, *map(escape, summary.notices)]))


def runs(cells: Row) -> str:
    """How many runs a mean is over."""
    counts = sorted({cell.n for cell in cells})
    if not counts:
        return "No run is finished."
    if counts == [1]:
        return "One run a cell ($n = 1$)."
    several = " to ".join(f"${count}$" for count in sorted({counts[0], counts[-1]}))
    shared = any(len({run.seeds["pretrain"] for run in cell.runs}) < len(cell.runs) for cell in cells)
    units = " Runs that share a pretraining count as one seed, unless it is a row's only one." if shared else ""
    return rf"Mean $\pm$ sample standard deviation over {several} runs with different seeds.{units}"


def one_pretraining(cell: Cell) -> bool:
    """Do its runs share one backbone?"""
    return len({run.seeds["pretrain"] for run in cell.runs}) == 1


def verdicts(found: set[str]) -> list[str]:
    """What the marks mean, and why there are none."""
    parts = []
    if found & {"better", "worse", "undecided"}:
        parts.append(
            r"\textbf{Bold}$^{\ast}$: better than the baseline; $^{\dagger}$: worse (5\,\% a column, corrected for its "
            "finished rows after Holm); no mark: undecided, or no verdict (fewer than three seeds, or one pretraining)."
        )
    elif ONE_PRETRAINING in found:
        parts.append("No verdict from one pretraining.")
    if found.intersection(TOO_FEW):
        parts.append("Fewer than three seeds: no interval and no verdict.")
    return parts


def stale(outcomes: list[Outcome]) -> str:
    """The runs that are in no number as their records are not the plan's, with what differs."""
    reasons: dict[str, list[str]] = {}
    for outcome in outcomes:
        reasons.setdefault(clipped(outcome.reason), []).append(outcome.name)
    parts = [
        escape(f"{names[0]}{f' and {len(names) - 1} more' if names[1:] else ''} ({reason})")
        for reason, names in reasons.items()
    ]
    rest = f"; and {sum(map(len, list(reasons.values())[STALE:]))} more runs" if len(parts) > STALE else ""
    return f"Stale, and in no number: {'; '.join(parts[:STALE])}{rest}." if parts else ""


def escape(text: str) -> str:
    """Data inside LaTeX: no commands of its own, and no character that a plain article cannot set."""
    known = "".join(c if " " <= c <= "~" or ord(c) in SPECIAL or "À" <= c <= "ÿ" else "?" for c in text)
    return re.sub("-(?=-)", "-{}", known.translate(SPECIAL))  # two hyphens are two hyphens
