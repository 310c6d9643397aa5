"""A download ends with the right bytes or with one clear line, whatever the server does."""

import os
import shutil
from types import SimpleNamespace

import pytest

from workflow.data.download import Patience, download
from workflow.training.errors import UserError

DATA = os.urandom(300_000)
HASTE = Patience(timeout=0.3, tries=3, wait=0.01)


@pytest.fixture
def get(server, tmp_path):
    """Download DATA; returns the file's bytes."""
    server.files["x.zip"] = DATA

    def call(name="x.zip", size=None):
        download(f"{server.url}/{name}", tmp_path / "x.zip", size, HASTE)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["x.zip"], "nothing else is left"
        return (tmp_path / "x.zip").read_bytes()

    return call


def test_a_whole_file_comes_and_is_not_asked_for_again(get, server):
    assert get(size=len(DATA)) == DATA
    assert get() == DATA
    assert len(server.asked) == 1


def test_it_goes_on_where_it_broke_off(get, server):
    server.faults = [{"cut": 100_000}, {"cut": 50_000}, {}]
    assert get() == DATA
    assert [ranges for _, ranges in server.asked] == [None, "bytes=100000-", "bytes=150000-"]


def test_another_process_goes_on_where_the_first_was_stopped(get, server):
    server.faults = [{"cut": 100_000}, {"status": 500}, {"status": 500}, {"status": 500}]
    with pytest.raises(UserError, match="500 Internal Server Error"):
        get()
    assert get() == DATA
    assert server.asked[-1][1] == "bytes=100000-"


def test_progress_renews_the_patience(get, server):
    server.faults = [{"cut": 30_000} for _ in range(8)]
    assert get() == DATA


def test_a_server_without_ranges_is_asked_for_all(get, server):
    server.faults = [{"cut": 100_000}, {"range": "ignore"}]
    assert get() == DATA


def test_without_a_version_nothing_is_gone_on_from(get, server):
    server.faults = [{"cut": 100_000, "etag": "none"}, {}]
    assert get() == DATA
    assert [ranges for _, ranges in server.asked] == [None, None]


@pytest.mark.parametrize(
    "second", [{}, {"if-range": "ignore"}], ids=["that says so", "that sends the rest all the same"]
)
def test_a_file_that_changed_is_begun_anew(second, get, server):
    other = os.urandom(200_000)
    server.faults = [{"cut": 100_000, "then": {"x.zip": other}}, second]
    assert get() == other


def test_a_length_that_is_too_long_does_not_matter_where_the_server_can_say_the_end(get, server):
    server.faults = [{"lie": 500}, {}]
    assert get() == DATA
    assert server.asked[-1][1] == f"bytes={len(DATA)}-"


def test_a_length_that_stays_too_long_is_said(get, server):
    server.faults = [{"lie": 500, "etag": "none"} for _ in range(5)]
    with pytest.raises(UserError, match=r"x.zip: the connection broke off after 300,000 of 300,500 bytes \(3 tries\)"):
        get()


@pytest.mark.parametrize("lie", [-500, 500])
def test_a_length_that_is_not_the_official_one_is_refused(lie, get, server):
    server.faults = [{"lie": lie}]
    with pytest.raises(
        UserError, match=rf"x.zip: the server has {300_000 + lie:,} bytes, the official file has 300,000"
    ):
        get(size=len(DATA))
    assert len(server.asked) == 1


def test_an_end_without_a_length_is_too_early_if_the_official_length_is_known(get, server):
    server.faults = [{"cut": 100_000, "length": "none"}, {"cut": 50_000, "length": "none"}, {"length": "none"}]
    assert get(size=len(DATA)) == DATA
    assert [ranges for _, ranges in server.asked] == [None, "bytes=100000-", "bytes=150000-"]


def test_an_end_without_a_length_that_stays_too_early_is_said(get, server):
    server.faults = [{"cut": 100_000, "length": "none", "etag": "none"} for _ in range(3)]
    with pytest.raises(UserError, match=r"x.zip: the connection broke off after 100,000 of 300,000 bytes \(3 tries\)"):
        get(size=len(DATA))


def test_an_absent_file_is_said_at_once(get, server):
    with pytest.raises(UserError, match=r"/y.zip: the server answers 404 Not Found$"):
        get("y.zip")
    assert len(server.asked) == 1


def test_a_passing_fault_passes(get, server):
    server.faults = [{"status": 503}, {"status": 429}]
    assert get() == DATA


def test_a_server_that_hangs_is_given_up(get, server):
    server.faults = [{"hang": 1}] * 3
    with pytest.raises(UserError, match=r"x.zip: no answer for 0.3 s \(3 tries\); the same command goes on from here"):
        get()


def test_a_server_that_stalls_is_asked_again(get, server):
    server.faults = [{"cut": 100_000, "stall": 1}]
    assert get() == DATA
    assert server.asked[-1][1] == "bytes=100000-"


def test_a_server_that_is_not_there_is_said(tmp_path):
    with pytest.raises(UserError, match=r"x.zip: cannot be reached: Connection refused \(3 tries\)"):
        download("http://127.0.0.1:9/x.zip", tmp_path / "x.zip", patience=HASTE)


def test_a_full_disk_is_said_before_it_is_full(get, server, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=299_999))
    with pytest.raises(UserError, match=r": x.zip needs 0.0 GB, the disk has 0.0 GB free"):
        get()
