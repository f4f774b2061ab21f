"""Two tiny language models: does distilling one into the other bring the distributions closer, or the representations?

Trains two GPT-2s of different seeds, byte by byte, on this repository's own Python sources, then makes four relatives:
the second one trained on, the second one distilled from the first, the first one with weights rounded to 8 bits, and
the first one's rotated twin, which is the same model in other coordinates. Compares each with the first on text that
none has seen. Prints the table of docs/examples.md and draws its last picture. Takes about a minute on one core.

    python examples/language_models.py [FOLDER FOR THE PICTURE]
"""

import copy
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel

import closedist
from closedist.page.style import CLASS_COLORS, closedist_style, new_figure, save

CONTEXT, BATCH, DIMENSION = 64, 16, 32
TRAIN_STEPS, MORE_STEPS = 600, 300


def read_text() -> tuple[Tensor, Tensor, int]:
    """The package's sources as bytes: nine tenths to train on, the rest to compare on, and how many values occur."""
    sources = sorted((Path(__file__).resolve().parents[1] / "closedist").rglob("*.py"))
    data = torch.frombuffer(bytearray("\n".join(path.read_text() for path in sources).encode()), dtype=torch.uint8)
    occurring, tokens = data.unique(return_inverse=True)
    cut = len(tokens) * 9 // 10
    return tokens[:cut], tokens[cut:], len(occurring)


def new_model(vocabulary: int, seed: int) -> GPT2LMHeadModel:
    """About 32,000 random weights."""
    torch.manual_seed(seed)
    sizes = {"n_embd": DIMENSION, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT}
    no_dropout = {"embd_pdrop": 0.0, "attn_pdrop": 0.0, "resid_pdrop": 0.0}
    return GPT2LMHeadModel(GPT2Config(vocab_size=vocabulary, bos_token_id=0, eos_token_id=0, **sizes, **no_dropout))


def train(model: nn.Module, text: Tensor, steps: int, seed: int, loss: Callable[[Tensor, Tensor], Tensor]) -> nn.Module:
    """AdamW with a falling learning rate on random pieces of the text."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, steps)
    pieces = torch.Generator().manual_seed(seed)
    model.train()
    for _ in range(steps):
        starts = torch.randint(len(text) - CONTEXT - 1, (BATCH, 1), generator=pieces)
        batch = text[starts + torch.arange(CONTEXT + 1)]
        optimizer.zero_grad()
        loss(model(input_ids=batch[:, :-1]).logits, batch).backward()
        optimizer.step()
        schedule.step()
    return model


def next_byte(logits: Tensor, batch: Tensor) -> Tensor:
    """Cross-entropy of the byte that follows."""
    return nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())


def distillation(teacher: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
    """KL divergence from the teacher's distribution at every position."""
    teacher.eval()

    def loss(logits: Tensor, batch: Tensor) -> Tensor:
        with torch.no_grad():
            target = teacher(input_ids=batch[:, :-1]).logits.log_softmax(-1)
        student = logits.log_softmax(-1)
        return nn.functional.kl_div(student, target, reduction="sum", log_target=True) / target[..., 0].numel()

    return loss


def rounded(model: nn.Module, bits: int) -> nn.Module:
    """Every matrix as 2^bits − 1 levels a row, from the row's largest weight down to its negative."""
    found = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in found.parameters():
            if parameter.ndim == 2:
                step = parameter.abs().amax(1, keepdim=True) / (2 ** (bits - 1) - 1)
                parameter.copy_((parameter / step).round() * step)
    return found


