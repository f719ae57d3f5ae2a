"""Case folders: written whole or not at all, sealed with the hash of every file, found again by their id.

    runs/<sweep>-<hash>/cases/<id>/   run.json or error.json, the tables that are kept, case.json (the seal)

A case of the same id, made by the same code and packages and keeping the same tables, is taken from any batch under the
same `--out` instead of being solved again. Imports `record`, `runs`, `shipped` and `errors`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import allocopt
from allocopt.batches.work import Done
from allocopt.errors import InputFault, Problem
from allocopt.record import versions
from allocopt.shipped import shipped

SEAL = "case.json"
DRAFTS = ".drafts"
UNSEALED = "timing.json"
"""Says where the tables were read, which depends on the machine: outside every hash, as in every run folder."""


@lru_cache
def made_by() -> dict[str, Any]:
    """What a result rests on besides its inputs: the versions of the packages and the hash of this code."""
    package = Path(allocopt.__file__).parent
    files = [*sorted(package.rglob("*.py")), *sorted(shipped("models").glob("*.py"))]
    told = hashlib.sha256()
    for file in files:
        told.update(file.name.encode() + b"\0" + file.read_bytes())
    return {"versions": versions(), "code": told.hexdigest()}


def sealed(done: Done, tables: Sequence[str]) -> dict[str, Any]:
    """The seal of a finished case."""
    sealed_files = {name: data for name, data in sorted(done.files.items()) if name != UNSEALED}
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sealed_files.items()}
    return {"id": done.id, "exit": done.exit, "tables": list(tables), **made_by(), "sha256": hashes}


def read_seal(folder: Path) -> Mapping[str, Any] | None:
    """The seal of a case folder; None where there is none that can be read."""
    try:
        seal = json.loads((folder / SEAL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return seal if isinstance(seal, dict) and isinstance(seal.get("sha256"), dict) else None


def broken(folder: Path, seal: Mapping[str, Any]) -> list[str]:
    """What does not fit between a seal and its folder: a file that changed, is not there or is not named."""
    wrong = []
    for name, digest in seal["sha256"].items():
        path = folder / name
        if not path.is_file():
            wrong.append(f"{name} is not there")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            wrong.append(f"{name} is not as it was written")
    named = {*seal["sha256"], SEAL, UNSEALED}
    return wrong + [f"{path.name} was not written here" for path in sorted(folder.iterdir()) if path.name not in named]


@dataclass
class Store:
    """The cases of one batch folder, and of the batches beside it."""

    folder: Path
    tables: Sequence[str]
    beside: dict[str, Path] = field(default_factory=dict)

    def open(self, *, fresh: bool) -> None:
        """Make the folder ready: nothing half-written is left in it. Raises InputFault when it cannot be written."""
        try:
            if fresh:
                shutil.rmtree(self.folder, ignore_errors=True)
            shutil.rmtree(self.folder / DRAFTS, ignore_errors=True)
            (self.folder / "cases").mkdir(parents=True, exist_ok=True)
            (self.folder / DRAFTS).mkdir()
        except OSError as failure:
            raise cannot_write(self.folder, failure) from failure
        others = sorted(path for path in self.folder.parent.glob("*/cases/*") if path.parent.parent != self.folder)
        self.beside = {path.name: path for path in others}

    def close(self, wanted: Iterable[str]) -> None:
        """Leave only what was asked for."""
        keep = set(wanted)
        for path in (self.folder / "cases").iterdir():
            if path.name not in keep:
                shutil.rmtree(path, ignore_errors=True)
        shutil.rmtree(self.folder / DRAFTS, ignore_errors=True)

    def case(self, case: str) -> Path:
        """The folder of a case."""
        return self.folder / "cases" / case

    def done(self, case: str, *, beside: bool = True) -> int | None:
        """The exit code of a case that is done, here or in a batch beside; None when it is to be solved."""
        here = self._usable(self.case(case))
        if here is not None or not beside or case not in self.beside:
            return here
        exit_code = self._usable(self.beside[case])
        if exit_code is not None:
            self._put(case, {path.name: path for path in self.beside[case].iterdir()})
        return exit_code

    def _usable(self, folder: Path) -> int | None:
        seal = read_seal(folder)
        if seal is None or seal["exit"] == 1 or seal["tables"] != list(self.tables):
            return None
        if {key: seal.get(key) for key in made_by()} != made_by() or broken(folder, seal):
            return None
        return int(seal["exit"])

    def write(self, done: Done) -> None:
        """Record a finished case: the folder is there whole or not at all. Raises InputFault."""
        text = json.dumps(sealed(done, self.tables), indent=2) + "\n"
        self._put(done.id, {**done.files, SEAL: text.encode()})

    def _put(self, case: str, files: Mapping[str, bytes | Path]) -> None:
        draft, folder = self.folder / DRAFTS / case, self.case(case)
        try:
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            for name, data in files.items():
                _copy(data, draft / name) if isinstance(data, Path) else (draft / name).write_bytes(data)
            if folder.exists():
                shutil.rmtree(folder)
            draft.rename(folder)
        except OSError as failure:
            raise cannot_write(folder, failure) from failure


def _copy(source: Path, target: Path) -> None:
    """The same bytes: a link where the disk can, a copy elsewhere."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file of the batch folder whole or not at all. Raises InputFault."""
    draft = path.with_name(f".{path.name}")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    except OSError as failure:
        draft.unlink(missing_ok=True)
        raise cannot_write(path, failure) from failure


def cannot_write(path: Path, failure: OSError) -> InputFault:
    """A full disk, a read-only folder: what is done stays done."""
    said = f"cannot write {path}: {failure.strerror or failure}"
    cure = "make room or name a folder that you may write to with --out DIR; finished cases are kept: run it again"
    return InputFault(said, (Problem(said, cure, "--out"),))
