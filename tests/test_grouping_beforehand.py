"""What arithmetic says before a search: no plan outside the rules is written, and what is exempted is named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from grouping_cases import checked, task
from test_grouping_search import SHORT, town

from allocopt.check.grouping import broken_rules
from allocopt.errors import Infeasible, Stopped
from allocopt.grouping import national, solution
from allocopt.grouping.instance import Instance, on_sphere
from allocopt.settings import Solver

BRIEF = Solver(gap="1%", time_limit="0.1s")  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def searched(monkeypatch):
    """Every grouping is searched, however small."""
    monkeypatch.setattr(solution, "EXACT_PAIRS", 0)
    monkeypatch.setattr(solution, "CONTIGUOUS_PAIRS", 0)


def with_island(**settings: dict[str, object]) -> tuple[Instance, np.ndarray]:
    """60 places in a town, six of them hubs, and three places 300 km away with one hub, 30,000 people, budgets of 10
    and spends of 11 each."""
    instance, where = town(**settings)
    where = np.vstack([where, [[54.9, 0.0], [54.9, 0.01], [54.9, 0.02]]])
    island = {"population": np.full(3, 10_000.0), "budget": np.full(3, 10.0), "spend": np.full(3, 11.0)}
    columns = {name: np.append(getattr(instance, name), more) for name, more in island.items()}
    return replace(
        instance,
        **columns,
        places=(*instance.places, "N0", "N1", "N2"),
        area=(*instance.area, *("north",) * 3),
        may_hub=np.append(instance.may_hub, [True, False, False]),
        position=on_sphere(where[:, 0], where[:, 1]),
    ), where


def solved(instance: Instance, exempt: str, **said: object):
    return solution.solve_grouping(
        task(instance, ["gross_deficit", "travel"], solver=SHORT, exempt=exempt, deterministic=True, **said)
    )


@pytest.mark.parametrize(
    ("rule", "said"),
    [("population_window", {"min": 30_500.0, "max": 400_000.0}), ("balance_band", {"max": 0.08})],
)
def test_an_island_that_a_limit_leaves_no_plan_is_exempted_by_name_or_refused(rule, said):
    """The island has 30,000 people and balances at -10%; the nation balances near nothing."""
    instance, where = with_island(reach={"max": 40.0}, **{rule: said})
    found = solved(instance, "least")
    assert [(one.rule, one.code) for one in found.exemptions] == [(rule, "N0")]
    assert not broken_rules(checked(found.instance, where, found.hub))
    assert {one.rule for one in broken_rules(checked(instance, where, found.hub))} == {rule}
    with pytest.raises(Infeasible, match=rule):
        solved(instance, "none")


def test_a_plan_that_the_search_leaves_outside_a_limit_is_named_after_travel_too(monkeypatch):
    """Without the look beforehand the search itself has to say what it leaves outside."""
    monkeypatch.setattr(solution, "of_small_parts", lambda *_: ())
    instance, where = with_island(reach={"max": 40.0}, population_window={"min": 30_500.0, "max": 400_000.0})
    found = solved(instance, "least")
    assert [(one.rule, one.code) for one in found.exemptions] == [("population_window", "N0")]
    assert not broken_rules(checked(found.instance, where, found.hub))
    with pytest.raises(Stopped, match="N0"):
        solved(instance, "none")


def test_places_that_no_hub_may_take_are_refused_and_found_no_hub_of_their_own():
    instance, _ = with_island(stay_in_area={})
    instance.may_hub[60] = False
    with pytest.raises(Infeasible, match="no hub to N0, N1, N2"):
        solved(instance, "least")


def test_hubs_without_room_for_all_people_are_refused_by_arithmetic():
    instance, _ = town(population_window={"min": 1_000.0, "max": 30_000.0}, reach={"max": 40.0})
    people = instance.population.sum()
    with pytest.raises(
        Infeasible, match=f"{people:,.0f} people around P00 have 6 possible hubs, with room for 180,000"
    ):
        solved(instance, "least")


def test_a_place_that_is_locked_to_another_is_no_hub_of_its_own():
    instance, where = town(declared=False, reach={"max": 15.0})
    near = int(np.argsort(instance.km(np.full(60, 2), np.arange(60)))[1])
    locked = {"places": {"P02": instance.places[near]}}
    found = solved(replace(instance, settings={**instance.settings, "locked": locked}), "least")
    assert found.hub[2] == near
    assert not broken_rules(checked(found.instance, where, found.hub))


def test_small_parts_begin_with_what_is_left_of_the_time(monkeypatch):
    monkeypatch.setattr(solution, "EXACT_PAIRS", 8_000)
    given = list[float]()
    monkeypatch.setattr(
        solution, "solve_part", lambda *_, efforts, **__: given.extend(one.seconds for one in efforts) or 1 / 0
    )
    instance, _ = with_island(reach={"max": 40.0})
    with pytest.raises(ZeroDivisionError):
        solution.solve_grouping(task(instance, ["gross_deficit", "travel"], solver=BRIEF))
    assert given == [1.0, 1.0]


def test_what_the_search_may_not_exempt_it_does_not_write(monkeypatch):
    """A plan with a consortium short of people is refused where exemptions are not wanted."""
    monkeypatch.setattr(national, "_searched", _everyone_alone(national._searched))
    instance, _ = town(n=12, declared=False, reach={"max": 40.0}, population_window={"min": 11_000.0, "max": 4e5})
    with pytest.raises(Stopped, match="outside one"):
        solved(instance, "none")


def _everyone_alone(searched):
    def instead(model, search, wanted, given, cut, crew):
        _, priced, notes = searched(model, search, wanted, given, cut, crew)
        return np.arange(len(search.instance)), priced, notes

    return instead
