"""Consortia: which places share one budget, so that deficits offset each other, need is respected and people travel
little.

    minimise    the scenario's objectives, one after the other (each stage keeps what the stages before it reached)
                sum_h max(0, sum_p (s_p - b_p) x_ph)        gross_deficit
                sum_h max(0, -D_h) + sum_{ph: area(p) != area(h)} (c + e n_p) x_ph   deficit_and_crossings
                sum_ph n_p km_ph x_ph / sum_p n_p           travel
                number of p with present(p) != present(h)   moves
                number of p with area(p) != area(h)         crossings
    subject to  sum_h x_ph = 1                              duty_to_admit, always
                x_ph <= x_hh; x_hh = 1 for a declared hub   hub_opens, always
                km_ph <= R                                  reach
                area(p) = area(h)                           stay_in_area
                L x_hh <= sum_p n_p x_ph <= U x_hh          population_window
                |D_h / B_h - D_a / B_a| <= t                balance_band
                K1 <= sum_h x_hh <= K2                      number_of_consortia
                members are connected on the graph          contiguity
                |sum_p n_p (i_p - I) x_ph| <= t I sum_p n_p x_ph                            deprivation_mix
                sum_p r_p x_ph <= t sum_{p that may join h} r_p                             surplus_concentration
                x_ph = 1, or present(h) = present(p)        locked
                x_ph = x_qh for all h                       together
                sum of x_ph over the list <= x_hh           apart
                n(h and a) >= t n(h) and n(h and a) >= t n(a) for one area a                containment
                number of p with present(p) != present(h) <= M                              moves

Symbols: x_ph = 1 where place p belongs to the consortium whose hub is place h (x_hh = 1 where it exists), s_p
expected spend, b_p the budget that p brings (GBP m), n_p people, km_ph great-circle distance, D_h = sum_p (b_p - s_p)
x_ph the consortium's balance, B_h = sum_p b_p x_ph its budget, a its area (the nation where areas may be crossed), i_p
deprivation score, I its mean in a, r_p = max(0, b_p - s_p) surplus, c and e what a place and one of its people count
where a boundary is crossed.
Source: NHS Commissioning Board, clinical commissioning group configuration tests, 2012; the measure is gross deficit
after pooling.
"""

from allocopt.model import Model
from allocopt.objectives_grouping import crossings, deficit_and_crossings, gross_deficit, moves, travel
from allocopt.rules.grouping import (
    balance_band,
    deprivation_mix,
    duty_to_admit,
    hub_opens,
    number_of_consortia,
    population_window,
    surplus_concentration,
)
from allocopt.rules.membership import apart, containment, contiguity, locked, reach, stay_in_area, together
from allocopt.rules.membership import moves as moves_limit

MODEL = Model(
    always=[duty_to_admit, hub_opens],
    rules=[
        reach,
        stay_in_area,
        population_window,
        balance_band,
        number_of_consortia,
        contiguity,
        deprivation_mix,
        surplus_concentration,
        locked,
        together,
        apart,
        containment,
        moves_limit,
    ],
    objectives=[gross_deficit, deficit_and_crossings, travel, moves, crossings],
    kind="grouping",
)