def rotated_twin(model: GPT2LMHeadModel) -> GPT2LMHeadModel:
    """An invertible matrix after the last norm, its inverse in the head: other weights, the same distribution."""
    twin = copy.deepcopy(model)
    matrix = torch.randn(DIMENSION, DIMENSION, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    turn = nn.Linear(DIMENSION, DIMENSION, bias=False)
    head = nn.Linear(DIMENSION, model.config.vocab_size, bias=False)
    with torch.no_grad():
        turn.weight.copy_(matrix)
        head.weight.copy_(model.lm_head.weight.double() @ torch.linalg.inv(matrix))
    twin.transformer.ln_f = nn.Sequential(twin.transformer.ln_f, turn)
    twin.lm_head = head
    return twin


def relatives(text: Tensor, vocabulary: int) -> dict[str, nn.Module]:
    """The first model and the five that are compared with it."""
    first = train(new_model(vocabulary, 0), text, TRAIN_STEPS, 0, next_byte)
    second = train(new_model(vocabulary, 1), text, TRAIN_STEPS, 1, next_byte)
    return {
        "first": first,
        "second": second,
        "second, trained on": train(copy.deepcopy(second), text, MORE_STEPS, 2, next_byte),
        "second, distilled from first": train(copy.deepcopy(second), text, MORE_STEPS, 2, distillation(first)),
        "first, 8-bit weights": rounded(first, 8),
        "first, rotated twin": rotated_twin(first),
    }


def loss_of(member: closedist.Representations, following: Tensor) -> float:
    """Mean negative log-likelihood of the byte that follows, in nats."""
    log_likelihood = (member.embeddings.double() @ member.unembeddings.double().T).log_softmax(-1)
    return -float(log_likelihood.gather(1, following[:, None]).mean())


def plot(names: list[str], comparisons: list[closedist.Comparison]) -> Figure:
    """How far each model is from the first one, by distribution and by representation, on logarithmic scales."""
    panels = {
        "KL divergence (nats)": lambda c: c.kl,
        "d_LLV": lambda c: c.llv,
        "1 − m_CCA of the embeddings": lambda c: 1 - c.mean_cca_embeddings,
        "1 − CKA of the embeddings": lambda c: 1 - c.cka_embeddings,
    }
    with closedist_style():
        figure = new_figure(10.2, 2.7)
        for axis, (title, value) in zip(figure.subplots(1, 4, sharey=True), panels.items(), strict=True):
            values = [max(value(comparison), 1e-16) for comparison in comparisons]
            axis.set_xscale("log")
            axis.set_xlim(min(values) / 30, max(values) * 30)
            axis.xaxis.set_major_locator(LogLocator(numticks=4))
            axis.xaxis.set_minor_locator(NullLocator())
            for row, number in enumerate(values):
                axis.plot(number, row, "o", color=CLASS_COLORS[row], markersize=7)
                axis.annotate(
                    f"{number:.2g}", (number, row), (0, 7), textcoords="offset points", ha="center", fontsize=7
                )
            axis.set_yticks(range(len(names)), names)
            axis.set_ylim(len(names) - 0.5, -0.8)
            axis.set_title(title)
    return figure


def main(folder: Path) -> None:
    """Train, compare, print, draw."""
    text, unseen, vocabulary = read_text()
    print(f"{len(text):,} bytes of sources to train on, {vocabulary} different ones; {len(unseen):,} to compare on")
    pieces = unseen[: len(unseen) // CONTEXT * CONTEXT + 1][: 200 * CONTEXT + 1]
    batches = [{"input_ids": part} for part in pieces[:-1].reshape(-1, CONTEXT).split(20)]
    members = {name: closedist.extract(model, batches) for name, model in relatives(text, vocabulary).items()}

    first, *others = members.values()
    comparisons = [closedist.compare(first, other) for other in others]
    columns = ("loss", "KL", "d_LLV", "certificate", "d_f,g", "1 - m_CCA", "1 - CKA")
    print(f"\n{'compared with first':30}" + "".join(f"{column:>12}" for column in columns))
    print(f"{'first':30}{loss_of(first, pieces[1:]):12.3f}")
    for name, other, c in zip(list(members)[1:], others, comparisons, strict=True):
        numbers = (c.kl, c.llv, c.certificate, c.dissimilarity, 1 - c.mean_cca_embeddings, 1 - c.cka_embeddings)
        print(f"{name:30}{loss_of(other, pieces[1:]):12.3f}" + "".join(f"{number:12.2g}" for number in numbers))
    print(*save(plot(list(members)[1:], comparisons), folder, "language_models", formats=("png",)), sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("figures"))
