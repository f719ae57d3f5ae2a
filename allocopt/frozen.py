"""What every block of a scenario is: frozen, exact about its keys, and able to say where its numbers come from.

A room of its own so that the blocks of `settings` can stand in several rooms. Imports nothing of allocopt.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """Frozen, and any key that is not declared is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, arbitrary_types_allowed=True)


class Sourced(Frozen):
    """A block that says where its numbers come from."""

    source: str | None = None
    """Where the numbers come from: printed by `show`, kept in run.json and in the assumptions log."""
    why: str | None = None
    """Why this choice was made."""
