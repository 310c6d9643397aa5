"""NIC (Vinyals et al., "Show and Tell", CVPR 2015): the image is the first word that an LSTM reads.

As in the reference code, the image's embedding passes a BatchNorm and dropout acts on the LSTM's output; the step that
reads the image says nothing, the next one reads <start>. LSTM and output layer learn in the recipe's precision, their
weights and the loss stay fp32; the search computes in fp32 in either precision, as its scores are compared closely.
"""

import warnings
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.nn import functional

from backbones.backbone import STRIDE, Preprocessing
from captioning import beam_search
from captioning.encoder import Encoder
from captioning.vocabulary import Vocabulary
from workflow import registry
from workflow.training.batches import fill_batch
from workflow.training.distributed.processes import reduce_mean
from workflow.training.shared_artifact import read_array

TEST_BATCH = 50  # images


@MODELS.register_module()
class NIC(BaseModel):
    """The captioner.

    Args:
        vocabulary: path of the saved vocabulary, or its words.
        network: name of the backbone's network, which gives the width of the features.
        embed_size: size of a word's and of the image's embedding.
        hidden_size: size of the LSTM's state.
        dropout: probability, on the LSTM's output.
        beam_size: width of the beam search.
        max_length: most words of a caption.
        encoder: the backbone's preprocessing (channel_order, mean, std), for fine-tuning: the inputs are then uint8
            images and the encoder's weights learn too. None: the inputs are features of a frozen encoder.
        stride: where that encoder has it, `3x3` or `1x1`.
        features: folder of those of a frozen encoder, of which all training views lie on the device: the inputs of a
            training step are then the places (N,) of its views. "": elsewhere.
    """

    def __init__(
        self,
        vocabulary: str | list[str],
        network: str,
        embed_size: int,
        hidden_size: int,
        dropout: float,
        beam_size: int,
        max_length: int,
        encoder: dict[str, Any] | None = None,
        stride: str = STRIDE,
        features: str = "",
    ) -> None:
        super().__init__({"type": "BaseDataPreprocessor", "non_blocking": True})
        self.folder, self.views = features, None
        self.vocabulary = Vocabulary.load(vocabulary) if isinstance(vocabulary, str) else Vocabulary(vocabulary)
        self.beam, self.max_length = beam_size, max_length
        declared = registry.network(network)
        self.encoder = Encoder(Preprocessing(**encoder), declared, stride) if encoder else nn.Identity()
        self.image = nn.Sequential(nn.Linear(declared.features, embed_size), nn.BatchNorm1d(embed_size, momentum=0.01))
        self.embed = nn.Embedding(len(self.vocabulary), embed_size)
        self.lstm = nn.LSTM(embed_size, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size, len(self.vocabulary))

    def init_weights(self) -> None:
        """The reference code's start; the LSTM keeps torch's, the encoder gets the backbone's weights later."""
        nn.init.normal_(self.image[0].weight, std=0.02)
        nn.init.zeros_(self.image[0].bias)
        nn.init.uniform_(self.embed.weight, -0.1, 0.1)
        nn.init.uniform_(self.output.weight, -0.1, 0.1)
        nn.init.zeros_(self.output.bias)

    def forward(
        self,
        inputs: Tensor,
        tokens: Tensor | None = None,
        words: Tensor | None = None,
        image_ids: Tensor | None = None,
        mode: str = "tensor",
    ) -> Any:
        """Inputs: features (N, F), or places of theirs (N,), or images (N, 3, H, W) where the encoder learns.

        mode "loss" takes `tokens` (N, L): <start>, words, <end>, padding, and the places of the `words` among them
        (captioning.dataset.places_of_words); "predict" gives one COCO caption result per image, for `image_ids` (N);
        "tensor" gives the image's embedding (N, embed_size).
        """
        if mode == "loss" and self.folder:
            inputs = self.gather(inputs)
        features = self.encoder(fill_batch(inputs, TEST_BATCH) if mode == "predict" else inputs)
        with torch.autocast(inputs.device.type, enabled=False):
            image = self.image(features.float())
        if mode == "loss":
            return {"loss": self.loss(image, tokens, words)}
        with torch.autocast(inputs.device.type, enabled=False):
            if mode == "predict":
                sentences = self.say(image)[0][: len(inputs)]
                pairs = zip(image_ids.tolist(), sentences.tolist(), strict=True)
                return [{"image_id": i, "caption": self.vocabulary.decode(said)} for i, said in pairs]
        return image

    def gather(self, places: Tensor) -> Tensor:
        """The features (N, F) of training views by their places (N,)."""
        if self.views is None:
            with warnings.catch_warnings(action="ignore"):  # the file is mapped read-only, and nothing is written to it
                self.views = torch.from_numpy(read_array(self.folder, "train")).flatten(0, 1).to(places.device)
        return self.views[places]

    def loss(self, image: Tensor, tokens: Tensor, words: Tensor) -> Tensor:
        """Mean cross-entropy of the next word over all real words, <end> among them; padding costs nothing."""
        read = torch.cat([image.unsqueeze(1), self.embed(tokens[:, :-1])], dim=1)
        hidden = self.lstm(read)[0][:, 1:].flatten(0, 1)
        logits = self.output(self.dropout(hidden.index_select(0, words)))
        loss = functional.cross_entropy(logits.float(), tokens[:, 1:].flatten().index_select(0, words))
        return loss if get_world_size() == 1 else loss * (len(logits) / reduce_mean(len(logits)))

    def say(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The best sentence of each image embedding (N, embed_size) and its log-probability: see `beam.search`."""
        state = self.lstm(image.unsqueeze(1))[1]
        return beam_search.search(self.step, (state[0][0], state[1][0]), self.beam, self.max_length)

    def step(self, tokens: Tensor, state: beam_search.State) -> tuple[Tensor, beam_search.State]:
        """One word further: tokens (rows,) and states (rows, hidden_size) to log-probabilities (rows,
        words) and states."""
        hidden, state = self.lstm(self.embed(tokens).unsqueeze(1), tuple(part.unsqueeze(0) for part in state))
        return self.output(hidden[:, 0]).log_softmax(-1), (state[0][0], state[1][0])
