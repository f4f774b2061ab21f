"""Metrics of students and teachers as files hold them: ours, and those of the second paper's code."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from closedist.errors import InputError
from closedist.paper.results.archive import ResultsSource

NAME = re.compile(
    r"(?P<data>[a-z0-9]+)-(?P<part>[a-z]+)(?:-finetuned)?-(?P<model>classifier|cbm|kldistill|logitdistill)"
    r"(?:-(?P<loss>l[12](?:-raw)?))?(?:-(?P<backbone>[a-z]\w*))?(?:-(?P<dimension>\d+))?(?:-tseed(?P<teacher>\d+))?"
    r"-epoch(?P<epoch>\d+)-seed(?P<seed>\d+)"
)
CHOICES = {"synthetic": 7 * 15, "sub": 33 * 250, "cifar100": 100 * 200}  # of labels, that the published d_rep averages
UNIFORM = "d_rep_squared_uniform"


@dataclass(frozen=True)
class ModelName:
    """What a file's name says of its model.

    Attributes:
        text: the name, without folder and ending.
        data: the data set, as the second paper calls it.
        part: "standard", or the part of it that was trained on.
        loss: of distillation; "labels" for students that learned from labels and stand beside a teacher; else None.
        teacher, seed: seeds; teacher is None where there was none.
        dimension: of the embeddings, where it is not 2.
    """

    text: str
    data: str
    part: str
    loss: str | None
    teacher: int | None
    seed: int
    dimension: int


@dataclass(frozen=True)
class Metrics:
    """A model's scores at every evaluation.

    Attributes:
        name: the model.
        epochs: counted from 0.
        train, test: scores of both splits by name, one an epoch. Of the published files, d_LLD is d_logit², and what
            they call d_rep is d_rep_squared_uniform here: times the number of choices, by which it was divided once too
            often; it is in the *student's* coordinates. Our d_rep is the root of the least-squares form, the teacher's.
        published: whether the second paper's code wrote them.
    """

    name: ModelName
    epochs: tuple[int, ...]
    train: Mapping[str, tuple[float, ...]]
    test: Mapping[str, tuple[float, ...]]
    published: bool


def parse_name(text: str, *, published: bool) -> ModelName:
    """Read a model's name; the published "l1" and "l2" are of logits that were not centred, our "l1-raw" and "l2-raw".

    Raises:
        InputError: it is no such name.
    """
    match = NAME.fullmatch(text)
    if not match:
        raise InputError(
            f"{text[:100]!r} is no name of a distilled model or a teacher, such as "
            "synthetic-standard-kldistill-mlp-tseed400-epoch249-seed40"
        )
    teacher = None if match["teacher"] is None else int(match["teacher"])
    baseline = None if teacher is None else "labels"
    loss = {"kldistill": "kl", "logitdistill": match["loss"]}.get(match["model"], baseline)
    if published and match["model"] == "logitdistill":
        loss = f"{loss}-raw"
    return ModelName(
        text, match["data"], match["part"], loss, teacher, int(match["seed"]), int(match["dimension"] or 2)
    )


def read_metrics(source: ResultsSource) -> list[Metrics]:
    """The metrics of all models in a folder or an archive, by name.

    Raises:
        InputError: there are none, or a file is not what it should be.
    """
    names = [name for name in source.names if name.startswith("metrics-")]
    if not names:
        raise InputError(
            f"{source.place} has no metrics-….json of students; `closedist distil` makes "
            "them, and the repository ships some: --results-folder=distilled_digits.zip"
        )
    return [_parsed(source, name) for name in names]


def _parsed(source: ResultsSource, file: str) -> Metrics:
    title, content = f"{source.place}: {file}", source.read_json(file)
    if not isinstance(content, dict):
        raise InputError(f"{title} is not the metrics of a model")
    published = "configuration" not in content
    name = parse_name(file.removeprefix("metrics-").removesuffix(".json"), published=published)
    epochs = content.get("epoch_num")
    if not isinstance(epochs, list) or not epochs or not all(type(epoch) is int and epoch >= 0 for epoch in epochs):
        raise InputError(f"{title}: epoch_num is no list of epochs")
    splits: dict[str, dict[str, tuple[float, ...]]] = {}
    for split in ("train", "test"):
        columns = {
            key: _column(f"{title}: {split}, {key}", values, len(epochs))
            for key, values in (content.get(split) or {}).items()
        }
        splits[split] = _restored(columns, name, title) if published else columns
    return Metrics(name, tuple(epochs), splits["train"], splits["test"], published)


def _column(title: str, values: object, count: int) -> tuple[float, ...]:
    if not isinstance(values, list) or len(values) != count:
        raise InputError(f"{title}: {count} numbers are needed, one for each of epoch_num")
    if not all(isinstance(value, int | float) and isfinite(value) for value in values):
        raise InputError(f"{title}: an entry is no finite number")
    return tuple(map(float, values))


def _restored(columns: dict[str, tuple[float, ...]], name: ModelName, title: str) -> dict[str, tuple[float, ...]]:
    """A published split's columns under names that say what they are."""
    if "d_LLD" in columns:
        columns["d_logit"] = tuple(value**0.5 for value in columns["d_LLD"])
    if "d_rep" in columns:
        if name.data not in CHOICES:
            raise InputError(
                f"{title}: how many choices of labels its d_rep was divided by is known of {', '.join(CHOICES)} only, "
                f"not of {name.data!r}; remove d_rep from the file"
            )
        columns[UNIFORM] = tuple(value * CHOICES[name.data] for value in columns.pop("d_rep"))
    return columns
