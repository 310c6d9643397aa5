"""COCO folders, with and without Karpathy's split, that `python -m workflow.data.coco` refuses."""

import shutil
from pathlib import Path

from tests.bad.cases import Case, cut, edit, edit_json, read_only, several, write
from tests.bad.images import image

PHOTO = "train2014/COCO_train2014_000000000009.jpg"
CAPTIONS, TEST_CAPTIONS = (f"annotations/captions_{name}.json" for name in ("train2014", "val2014"))
OBJECTS, TEST_OBJECTS = (f"annotations/instances_{name}.json" for name in ("train2014", "val2014"))
SPLIT = "annotations/dataset_coco.json"
SAID, FOUND, DIVIDED = (f"data/coco/{path}" for path in (CAPTIONS, OBJECTS, SPLIT))


def first(path: str, kind: str, **values):
    """Other values in the first entry of a list."""
    return edit_json(path, lambda content: content[kind][0].update(values))


def of_first_split(**values):
    """Of Karpathy's first image."""
    return edit_json(SPLIT, lambda content: content["images"][0].update(values))


def caption(text: object) -> Case:
    """The first caption."""
    return first(CAPTIONS, "annotations", caption=text)


def untested(content: dict) -> None:
    """Nobody is in the test split."""
    for entry in content["images"]:
        entry.update(split=entry["split"].replace("test", "val"))


def flat_folder(root: Path) -> None:
    """A file where the folder of images should be."""
    shutil.rmtree(root / "val2014")
    (root / "val2014").write_text("")


