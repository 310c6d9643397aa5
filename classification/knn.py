"""Classify by the nearest training images: cosine similarity, votes weighted by exp(similarity / temperature) (Wu et
al., CVPR 2018; DINO, ICCV 2021)."""

import numpy as np
import torch
from torch.nn import functional

BLOCK = 2048  # test images at once
TRAIN_BLOCK = 8192  # training images at once: with a block of test images 64 MB of similarities


def unit(features: np.ndarray, device: torch.device) -> torch.Tensor:
    """Features (N, F) of any float type as float32 of length 1."""
    return functional.normalize(torch.from_numpy(np.asarray(features, dtype=np.float32)).to(device))


def nearest(test: np.ndarray, train: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The most similar training images.

    Args:
        test: features (N, F).
        train: features (M, F), of as many images as are asked for, or more.
        k: how many are asked for.

    Returns:
        Cosine similarity (N, k), descending, and the places of the training images (N, k).
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    similarity = torch.full((len(test), k), -torch.inf, device=device)
    places = torch.zeros((len(test), k), dtype=torch.int64, device=device)
    wanted = unit(test, device)
    for first in range(0, len(train), TRAIN_BLOCK):
        block = unit(train[first : first + TRAIN_BLOCK], device).T
        for start in range(0, len(test), BLOCK):
            rows = slice(start, start + BLOCK)
            found, at = (wanted[rows] @ block).topk(min(k, block.shape[1]))
            similarity[rows], order = torch.cat([similarity[rows], found], dim=1).topk(k)
            places[rows] = torch.cat([places[rows], at + first], dim=1).gather(1, order)
    return similarity.cpu().numpy(), places.cpu().numpy()


def vote(similarity: np.ndarray, labels: np.ndarray, classes: int, temperature: float) -> np.ndarray:
    """The class with the largest sum of votes, among equals the first, (N,).

    Args:
        similarity: of the nearest training images, (N, k).
        labels: of these, (N, k).
        classes: number of classes.
        temperature: the smaller, the more the nearest ones count.
    """
    weights = np.exp((similarity.astype(np.float64) - similarity.max(axis=1, keepdims=True)) / temperature)
    votes = np.zeros((len(similarity), classes))
    np.add.at(votes, (np.arange(len(similarity))[:, None], labels), weights)
    return votes.argmax(axis=1)
