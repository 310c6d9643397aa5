"""NIC as the tutorials and the reference code write it: fp32, NCHW, the photo decoded and the encoder run again for
each caption; a beam search over a Python list of hypotheses, one step of the LSTM for each of them."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.models import resnet50

from captioning.vocabulary import BOS, EOS, PAD, UNK


class Captions(Dataset):
    """One sample a caption: its photo, resized to 256 on disk as their `resize.py` does, cropped and flipped."""

    def __init__(self, photos: list[Path], captions: list[np.ndarray]) -> None:
        self.photos, self.captions = photos, captions
        normalize = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        augment = [transforms.RandomCrop(224), transforms.RandomHorizontalFlip(), transforms.ToTensor(), normalize]
        self.transform = transforms.Compose(augment)

    def __len__(self) -> int:
        return len(self.captions)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image = Image.open(self.photos[index % len(self.photos)]).convert("RGB")
        return self.transform(image), torch.from_numpy(self.captions[index].astype(np.int64))


def collate(samples: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[torch.Tensor, torch.Tensor, list[int]]:
    """Longest caption first, as packing wants it."""
    samples.sort(key=lambda sample: len(sample[1]), reverse=True)
    images, captions = zip(*samples, strict=True)
    lengths = [len(caption) for caption in captions]
    targets = torch.zeros(len(captions), max(lengths), dtype=torch.long)
    for row, caption in enumerate(captions):
        targets[row, : lengths[row]] = caption
    return torch.stack(images), targets, lengths


class EncoderCNN(nn.Module):
    """A frozen ResNet-50 and an embedding that learns."""

    def __init__(self, embedding: int) -> None:
        super().__init__()
        self.resnet = nn.Sequential(*list(resnet50(weights=None).children())[:-1])
        self.linear = nn.Linear(2048, embedding)
        self.bn = nn.BatchNorm1d(embedding, momentum=0.01)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            features = self.resnet(images)
        return self.bn(self.linear(features.reshape(features.size(0), -1)))


class DecoderRNN(nn.Module):
    """The LSTM that reads the image and then the words."""

    def __init__(self, embedding: int, hidden: int, words: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(words, embedding)
        self.lstm = nn.LSTM(embedding, hidden, batch_first=True)
        self.dropout = nn.Dropout(0.1)
        self.linear = nn.Linear(hidden, words)

    def forward(self, features: torch.Tensor, captions: torch.Tensor, lengths: list[int]) -> torch.Tensor:
        embeddings = torch.cat((features.unsqueeze(1), self.embed(captions)), 1)
        hiddens, _ = self.lstm(pack_padded_sequence(embeddings, lengths, batch_first=True))
        return self.linear(self.dropout(hiddens[0]))


class Training:
    """The training script; `steps(n)` runs n iterations of an epoch."""

    def __init__(self, photos: list[Path], captions: list[np.ndarray], recipe: dict, words: int) -> None:
        self.loader = DataLoader(Captions(photos, captions), recipe["batch_size"], shuffle=True, collate_fn=collate)
        self.encoder = EncoderCNN(recipe["embed_size"])
        self.decoder = DecoderRNN(recipe["embed_size"], recipe["hidden_size"], words)
        self.criterion = nn.CrossEntropyLoss()
        learns = [*self.decoder.parameters(), *self.encoder.linear.parameters(), *self.encoder.bn.parameters()]
        self.optimizer = torch.optim.Adam(learns, lr=recipe["lr"])

    def steps(self, count: int) -> None:
        for _, (images, captions, lengths) in zip(range(count), self.loader, strict=False):
            targets = pack_padded_sequence(captions, lengths, batch_first=True)[0]
            loss = self.criterion(self.decoder(self.encoder(images), captions, lengths), targets)
            self.decoder.zero_grad()
            self.encoder.zero_grad()
            loss.backward()
            self.optimizer.step()


class Hypothesis(NamedTuple):
    """A beginning of a sentence, or a whole one, which ends with <end>."""

    score: float
    words: list[int]
    state: tuple[torch.Tensor, torch.Tensor]


@torch.no_grad()
def beam_search(network: nn.Module, image: torch.Tensor, width: int, longest: int) -> Hypothesis:
    """The textbook's beam for one image embedding (embedding): the `width` best of all continuations and whole
    sentences go on. `network` has `embed`, `lstm` and `output`."""
    beam = [Hypothesis(0.0, [BOS], network.lstm(image.view(1, 1, -1))[1])]
    for length in range(longest + 1):
        candidates = []
        for hypothesis in beam:
            if hypothesis.words[-1] == EOS:
                candidates.append(hypothesis)
                continue
            word = torch.tensor([[hypothesis.words[-1]]])
            output, state = network.lstm(network.embed(word), hypothesis.state)
            log_probs = network.output(output[0, 0]).log_softmax(0)
            log_probs[[PAD, BOS, UNK] + [EOS] * (length == 0)] = float("-inf")
            best = log_probs.topk(width) if length < longest else (log_probs[[EOS]], torch.tensor([EOS]))
            for value, token in zip(*(part.tolist() for part in best), strict=True):
                candidates.append(Hypothesis(hypothesis.score + value, [*hypothesis.words, token], state))
        beam = sorted(candidates, key=lambda hypothesis: hypothesis.score, reverse=True)[:width]
        if beam[0].words[-1] == EOS:
            break
    return beam[0]
