"""Bounds of plans beside the run's own, proved again from what certificate.npz keeps of them.

Each has the instance that it speaks of: the rules of the run less one, or with areas put on or off. Bounds A, B, N and
T are recomputed, C and P by weak duality on programmes compiled anew; what branch and bound alone says is not proved
again. Imports `check.grouping`, `check.kept`, `check.relaxed`, `consortia` and the rooms that compile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from allocopt.check.decided import Decided
from allocopt.check.grouping import Grouped, cut_bound, reachable_hubs
from allocopt.check.inputs import Plain
from allocopt.check.kept import NotKept
from allocopt.check.relaxed import pocket_value, relaxed_value, toll_value
from allocopt.check.rules import EXTREMES, MEASURES, SECOND, check_rule, said_of
from allocopt.check.verdict import Floats
from allocopt.consortia import grouped_of
from allocopt.grouping.exempt import Exemption, with_exemptions
from allocopt.grouping.instance import Instance, components, possible_pairs
from allocopt.grouping.joint import build_joint
from allocopt.grouping.relaxed import compiled_parts
from allocopt.model import load_model
from allocopt.plan import Facts

SLIP = 1e-6
"""GBP million: a pound."""
ALONE = ("highs", "none")
"""Bounds that nothing proves again: the solver's own, and 0 of what cannot be negative."""
Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Subject:
    """A plan or a bound beside the run's own: the facts of the run, and the instance whose rules it is under."""

    facts: Facts
    instance: Instance
    kept: Arrays
    model: str
    """whose programme the bound is of; beside a joint plan its allocation is held, and only places are grouped"""

    @property
    def has_plan(self) -> bool:
        """Whether a plan is kept."""
        return "hub" in self.kept

    def with_exemptions(self) -> Subject:
        """The subject under the exemptions that are kept with it."""
        if "exempt_rules" not in self.kept:
            return self
        rules, codes = texts(self.kept["exempt_rules"]), texts(self.kept["exempt_codes"])
        km = [None if np.isnan(one) else float(one) for one in self.kept["exempt_km"]]
        listed = tuple(Exemption(*one) for one in zip(rules, codes, km, strict=True))
        return replace(self, instance=with_exemptions(self.instance, listed))

    def plan(self) -> Grouped:
        """The plan that is kept. Raises NotKept, or ValueError for one that is no plan."""
        if not self.has_plan:
            raise NotKept("the certificate keeps no plan of it")
        hub, n = np.asarray(self.kept["hub"], dtype=np.int64), len(self.instance)
        if hub.shape != (n,) or hub.min() < 0 or hub.max() >= n:
            raise ValueError("the kept plan does not name a place as the hub of every place")
        instance = self.instance
        if "allocation" in self.kept:
            instance = replace(instance, budget=self.allocation())
        return grouped_of(self.facts, instance, hub)

    def allocation(self) -> Floats:
        """(n,) GBP million of the plan that is kept."""
        found = np.asarray(self.kept["allocation"], dtype=np.float64)
        if found.shape != (len(self.instance),) or not np.isfinite(found).all():
            raise ValueError("the kept allocation is not one finite number a place")
        return found

    def proved(self, by: str, left_out: str = "") -> float:
        """What the bound that `by` names proves, GBP million; `left_out` is a rule that a joint programme is without.

        Raises NotKept, or ValueError where such a bound cannot be one for these rules.
        """
        of = grouped_of(self.facts, self.instance, np.arange(len(self.instance), dtype=np.int64))
        joint = load_model(self.model).kind == "joint"
        if by == "net overspend":
            return max(0.0, float((of.spend - of.budget).sum()))
        if by == "bound N" and joint:
            return net_of(self.plan(), dict(zip(texts(self._part("pot_names")), self._part("pots"), strict=True)))
        if by == "bound C":
            return self._relaxed(joint, left_out)
        fixed: dict[str, Callable[[], float]] = {
            "bound A": lambda: area_bound(of),
            "bound B": lambda: cut_bound(of, self._chosen(), reachable_hubs(of, self.instance.may_hub)),
            "bound T": lambda: toll_value(of, self._prices(), self.instance.may_hub),
            "bound P": lambda: pocket_value(self.model, self.instance, self._chosen(), self._prices()),
        }
        if joint or by not in fixed:
            raise ValueError(f"'{by}' is no bound of this programme")
        return fixed[by]()

    def _relaxed(self, joint: bool, left_out: str) -> float:  # noqa: FBT001 - a fact of the run
        scenario = self.facts.loaded.scenario
        model, pairs = load_model(self.model), possible_pairs(self.instance)
        if not joint:
            programmes = compiled_parts(model, self.instance, pairs, components(self.instance, pairs))
            return relaxed_value(programmes, self._prices())
        rules = {name: one for name, one in scenario.rules.items() if name != left_out}
        first = scenario.objectives[:1]
        built = build_joint(self.facts.situation, self.instance, pairs, model, rules=rules, objectives=first)
        return relaxed_value([built.compiled], self._prices())

    def _chosen(self) -> Any:
        chosen = np.zeros(len(self.instance), dtype=bool)
        chosen[np.asarray(self._part("overspenders"), dtype=np.int64)] = True
        return chosen

    def _prices(self) -> dict[str, float]:
        return dict(zip(texts(self._part("rows")), np.asarray(self._part("prices")).tolist(), strict=True))

    def _part(self, name: str) -> Any:
        if name not in self.kept:
            raise NotKept("the certificate keeps nothing that proves it")
        return self.kept[name]


def texts(names: Any) -> list[str]:
    """Kept names as text."""
    return [one.decode("utf-8") for one in names.tolist()]


def area_bound(of: Grouped) -> float:
    """Bound A. Raises ValueError where a place may leave its area."""
    said = of.settings.get("stay_in_area")
    if said is None or said.get("waive"):
        raise ValueError("places may leave their area, so that bound A is none")
    area = np.array(list(of.area), dtype=object)
    net = pd.Series(of.spend - of.budget).groupby(area).sum()
    return float(net.clip(lower=0).sum())


def net_of(of: Grouped, pots: Mapping[str, float]) -> float:
    """Bound N: spend beyond the pots; each pot is held against what its places are allocated."""
    area = np.array(list(of.area), dtype=object)
    value = 0.0
    for name, pot in pots.items():
        here = area == name if name else np.ones(len(area), dtype=bool)
        if abs(float(of.budget[here].sum()) - pot) > SLIP * max(1.0, pot):
            raise ValueError(f"the pot of {name or 'all places'} is not what its places are allocated")
        value += max(0.0, float(of.spend[here].sum()) - pot)
    return value


def allocation_faults(decided: Decided, record: Plain, *, but: str = "") -> Iterator[str]:
    """Rules about allocations that a kept allocation breaks, of those with a second implementation, `but` one."""
    for name in ("budget", *record["scenario"].get("rules", {})):
        if name in SECOND and name != but:
            found = check_rule(name, decided, said_of(record, name))
            if not found.passed:
                yield f"the kept plan breaks {name}: {found.words}"


def allocation_objective(name: str, decided: Decided) -> float | None:
    """An objective about allocations, in its own unit; None where it has no second implementation."""
    if name in MEASURES:
        return float(MEASURES[name](decided, 0).sum()) / 1e6
    return EXTREMES[name](decided)[0] if name in EXTREMES else None
