"""How torch computes: on how many threads of the CPU, and fp32 as what it is called.

By torch's default, convolutions and LSTMs of fp32 tensors run as TF32 on NVIDIA devices since Ampere: 11 significant
bits instead of 24. That is neither the `precision` of a recipe nor what a CPU does, so it is switched off, as is the
same of matrix products, which an environment variable can switch on. What a bf16 run computes in fp32 is fp32 too.
cuDNN's benchmark mode stays off: it chooses algorithms by a stopwatch, and a resumed run might get others.
"""

import torch

from workflow.training.distributed.usable_gpus import refuse_unusable

FP32 = (torch.backends.cudnn.conv, torch.backends.cudnn.rnn, torch.backends.cuda.matmul)


def configure_torch(threads: int) -> None:
    """What every program that runs a network begins with. UserError for a GPU of its run that torch cannot use.

    Args:
        threads: of the CPU, for one operation.
    """
    refuse_unusable()
    torch.set_num_threads(threads)
    for operations in FP32:
        operations.fp32_precision = "ieee"
