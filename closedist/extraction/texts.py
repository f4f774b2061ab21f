"""Texts as a language model reads them: its vocabulary, and sequences of tokens."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from closedist.errors import InputError
from closedist.extraction.hugging_face import base_of, quiet, read_with, transformers_library
from closedist.extraction.positions import Positions

MAX_TOKENS, CONTEXT = 20_000, 512


@dataclass(frozen=True)
class Text:
    """Which texts a model reads, and how much of them.

    Attributes:
        files: UTF-8 texts, tokenized one by one, in this order.
        max_tokens: how many positions at most, over all texts.
        context: tokens of a sequence, by default 512 or the most that the model takes. A text is cut into such pieces,
            each beginning with the token that the tokenizer puts first, if any.
        positions: which positions of a sequence are inputs: "all", the "last", or every so many.
        tokenizer: the folder or name of the tokenizer; by default each model's own, an adapter's that of its base where
            it has none.
    """

    files: tuple[Path, ...]
    max_tokens: int = MAX_TOKENS
    context: int | None = None
    positions: Positions = "all"
    tokenizer: str | None = None


@dataclass(frozen=True)
class Windows:
    """Texts as sequences of tokens, in the order in which models read them.

    Attributes:
        tokens: token ids of each sequence.
        documents: which of the texts each is of, by its number.
        context: tokens of a sequence; the last of a text is shorter.
    """

    tokens: list[tuple[int, ...]]
    documents: list[int]
    context: int


@dataclass(frozen=True)
class Vocabulary:
    """A model's labels and how it reads text.

    Attributes:
        tokenizer: of ``transformers``.
        size: C, the rows of the model's head according to its config.
        max_context: the most tokens of a sequence, or None where the config names no limit.
    """

    tokenizer: Any
    size: int
    max_context: int | None

    @property
    def names(self) -> list[str]:
        """(C,) the tokens; rows beyond the tokenizer's end are called padding."""
        unused = [f"[padding {index}]" for index in range(len(self._tokens), self.size)]
        return [f"[unused {index}]" if token is None else token for index, token in enumerate(self._tokens)] + unused

    @property
    def unused(self) -> list[int]:
        """Labels that are no token's."""
        absent = [index for index, token in enumerate(self._tokens) if token is None]
        return absent + list(range(len(self._tokens), self.size))

    @cached_property
    def _tokens(self) -> list[str | None]:
        known = min(self.size, len(self.tokenizer))
        return list(self.tokenizer.convert_ids_to_tokens(list(range(known))))


def read_vocabulary(model: str, tokenizer: str | None = None) -> Vocabulary:
    """A model's sizes, without its weights, and a tokenizer.

    Args:
        model: a folder or a name on the hub; an adapter's sizes are its base's.
        tokenizer: as in :class:`Text`.

    Raises:
        InputError: ``transformers`` is not installed, the model cannot be read, or there is no tokenizer.
    """
    transformers = transformers_library()
    base = base_of(model)
    if base is None:
        config = read_with(transformers.AutoConfig.from_pretrained, model, "config")
    else:
        remedy = f"{model} is an adapter that names it: correct base_model_name_or_path in its adapter_config.json"
        config = read_with(transformers.AutoConfig.from_pretrained, base, "config", remedy)
    if tokenizer is None:
        tokenizer = model if base is None or (Path(model) / "tokenizer_config.json").is_file() else base
    words = _read_tokenizer(tokenizer)
    config = config.get_text_config() if hasattr(config, "get_text_config") else config
    limit = getattr(config, "max_position_embeddings", None)
    return Vocabulary(words, int(config.vocab_size), limit if isinstance(limit, int) and limit > 0 else None)


def _read_tokenizer(name: str) -> Any:
    remedy = "name a folder that has one, such as that of the model it was made from: --tokenizer FOLDER"
    none = InputError(f"{name} has no tokenizer; {remedy}")
    try:
        tokenizer = read_with(transformers_library().AutoTokenizer.from_pretrained, name, "tokenizer", remedy)
    except InputError as error:
        if not Path(name).is_dir() or any(Path(name).glob("*token*")):
            raise
        raise none from error
    # of a folder without one some kinds are made up, of special tokens and at most the mark of a word's beginning
    if len(set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens)) <= 1:
        raise none
    return tokenizer


def token_windows(vocabulary: Vocabulary, text: Text, max_context: int | None = None) -> Windows:
    """The texts as sequences of token ids.

    Args:
        vocabulary: how to read them.
        text: the texts and how much of them.
        max_context: the most tokens of a sequence, where less than the vocabulary's.

    Raises:
        InputError: a text cannot be read or is empty, a number is out of its range, or the tokenizer has tokens that
            the model has not.
    """
    limit = max_context or vocabulary.max_context
    context = text.context or min(CONTEXT, limit or CONTEXT)
    if text.context is not None and (text.context < 1 or (limit is not None and text.context > limit)):
        raise InputError(f"context: {text.context} tokens; the models take 1 … {limit or 'any number'}")
    if text.max_tokens < 2:
        raise InputError(f"max_tokens: {text.max_tokens}; at least 2 are needed, in practice thousands")
    if not text.files:
        raise InputError("texts: none were given; name one or more UTF-8 text files")
    begin = _beginning(vocabulary.tokenizer)
    if context <= len(begin):
        raise InputError(f"context: {context} tokens; each sequence begins with {len(begin)} of the tokenizer's own")
    windows: list[tuple[int, ...]] = []
    documents: list[int] = []
    left = text.max_tokens
    for document, file in enumerate(text.files):
        ids = _token_ids(vocabulary.tokenizer, _read_text(file), left) if left else []
        step = context - len(begin)
        for start in range(0, len(ids), step):
            window = (*begin, *ids[start : start + step])[:left]
            if window:
                windows.append(window)
                documents.append(document)
            left -= len(window)
    largest = max(map(max, windows), default=0)
    if largest >= vocabulary.size:
        token = vocabulary.tokenizer.convert_ids_to_tokens(largest)
        raise InputError(
            f"tokenizer: the texts have token {largest}, {token!r}, but the model knows {vocabulary.size:,} tokens; "
            "name the tokenizer that it was trained with: --tokenizer FOLDER"
        )
    return Windows(windows, documents, context)


def _read_text(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: {error}; convert it") from error
    if not text.strip():
        raise InputError(f"{path} is empty; name a text with words in it")
    return text


def _token_ids(tokenizer: Any, text: str, needed: int) -> list[int]:
    """The first ``needed`` token ids, at least; no more of the text is read than that takes."""
    length = 16 * needed
    while True:
        with quiet():
            ids: list[int] = tokenizer(text[:length], add_special_tokens=False)["input_ids"]
        if length >= len(text) or len(ids) > needed + 16:  # the cut can change the last few
            return ids
        length *= 2


def _beginning(tokenizer: Any) -> tuple[int, ...]:
    """What the tokenizer puts before a text: the token that begins a document, or nothing."""
    first = tokenizer.bos_token_id
    return (first,) if first is not None and tokenizer("a")["input_ids"][:1] == [first] else ()
