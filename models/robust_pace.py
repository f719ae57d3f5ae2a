"""Pace of change that bears bad forecasts: pace_of_change with objectives about what spend may turn out to be.

    minimise    the scenario's objectives, one after the other (each stage keeps what the stages before it reached)
                max_S sum_p max(0, s_p (1 + [p in S] e) - x_p), |S| <= floor(share n)               worst_deficit
                min_t t + sum_k max(0, sum_p max(0, s_pk - x_p) - t) / ((1 - level) K)              tail_deficit
                sum_p max(0, s_p - x_p)                                     gross_deficit
                sum_p max(0, T_p - x_p)                                     shortfall_below_target
                sum_p max(0, x_p - b_p Q / B)                               movement
    subject to  sum_p x_p = Q                                               budget, always
                sum_p x_p <= (1 - r)(Q + R)                                 reserve, R held back first
                x_p >= (1 + f(d0_p)) b_p                                    growth_floor
                x_p >= (1 + f(d0_p, (1 + h) P_p / P'_p - 1)) b_p            per_head_floor
                x_p <= (1 + c(d0_p)) b_p                                    growth_ceiling
                x_p >= (1 + g(d0_p)) b_p                                    growth_schedule (or =, or <=)
                x_p >= (1 + u) T_p                                          dft_floor
                x_p <= (1 + o) T_p                                          dft_ceiling
                x_p / T_p >= min(1, 1 + d0_p)                               no_further_under_target
                x_p / T_p >= min(1, (1 + d0_p)(1 + n_p) / (1 + n)) if n_p > n   population_growth_protection
                sum_G x_p >= y sum_G T_p                                    group_protection of a group G
                sum_p max(0, x_p - b_p Q / B) <= R                          mover_budget
                x_p / T_p <= x_q / T_q if d0_p < d0_q                       no_leapfrogging

Both robust objectives are linear programmes: the worst set S by duality, the worst draws by a threshold t.

Symbols: x_p allocation of place p (GBP m), b_p its baseline, T_p its target, s_p its expected spend, s_pk its spend in
draw k of K, e the deviation of a place that goes wrong, n the number of places (in the rule about population growth:
the growth of all places, n_p that of place p), Q the pot, B the sum of baselines, d0_p = b_p / (share_p B) - 1 its
opening distance from target, P_p its population, P'_p a year before. f and c fade with their taper in d0_p; g runs
straight between its points.
Source: Bertsimas and Sim, Operations Research 2004; Rockafellar and Uryasev, Journal of Risk 2000; NHS England,
Technical Guide to Allocation Formulae and Pace of Change; each rule's own source is with the rule.
"""

from allocopt.model import Model
from allocopt.objectives import gross_deficit, movement, shortfall_below_target, tail_deficit, worst_deficit
from allocopt.rules.growth import budget, growth_ceiling, growth_floor, growth_schedule, per_head_floor, reserve
from allocopt.rules.movement import mover_budget, no_leapfrogging
from allocopt.rules.need import (
    dft_ceiling,
    dft_floor,
    group_protection,
    no_further_under_target,
    population_growth_protection,
)

MODEL = Model(
    always=[budget],
    rules=[
        reserve,
        growth_floor,
        per_head_floor,
        growth_ceiling,
        growth_schedule,
        dft_floor,
        dft_ceiling,
        no_further_under_target,
        population_growth_protection,
        group_protection,
        mover_budget,
        no_leapfrogging,
    ],
    objectives=[worst_deficit, tail_deficit, gross_deficit, shortfall_below_target, movement],
)
