"""The names of a training's files (docs/files.md)."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from closedist.system.files import check_name_part, number_in_name


@dataclass(frozen=True)
class RunName:
    """What the names of one training's files are made of: all seeds of one width and one pair of fixed lengths.

    ``suffix`` tells apart runs whose train seed or weight decay was given on the command line.
    """

    date: str
    dataset: str
    model_type: str
    fix_length_f: float
    fix_length_g: float
    num_classes: int
    width: int
    rep_dim: int
    num_points: int
    learning_rate: float
    steps: int
    suffix: str = ""

    def __post_init__(self) -> None:
        """Refuse a date that would lead out of the folder."""
        check_name_part("--date-str", self.date)

    def untrained(self, seed: int) -> str:
        """The name of the untrained model's file."""
        return f"{self.date}untrained_{self._model(f'_seed{seed}')}"

    def trained(self, seed: int) -> str:
        """The name of the trained model's file; its metrics and representations are named after it."""
        return self._trained(f"_seed{seed}")

    @property
    def models(self) -> str:
        """What the trained models' names say besides their seeds."""
        return self._trained("")

    def metrics(self, seed: int) -> str:
        """The name of the losses' file."""
        return f"{self.trained(seed)}_metrics.json"

    def representations(self, seed: int) -> str:
        """The name of the test representations' file."""
        return f"{self.trained(seed)}_reps_test.safetensors"

    @property
    def family(self) -> str:
        """What the name of the file with the representations of all seeds says after its date."""
        fixed = (("g", self.fix_length_g), ("f", self.fix_length_f))
        lengths = "".join(f"_{net}_{number_in_name(f'{length:g}')}" for net, length in fixed if length > 0)
        return f"{self.dataset}_{self.model_type}{lengths}_{self.width}_cls{self.num_classes}"

    def state(self, seeds: Sequence[int], step: int) -> str:
        """The name of the file with the exact training state of a group of seeds after ``step`` steps.

        The seeds are inside the file; the name holds their number and the first eight digits of their SHA-256.
        """
        digest = hashlib.sha256(json.dumps(list(seeds)).encode()).hexdigest()[:8]
        return self._state(f"_{len(seeds)}seeds_{digest}", str(step))

    def state_pattern(self) -> re.Pattern[str]:
        """Matches the names of this training's states, of any group of seeds and any step (its group ``step``)."""
        # no name holds a zero byte, so the marks cannot be part of the date
        parts = re.escape(self._state("\0", "\0")).split("\0")
        return re.compile(rf"{parts[0]}_\d+seeds_[0-9a-f]{{8}}{parts[1]}(?P<step>\d+){parts[2]}")

    def alike_pattern(self) -> re.Pattern[str]:
        """Matches trained models that share date, data, network and lengths; groups ``labels`` and ``width``."""
        begins = re.escape(self.models.partition("_classes")[0])
        return re.compile(rf"{begins}_classes(?P<labels>\d+)_seed\d+_features(?P<width>\d+)_")

    def _trained(self, seed: str) -> str:
        return f"{self.date}trained_{self._model(seed)}{self._training(self.steps)}"

    def _state(self, group: str, step: str) -> str:
        return f"{self.date}state_{self._model(group)}{self._training(step)}.safetensors"

    def at(self, steps: int) -> "RunName":
        """The same training with another number of steps."""
        return replace(self, steps=steps)

    def _model(self, seed: str) -> str:
        fixed = _fixed("f", self.fix_length_f) + _fixed("g", self.fix_length_g)
        family = f"{self.dataset}_{self.model_type}{fixed}_classes{self.num_classes}"
        return f"{family}{seed}_features{self.width}_fd{self.rep_dim}"

    def _training(self, steps: int | str) -> str:
        rate = number_in_name(self.learning_rate)
        return f"_data{self.num_points}_lr{rate}_steps{steps}{self.suffix}"


def _fixed(network: str, length: float) -> str:
    return f"_fix{network}{number_in_name(f'{length:g}')}" if length > 0 else ""
