"""Reading a JSON result file: equally long columns, every entry checked by a pydantic model of that kind of file."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model
from pydantic_core import PydanticCustomError

from closedist.errors import InputError
from closedist.paper.results.archive import ResultsSource, open_results

Source = Path | str | ResultsSource


def _seeds(text: object) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,18})vs([0-9]{1,18})", text) if isinstance(text, str) else None
    if match is None:
        raise PydanticCustomError("seeds", "Input should be two seeds as in '0vs1'")
    return int(match[1]), int(match[2])


SLACK = 1e-4  # what float32 may leave beyond a range
Seed = Annotated[int, Field(ge=0, lt=2**63)]
SeedPair = Annotated[tuple[int, int], BeforeValidator(_seeds)]
Count = Annotated[int, Field(ge=0, lt=1_000_000)]
Length = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Correlation = Annotated[float, Field(ge=-SLACK, le=1 + SLACK)]
Text = Annotated[str, Field(max_length=255)]  # what a file's name may have


def list_of(entry: Any) -> Any:
    """A column of such entries; the first wrong one is the error."""
    return Annotated[list[entry], Field(fail_fast=True)]


def file_model(columns: Mapping[str, Any], required: Collection[str]) -> type[BaseModel]:
    """The model of a kind of file: by key what its columns are; those that are not required may be absent."""
    fields: dict[str, Any] = {key: (column, ... if key in required else None) for key, column in columns.items()}
    return create_model("ResultFile", __config__=ConfigDict(strict=True, allow_inf_nan=False), **fields)


def read_columns(source: Source, name: str, model: type[BaseModel]) -> dict[str, list[Any]]:
    """The columns of a result file that it has, in the model's order.

    Args:
        source: a results folder, a ``results.zip``, or either as :func:`open_results` gives it.
        name: the file's name, without folders.
        model: of this kind of file.

    Raises:
        InputError: the file is missing, or not of this kind; the message names the key and the entry.
    """
    source = open_results(source)
    title = f"{source.place}: {name}"
    content = source.read_json(name)
    if not isinstance(content, dict):
        raise InputError(f"{title} is not a table of columns (a JSON object of lists)")
    try:
        columns = {key: values for key, values in model.model_validate(content) if values is not None}
    except ValidationError as error:
        raise InputError(f"{title}{_problem(error)}") from None
    (first, values), *others = columns.items()
    for key, other in others:
        if len(other) != len(values):
            raise InputError(
                f"{title}: its lists differ in length: {key!r} has {len(other)} entries, {first!r} {len(values)}"
            )
    if not values:
        raise InputError(f"{title} has no entries; make it again with at least two seeds")
    return columns


def _problem(error: ValidationError) -> str:
    """What is wrong with a file, after its title."""
    problem = error.errors(include_url=False)[0]
    key, *entry = problem["loc"]
    if not entry and problem["type"] in ("missing", "list_type"):
        return f" has no list named {key!r}; is it the right kind of result file?"
    where = f"{key}[{entry[0]}] is {problem['input']!r:.50}" if entry else key
    expected = problem["msg"].removeprefix("Input should be ")
    return f": {where}: {expected}" if expected == problem["msg"] else f": {where}, not {expected}"
