"""One reader for result files, in a folder or inside a zip archive that may come from a stranger."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from closedist.errors import InputError, brief
from closedist.system.files import parse_json, read_json

MAX_FILE_BYTES = 1 << 26  # 190 pairs with 10,000 label subsets each have 48 MB; parsed, this takes some 600 MB
MAX_CONTENTS_BYTES = 1 << 22  # an archive's table of contents: room for some 30,000 files


@dataclass(frozen=True)
class ResultsSource:
    """The JSON files of a results folder, or of a ``results.zip`` that is read as it is, never unpacked.

    Attributes:
        place: the folder or the archive, as messages should call it.
        members: for every file name (without folders) where it lies: below the folder, or in the archive.
    """

    place: Path
    members: dict[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all JSON files, sorted."""
        return tuple(sorted(self.members))

    def __contains__(self, name: str) -> bool:
        return name in self.members

    def read_json(self, name: str) -> Any:
        """Parse one file strictly.

        Raises:
            InputError: there is no such file, it is too large, damaged or encrypted, or it is not strict JSON.
        """
        if name not in self.members:
            raise InputError(f"{self.place} has no {name}")
        if self.place.is_dir():
            return read_json(self.place / self.members[name], MAX_FILE_BYTES)
        title = f"{self.place}: {name}"
        return parse_json(_read_member(self.place, self.members[name], title), title)


def open_results(place: Path | str | ResultsSource) -> ResultsSource:
    """List the JSON files of a results folder or of a zip archive of one.

    A folder that is missing or holds no JSON gives way to an archive of its name beside it: ``results`` to
    ``results.zip``, so that a fresh clone plots what it ships.

    Args:
        place: a folder, a ``.zip`` file, or a source already opened (returned as it is).

    Raises:
        InputError: there is neither, or the archive is damaged, too large, or has unsafe or ambiguous names in it.
    """
    if isinstance(place, ResultsSource):
        return place
    place = Path(place)
    names = _results_in(place)
    if names:
        return ResultsSource(place, names)
    archive = place if place.is_file() else _archive_beside(place)
    if archive.is_file():
        return ResultsSource(archive, _archive_members(archive))
    if place.is_dir():
        return ResultsSource(place, {})
    raise InputError(f"there are no results at {place}; give the folder or the results.zip with --results-folder")


def unread_archive(folder: Path) -> Path | None:
    """The archive beside a folder that ``open_results`` passes over, since the folder itself has results."""
    archive = _archive_beside(folder)
    return archive if archive.is_file() and _results_in(folder) else None


def _results_in(folder: Path) -> dict[str, str]:
    """The result files of a folder, none where it is no folder, as an archive maps its own."""
    return {path.name: path.name for path in folder.glob("*.json") if path.is_file()} if folder.is_dir() else {}


def _archive_beside(folder: Path) -> Path:
    return folder.with_name(folder.name + ".zip")


def unpack(archive: Path, ending: str, folder: Path) -> None:
    """Write an archive's files of this ending into a folder, by their base names.

    Raises:
        InputError: as :func:`open_results` of archives.
    """
    for name, member in _archive_members(archive, ending).items():
        (folder / name).write_bytes(_read_member(archive, member, f"{archive}: {name}"))


class _Listed(io.FileIO):
    """An archive whose table of contents, which zipfile reads in one piece, cannot fill the memory."""

    def read(self, size: int | None = -1) -> bytes:
        if size is not None and size > MAX_CONTENTS_BYTES:
            raise zipfile.BadZipFile("it lists far more files than results have; pack only the result files")
        return super().read(-1 if size is None else size)


def _archive_members(archive: Path, ending: str = ".json") -> dict[str, str]:
    """Map the base names of an archive's files of this ending to their full names, refusing all that could do harm."""
    members: dict[str, str] = {}
    try:
        with _Listed(archive) as stream, zipfile.ZipFile(stream) as file:
            entries = file.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise InputError(f"{archive} is not a readable zip archive: {brief(error)}") from error
    for entry in entries:
        parts = entry.filename.split("/")
        if entry.filename.startswith("/") or ".." in parts or set(entry.filename) & set("\\:\0"):
            raise InputError(f"{archive}: the name {entry.filename!r} points out of the archive; do not trust it")
        name = parts[-1]
        if not name.endswith(ending) or name.startswith("._"):  # ._ is what macOS adds to archives
            continue
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # zipfile unpacks the other kinds without an end, whatever size they are said to have
            raise InputError(f"{archive}: {entry.filename!r} is packed in an unusual way; pack it again with zip")
        if entry.file_size > MAX_FILE_BYTES:
            raise InputError(
                f"{archive}: {entry.filename!r} says it has {entry.file_size:,} bytes; a result file may have "
                f"{MAX_FILE_BYTES:,}"
            )
        if name in members:
            raise InputError(
                f"{archive} has two files named {name!r}: {members[name]!r} and {entry.filename!r}; keep one"
            )
        members[name] = entry.filename
    return members


def _read_member(archive: Path, member: str, title: str) -> bytes:
    try:
        with zipfile.ZipFile(archive) as file, file.open(member) as stream:
            return stream.read(MAX_FILE_BYTES)
    except Exception as error:  # zlib, lzma, struct, encryption: whatever a damaged member makes zipfile raise
        raise InputError(f"{title} cannot be read from the archive: {brief(error)}") from error
