"""Log-likelihoods: log Z and the Kullback–Leibler divergence, with digits where models are close."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from closedist.measures.checks import check_comparable, check_finite
from closedist.measures.stack import Stack, arithmetic_device, stacked
from closedist.representations import Representations
from closedist.representations.names import model_names
from closedist.system.progress import progress

_NEGLIGIBLE = -700.0  # exp(−700) is 1e-304: below it exp gives denormals, which are slow and add nothing
SMALLEST_BLOCK = 256  # inputs, below which a matrix product is slow
LARGEST_ELEMENTS = 1 << 26  # logits held at once, 512 MB of them
CACHED_ELEMENTS = 1 << 17  # logits that go through all steps together, 1 MB of them
_CLOSE = 1e-5  # nats: below, products of large numbers have too few digits and differences are summed instead


def kl_divergence(p: Representations, q: Representations) -> float:
    """d_KL(p, q): the mean over inputs of Σ_y p(y|x)·(log p(y|x) − log q(y|x)), in nats.

    Args:
        p, q: representations of the same N inputs and C labels in the same order; any number of either.

    Raises:
        InputError: the models cannot be compared.

    Examples:
        >>> import numpy as np, closedist
        >>> p = closedist.Representations.from_logits(np.log([[0.5, 0.5]]))
        >>> q = closedist.Representations.from_logits(np.log([[0.25, 0.75]]))
        >>> round(closedist.kl_divergence(p, q), 4)  # 0.5·log(2) + 0.5·log(2/3)
        0.1438
    """
    check_comparable([p, q], model_names(2))
    return float(divergences([p, q], torch.tensor([[0, 1]]))[0, 1])


def kl_matrix(models: Sequence[Representations] | Mapping[str, Representations]) -> NDArray[np.float64]:
    """d_KL of all pairs of models, each model's softmax computed once.

    Args:
        models: n representations of the same N inputs and C labels in the same order; a list, or by their names.

    Returns:
        (n, n) float64, entry i, j is KL(i‖j) in nats, as :func:`kl_divergence` gives it; 0 on the diagonal.

    Raises:
        InputError: the models cannot be compared.

    Examples:
        >>> import numpy as np, closedist
        >>> p = closedist.Representations.from_logits(np.log([[0.5, 0.5]]))
        >>> q = closedist.Representations.from_logits(np.log([[0.25, 0.75]]))
        >>> closedist.kl_matrix([p, q]).round(4).tolist()
        [[0.0, 0.1438], [0.1308, 0.0]]
    """
    members = list(models.values()) if isinstance(models, Mapping) else models
    names = list(models) if isinstance(models, Mapping) else model_names(len(models))
    check_comparable(members, names)
    found = divergences(members, torch.combinations(torch.arange(len(members))), "KL divergences")
    result: NDArray[np.float64] = found.fill_diagonal_(0.0).cpu().numpy()
    return result


def divergences(members: Sequence[Representations], pairs: Tensor, description: str = "") -> Tensor:
    """(n, n) mean over inputs of KL(p_i‖p_j), in nats, of the pairs asked for, (m, 2) indices, both ways.

    Args:
        members: n comparable models.
        pairs: which.
        description: for progress; without it there is none.

    Raises:
        InputError: log-likelihoods are too large for float64.
    """
    device = arithmetic_device(members[0].stored)
    sums = DivergenceSums(len(members), pairs.to(device), device)
    with progress(description, members[0].num_inputs) if description else nullcontext(lambda rows: None) as advance:
        for rows, block in predictions(members):
            sums.add(block)
            advance(rows.stop - rows.start)
    check_finite(sums.sums)
    return sums.sums / members[0].num_inputs


@dataclass(frozen=True)
class LogLikelihoods:
    """A block of inputs of n models.

    Attributes:
        relative: (n, B, C) log p(y|x) + log C.
        likelihoods: (n, B, C) p(y|x).
        normaliser: (n, B) log of the mean over labels of exp(logits), log Z(x) − log C.
    """

    relative: Tensor
    likelihoods: Tensor
    normaliser: Tensor


def normalise(logits: Tensor, likelihoods: Tensor) -> LogLikelihoods:
    """Log-likelihoods from logits, in the memory of both arguments.

    Logits that are small are summed as expm1, so that a model with tiny log-odds keeps its digits, and large ones are
    taken off before anything is added to them, so that likelihoods sum to one at any size.

    Args:
        logits: (n, B, C) float64, with mean zero over the labels.
        likelihoods: (n, B, C) float64 to be written to.
    """
    largest = logits.amax(-1, keepdim=True)
    small = largest.squeeze(-1) <= 0.5
    tiny = logits[small] if bool(small.any()) else None
    relative = logits.sub_(largest)
    torch.clamp(relative, min=_NEGLIGIBLE, out=likelihoods).exp_()
    total = likelihoods.sum(-1, keepdim=True)
    rest = (total / logits.shape[-1]).log_()
    normaliser = (largest + rest).squeeze(-1)
    relative.sub_(rest)
    if tiny is not None:
        normaliser[small] = torch.expm1(tiny).mean(-1).log1p()
        relative[small] = tiny - normaliser[small].unsqueeze(-1)
    return LogLikelihoods(relative, likelihoods.div_(total), normaliser)


class DivergenceSums:
    """Sums over inputs of Σ_y p_i(y|x)·(log p_i(y|x) − log p_j(y|x)) for pairs (i, j) and (j, i) of n models.

    Args:
        num_models: n.
        pairs: (m, 2) indices; of other pairs ``sums`` holds few digits, or nothing.
        device: of the sums.
    """

    def __init__(self, num_models: int, pairs: Tensor, device: torch.device) -> None:
        self.sums = torch.zeros(num_models, num_models, dtype=torch.float64, device=device)
        wanted = torch.zeros(num_models, num_models, dtype=torch.bool, device=device)
        wanted[pairs[:, 0], pairs[:, 1]] = True
        self.pairs = (wanted | wanted.T).triu(1).nonzero()
        firsts, seconds = (torch.unique(side) for side in pairs.T)
        self.sides = (firsts, seconds) if 2 * len(firsts) * len(seconds) < num_models**2 else None  # a few with many

    def add(self, block: LogLikelihoods) -> None:
        """Take in a block of inputs."""
        self.sums += self.of(block)

    def of(self, block: LogLikelihoods) -> Tensor:
        """(n, n) sums over a block of inputs alone."""
        relative, likelihoods, num_inputs = block.relative, block.likelihoods, block.relative.shape[1]
        divergence = self._by_products(likelihoods.flatten(1), relative.flatten(1))
        i, j = self.pairs.T
        close = torch.minimum(divergence[i, j], divergence[j, i]) < _CLOSE * num_inputs
        refined = self.pairs[close]
        for start in range(0, len(refined), len(relative)):  # few enough at a time for the cache
            i, j = refined[start : start + len(relative)].T
            p, q, difference = likelihoods[i], likelihoods[j], relative[i] - relative[j]
            divergence[i, j] = _divergence(difference, p, q)
            divergence[j, i] = _divergence(difference.neg_(), q, p)
        return divergence

    def _by_products(self, likelihoods: Tensor, relative: Tensor) -> Tensor:
        """(n, n) differences of products, of all pairs or of those of a few models with many."""
        if self.sides is None:
            cross = likelihoods @ relative.T  # one product for all pairs
            return cross.diagonal()[:, None] - cross
        divergence = torch.zeros_like(self.sums)
        negative_entropy = torch.linalg.vecdot(likelihoods, relative)
        for some, others in (self.sides, self.sides[::-1]):
            cross = likelihoods[some] @ relative[others].T
            divergence[some[:, None], others] = negative_entropy[some, None] - cross
        return divergence


def _divergence(difference: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """(m,) the sums of the terms over inputs and labels."""
    return divergence_terms(difference, p, q).sum((-1, -2))


def divergence_terms(difference: Tensor, p: Tensor, q: Tensor) -> Tensor:
    """(…, B, C) p·(expm1(−d) + d), d = log p − log q: none is negative, and their sum over the labels is KL(p‖q).

    Below 1e-3 by its series, since expm1(−d) + d cancels to d²/2; above 1 as q − p + p·d, since expm1(−d) may overflow.
    """
    size = difference.abs()
    d = difference.clamp(-1.0, 1.0)
    series = d.square() * (0.5 - d * (1 / 6 - d * (1 / 24 - d / 120)))
    moderate = p * torch.where(size < 1e-3, series, torch.expm1(-d) + d)
    return torch.where(size < 1.0, moderate, q - p + p * difference)


@dataclass(frozen=True)
class Workspace:
    """Memory for log-likelihoods, used again and again: to take it anew for each block costs as much as to fill it.

    Attributes:
        num_inputs: of how many inputs logits are held at once.
        logits, likelihoods: flat float64 arrays.
    """

    num_inputs: int
    logits: Tensor
    likelihoods: Tensor

    @classmethod
    def of(cls, models: Stack) -> "Workspace":
        """As much as these models need."""
        an_input = len(models.members) * models.num_labels
        few = max(1, CACHED_ELEMENTS // an_input)
        num_inputs = max(few, min(SMALLEST_BLOCK, LARGEST_ELEMENTS // an_input))
        empty = models.labels.new_empty
        return cls(num_inputs, empty(num_inputs * an_input), empty(few * an_input))


class Workspaces:
    """Workspaces for several threads, as many as memory allows.

    Args:
        models: for which they are.
        threads: how many at most.
    """

    def __init__(self, models: Stack, threads: int) -> None:
        first = Workspace.of(models)
        self.num_inputs = first.num_inputs
        self.count = max(1, min(threads, LARGEST_ELEMENTS // len(first.logits)))
        self._free: SimpleQueue[Workspace] = SimpleQueue()
        for space in (first, *(Workspace.of(models) for _ in range(self.count - 1))):
            self._free.put(space)

    @contextmanager
    def one(self) -> Iterator[Workspace]:
        """One that nobody else has meanwhile."""
        space = self._free.get()
        try:
            yield space
        finally:
            self._free.put(space)


def predictions(members: Sequence[Representations]) -> Iterator[tuple[slice, LogLikelihoods]]:
    """The log-likelihoods of all inputs of n comparable models, a few rows at a time: which rows, and what they are.

    What is yielded is good until the next one is asked for.
    """
    buffer = None
    for rows, logits in logit_blocks(members):
        if buffer is None:
            an_input = logits[:, 0].numel()
            buffer = logits.new_empty(max(1, CACHED_ELEMENTS // an_input) * an_input)
        for part, block in _normalised(logits, buffer):
            yield slice(rows.start + part.start, rows.start + part.stop), block


def logit_blocks(members: Sequence[Representations]) -> Iterator[tuple[slice, Tensor]]:
    """(n, B, C) float64 logits of n comparable models, with mean zero over the labels, and of which inputs they are.

    A black box's are taken as they came, so that it may have any number of labels. What is yielded may be written to,
    and is good until the next one is asked for.
    """
    device = arithmetic_device(members[0].stored)
    sides = [None if member.black_box else stacked([member], device) for member in members]
    num_inputs, an_input = members[0].num_inputs, len(members) * members[0].num_labels
    few = max(1, CACHED_ELEMENTS // an_input)
    efficient = max(few, min(SMALLEST_BLOCK, LARGEST_ELEMENTS // an_input))  # for matrix products
    step = few if all(member.black_box for member in members) else efficient
    space = torch.empty(min(step, num_inputs) * an_input, dtype=torch.float64, device=device)
    for start in range(0, num_inputs, step):
        rows = slice(start, min(start + step, num_inputs))
        logits = space[: (rows.stop - start) * an_input].view(len(members), rows.stop - start, -1)
        for member, side, own in zip(members, sides, logits, strict=True):
            if side is None:
                own.copy_(member.embedded(rows))
            else:
                side.logits(side.inputs(rows), out=own[None])
        yield rows, logits


def log_likelihoods(models: Stack, inputs: Tensor, workspace: Workspace) -> Iterator[tuple[slice, LogLikelihoods]]:
    """The log-likelihoods of a block of inputs, (n, B, M), a few rows at a time: which rows, and what they are.

    What is yielded lies in the workspace and is good until the next one is asked for.
    """
    an_input = len(models.members) * models.num_labels
    for start in range(0, inputs.shape[1], workspace.num_inputs):
        part = inputs[:, start : start + workspace.num_inputs]
        shape = (len(models.members), part.shape[1], models.num_labels)
        logits = models.logits(part, out=workspace.logits[: part.shape[1] * an_input].view(shape))
        for rows, block in _normalised(logits, workspace.likelihoods):
            yield slice(start + rows.start, start + rows.stop), block


def _normalised(logits: Tensor, buffer: Tensor) -> Iterator[tuple[slice, LogLikelihoods]]:
    """The log-likelihoods of (n, B, C) logits, as many rows at a time as the buffer holds likelihoods of."""
    few = len(buffer) // logits[:, 0].numel()
    for row in range(0, logits.shape[1], few):
        rows = logits[:, row : row + few]
        yield slice(row, row + rows.shape[1]), normalise(rows, buffer[: rows.numel()].view(rows.shape))
