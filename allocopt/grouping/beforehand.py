"""What arithmetic says before a large grouping is searched: places that no hub may take, parts of the country whose
hubs have no room, and small parts that no legal consortia can hold, with the fewest exemptions that mend them.

A search can only fail to find what is not there; these are told at once, in the words of the same cures as those of
small groupings. Imports `exempt`, `programme`,
`instance` and `solve`.
"""

from __future__ import annotations

import numpy as np

from allocopt.errors import Infeasible, Stopped
from allocopt.grouping.exempt import Exemption, least_exemptions
from allocopt.grouping.instance import Instance, Ints, Pairs
from allocopt.grouping.programme import Part, build_part
from allocopt.model import Model
from allocopt.solve.compiled import compile_problem
from allocopt.solve.integer import Effort, minimise_whole

SMALL, NODES = 3_000, 5_000
"""Pairs of a part whose exemptions are found exactly, and nodes of asking whether it needs any."""
SHOWN = 10


def refuse_hopeless(instance: Instance, pairs: Pairs, parts: list[Ints]) -> None:
    """Raises Infeasible where a place has no possible hub, or the hubs of a part too little room for its people."""
    has = np.zeros(len(instance), dtype=bool)
    has[pairs.place] = True
    if not has.all():
        raise Infeasible(f"the rules leave no hub to {_named(instance, np.flatnonzero(~has))}")
    most = instance.said("population_window", "max", np.inf)
    own = np.zeros(len(instance), dtype=bool)
    own[pairs.hub[pairs.place == pairs.hub]] = True
    for places in parts:
        people, room = float(instance.population[places].sum()), int(own[places].sum()) * most
        if people > room * (1 + 1e-9):
            raise Infeasible(
                f"{people:,.0f} people around {instance.places[places[0]]} have {int(own[places].sum()):,} possible "
                f"hubs, with room for {room:,.0f}"
            )


def _named(instance: Instance, places: Ints) -> str:
    codes = [instance.places[p] for p in places[:SHOWN].tolist()]
    return ", ".join(codes) + (f" and {len(places) - SHOWN:,} more places" if len(places) > SHOWN else "")


def of_small_parts(
    model: Model, instance: Instance, pairs: Pairs, parts: list[Ints], seconds: float
) -> tuple[Exemption, ...]:
    """The fewest exemptions of the parts that are small and cannot be solved as they are, where hubs are declared: free
    hubs may lie anywhere, and the search asks where they are short of people. Raises Infeasible or Stopped.
    """
    if not instance.declared or not (instance.on("population_window") or instance.on("balance_band")):
        return ()
    label = np.zeros(len(instance), dtype=np.int64)
    for number, places in enumerate(parts):
        label[places] = number
    size, found = np.bincount(label[pairs.place], minlength=len(parts)), list[Exemption]()
    for number in np.flatnonzero(size <= SMALL).tolist():
        part = Part(parts[number], pairs.take(label[pairs.place] == number))
        if not _solvable(model, instance, part, seconds):
            more, proven = least_exemptions(model, instance, part.places, seconds=seconds)
            if not proven:
                raise Stopped("the fewest exemptions were not found within the time limit")
            found += more
    return tuple(found)


def _solvable(model: Model, instance: Instance, part: Part, seconds: float) -> bool:
    """Whether a part has a plan, as far as can be told in so many seconds."""
    compiled = compile_problem(build_part(model, instance, part, []))
    effort = Effort(nodes=NODES, seconds=seconds)
    try:
        minimise_whole(compiled, np.zeros(len(compiled.columns)), effort=effort)
    except Infeasible:
        return False
    except Stopped:
        return True
    return True
