"""Write docs/bad_input.md from the table."""

from tests.bad.table import markdown
from tests.conftest import PROJECT

(PROJECT / "docs/bad_input.md").write_text(markdown(), encoding="utf-8")
