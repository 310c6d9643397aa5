"""Multinomial logistic regression on features, by L-BFGS on all training images at once."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

ITERATIONS = 1000  # at most
TOLERANCE = 1e-5  # of the largest partial derivative of the loss, which is a mean over the images


def standardized(train: np.ndarray, *other: np.ndarray) -> list[torch.Tensor]:
    """Features with mean 0 and standard deviation 1 over the training images, as float32 on the device in use, so that
    one regularization means the same for every backbone. A feature that is constant becomes 0.

    Args:
        train: features (N, F).
        other: features (M, F) of other images, moved and scaled as these.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tensors = [torch.from_numpy(np.asarray(each, dtype=np.float32)).to(device) for each in (train, *other)]
    std, mean = torch.std_mean(tensors[0], dim=0, correction=0)
    scale = torch.where(std > 1e-6 * std.max(), 1 / std, 0)
    return [(each - mean) * scale for each in tensors]


@dataclass(frozen=True)
class LinearClassifier:
    """Weights (C, F) and biases (C,) on standardized features, and the iterations that they took."""

    weight: torch.Tensor
    bias: torch.Tensor
    iterations: int

    def predict(self, features: torch.Tensor) -> np.ndarray:
        """The class with the largest logit, (N,)."""
        return (features @ self.weight.T + self.bias).argmax(dim=1).cpu().numpy()


def fit(features: torch.Tensor, labels: np.ndarray, classes: int, l2: float) -> LinearClassifier:
    """The minimum of the mean cross-entropy plus l2 / 2 times the squared norm of the weights; biases are free.

    Args:
        features: standardized, (N, F).
        labels: (N,).
        classes: number of classes.
        l2: strength of the regularization; scikit-learn's C is 1 / (l2 N).
    """
    weight = features.new_zeros((classes, features.shape[1]), requires_grad=True)
    bias = features.new_zeros(classes, requires_grad=True)
    targets = torch.from_numpy(np.asarray(labels, dtype=np.int64)).to(features.device)
    solver = torch.optim.LBFGS(
        [weight, bias],
        max_iter=ITERATIONS,
        tolerance_grad=TOLERANCE,
        history_size=10,
        line_search_fn="strong_wolfe",
    )

    def loss() -> torch.Tensor:
        solver.zero_grad()
        value = functional.cross_entropy(functional.linear(features, weight, bias), targets)
        value = value + l2 / 2 * weight.square().sum()
        value.backward()
        return value

    solver.step(loss)
    return LinearClassifier(weight.detach(), bias.detach(), solver.state_dict()["state"][0]["n_iter"])
