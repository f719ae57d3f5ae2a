"""Rounds between coupling rows and chains: the same optimum as the whole matrix, and prices that prove it."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from situations import NO_SLACK, compiled_of, on

from allocopt.errors import Infeasible
from allocopt.model import load_model
from allocopt.problem import Situation
from allocopt.settings import Solver
from allocopt.solve import chains as several
from allocopt.solve import decompose as rounds
from allocopt.solve import method, single
from allocopt.solve.blocks import FREE, find_blocks
from allocopt.solve.certificate import dual_bound, largest_violation
from allocopt.solve.highs import minimise
from allocopt.solve.stages import lexicographic

RULES = on(growth_floor={"rate": 0.01}, growth_ceiling={"rate": 0.10}, no_further_under_target={})
ORDER = ["gross_deficit", "shortfall_below_target", "movement"]
AIMS = [load_model("pace_of_change").objective(name) for name in ORDER]


def path(*, places=40, years=3, seed=1):
    """Places with random needs that drift over the years, and spend that does not follow them."""
    draw = np.random.default_rng(seed)
    weight = draw.uniform(0.5, 2.0, places)[:, None] * np.exp(draw.normal(0, 0.01, (places, years)).cumsum(axis=1))
    pot = 1000 * 1.05 ** np.arange(1, years + 1)
    target = weight / weight.sum(axis=0) * pot
    base = weight[:, 0] * draw.uniform(0.93, 1.07, places)
    return Situation(
        places=tuple(f"P{number:03d}" for number in range(places)),
        years=tuple(f"{2019 + t}-{20 + t}" for t in range(years)),
        pot=pot,
        baseline=1000 * base / base.sum(),
        target=target,
        population=np.full((places, years), 1000.0),
        spend=target * draw.uniform(0.9, 1.1, places)[:, None],
    )


@pytest.fixture
def always_in_rounds(monkeypatch):
    """Small programmes too are solved in rounds."""
    monkeypatch.setattr(method, "ROWS_TO_DECOMPOSE", 0)


def priced(compiled, *, seed):
    """A cost with random prices on the coupling rows, as a round would ask."""
    draw, blocks = np.random.default_rng(seed), find_blocks(compiled)
    cost = np.array(draw.uniform(0, 1, 3)) @ compiled.costs
    return blocks, cost - compiled.matrix[blocks.coupling].T @ draw.normal(-0.3, 0.4, len(blocks.coupling))


def without_coupling(compiled, blocks):
    rest = np.setdiff1d(np.arange(compiled.matrix.shape[0]), blocks.coupling)
    sides = {"row_lower": compiled.row_lower[rest], "row_upper": compiled.row_upper[rest]}
    return rest, replace(compiled, matrix=sp.csr_array(compiled.matrix[rest]), **sides)


@pytest.mark.usefixtures("always_in_rounds")
@pytest.mark.parametrize("years", [1, 2, 4])
def test_every_stage_is_that_of_the_whole_matrix(years):
    compiled = compiled_of(path(years=years), rules=RULES, objectives=ORDER)
    values, stages = lexicographic(compiled, AIMS, solver=Solver(), pot=1000.0)
    current = compiled
    for number, stage in enumerate(stages):
        whole = minimise(current, compiled.costs[number], time_limit=60)
        assert stage.method.startswith("dantzig-wolfe")
        assert stage.proven
        assert stage.value == pytest.approx(float(compiled.costs[number] @ whole.values), rel=1e-7)
        current = current.with_row("cap", compiled.costs[number], lower=-np.inf, upper=stage.cap)
    assert largest_violation(compiled, values) < 1e-8


@pytest.mark.usefixtures("always_in_rounds")
def test_the_prices_of_a_stage_prove_its_bound_on_the_whole_matrix():
    compiled = compiled_of(path(), rules=RULES, objectives=ORDER)
    _, (first, *_) = lexicographic(compiled, AIMS, solver=NO_SLACK, pot=1000.0)
    assert dual_bound(compiled, compiled.costs[0], first.prices) == pytest.approx(first.value, rel=1e-8)


@pytest.mark.parametrize("years", [1, 3])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_chains_answer_exactly_and_prove_it(years, seed):
    compiled = compiled_of(path(years=years), rules=RULES, objectives=ORDER)
    blocks, cost = priced(compiled, seed=seed)
    answer = several.cheapest(blocks.chains, cost)
    rest, left = without_coupling(compiled, blocks)
    prices = several.row_prices(blocks.chains, cost, answer, compiled.matrix.shape[0])[rest]
    assert largest_violation(left, answer) < 1e-9
    assert cost @ answer == pytest.approx(cost @ minimise(left, cost, time_limit=60).values, rel=1e-9)
    assert cost @ answer == pytest.approx(dual_bound(left, cost, prices), rel=1e-9)


@pytest.mark.parametrize("seed", [1, 2])
def test_single_amounts_are_answered_alike_with_and_without_compiled_loops(seed):
    compiled = compiled_of(path(years=1), rules=RULES, objectives=ORDER)
    blocks, cost = priced(compiled, seed=seed)
    plain, fast = single.cheapest(blocks.chains, cost), several.cheapest(blocks.chains, cost)
    assert cost @ plain == pytest.approx(cost @ fast, rel=1e-12)
    rows = compiled.matrix.shape[0]
    proofs = (one.row_prices(blocks.chains, cost, plain, rows) for one in (single, several))
    rest, left = without_coupling(compiled, blocks)
    first, second = (dual_bound(left, cost, prices[rest]) for prices in proofs)
    assert first == pytest.approx(second, rel=1e-12)


def plain_twin(chains, cost):
    """The value of every chain by trying every corner: kinks and bounds, carried along ratios."""
    own = [
        np.concatenate([chains.kinks.at[slice(*chains.kinks.first[i : i + 2])], [low, high]])
        for i, (low, high) in enumerate(zip(chains.low.value, chains.high.value, strict=True))
    ]
    total = 0.0
    for start, end in pairwise(chains.first):
        nodes = range(start, end)
        corners = _closed({i: own[i] for i in nodes}, {i: _ratios(chains, i) for i in nodes if i > start})
        best = None
        for i in reversed(nodes):
            here = corners[i][
                (corners[i] >= chains.low.value[i] - 1e-12) & (corners[i] <= chains.high.value[i] + 1e-12)
            ]
            value = cost[chains.column[i]] * here + _excess(chains.kinks, i, cost, here, np.ones(1))[0]
            if best is not None:
                value = value + _onward(chains, i + 1, cost, here, *best)
            best = (here, value)
        total += best[1].min()
    return total


def _ratios(chains, i):
    found = [*chains.lines.at[slice(*chains.lines.first[i : i + 2])], chains.least.value[i], chains.most.value[i]]
    return [ratio for ratio in found if 0 < ratio < FREE]


def _closed(corners, ratios):
    nodes = sorted(corners)
    for i in nodes[1:]:
        corners[i] = np.unique(np.concatenate([corners[i], *(corners[i - 1] * ratio for ratio in ratios[i])]))
    for i in reversed(nodes[1:]):
        corners[i - 1] = np.unique(np.concatenate([corners[i - 1], *(corners[i] / ratio for ratio in ratios[i])]))
    return corners


def _excess(excess, i, cost, x, before):
    found = np.zeros((len(before), len(x)))
    for k in range(*excess.first[i : i + 2]):
        gap = np.outer(before, [excess.at[k]]) - x
        weight = max(0.0, excess.sign[k] * cost[excess.column[k]])
        found += weight * excess.size[k] * np.maximum(0.0, gap if excess.falls[k] else -gap)
    return found


def _onward(chains, i, cost, before, here, value):
    cross = value[None, :] + _excess(chains.lines, i, cost, here, before)
    least, most = chains.least.value[i] * before[:, None], chains.most.value[i] * before[:, None]
    allowed = (here >= least - 1e-9) & (here <= most + 1e-9)
    return np.where(allowed, cross, np.inf).min(axis=1)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_compiled_loops_agree_with_their_plain_twin(seed):
    compiled = compiled_of(path(places=6, years=3), rules=RULES, objectives=ORDER)
    blocks, cost = priced(compiled, seed=seed)
    assert not compiled.column_lower.any()  # so the measuring variables rest at nothing and cost nothing
    answer = several.cheapest(
        blocks.chains, np.maximum(cost, np.where(compiled.column_component == "allocation", cost, 0))
    )
    assert cost @ answer == pytest.approx(plain_twin(blocks.chains, cost), rel=1e-9)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
@pytest.mark.parametrize("limits", [(0.03, 0.10), (-0.05, 0.02)])
def test_uniform_growth_beyond_a_limit_is_answered_exactly(seed, limits):
    # the pot grows by 1% in the last year: less than every floor of 3%, so no place can grow by less than uniform
    # growth; and by 5% before, more than every ceiling of 2%
    given, floor, ceiling = path(seed=seed), *limits
    slower = np.array([1.0, 1.0, 1.01 / 1.05])
    given = replace(given, pot=given.pot * slower, target=given.target * slower)
    rules = on(growth_floor={"rate": floor}, growth_ceiling={"rate": ceiling})
    compiled = compiled_of(given, rules=rules, objectives=ORDER)
    blocks, cost = priced(compiled, seed=seed)
    answer = several.cheapest(blocks.chains, cost)
    rest, left = without_coupling(compiled, blocks)
    prices = several.row_prices(blocks.chains, cost, answer, compiled.matrix.shape[0])[rest]
    assert largest_violation(left, answer) < 1e-9
    assert cost @ answer == pytest.approx(cost @ minimise(left, cost, time_limit=60).values, rel=1e-9)
    assert cost @ answer == pytest.approx(dual_bound(left, cost, prices), rel=1e-9)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), years=st.integers(2, 4), floor=st.floats(-0.05, 0.04))
def test_any_path_is_proved_by_its_prices(seed, years, floor):
    rules = on(growth_floor={"rate": floor}, growth_ceiling={"rate": 0.15})
    compiled = compiled_of(path(places=30, years=years, seed=seed), rules=rules, objectives=ORDER)
    found = rounds.decompose(compiled, find_blocks(compiled), compiled.costs[0], answers=(), time_limit=60)
    value = float(compiled.costs[0] @ found.values)
    assert value - dual_bound(compiled, compiled.costs[0], found.prices) <= 1e-7 * max(1.0, value)


@pytest.mark.parametrize("away", [-0.5, 40.0, -1e7], ids=["near", "beyond the first penalty", "beyond the last"])
def test_prices_to_start_near_change_the_rounds_and_not_the_optimum(away):
    compiled = compiled_of(path(places=60), rules=RULES, objectives=ORDER)
    blocks, cost = find_blocks(compiled), compiled.costs[0]
    plain, there = (
        rounds.decompose(compiled, blocks, cost, answers=(), time_limit=60, centre=centre)
        for centre in (None, np.full(len(blocks.coupling), away))
    )
    assert cost @ there.values == pytest.approx(cost @ plain.values, rel=1e-8)
    assert dual_bound(compiled, cost, there.prices) == pytest.approx(cost @ there.values, rel=1e-7)
    assert largest_violation(compiled, there.values) < 1e-6


def test_no_price_of_the_master_stands_further_off_than_asked():
    compiled = compiled_of(path(places=60), rules=RULES, objectives=ORDER)
    blocks, centre = find_blocks(compiled), np.array([-0.9, 0.2, -2.95])
    master = rounds._Master(compiled, blocks, compiled.costs[0])
    for seed in (1, 2, 3):
        master.add(several.cheapest(blocks.chains, priced(compiled, seed=seed)[1]))
    far = master.solve(centre, np.inf, 3.0)
    near = master.solve(centre, 0.25, 3.0)
    assert np.abs(far.prices - centre).max() > 0.25
    assert np.abs(near.prices - centre).max() <= 0.25 + 1e-9
    assert np.abs(near.prices).max() <= 3.0 + 1e-9
    assert (
        near.hoped <= far.hoped <= near.value + 1e-6
    )  # less may be hoped for nearby; a mix costs no less than the best


@pytest.mark.usefixtures("always_in_rounds")
def test_ten_years_take_few_rounds():
    # two a year at most; 36 and 27 where prices went half way to the master's, wherever those lay
    compiled = compiled_of(path(places=300, years=10), rules=RULES, objectives=ORDER)
    _, stages = lexicographic(compiled, AIMS[:2], solver=Solver(), pot=1000.0)
    assert all(stage.proven for stage in stages)
    assert max(int(stage.method.split()[-2]) for stage in stages) <= 20


def test_highs_own_answer_to_the_prices_proves_the_same_bound():
    compiled = compiled_of(path(), rules=RULES, objectives=ORDER)
    blocks, cost = find_blocks(compiled), compiled.costs[0]
    found = rounds.decompose(compiled, blocks, cost, answers=(), time_limit=60)
    audited = rounds.audit(compiled, blocks, cost, found.prices, time_limit=60)
    assert dual_bound(compiled, cost, audited) == pytest.approx(dual_bound(compiled, cost, found.prices), rel=1e-9)


@pytest.mark.usefixtures("always_in_rounds")
def test_a_wrong_answer_of_the_chains_is_not_believed(monkeypatch):
    compiled = compiled_of(path(), rules=RULES, objectives=ORDER[:1])
    right = several.cheapest

    def wrong(chains, cost):
        """The answer to the opposite prices: a sign error."""
        found = cost.copy()
        found[compiled.columns_of("allocation")] *= -1
        return right(chains, found)

    monkeypatch.setattr(several, "cheapest", wrong)
    _, (stage,) = lexicographic(compiled, AIMS[:1], solver=NO_SLACK, pot=1000.0)
    assert stage.method == "highs simplex"
    assert stage.proven


@pytest.mark.usefixtures("always_in_rounds")
def test_a_path_that_nothing_satisfies_is_infeasible():
    compiled = compiled_of(path(), rules=on(growth_floor={"rate": 0.2}), objectives=ORDER)
    with pytest.raises(Infeasible):
        lexicographic(compiled, AIMS, solver=NO_SLACK, pot=1000.0)


@pytest.mark.usefixtures("always_in_rounds")
def test_a_row_between_two_places_leaves_the_whole_matrix_to_the_solver():
    compiled = compiled_of(path(places=5, years=1), rules=RULES, objectives=ORDER)
    tie = np.zeros(compiled.matrix.shape[1])
    tie[compiled.columns_of("allocation")[:2]] = 1.0
    assert find_blocks(compiled.with_row("two_places", tie, lower=100.0, upper=np.inf)) is None


@pytest.mark.usefixtures("always_in_rounds")
def test_the_same_path_gives_the_same_bytes():
    compiled = compiled_of(path(), rules=RULES, objectives=ORDER)
    once, again = (lexicographic(compiled, AIMS, solver=Solver(), pot=1000.0)[0] for _ in range(2))
    assert once.tobytes() == again.tobytes()
