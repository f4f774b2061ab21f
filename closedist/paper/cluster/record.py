"""Which jobs do what: a small file beside the checkpoints, so that a command run again finds its jobs."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from closedist.errors import InputError
from closedist.system.files import read_json, write_json


class Submitted(BaseModel):
    """A task in the hands of the cluster: its job, and the files that it writes, in the state before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job: str
    files: dict[str, int | None]

    def covers(self, files: Sequence[Path]) -> bool:
        """Whether it writes all of ``files``."""
        return {str(file) for file in files} <= self.files.keys()


class Record(BaseModel):
    """All that was submitted and not yet seen to its end.

    Attributes:
        tasks: the newest last.
        follow_up: the job that measures and draws after them.
        submitting: the name of jobs that are being submitted; found after a kill, it is all that is known of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tasks: tuple[Submitted, ...] = ()
    follow_up: str | None = None
    submitting: str | None = None

    @property
    def jobs(self) -> list[str]:
        """Every job in it."""
        return [task.job for task in self.tasks] + ([self.follow_up] if self.follow_up else [])

    def task_of(self, files: Sequence[Path]) -> Submitted | None:
        """The newest task that writes all of ``files``."""
        return next((task for task in reversed(self.tasks) if task.covers(files)), None)

    def with_changes(self, **changes: object) -> "Record":
        """A copy with some fields replaced."""
        return self.model_copy(update=changes)


def read_record(folder: Path) -> Record:
    """The record of a folder of jobs; an empty one where there is none.

    Raises:
        InputError: the file is not ours.
    """
    path = _path(folder)
    if not path.exists():
        return Record()
    try:
        return Record.model_validate(read_json(path))
    except ValidationError:
        raise InputError(
            f"{path} is no record of jobs of ours: delete it when no job of this folder is in the queue"
        ) from None


def write_record(folder: Path, record: Record) -> None:
    """Write the record, or remove it where it is empty."""
    if record == Record():
        _path(folder).unlink(missing_ok=True)
    else:
        write_json(_path(folder), record.model_dump())


def _path(folder: Path) -> Path:
    return folder / "jobs.json"
