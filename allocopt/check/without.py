"""What each rule of a grouping costs, checked again: the plan without the rule, its bound, the interval, the words.

With value v and bound b of the first objective with the rule, v' and b' without it, the price is v - v' and the two
optima differ by something between b - v' and v - b'. v' is that of the plan in certificate.npz, which obeys every
other rule; b' is proved again where it is no branch and bound. Imports `check.beside`, `check.proofs`, `check.rules`
and the words of `consortia.prices`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from allocopt.check.bound import decided_of
from allocopt.check.decided import Decided
from allocopt.check.grouping import broken_rules, objectives
from allocopt.check.inputs import Known, Plain
from allocopt.check.kept import Certificate, NotKept
from allocopt.check.proofs import ALONE, Subject, allocation_faults, allocation_objective
from allocopt.check.verdict import Check, compared, guarded
from allocopt.consortia.binding import Binding
from allocopt.consortia.prices import MEASURED, MODELLED, close_to, without_words, yardstick_words
from allocopt.grouping.instance import Instance
from allocopt.grouping.programme import INDEX
from allocopt.model import load_model
from allocopt.plan import Facts
from allocopt.said_bounds import aim_of

POUND = 1e-6
"""GBP million."""
PARTS = ("price", "price_unit", "without", "without_least", "without_most")


@dataclass(frozen=True)
class Priced:
    """A run whose rules have prices; `own` is the checker's reading of the inputs, for plans that decide money."""

    facts: Facts
    instance: Instance
    record: Plain
    kept: Certificate
    own: Known | None

    @property
    def first(self) -> Plain:
        """The first objective."""
        found: Plain = self.record["objectives"][0]
        return found

    def helps(self, name: str) -> bool:
        """Whether every plan of the run is one without the rule as well."""
        measured = any(one in self.instance.settings for one in MEASURED) and len(set(self.instance.area)) > 1
        return not (name == "stay_in_area" and measured)


def check_without(run: Priced) -> Iterator[Check]:
    """One check a rule that has a price."""
    for said in run.record["rules"]:
        if any(said.get(part) is not None for part in ("price_words", *PARTS)):
            yield from guarded(f"price {said['name']}", partial(_price, run, said))


def _price(run: Priced, said: Plain) -> Iterator[Check]:
    name = said["name"]
    settings = {key: one for key, one in run.instance.settings.items() if key != name}
    kept, model = run.kept.part(f"priced.{name}"), run.facts.loaded.scenario.model[-1]
    subject = Subject(run.facts, replace(run.instance, settings=settings), kept, model)
    found = _Figures(run, said, subject)
    wrong = list(found.faults())
    yield compared(f"price {name}", wrong, "; ".join(found.told))


