"""Config values in words."""

from workflow.core.formatting import plain


def test_plain_words():
    values = (True, False, None, [], {}, [1, 2], (1, 2), {"a": 1, "b": True}, 0, 1)
    assert [plain(v) for v in values] == ["yes", "no", "none", "none", "none", "1 2", "1 2", "a 1, b yes", "0", "1"]
