"""A download ends with the right bytes or with one clear line, whatever the server does."""

import os
import shutil
from types import SimpleNamespace

import pytest

from workflow.core.errors import UserError
from workflow.data.fetch.download import RESERVE, RetryPolicy, download

DATA = os.urandom(300_000)
HASTE = RetryPolicy(timeout=0.3, tries=3, wait=0.01)


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


def test_a_body_without_end_is_cut_off_and_removed(get, server, tmp_path):
    server.faults = [{"length": "none", "more": 200}]
    with pytest.raises(UserError, match=r"x.zip: the server sends more than the 300,000 bytes of the file: another"):
        get(size=len(DATA))
    assert not list(tmp_path.iterdir())
    assert len(server.asked) == 1
    assert server.sent < 100, "of 200 MB, but for what the buffers between us hold"


def test_the_rest_of_a_file_without_end_is_cut_off_and_removed(get, server, tmp_path):
    server.faults = [{"cut": 100_000}, {"length": "none", "more": 200}]
    with pytest.raises(UserError, match=r"the server sends more than the 300,000 bytes"):
        get()
    assert not list(tmp_path.iterdir()), "of the length that Content-Range gives"


def test_a_length_that_is_nowhere_given_leaves_the_disk_its_reserve(get, server, tmp_path, monkeypatch):
    server.faults = [{"length": "none", "more": 200}]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=RESERVE - 1))
    with pytest.raises(UserError, match=r"the disk is full, and the server does not say how long the file is"):
        get()
    assert not list(tmp_path.iterdir())


def test_a_range_of_another_file_is_refused_and_removed(get, server, tmp_path):
    server.faults = [{"cut": 100_000}, {"total": 10**15}]
    with pytest.raises(UserError, match=r"the server has 1,000,000,000,000,000 bytes, the official file has 300,000"):
        get(size=len(DATA))
    assert not list(tmp_path.iterdir())


def test_what_is_there_of_a_longer_file_is_begun_anew(get, server):
    server.files["x.zip"] = os.urandom(400_000)
    server.faults = [{"cut": 350_000}, *[{"status": 500}] * 3]
    with pytest.raises(UserError, match="500"):
        get()
    server.files["x.zip"] = DATA
    assert get(size=len(DATA)) == DATA
    assert server.asked[-1][1] is None


def test_a_file_in_another_coding_is_refused_with_its_name(get, server):
    server.faults = [{"coding": "gzip", "lie": -500}]
    with pytest.raises(UserError, match=r"the server has 299,500 bytes in 'gzip', the official file has 300,000"):
        get(size=len(DATA))


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/x", "file:///etc/passwd", "data:,x", "gopher://x/", "x:\x1b[2J"])
def test_a_redirect_to_another_scheme_is_not_followed(address, get, server, tmp_path):
    server.faults = [{"redirect": address}]
    with pytest.raises(UserError, match=r"the server sends us from http to '.*': not followed$") as error:
        get()
    assert str(error.value).isprintable()
    assert len(server.asked) == 1
    assert not list(tmp_path.iterdir())


def test_a_redirect_over_http_is_followed_and_one_in_a_circle_is_said_in_a_line(get, server, tmp_path):
    server.faults = [{"redirect": f"{server.url}/x.zip"}, {"redirect": "/x.zip"}]
    assert get(size=len(DATA)) == DATA
    server.files["y.zip"], server.faults = b"", [{"redirect": f"{server.url}/y.zip"}] * 50
    with pytest.raises(UserError, match=r"y.zip: the server answers 302 .*infinite loop") as error:
        download(f"{server.url}/y.zip", tmp_path / "y.zip", patience=HASTE)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x"])
def test_only_http_is_downloaded(address, tmp_path):
    with pytest.raises(UserError, match=r": only http and https addresses are downloaded"):
        download(address, tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_a_server_that_drips_is_given_up(server, tmp_path):
    server.files["x.zip"] = b"x"
    server.faults = [{"length": "none", "more": 12, "chunk": b"x", "drip": 0.06, "etag": "none"}] * 3
    with pytest.raises(UserError, match=r"x.zip: only \d+ bytes in 0\.\d s \(3 tries\)"):
        download(f"{server.url}/x.zip", tmp_path / "x.zip", 10_000, HASTE)
