"""Pace of change: how far each place moves from what it gets today towards its fair share.

    minimise    the scenario's objectives, one after the other (each stage keeps what the stages before it reached)
                sum_p max(0, s_p - x_p)                                     gross_deficit
                sum_p max(0, T_p - x_p)                                     shortfall_below_target
                sum_p w_p max(0, T_p - x_p)                                 need_weighted_shortfall
                max_p max(0, 1 - x_p / T_p)                                 worst_shortfall, then the next worst, ...
                max l: x_p / T_p >= 1 + (1 - k l) d0_p if d0_p <= 0, <= if d0_p > 0     common_speed, maximised
                sum_p max(0, x_p - b_p Q / B)                               movement
    subject to  sum_p x_p = Q                                               budget, always
                sum_p x_p <= (1 - r)(Q + R)                                 reserve, R held back first
                x_p >= (1 + f(d0_p)) b_p                                    growth_floor
                x_p >= (1 + F_c(p)) b_p                                     class_floor, F_c(p) of the class of p
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
    or exactly  x_p = b_p Q / B                                             uniform_growth
                x_p = T_p (1 + (1 - min(1, k / K)) d0_p)                    equal_steps, in year k of K
                x_p = (1 + a) b_p + b T_p B / Q                             linear_rule
                x_p = (1 + F_c(p)) b_p + s max(0, T_p - (1 + F_c(p)) b_p)   floor_damping, 0 <= s <= 1
                x_p = min(max(T_p, (1 + m) h_p), (1 + c) h_p) + k max(0, T_p - (1 + c) h_p)   capped_gains, 0 <= k <= 1

Symbols: x_p allocation of place p (GBP m), b_p its baseline, T_p its target, s_p its expected spend, Q the pot, B the
sum of baselines, d0_p = b_p / (share_p B) - 1 its opening distance from target, P_p its population, P'_p a year before,
n_p = P_p / P'_p - 1, n the same of all places, h_p = b_p P_p / P'_p, w_p need per head over its average. f and c fade
with their taper in d0_p, to e or, where a floor a head ends at e a head, to (1 + e) P_p / P'_p - 1; g runs straight
between its points.
Source: NHS England, Technical Guide to Allocation Formulae and Pace of Change; each rule's own source is with the rule.
"""

from allocopt.model import Model
from allocopt.objectives import (
    common_speed,
    gross_deficit,
    movement,
    need_weighted_shortfall,
    shortfall_below_target,
    worst_shortfall,
)
from allocopt.rules.growth import (
    budget,
    class_floor,
    growth_ceiling,
    growth_floor,
    growth_schedule,
    per_head_floor,
    reserve,
)
from allocopt.rules.movement import mover_budget, no_leapfrogging
from allocopt.rules.need import (
    dft_ceiling,
    dft_floor,
    group_protection,
    no_further_under_target,
    population_growth_protection,
)
from allocopt.rules.rounds import capped_gains, equal_steps, floor_damping, linear_rule, uniform_growth

MODEL = Model(
    always=[budget],
    rules=[
        reserve,
        growth_floor,
        class_floor,
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
        uniform_growth,
        equal_steps,
        linear_rule,
        floor_damping,
        capped_gains,
    ],
    objectives=[
        gross_deficit,
        shortfall_below_target,
        need_weighted_shortfall,
        worst_shortfall,
        common_speed,
        movement,
    ],
)
