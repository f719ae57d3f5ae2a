"""A folder that is there whole or not at all: written under a temporary name and renamed. Imports `errors` alone."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from allocopt.errors import InputFault, Problem


def folder_name(name: str, inputs_hash: str) -> str:
    """`<name>-<8 hex of the inputs' hash>`; the name keeps letters, digits, `-` and `_`."""
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '-', name).strip('-') or 'run'}-{inputs_hash[:8]}"


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A draft folder that becomes `folder` when everything in it is written, and vanishes when anything fails."""
    draft = _draft(folder)
    try:
        yield draft
        _swap(draft, folder)
    except OSError as failure:
        raise _cannot_write(folder, failure) from failure
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _draft(folder: Path) -> Path:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        draft.chmod(0o777 & ~_umask())
    except OSError as failure:
        raise _cannot_write(folder, failure) from failure
    return draft


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _swap(draft: Path, folder: Path) -> None:
    if folder.exists():
        aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
        folder.rename(aside / folder.name)
        draft.rename(folder)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        draft.rename(folder)


def _cannot_write(folder: Path, failure: OSError) -> InputFault:
    said = f"cannot write {folder}: {failure.strerror or failure}"
    return InputFault(said, (Problem(said, "name a folder with room that you may write to: --out DIR", "--out"),))


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Readable JSON, keys in the order given, the same bytes every time."""
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def hashes(folder: Path, *, but: Collection[str] = ()) -> dict[str, str]:
    """The sha-256 of every file that stands in a folder, by name, but those named."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.name not in but)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def seal_again(folder: Path, names: Sequence[str]) -> None:
    """Note the hashes of files that were written into a finished run or batch afterwards, such as its report."""
    for noting in (folder / "timing.json", folder / "batch.json"):
        if noting.is_file():
            said = json.loads(noting.read_text(encoding="utf-8"))
            found = {name: digest for name, digest in hashes(folder).items() if name in names}
            said["sha256"] = dict(sorted({**said.get("sha256", {}), **found}.items()))
            draft = noting.with_name(f".{noting.name}")
            write_json(draft, said)
            draft.replace(noting)
