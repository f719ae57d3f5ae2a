"""Where the models and scenarios that come with allocopt are kept; imports `errors` alone.

The wheel carries them inside the package, in `_shipped/`; a checkout has them in the folders beside the package.
The copy inside the package comes first, so that a stranger's `scenarios/` folder beside it is never read.
"""

from __future__ import annotations

from pathlib import Path

from allocopt.errors import InputFault, Problem

_PACKAGE = Path(__file__).resolve().parent


def shipped(folder: str) -> Path:
    """The folder `models` or `scenarios` that belongs to this installation. Raises InputFault when it is not there."""
    for home in (_PACKAGE / "_shipped", _PACKAGE.parent):
        if (home / folder).is_dir():
            return home / folder
    cure = "install allocopt again: the wheel and the source distribution both carry it"
    raise InputFault(
        f"this installation of allocopt has no folder '{folder}'", (Problem("folder not found", cure, file=folder),)
    )
