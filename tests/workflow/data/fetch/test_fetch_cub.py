"""CUB-200-2011 from its official archive, which has more than the set's own folder."""

import gzip

from tests.workflow.data.conftest import below, small, tar_of
from workflow.data import cub as cub_set
from workflow.data.fetch.fetch import fetch, is_incomplete


def test_the_folder_of_the_archive_becomes_the_root(cub, tmp_path):
    members = below(cub.root, "CUB_200_2011/") | {"attributes.txt": b"x"}
    (tmp_path / "archives").mkdir()
    archives = {"CUB_200_2011.tgz": gzip.compress(tar_of(members))}
    (tmp_path / "archives/CUB_200_2011.tgz").write_bytes(archives["CUB_200_2011.tgz"])
    sources = small("cub", archives, [{"images.txt": 34, "bounding_boxes.txt": 34, "images/*/*.jpg": 34}])
    section, root = {"root": "x", "source": str(tmp_path / "archives")}, tmp_path / "cub"
    assert is_incomplete("cub", section, root)
    record = fetch("cub", section, root, sources)
    assert record["archives"]["CUB_200_2011.tgz"]["source"].endswith("archives/CUB_200_2011.tgz")
    assert not is_incomplete("cub", section, root)
    assert cub_set.check(section, root, threads=1).counts == {"train": 24, "test": 10}
    assert not (root / "attributes.txt").exists()
