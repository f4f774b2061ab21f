"""A model (f, g): embeddings of inputs, unembeddings of labels, and the distribution that they define."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from closedist.paper.models.networks import NETWORKS, at_least_float32, build_g, scale_to_length


class Classifier(nn.Module):
    """p(y|x) = exp(f(x)·g(y)) / Σ_y' exp(f(x)·g(y')).

    Its state dict has the keys ``f_net.*`` and ``g_net.*`` of the paper's checkpoints and no others.

    Args:
        f_net: from inputs to (B, M).
        g_net: from (C, C−1) label vectors to (C, M).
        num_classes: C.
        fix_length_f, fix_length_g: the Euclidean length of every embedding or unembedding; 0 leaves them free.
    """

    label_vectors: Tensor

    def __init__(
        self, f_net: nn.Module, g_net: nn.Module, *, num_classes: int, fix_length_f: float = 0, fix_length_g: float = 0
    ) -> None:
        super().__init__()
        self.f_net = f_net
        self.g_net = g_net
        self.num_classes = num_classes
        self.fix_length_f = fix_length_f
        self.fix_length_g = fix_length_g
        # a label is its one-hot vector without the last entry, so the last label is all zeros
        self.register_buffer("label_vectors", torch.eye(num_classes, num_classes - 1), persistent=False)

    def embed(self, inputs: Tensor) -> Tensor:
        """Embeddings f(x): (B, …) inputs to (B, M), in float32 also where the network computes in bfloat16."""
        return scale_to_length(at_least_float32(self.f_net(inputs)), self.fix_length_f)

    def unembed(self) -> Tensor:
        """Unembeddings g(y) of all labels in order: (C, M), in float32 likewise."""
        return scale_to_length(at_least_float32(self.g_net(self.label_vectors)), self.fix_length_g)

    def log_likelihood(self, inputs: Tensor) -> Tensor:
        """log p(y|x) in nats for every input and label: (B, C) float64."""
        return (self.embed(inputs).double() @ self.unembed().double().T).log_softmax(-1)

    def forward(self, inputs: Tensor) -> Tensor:
        """The same as ``log_likelihood``."""
        return self.log_likelihood(inputs)


def build_classifier(
    model_type: str,
    *,
    input_shape: tuple[int, ...] = (2,),
    num_classes: int,
    num_features: int,
    rep_dim: int,
    nonlinearity: str,
    fix_length_f: float,
    fix_length_g: float,
    seed: int,
) -> Classifier:
    """An untrained model with the weights that PyTorch draws by default right after ``torch.manual_seed(seed)``.

    Bit-equal to the published untrained checkpoints. PyTorch's global random state is left as it was.

    Args:
        model_type: one of ``NETWORKS``.
        input_shape: of one input; the paper's image networks have their own.
        num_classes: C, at least 2.
        num_features: the width w.
        rep_dim: the representation dimension M.
        nonlinearity: ``relu`` or ``leaky_relu``, of both networks; the ResNet always uses relu.
        fix_length_f, fix_length_g: 0, or the length to which embeddings or unembeddings are scaled.
        seed: of the weights.

    Raises:
        InputError: a width that the model type cannot have.
    """
    with _drawing_from(seed):
        f_net = NETWORKS[model_type].build_f(input_shape, num_features, rep_dim, nonlinearity)
        g_net = build_g(num_classes, num_features, rep_dim, nonlinearity)
    return Classifier(f_net, g_net, num_classes=num_classes, fix_length_f=fix_length_f, fix_length_g=fix_length_g)


@contextmanager
def _drawing_from(seed: int) -> Iterator[None]:
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(seed)  # what torch.manual_seed does, without touching GPUs' generators
        yield
