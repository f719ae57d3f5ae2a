"""Who neighbours whom by the table that a scenario names, read a second time from the file itself.

What the engine made of the table is not believed: a link that it dropped or made up shows as a difference, and
contiguity is judged on the links that stand in the file. Imports `check.inputs` and `check.verdict`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from allocopt.check.inputs import Plain, cells
from allocopt.check.verdict import Check, compared

WHICH = "neighbours"
"""The name under which the table of links is found."""


def links_again(record: Plain, where: Mapping[str, Path | None], places: Sequence[str]) -> list[tuple[int, int]] | None:
    """The links of the places of the run by position, the lower first; None where the scenario names no table."""
    path = where.get(WHICH)
    if path is None:
        return None
    said, number, table = record["scenario"]["rules"]["contiguity"]["graph"], dict[str, int](), cells(path)
    for code in places:
        number[code] = len(number)
    found = set[tuple[int, int]]()
    for one, other in zip(table[said["place"]], table[said["neighbour"]], strict=True):
        if one in number and other in number:
            found.add((min(number[one], number[other]), max(number[one], number[other])))
    return sorted(found)


def check_links(
    made: Sequence[tuple[int, int]] | None, found: Sequence[tuple[int, int]] | None, places: Sequence[str]
) -> Iterator[Check]:
    """The links that the engine made of the table are those of the file; nothing where there is no table."""
    if found is None:
        return
    differing = sorted(set(made or ()) ^ set(found))
    wrong = [f"{places[a]},{places[b]} stands in one of the two readings alone" for a, b in differing]
    yield compared("neighbours", wrong, f"{len(found):,} links of {len(places):,} places, read again from the table")
