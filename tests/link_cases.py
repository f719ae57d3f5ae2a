"""Random graphs over the places of a small grouping, and a table of links as a user would write it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from grouping_cases import random_instance

from allocopt.grouping.instance import Instance
from allocopt.settings.neighbours import NeighbourTable

OWN = {"graph": NeighbourTable(table="links.csv")}
"""Contiguity on a table of links."""


def links_array(links: Iterable[tuple[int, int]]) -> np.ndarray:
    """Links by position as an instance holds them."""
    return np.array(sorted({(min(one), max(one)) for one in links}), dtype=np.int64).reshape(-1, 2)


def random_links(draw: np.random.Generator, n: int) -> np.ndarray:
    """Any two places are neighbours by chance, wherever they lie: trees, islands, single places and full graphs."""
    chance = float(draw.choice([0.15, 0.3, 0.5, 0.9]))
    return links_array(pair for pair in combinations(range(n), 2) if draw.random() < chance)


def on_own_graph(seed: int) -> tuple[Instance, np.ndarray]:
    """A random instance whose consortia hang together by random links."""
    instance, where = random_instance(seed)
    settings = {**instance.settings, "contiguity": OWN}
    links = random_links(np.random.default_rng(9_000 + seed), len(instance))
    return replace(instance, settings=settings, links=links), where


def links_table(folder: Path, instance: Instance, *, header: str = "place,neighbour", name: str = "links.csv") -> Path:
    """The links of an instance as a table, every other one the other way round."""
    assert instance.links is not None
    codes = instance.places
    ends = [(a, b) if number % 2 else (b, a) for number, (a, b) in enumerate(instance.links.tolist())]
    path = folder / name
    path.write_text("\n".join([header, *(f"{codes[a]},{codes[b]}" for a, b in ends)]) + "\n", encoding="utf-8")
    return path
