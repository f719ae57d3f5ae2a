"""What keeps a plan together: the least payments, the share kept of balances, and the core payments of bound B.

Each answer is a setting at which `stability` finds nobody who breaks away; callers run it again to verify. Payments
are per weight (pounds a head), totals pounds. Imports `stability`, `subsidy`, `field`, `grouping`, `solve`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyomo.environ as pyo

from allocopt.choice.field import Array, Field, Flags
from allocopt.choice.stability import Blocking, Stability, Terms, stability
from allocopt.choice.subsidy import Circle, circles, payments_that_hold
from allocopt.grouping.bounds import reach_bound
from allocopt.grouping.instance import possible_pairs
from allocopt.solve.compiled import compile_problem
from allocopt.solve.integer import Effort, minimise_whole

EXACT_ROUNDS = 400
EXACT_PLACES = 60
"""Up to so many places the least payments are proven by the programme; above, bounded from both sides."""
PRICED = 0.05
"""Larger fields: payments are found to this share of the least gain that counts."""
APART = 200
"""How many coalitions without common members bound the payments where circles do not."""
STEP = 1e-6
"""Pounds a head: gains smaller than this are none."""


@dataclass(frozen=True)
class Payments:
    """What places are paid to stay (per weight, (n,)), the total in pounds, and a total that no payments undercut."""

    pay: Array
    total: float
    bound: float
    stable: bool
    """nobody breaks away at these payments: found by running the search again"""
    epsilon: float
    rounds: int
    circles: tuple[Circle, ...] = ()
    """what the bound is made of, where the programme is too large"""


def least_payments(of: Field, level: Array, *, terms: Terms, least: float) -> Payments:
    """The least total paid to places such that no coalition gains more than `least` for each of its members.

    A coalition stays if one member at least has, with its payment, no more than `least` to gain. Small fields are
    solved by the programme; larger ones have payments that hold and a total that none undercut (see `subsidy`).
    """
    have = np.array([terms.pays(one) if np.isfinite(one) else -np.inf for one in level])
    if len(of) > EXACT_PLACES:
        return _from_the_top(of, have, terms, least)
    pay, known, bound = np.zeros(len(of)), list[Blocking](), 0.0
    for number in range(EXACT_ROUNDS):
        found = _leaving(of, have + pay, terms, least, number=20)
        if not found.blocking:
            return Payments(pay, _total(of, pay), min(bound, _total(of, pay)), True, found.epsilon, number)
        known += found.blocking
        pay, bound = _programme(of, have, terms, least, known)
    found = _leaving(of, have + pay, terms, least, number=1)
    return Payments(pay, _total(of, pay), min(bound, _total(of, pay)), found.stable, found.epsilon, EXACT_ROUNDS)


def _from_the_top(of: Field, have: Array, terms: Terms, least: float) -> Payments:
    """Payments that hold, found from the best coalition down, and a total that none undercut, circle by circle."""
    pay = payments_that_hold(of, have, terms, least, epsilon=max(STEP, PRICED * least))
    found = _leaving(of, have + pay, terms, least, number=1)
    around = circles(of, have, terms, least + STEP)
    bound = sum(one.value for one in around) if around else _apart(of, have, terms, least)
    return Payments(pay, _total(of, pay), min(bound, _total(of, pay)), found.stable, found.epsilon, 1, around)


def _apart(of: Field, have: Array, terms: Terms, least: float) -> float:
    """Coalitions without common members would leave: the cheapest payment of each adds up to a total that nothing
    undercuts.
    """
    found = _leaving(of, have, terms, least, number=APART).blocking
    return float(sum((_needs(have, terms, least, one) * of.weight[list(one.members)]).min() for one in found))


def _total(of: Field, pay: Array) -> float:
    return float(pay @ of.weight)


def _leaving(of: Field, have: Array, terms: Terms, least: float, *, number: int) -> Stability:
    """Who breaks away where places have `have`: levels are put back to the balance that would pay as much."""
    level = np.array([terms.needs(one) if np.isfinite(one) else -np.inf for one in have])
    return stability(of, level, terms=terms, least=least + STEP, number=number, tolerance=STEP / 10)


def _needs(have: Array, terms: Terms, least: float, one: Blocking) -> Array:
    """What each member of a coalition must be paid for it to stay, (members,)."""
    return np.asarray(np.maximum(0.0, terms.pays(one.ratio) - least - have[list(one.members)]))


def _programme(of: Field, have: Array, terms: Terms, least: float, known: Sequence[Blocking]) -> tuple[Array, float]:
    """minimise sum_p w_p t_p  subject to  t_p >= need_pS y_pS, sum over members of S of y_pS >= 1, for each known S."""
    m: Any = pyo.ConcreteModel()
    stays = [(number, p) for number, one in enumerate(known) for p in one.members]
    needs = {
        (number, p): float(need)
        for number, one in enumerate(known)
        for p, need in zip(one.members, _needs(have, terms, least, one), strict=True)
    }
    payable = [key for key in stays if np.isfinite(needs[key])]
    places = sorted({p for _, p in payable})
    m.payment = pyo.Var(places, bounds=(0.0, None))
    m.stays = pyo.Var(payable, domain=pyo.Binary)
    m.worth_staying = pyo.Constraint(
        payable, rule=lambda m, number, p: m.payment[p] - needs[number, p] * m.stays[number, p] >= 0
    )
    m.one_stays = pyo.Constraint(
        range(len(known)), rule=lambda m, number: sum(m.stays[key] for key in payable if key[0] == number) >= 1
    )
    m.total = pyo.Objective(expr=sum(float(of.weight[p]) / 1e3 * m.payment[p] for p in places))
    compiled = compile_problem(_Built(m))
    point = minimise_whole(compiled, compiled.costs[0], effort=Effort())
    pay = np.zeros(len(of))
    for key in payable:
        at = compiled.columns.index(("stays", (str(key[0]), str(key[1]))))
        if point.values[at] > 0.5:
            pay[key[1]] = max(pay[key[1]], needs[key])
    return pay, float(point.bound) * 1e3


@dataclass(frozen=True)
class _Built:
    pyomo: Any


@dataclass(frozen=True)
class KeptShare:
    """The largest share at which nobody breaks away; None where even nothing is too much."""

    share: float | None
    epsilon: float
    fails: float | None = None
    """a coalition is known that breaks away at any share above this"""


def retained_share(of: Field, level: Array, *, terms: Terms, least: float) -> KeptShare:
    """The largest retained share of surpluses (liability as it is) at which no coalition gains more than `least`.

    Each coalition's gain grows in a straight line with the share, so the line of the coalition that gains most gives
    the next, smaller share to try, until none gains too much.
    """
    share, fails = terms.retained, None
    while True:
        now = replace(terms, retained=share)
        found = stability(of, level, terms=now, least=least + STEP, number=1, tolerance=STEP / 10)
        if not found.blocking:
            return KeptShare(share, found.epsilon, fails)
        top = found.blocking[0]
        kept = max(top.ratio, 0.0) - max(top.level, 0.0)
        owed = terms.liable * (max(-top.level, 0.0) - max(-top.ratio, 0.0))
        if not np.isfinite(owed) or kept <= 0 or owed > least:
            return KeptShare(None, owed if np.isfinite(owed) else np.inf, 0.0)
        share = fails = (least - owed) / kept


def common_share(of: Field, level: Array, *, least: float) -> KeptShare:
    """The largest share of surpluses and deficits alike: gains are in proportion to it."""
    found = stability(of, level, least=STEP, number=1, tolerance=STEP / 10)
    if found.epsilon <= least or not found.blocking:
        return KeptShare(1.0, found.epsilon)
    if not np.isfinite(found.blocking[0].level):
        return KeptShare(None, np.inf, 0.0)
    share = least / found.epsilon
    return KeptShare(share, share * found.epsilon, least / found.blocking[0].gain)


@dataclass(frozen=True)
class CorePayments:
    """What each place is charged (GBP m, negative: is paid) from the dual prices of bound B, and the bound itself.

    `price` is 1 on the short side of the minimum cut and 0 elsewhere. No coalition that could form is charged more
    than the deficit that it would have by itself, so none is better off outside.
    """

    price: Flags
    charge: Array
    bound: float


def core_payments(of: Field) -> CorePayments:
    """Charges of `price x overspend`: they add up to bound B."""
    bound = reach_bound(of.instance, possible_pairs(of.instance))
    price = np.zeros(len(of), dtype=bool) if bound.side is None or bound.value <= 0 else bound.side
    charge = np.where(price, of.instance.over, 0.0)
    return CorePayments(price, charge, max(0.0, float(charge.sum())))


def broken_core(of: Field, found: CorePayments) -> list[tuple[int, int, int]]:
    """(hub, overspender, surplus) where an overspender that pays could meet a surplus that is free: none, if charges
    are right. Without such a pair sum of charges <= max(0, overspend) for every coalition.
    """
    over = of.instance.over
    wrong = []
    for hub in of.hubs.tolist():
        at = of.candidates(hub)
        pays, free = at[found.price[at] & (over[at] > 0)], at[~found.price[at] & (over[at] < 0)]
        if len(pays) and len(free):
            wrong.append((hub, int(pays[0]), int(free[0])))
    return wrong
