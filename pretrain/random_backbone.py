"""The negative control: a network whose weights have learnt nothing.

Fine-tuning freezes batch norm, so a random network needs statistics: without any, its features grow beyond bounds.
A block's last norm cannot start at zero, as it does in short pretrainings: no gradient would ever reach the block. It
starts at 1/sqrt(blocks of the stage), so the branches of a stage together have the variance of its input (De and
Smith, 2020), and losses begin where a trained backbone's do. Other networks normalise each sample and the input of
each branch: they need neither, and stay as their library starts them.
"""

from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset, Subset
from tqdm import tqdm

from backbones.backbone import Preprocessing, recipe_preprocessing, save_backbone
from backbones.construct import build, published_parameters
from backbones.images import TestImages
from backbones.model_card import write_card
from pretrain.metric import write_per_image
from workflow import registry
from workflow.core.dataset_info import DatasetInfo
from workflow.data import labelled
from workflow.planning.run_spec import RunSpec
from workflow.reporting.figures import spread
from workflow.training.cpu_convs import channels_last
from workflow.training.precision import configure_torch
from workflow.training.record import made_of, write_record
from workflow.training.resume.checkpointing import run_context
from workflow.training.seeding import seed_everything

IMAGES, BATCH = 512, 64  # that the statistics are taken of, evenly spread over the training set, and at once


def calibrate(network: torch.nn.Module, images: Dataset, prepare: Preprocessing, threads: int) -> int:
    """Give each batch norm of a network in place the mean and variance of its inputs: averages over batches.

    Args:
        network: its blocks normalise by the batch meanwhile, so that each sees inputs as it will in use.
        images: a data set of {"images": uint8 (3, H, W)}.
        prepare: their preprocessing.
        threads: of the CPU.

    Returns:
        How many images were used: none without a batch norm.
    """
    configure_torch(threads)
    norms = [module for module in network.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return 0
    usual = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # all batches alike
    used = Subset(images, spread(len(images), min(IMAGES, len(images))))
    channels_last(network.train())
    with torch.no_grad():
        for batch in tqdm(DataLoader(used, BATCH), desc="statistics of random features", unit="batch"):
            network(prepare(batch["images"]))
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum
    network.eval()
    return len(used)


def make(run: RunSpec, check_file: Path, out: Path) -> None:
    """Publish the library's initialisation, drawn from the pretraining seed, with statistics of training images, and a
    record without numbers."""
    check = DatasetInfo.read(check_file)
    of, classes = made_of(run, check, None), check.classes
    seed_everything(run.seed, "init")
    declared = registry.network(run.recipe["network"])
    network = build(declared, len(classes))
    for stage in declared.stages:
        for block in stage.blocks:
            for end in map(network.get_submodule, block.ends):
                if isinstance(end, torch.nn.modules.batchnorm._BatchNorm):
                    torch.nn.init.constant_(end.weight, len(stage.blocks) ** -0.5)
    prepare = recipe_preprocessing(run.recipe)
    images = calibrate(network, TestImages(labelled.open_train(check), run.recipe), prepare, run.threads)
    print(f"[{run.name}] batch norm has the statistics of {images} training images", flush=True)
    about = {"origin": "random", "classes": classes, "recipe": run.recipe_hash}
    save_backbone(out / "backbone.safetensors", network.state_dict(), prepare, declared.name, **about)
    protocol = {"epoch": "untrained", "split": "not scored"}
    write_per_image(out / "per_image.npz", check, [])
    write_card(out, run, check_file, of=of, metrics={}, protocol=protocol)
    write_record(out, run, None, of=of, metrics={}, protocol=protocol, check=check_file,
                 backbone=out / "backbone.safetensors",
                 parameters=published_parameters(declared.name, check.set))  # fmt: skip


def random_backbone(run: RunSpec, check_file: Path, state: Path, out: Path) -> None:
    """`make`; a failure leaves its reason in `state`."""
    with run_context(state, out, made_of(run, DatasetInfo.read(check_file), None)):
        make(run, check_file, out)