COCO = [
    Case("a file for the folder of images",
         "data/coco/val2014: the folder val2014 is missing; `snakemake data --cores 2 --configfile CONFIG` fetches the "
         "official one", flat_folder),
    Case("JSON that breaks off", f"{SAID}: not valid JSON: …", cut(CAPTIONS, 100)),
    Case("JSON in Latin-1", f"{SAID}: not valid JSON: 'utf-8' codec can't decode byte 0xe9 …",
         write(CAPTIONS, '{"images": ["é"]}'.encode("latin-1"))),
    Case("neither captions nor instances", f"{SAID}: the annotation file is missing; …",
         lambda root: [path.unlink() for path in (root / "annotations").glob("*2014.json")]),
    Case("captions of one split alone", f"data/coco/{TEST_CAPTIONS}: the annotation file is missing; …",
         lambda root: (root / TEST_CAPTIONS).unlink()),
    Case("an id in letters", f"{SAID}: images[0]: 'id' must be a whole number, not 'nine'",
         first(CAPTIONS, "images", id="nine")),
    Case("an id in quotes", f"{FOUND}: annotations[0]: 'image_id' must be a whole number, not '9'",
         first(OBJECTS, "annotations", image_id="9")),
    Case("an id with a fraction", f"{FOUND}: annotations[0]: 'category_id' must be a whole number, not 1.5",
         first(OBJECTS, "annotations", category_id=1.5)),
    Case("an object without a box, with a segmentation", f"{FOUND}: annotations[0] has no 'bbox'",
         edit_json(OBJECTS, lambda content: content["annotations"][0].pop("bbox"))),
    Case("a class of no name", f"{FOUND}: categories[0] has no 'name'",
         edit_json(OBJECTS, lambda content: content["categories"][0].pop("name"))),
    Case("two images that are the same file", f"{FOUND}: file_name … stands 2 times in 'images'",
         edit_json(OBJECTS, lambda content: content["images"][0].update(
             file_name=f"x/{content['images'][1]['file_name']}"))),
    Case("JSON nested 100,000 deep", f"{SAID}: not valid JSON: nested too deeply", write(CAPTIONS, "[" * 100_000)),
    Case("an empty file", f"{SAID}: not valid JSON: Expecting value: line 1 column 1 (char 0)", write(CAPTIONS)),
    Case("a folder for an annotation file", f"{SAID}: the annotation file is missing; …",
         lambda root: ((root / CAPTIONS).unlink(), (root / CAPTIONS).mkdir())),
    Case("a list of objects twice", f"{FOUND}: not valid JSON: duplicate key 'annotations'",
         lambda root: (root / OBJECTS).write_text('{"annotations": [],' + (root / OBJECTS).read_text()[1:])),
    Case("a key of an object twice", f"{FOUND}: not valid JSON: duplicate key 'area'",
         edit(OBJECTS, '"area":', '"area": 1, "area":')),
    Case("an area that is no number", f"{FOUND}: annotations[0]: 'area' must be a number, not nan",
         first(OBJECTS, "annotations", area=float("nan"))),
    Case("an edge of 401 digits", f"{FOUND}: instance 90 of image 9: bbox must be [x, y, width, height], not [1000…",
         first(OBJECTS, "annotations", bbox=[10**400, 2, 5, 5])),
    Case("a width of nothing", f"{FOUND}: images[0]: 'width' must be a whole number above 0, not 0",
         first(OBJECTS, "images", width=0)),
    Case("a crowd in words", f"{FOUND}: annotations[0]: 'iscrowd' must be a whole number, not 'no'",
         first(OBJECTS, "annotations", iscrowd="no")),
    Case("a list of images that is a mapping", f"{SAID}: the list 'images' is missing",
         edit_json(CAPTIONS, lambda content: content.update(images={}))),
    Case("a number of 5,000 digits", f"{SAID}: not valid JSON: Exceeds the limit …", write(CAPTIONS, "9" * 5000)),
    Case("no list of images", f"{SAID}: the list 'images' is missing",
         edit_json(CAPTIONS, lambda content: content.pop("images"))),
    Case("an entry that lacks a key", f"{SAID}: annotations[1] has no 'caption'",
         edit_json(CAPTIONS, lambda content: content["annotations"][1].pop("caption"))),
    Case("an id that is a list", f"{SAID}: images[0]: 'id' must be a whole number, not [9]",
         first(CAPTIONS, "images", id=[9])),
    Case("a width in words", f"{FOUND}: images[0]: 'width' must be a whole number above 0, not '64'",
         first(OBJECTS, "images", width="64")),
    Case("an area in words", f"{FOUND}: annotations[0]: 'area' must be a number, not 'large'",
         first(OBJECTS, "annotations", area="large")),
    Case("a file name that leads out of the folder",
         f"{SAID}: images[0]: 'file_name' must be the name of a file in its folder, not '../x.jpg'",
         first(CAPTIONS, "images", file_name="../x.jpg")),
    Case("an empty split", f"data/coco/{TEST_CAPTIONS}: the split is empty: it lists no image",
         edit_json(TEST_CAPTIONS, lambda content: content.update(images=[], annotations=[]))),
    Case("an absent image", f"2 faults in the data: {SAID}: image 9: data/coco/{PHOTO} is missing",
         lambda root: (root / PHOTO).unlink()),
    Case("a caption id that stands twice", f"{SAID}: id 91 stands 2 times in 'annotations'",
         first(CAPTIONS, "annotations", id=91)),
    Case("a caption of an unknown image", f"{SAID}: caption 90: image 77 is not in 'images'",
         first(CAPTIONS, "annotations", image_id=77)),
    Case("an empty caption", f"{SAID}: caption 90 of image 9 is empty", caption(" \n")),
    Case("a caption that is a number", f"{SAID}: caption 90 of image 9 is no text", caption(5)),
    Case("a caption with half a character",
         f"{SAID}: caption 90 of image 9 holds what is no Unicode character (half a surrogate pair, or …)",
         caption("a \ud83d ring")),
    Case("an image without a caption", f"{SAID}: image 9 has no caption",
         edit_json(CAPTIONS, lambda content: content.update(annotations=content["annotations"][5:]))),
    Case("an object of an unknown class",
         f"{FOUND}: instance 90: category 4 is not in the class list 'categories'",
         first(OBJECTS, "annotations", category_id=4)),
    Case("two classes of one name", f"2 faults in the data: {FOUND}: categories 1, 2 have the same name, square, "
         "and objects of each",
         several(*(first(path, "categories", name="square") for path in (OBJECTS, TEST_OBJECTS)))),
    Case("two classes of one id", f"2 faults in the data: {FOUND}: id 2 stands 2 times in 'categories'",
         several(*(edit_json(path, lambda content: content["categories"].append({"id": 2, "name": "x"}))
                   for path in (OBJECTS, TEST_OBJECTS)))),
    Case("a box in words", f"{FOUND}: instance 90 of image 9: bbox must be [x, y, width, height], not '1234'",
         first(OBJECTS, "annotations", bbox="1234")),
    Case("a box without area", f"{FOUND}: instance 90 of image 9: the box (1, 2, 1, 7) has no area",
         first(OBJECTS, "annotations", bbox=[1, 2, 0, 5])),
    Case("a box outside the image",
         f"{FOUND}: instance 90 of image 9: the box (1, 2, 301, 7) is outside the image of …x… px",
         first(OBJECTS, "annotations", bbox=[1, 2, 300, 5])),
    Case("a box narrower than a pixel",
         f"{FOUND}: instance 90 of image 9: its box is narrower than one pixel: training would leave it out",
         first(OBJECTS, "annotations", bbox=[1, 2, 0.5, 5])),
    Case("an object without area", f"{FOUND}: instance 90 of image 9: its area is 0: training would leave it out",
         first(OBJECTS, "annotations", area=0)),
    Case("an object marked `ignore`",
         f"{FOUND}: instance 90 of image 9: it is marked `ignore`: training would leave it out",
         first(OBJECTS, "annotations", ignore=1)),
    Case("no object at all", f"{FOUND}: no image has an object",
         edit_json(OBJECTS, lambda content: content.update(annotations=[]))),
    Case("crowds alone in the test split", f"data/coco/{TEST_OBJECTS}: no image has an object but crowds",
         edit_json(TEST_OBJECTS, lambda content: [one.update(iscrowd=1) for one in content["annotations"]])),
    Case("other classes in the test split",
         f"data/coco/{TEST_OBJECTS}: its 'categories' are not those of {FOUND}",
         first(TEST_OBJECTS, "categories", name="disc")),
    Case("an image of another size",
         f"2 faults in the data: {SAID}: image 9: stated as 48x64 px, the file has 1x1 px", image(PHOTO, (1, 1))),
    Case("a truncated image", f"data/coco/{PHOTO}: the image cannot be decoded: image file is truncated …",
         cut(PHOTO, 400)),
    Case("a result on a read-only disk", "results/data/x…: Read-only file system",
         read_only("../../results/data")),
]  # fmt: skip

KARPATHY = [
    Case("no such file", f"{DIVIDED}: the annotation file is missing; …", lambda root: (root / SPLIT).unlink()),
    Case("an unknown split",
         f"{DIVIDED}: images[0] (cocoid 12): its split must be one of train, restval, val, test, not 'd'",
         of_first_split(split="d")),
    Case("an id that is a list", f"{DIVIDED}: images[0]: 'cocoid' must be a whole number, not [12]",
         of_first_split(cocoid=[12])),
    Case("sentences that are a text", f"{DIVIDED}: images[0]: 'sentences' must be a list, not 'a ring'",
         of_first_split(sentences="a ring")),
    Case("a sentence that is no mapping", f"{DIVIDED}: images[0] (cocoid 12): a caption (`raw`) is no text",
         of_first_split(sentences=[5])),
    Case("no caption", f"{DIVIDED}: images[0] (cocoid 12): it has no caption", of_first_split(sentences=[])),
    Case("no image to test on", f"{DIVIDED}: no image is in test", edit_json(SPLIT, untested)),
    Case("an image that is not in the official files",
         f"{DIVIDED}: images[0] (cocoid 12): val2014/x.jpg is not in the official annotation files",
         of_first_split(filename="x.jpg")),
]  # fmt: skip
