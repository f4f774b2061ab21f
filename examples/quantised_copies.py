"""Which quantised copy may ship? A tiny language model, four copies with rounded weights, and one trained further.

Trains a GPT-2 of 45,000 weights on nine tenths of this repository's own sources, saves it with a tokenizer of its own
and five copies: weights rounded to 8, 6, 4 and 3 bits, and 200 more steps of training. The other sources become texts
that none has seen. Then it runs the command that it prints, whose table is in docs/quantised.md. Takes about half a
minute on one core.

    python examples/quantised_copies.py [FOLDER]
"""

import copy
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from closedist.cli import COMMANDS, make_app, run
from language_models import new_model, next_byte, rounded, train

SOURCES = Path(__file__).resolve().parents[1] / "closedist"
VOCABULARY, TRAIN_STEPS, MORE_STEPS = 512, 800, 200
END = "<|endoftext|>"
LIMITS = ("--max-kl", "0.01", "--min-same-top", "0.9")


def own_tokenizer(texts: list[str]) -> PreTrainedTokenizerFast:
    """Pieces of words, by their bytes."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer, core.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=[END], initial_alphabet=alphabet)
    core.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=core, bos_token=END, eos_token=END)


def main(folder: Path) -> int:
    """Train, save, compare."""
    texts = [path.read_text() for path in sorted(SOURCES.rglob("*.py"))]
    unseen = [text for text in texts[::10] if len(text) > 1000]
    seen = [text for number, text in enumerate(texts) if number % 10]
    words = own_tokenizer(seen)
    tokens = torch.tensor(words("\n".join(seen))["input_ids"])
    base = train(new_model(VOCABULARY, 0), tokens, TRAIN_STEPS, 0, next_byte)
    copies = {f"{bits} bits": rounded(base, bits) for bits in (3, 4, 6, 8)}
    copies["trained on"] = train(copy.deepcopy(base), tokens, MORE_STEPS, 1, next_byte)
    for name, model in {"base": base, **copies}.items():
        model.save_pretrained(folder / name)
        words.save_pretrained(folder / name)
    files = []
    for number, text in enumerate(unseen):
        files.append(folder / f"{number}.txt")
        files[-1].write_text(text)
    command = ["compare-models", str(folder / "base"), *(str(folder / name) for name in copies), "--text", *files]
    shown = [f"'{word}'" if " " in str(word) else str(word) for word in command]
    print("closedist", *shown[: -len(files)], folder / "*.txt", *LIMITS, end="\n\n")
    return run(make_app("closedist", COMMANDS), [*map(str, command), *LIMITS])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "copies")))
