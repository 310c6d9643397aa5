"""Note each call that unpickles freely, in this process and in all that it starts: who asked, and for what.

As `sitecustomize.py` in a folder of PYTHONPATH, Python imports this by itself before all else. `UNPICKLED` names the
file that gets a line for each kind of call. torch's restricted reader is none of them: it is no pickle of Python's.
"""

import os
import pickle
import sys

# Processes hand each other, and themselves, what they have made: nothing of that was ever a file of anybody's.
INTERNAL = (
    "multiprocessing",
    "concurrent/futures",
    "torch/multiprocessing",
    "torch/utils/data",
    "torch/distributed",
    "mmengine/dist/dist.py",  # collectives
    "mmengine/dataset/base_dataset.py",  # the annotations, which it has pickled itself for its workers
    "mmengine/utils/misc.py",
)
noted = set()


def note(what, depth):
    """A line: the files of the stack, the innermost first, without Python's own pickle; then what was asked for."""
    frame, files = sys._getframe(depth), []
    while frame is not None and len(files) < 4:
        if not frame.f_code.co_filename.endswith(("pickle.py", "/sitecustomize.py", "/unpickling.py")):
            files.append(f"{frame.f_code.co_filename}:{frame.f_code.co_name}")
        frame = frame.f_back
    line = f"{' < '.join(files)} | {what}\n"
    if line not in noted:
        noted.add(line)
        with open(os.environ["UNPICKLED"], "a") as file:  # noqa: PTH123 (before all else)
            file.write(line)


def watch():
    """From here to the end of the process."""

    def hook(event, args):
        if event == "pickle.find_class" and "UNPICKLED" in os.environ:
            note(f"{args[0]}.{args[1]}", 2)

    sys.addaudithook(hook)


def free(text):
    """The lines of such a file that are not of `INTERNAL`: the one who asked is the first of the stack."""
    asked = [line.partition(":")[0] for line in text.splitlines()]
    return [line for line, who in zip(text.splitlines(), asked, strict=True) if not any(x in who for x in INTERNAL)]


if os.path.basename(__file__) == "sitecustomize.py":  # noqa: PTH119
    watch()
    real = pickle.load, pickle.loads

    def load(*args, **kwargs):
        """pickle's own; what holds no names of classes is not seen by the hook."""
        note("load", 2)
        return real[0](*args, **kwargs)

    def loads(*args, **kwargs):
        """Likewise."""
        note("loads", 2)
        return real[1](*args, **kwargs)

    pickle.load, pickle.loads = load, loads
    try:
        import yaml

        def unsafe(self, *args, **kwargs):
            """PyYAML's loaders that make any object."""
            note("yaml", 2)
            yaml.constructor.FullConstructor.__init__(self, *args, **kwargs)

        yaml.constructor.UnsafeConstructor.__init__ = unsafe
    except ImportError:
        pass  # another Python
