"""Joint: how much each place is allocated and which places share one budget, decided in one programme.

    minimise    the scenario's objectives, one after the other (each stage keeps what the stages before it reached)
                sum_h max(0, sum_p (s_p x_ph - w_ph))                       gross_deficit
                sum_h max(0, -D_h) + sum_{ph: area(p) != area(h)} (c + e n_p) x_ph   deficit_and_crossings
                sum_p max(0, T_p - x_p)                                     shortfall_below_target
                sum_p w_p max(0, T_p - x_p)                                 need_weighted_shortfall
                sum_p max(0, x_p - b_p Q / B)                               movement
                sum_ph n_p km_ph x_ph / sum_p n_p                           travel
                number of p with present(p) != present(h)                   moves
                number of p with area(p) != area(h)                         crossings
    subject to  sum_p x_p = Q                                               budget, always
                sum_h x_ph = 1                                              duty_to_admit, always
                x_ph <= x_hh; x_hh = 1 for a declared hub                   hub_opens, always
                sum_h w_ph = x_p                                            brings_all, always
                w_ph >= l_p x_ph                                            brings_at_least, always
                w_ph <= u_p x_ph                                            brings_at_most, always
    allocation  x_p >= (1 + f(d0_p)) b_p                                    growth_floor
                x_p >= (1 + f(d0_p, (1 + h) P_p / P'_p - 1)) b_p            per_head_floor
                x_p <= (1 + c(d0_p)) b_p                                    growth_ceiling
                x_p >= (1 + g(d0_p)) b_p                                    growth_schedule (or =, or <=)
                x_p >= (1 + u) T_p                                          dft_floor
                x_p <= (1 + o) T_p                                          dft_ceiling
                x_p / T_p >= min(1, 1 + d0_p)                               no_further_under_target
                x_p / T_p >= min(1, (1 + d0_p)(1 + n_p) / (1 + n)) if n_p > n   population_growth_protection
                sum_G x_p >= y sum_G T_p                                    group_protection of a group G
                sum_p max(0, x_p - b_p Q / B) <= R                          mover_budget
    grouping    km_ph <= R                                                  reach
                area(p) = area(h)                                           stay_in_area
                L x_hh <= sum_p n_p x_ph <= U x_hh                          population_window
                |D_h / B_h - D_a / B_a| <= t                                balance_band
                K1 <= sum_h x_hh <= K2                                      number_of_consortia
                |sum_p n_p (i_p - I) x_ph| <= t I sum_p n_p x_ph            deprivation_mix
                x_ph = 1, or present(h) = present(p)                        locked
                x_ph = x_qh for all h                                       together
                sum of x_ph over the list <= x_hh                           apart
                n(h and a) >= t n(h) and n(h and a) >= t n(a) for one area a    containment
                number of p with present(p) != present(h) <= M              moves

Symbols: x_p allocation of place p (GBP m); x_ph = 1 where place p belongs to the consortium whose hub is place h (x_hh
= 1 where it exists); w_ph money that p brings to h, the product of the two, and l_p, u_p the least and the most that
the rules about x_p alone allow; s_p expected spend, b_p baseline, T_p target, Q the pot, B the sum of baselines, d0_p
opening distance from target, n_p people in the rows about groups and km, D_h = sum_p (w_ph - s_p x_ph) the
consortium's balance, B_h = sum_p w_ph its budget; the rest as in models/pace_of_change.py and models/consortia.py.
Not in it: rules that fix every allocation (nothing is left to decide), contiguity, and the cap on concentration of
surpluses (a surplus that is itself decided is not linear). Bounds A and B of a grouping need fixed budgets and do not
hold here: the bounds are spend beyond the pot, the linear relaxation, and the solver's.
Source: Perspective reformulation of a product of a bounded amount and a choice (McCormick 1976); the rules' own
sources are with the rules.
"""

from allocopt.model import Model
from allocopt.objectives import movement, need_weighted_shortfall, shortfall_below_target
from allocopt.objectives_grouping import crossings, deficit_and_crossings, moves, travel
from allocopt.objectives_joint import gross_deficit
from allocopt.rules.grouping import (
    balance_band,
    deprivation_mix,
    duty_to_admit,
    hub_opens,
    number_of_consortia,
    population_window,
)
from allocopt.rules.growth import budget, growth_ceiling, growth_floor, growth_schedule, per_head_floor
from allocopt.rules.joint import brings_all, brings_at_least, brings_at_most
from allocopt.rules.membership import apart, containment, locked, reach, stay_in_area, together
from allocopt.rules.membership import moves as moves_limit
from allocopt.rules.movement import mover_budget
from allocopt.rules.need import (
    dft_ceiling,
    dft_floor,
    group_protection,
    no_further_under_target,
    population_growth_protection,
)

MODEL = Model(
    always=[budget, duty_to_admit, hub_opens, brings_all, brings_at_least, brings_at_most],
    rules=[
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
        reach,
        stay_in_area,
        population_window,
        balance_band,
        number_of_consortia,
        deprivation_mix,
        locked,
        together,
        apart,
        containment,
        moves_limit,
    ],
    objectives=[
        gross_deficit,
        deficit_and_crossings,
        shortfall_below_target,
        need_weighted_shortfall,
        movement,
        travel,
        moves,
        crossings,
    ],
    kind="joint",
)
