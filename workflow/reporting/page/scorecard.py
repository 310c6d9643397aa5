"""The scorecard as a section of the page: what the config gives, and which config gives the rest."""

from dataclasses import dataclass

from workflow.reporting.scorecard import HEADS, count, elsewhere, scores, words
from workflow.reporting.summary import Summary


@dataclass(frozen=True)
class Scorecard:
    """Texts of the section: a sentence, the head of its table, the lines that the config gives, and the others."""

    count: str
    heads: tuple[str, ...]
    lines: list[tuple[str, ...]]
    others: list[str]

    @classmethod
    def of(cls, summary: Summary) -> "Scorecard":
        """That of a table."""
        found = scores(summary)
        return cls(count(found), HEADS, [words(one) for one in found if one.cell], elsewhere(found))
