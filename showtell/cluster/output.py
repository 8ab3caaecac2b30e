"""The folder that a cluster writes: one Parquet file per block, and the settings of the run.

_run.json              the settings that the rows depend on; readers of Parquet folders skip it
block-000000.parquet   the rows of a block, written atomically
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq
from pyarrow.fs import FileSelector, FileSystem

from showtell.batch.output import table
from showtell.batch.rows import Row
from showtell.cluster.source import address, reason
from showtell.errors import OutputError

_RUN = "_run.json"
_BLOCK = re.compile(r"block-(\d{6,})\.parquet")


@dataclass(frozen=True)
class Output:
    """A folder of blocks.

    Attributes
    ----------
    files : the file system of the folder.
    path : its path in the file system.
    """

    files: FileSystem
    path: str

    def __str__(self) -> str:
        return address(self.files, self.path)

    def claim(self, settings: Mapping[str, Any], resume: bool) -> None:
        """Create the folder, or continue the run in it.

        Two runs that continue at the same time do no harm: both write the same blocks.

        Parameters
        ----------
        settings : the settings that the rows depend on, in plain types.
        resume : whether to continue a run with the same settings, if there is one.

        Raises
        ------
        OutputError : the folder contains other files or another run, or is not writable.
        """
        names = self._names()
        if _RUN in names:
            self._require_same(settings, resume)
        elif names:
            raise OutputError(f"{self}: already contains other files; choose a new folder")
        else:
            self._write(_RUN, json.dumps(settings, indent=2).encode())

    def _require_same(self, settings: Mapping[str, Any], resume: bool) -> None:
        if not resume:
            raise OutputError(
                f"{self}: already contains a run; add --resume, or choose a new folder"
            )
        try:
            with self.files.open_input_stream(f"{self.path}/{_RUN}") as file:
                old = json.loads(file.read())
        except (OSError, ValueError) as error:
            raise OutputError(f"{self}/{_RUN}: cannot be read: {error}") from error
        if other := [name for name, value in settings.items() if old.get(name) != value]:
            raise OutputError(
                f"{self}: its run has other settings ({', '.join(other)}); "
                "use the same, or choose a new folder"
            )

    def finished(self) -> set[int]:
        """Return the numbers of the finished blocks."""
        matches = map(_BLOCK.fullmatch, self._names())
        return {int(name[1]) for name in matches if name}

    def write(self, number: int, rows: list[Row]) -> None:
        """Write a block.

        Raises
        ------
        OutputError : the block cannot be written.
        """
        buffer = BytesIO()
        pq.write_table(table(rows), buffer)
        self._write(f"block-{number:06}.parquet", buffer.getvalue())

    def _write(self, name: str, data: bytes) -> None:
        """Write a file atomically; until it is complete, a dot in its name hides it."""
        partial = f"{self.path}/.{name}.{uuid4().hex}"
        try:
            with self.files.open_output_stream(partial) as file:
                file.write(data)
            self.files.move(partial, f"{self.path}/{name}")
        except OSError as error:
            raise OutputError(f"{self}/{name}: cannot be written: {error}") from error

    def _names(self) -> set[str]:
        try:
            self.files.create_dir(self.path)
            entries = self.files.get_file_info(FileSelector(self.path))
        except OSError as error:
            raise OutputError(f"{self}: cannot be used: {reason(self.files, error)}") from error
        return {info.base_name for info in entries if not info.base_name.startswith(".")}
