"""Boxes of ImageNet, CUB-200-2011 and held-out images that the checks of their sets refuse before any training."""

import shutil

from tests.bad.cases import Case, append, cut, edit, write
from tests.bad.sets import FETCH, VAL

BOXES = "val_boxes/ILSVRC2012_val_00000001.xml"
BOXED = [
    Case("no folder of boxes", f"data/imagenet/val_boxes: the folder of the boxes of val is missing; {FETCH}",
         lambda root: shutil.rmtree(root / "val_boxes")),
    Case("an image without annotation",
         f"data/imagenet/{BOXES}: the annotation of data/imagenet/{VAL} is missing",
         lambda root: (root / BOXES).unlink()),
    Case("an image without a box", f"data/imagenet/{BOXES}: data/imagenet/{VAL} has no box",
         edit(BOXES, "<object>.*</object>", "")),
    Case("a box outside its image",
         f"data/imagenet/{BOXES}: ILSVRC2012_val_00000001.JPEG: the box (…) is outside the image of 48x48 px",
         edit(BOXES, r"<xmax>\d+", "<xmax>90")),
    Case("a box without an area", f"data/imagenet/{BOXES}: ILSVRC2012_val_00000001.JPEG: the box (…) has no area",
         edit(BOXES, r"<xmax>\d+", "<xmax>0")),
    Case("an object of another class", f"2 faults in the data: data/imagenet/{BOXES}: object 1 (n00000002): the image "
         "is in the folder n00000001", edit(BOXES, "<name>n00000001", "<name>n00000002")),
    Case("an annotation of no image", "data/imagenet/val_boxes/x.xml: no image of val has this name",
         lambda root: shutil.copy(root / BOXES, root / "val_boxes/x.xml")),
    Case("another size than the image's",
         f"data/imagenet/{BOXES}: <size> says 64x48 px, the image has 48x48 px",
         edit(BOXES, r"<width>\d+", "<width>64")),
    Case("an annotation that is no XML", f"data/imagenet/{BOXES}:1: the XML cannot be parsed: no element found: …",
         write(BOXES)),
]  # fmt: skip

CUB_BOXES, BIRD = "bounding_boxes.txt", "001.circle/circle_train_0000.jpg"
CUB = [
    Case("no such root", f"data/cub: the folder CUB_200_2011 is missing; {FETCH}", shutil.rmtree),
    Case("no list", "data/cub/bounding_boxes.txt: the list is missing", lambda root: (root / CUB_BOXES).unlink()),
    Case("an empty list", "data/cub/images.txt: the list is empty", write("images.txt")),
    Case("a list that is no text", "data/cub/images.txt: not UTF-8 text: byte 0: invalid start byte",
         write("images.txt", b"\xff")),
    Case("a box of three numbers", "data/cub/bounding_boxes.txt:1: a line must be an id, x, y, width and height, not …",
         edit(CUB_BOXES, r"^1 \S+", "1")),
    Case("a box that is no number", "data/cub/bounding_boxes.txt:1: must be a number, not 'x'",
         edit(CUB_BOXES, r"^1 \S+", "1 x")),
    Case("an id that is no number", "data/cub/images.txt:1: must be a whole number, not 'a'",
         edit("images.txt", "^1 ", "a ")),
    Case("an id twice", "data/cub/images.txt:2: id 1 stands twice", edit("images.txt", "\n2 ", "\n1 ")),
    Case("a box of no image", "data/cub/bounding_boxes.txt:35: id 99 is not in images.txt",
         append(CUB_BOXES, "99 1 1 5 5\n")),
    Case("an image without a box", "data/cub/images.txt:1: id 1 is not in bounding_boxes.txt",
         edit(CUB_BOXES, "^1 [^\n]*\n", "")),
    Case("a class of no list", "data/cub/image_class_labels.txt:1: class id 9 is not in classes.txt",
         edit("image_class_labels.txt", "^1 1", "1 9")),
    Case("classes that do not count from 1", "data/cub/classes.txt:4: class id 5: ids must be 1 to 4",
         edit("classes.txt", "\n4 ", "\n5 ")),
    Case("a part that is neither", "data/cub/train_test_split.txt:1: must be 1 (training) or 0 (test), not '2'",
         edit("train_test_split.txt", "^1 1", "1 2")),
    Case("no test image", "data/cub/train_test_split.txt: no image of test",
         lambda root: (root / "train_test_split.txt").write_text("".join(f"{n} 1\n" for n in range(1, 35)))),
    Case("a list that names an absent image",
         f"data/cub/images.txt: data/cub/images/{BIRD}: there is no such image",
         lambda root: (root / "images" / BIRD).unlink()),
    Case("an image outside the folder", "data/cub/images.txt:1: '../x.jpg' is not in the folder images",
         edit("images.txt", "^1 [^\n]*", "1 ../x.jpg")),
    Case("a box outside its image",
         "data/cub/bounding_boxes.txt: circle_train_0000.jpg: the box (3, 4, 93, 14) is outside the image of 40x40 px",
         edit(CUB_BOXES, "^1 [^\n]*", "1 3 4 90 10")),
    Case("a box without an area", "data/cub/bounding_boxes.txt:1: width and height must be above 0, not 0 and 10",
         edit(CUB_BOXES, "^1 [^\n]*", "1 3 4 0 10")),
    Case("a truncated image", f"data/cub/images/{BIRD}: the image cannot be decoded: image file is truncated …",
         cut(f"images/{BIRD}", 300)),
    Case("the same image in both parts", "data/cub/images/001.circle/circle_test_0000.jpg: the same image is used for "
         f"training, as data/cub/images/{BIRD}",
         lambda root: shutil.copy(root / "images" / BIRD, root / "images/001.circle/circle_test_0000.jpg")),
]  # fmt: skip

HELD_OUT = [
    Case("no list of held-out images", "lists/class_labels.txt: the list is missing",
         lambda root: (root / "lists/class_labels.txt").unlink()),
    Case("a split list that names an absent image", "lists/class_labels.txt: more/b.png: there is no such image",
         lambda root: (root / "more/b.png").unlink()),
    Case("a held-out image twice", "lists/class_labels.txt:3: 'a.png' is listed twice",
         append("lists/class_labels.txt", "a.png,1\n")),
    Case("a held-out image of no class", "lists/class_labels.txt: more/a.png: class 9 is not one of 0 to 3",
         edit("lists/class_labels.txt", "a.png,0", "a.png,9")),
    Case("a held-out image without a box", "lists: more/a.png has no box",
         edit("lists/localization.txt", "a.png[^\n]*\n", "")),
    Case("a box of no held-out image", "lists/localization.txt:3: c.png is not in class_labels.txt",
         append("lists/localization.txt", "c.png,1,1,5,5\n")),
    Case("a box outside a held-out image", "lists: a.png: the box (1, 2, 90, 8) is outside the image of 20x16 px",
         edit("lists/localization.txt", "a.png[^\n]*", "a.png,1,2,90,8")),
    Case("a box of three edges", "lists/localization.txt:1: a line must be image,x0,y0,x1,y1, not 'a.png 1 2 9'",
         edit("lists/localization.txt", "a.png[^\n]*", "a.png,1,2,9")),
]  # fmt: skip