class _Figures:
    """The figures of one rule's price."""

    def __init__(self, run: Priced, said: Plain, subject: Subject) -> None:
        self.run, self.said, self.subject, self.name = run, said, subject, str(said["name"])
        self.helps, self.told = run.helps(self.name), list[str]()
        self.value = float(run.first["value"])

    def faults(self) -> Iterator[str]:
        """What is wrong, in words; `told` is what was proved."""
        said, first = self.said, self.run.first
        if said["price_unit"] != f"{first['unit']} for the whole rule":
            yield f"price_unit is {said['price_unit']!r}"
        if said["price"] != said["without"]:
            yield f"price is {said['price']}, the gain from dropping the rule {said['without']}"
        if self.subject.has_plan:
            yield from self._illegal()
        without = yield from self._without()
        stated = float(said["without_bound"])
        yield from self._bound(stated, without)
        yield from self._interval(min(stated, without), without)
        yield from self._words()

    def _without(self) -> Any:
        """Yields faults; returns v', the value of the plan without the rule."""
        if not self.subject.has_plan:
            if self.said["price"] not in (None, 0.0) or not self.helps:
                if self.said["price"] is not None:
                    raise NotKept("a price is stated, and the certificate keeps no plan without the rule")
                self.told.append("no plan was made without the rule")
                return self.value
            self.told.append("the plan of the run is one without the rule")
            return self.value
        if self.said["price"] is None:
            yield "no price is stated, and a plan without the rule is kept"
        reached = self._objective()
        if reached is None:
            self.told.append(
                f"{self.run.first['name']} has no second implementation: the plan's value is not re-checked"
            )
            return self.value - float(self.said["price"] or 0.0)
        found = min(reached, self.value) if self.helps else reached
        self.told.append(f"the kept plan without it obeys the other rules and reaches {reached:,.6f}")
        return found

    def _illegal(self) -> Iterator[str]:
        """Rules that the kept plan breaks, of those that are left."""
        for one in broken_rules(self.subject.plan()):
            yield f"the kept plan breaks {one}"
        decided = self._decided()
        if decided is not None:
            yield from allocation_faults(decided, self.run.record, but=self.name)

    def _decided(self) -> Decided | None:
        if "allocation" not in self.subject.kept or self.run.own is None:
            return None
        return decided_of(self.run.own, 1e6 * self.subject.allocation()[:, None])

    def _objective(self) -> float | None:
        """The first objective of the kept plan."""
        name, decided = self.run.first["name"], self._decided()
        now = objectives(self.subject.plan())
        if name in now:
            return now[name]
        return None if decided is None else allocation_objective(name, decided)

    def _bound(self, stated: float, without: float) -> Iterator[str]:
        """b' is proved by whom it is said to be, and lies below the plan without the rule."""
        by, money = str(self.said["without_by"]), self.run.first["name"] == aim_of(self.run.record)
        if stated > without + self._allowed():
            yield f"without_bound is {stated:.9g}, above the plan's {without:.9g}"
        if by in ALONE:
            if by == "none" and stated != 0:
                yield f"without_bound is {stated:.9g}, proved by nobody"
            self.told.append("its bound is branch and bound's own: not re-proved" if by == "highs" else "no bound")
            return
        if not money:
            yield f"{by} is no bound on {self.run.first['name']}"
            return
        proved = self.subject.proved(by, self.name)
        if abs(min(proved, without) - stated) > self._allowed():
            yield f"{by} is {min(proved, without):.9g}, without_bound says {stated:.9g}"
        self.told.append(f"{by} re-proved without the solver")

    def _interval(self, bound: float, without: float) -> Iterator[str]:
        """price, least and most follow from the two plans and the two bounds."""
        below = float(self.run.first["bound"] or 0.0)
        found: dict[str, float | None] = {
            "price": self.value - without,
            "without_least": below - without,
            "without_most": self.value - bound,
        }
        if self.helps:
            found = {name: max(0.0, one or 0.0) for name, one in found.items()}
        if self.said["price"] is None:
            found["price"] = None
            found |= {} if self.helps else {"without_least": None}
        for name, value in found.items():
            stated = self.said[name]
            apart = (stated is None) != (value is None)
            if apart or abs(float(stated or 0.0) - (value or 0.0)) > self._allowed():
                yield f"{name} is {stated}, plans and bounds make it {value}"
        if self.said["price"] == 0 and not self.subject.has_plan:
            close = close_to(self.run.first["unit"], self.value)
            if self.value - bound > close + self._allowed():
                yield "it is said to cost nothing, and its bound leaves more open"

    def _words(self) -> Iterator[str]:
        said, first, least = self.said, self.run.first, self.said["without_least"]
        if not self.helps and said["price"] is None:
            wanted = yardstick_words(self.name, first["unit"], said["without_most"])
        else:
            interval = (float(least), float(said["without_most"]))
            wanted = without_words(self.name, first["name"], first["unit"], self.value, interval)
            wanted += MODELLED if first["name"] == aim_of(self.run.record) and self.run.record["modelled_spend"] else ""
        words = str(said["price_words"])
        failed = said["price"] is None and words.startswith(f"{wanted}; no plan without {self.name} was made: ")
        if words != wanted and not failed:
            yield f"the words are '{words}', the figures say '{wanted}'"

    def _allowed(self) -> float:
        """A pound (or a millionth of the unit) for what the solver takes for nothing, and nine digits."""
        return POUND * (1 + len(self.run.instance) * self._jointly()) + 2e-9 * max(1.0, abs(self.value))

    def _jointly(self) -> bool:
        return load_model(self.run.record["model"][-1]).kind == "joint"


def check_binding(binding: Mapping[str, Binding], facts: Facts, record: Plain) -> Iterator[Check]:
    """The rules that are on, with their parameters; of a grouping's the rows and binding counts, recomputed. The words
    say the same numbers.
    """
    model, scenario = load_model(record["model"][-1]), facts.loaded.scenario
    listed = [said["name"] for said in record["rules"]]
    always = [one.name for one in model.always if one.index not in INDEX]
    wrong = [f"{name} is not listed" for name in (*always, *binding) if name not in listed]
    for said in record["rules"]:
        name, found = said["name"], binding.get(said["name"])
        if name not in scenario.rules and name not in always:
            wrong.append(f"{name} is listed, and is not on")
            continue
        setting = scenario.rules[name].parameters if name in scenario.rules else {}
        wanted = {key: one.write(setting.get(key, one.default)) for key, one in model.rule(name).parameters.items()}
        if _listed(said["parameters"]) != _listed(wanted):
            wrong.append(f"{name} has the parameters {wanted}")
        if found is None:
            wrong += [] if _binds(said) else [f"{name}: the words do not say its rows and its binding ones"]
        else:
            wrong += _counted(said, found)
    yield compared("where rules bind", wrong, f"{len(binding)} rules of the grouping, counted again")


def _counted(said: Plain, found: Binding) -> Iterator[str]:
    """What differs between a rule of a grouping, as it was counted again, and what run.json says."""
    told = ", ".join(f"{key} {value}" for key, value in said["parameters"].items() if value not in ("none", "[]"))
    words = f"{said['name']} {told}: {found.words}".replace(" :", ":")
    if said["words"] != words or (said["rows"], said["binding"]) != (found.rows, found.binding):
        yield f"it is '{words}', at {found.binding} of {found.rows}; run.json says otherwise"


def _listed(parameters: Mapping[str, str]) -> dict[str, list[str]]:
    """Parameters in words; what is a map has lost its order in run.json."""
    return {name: sorted(text.strip("{}").split(", ")) for name, text in parameters.items()}


def _binds(said: Plain) -> bool:
    return f"binds in {said['binding']:,} of {said['rows']:,} rows" in said["words"]
