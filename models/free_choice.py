"""Free choice: which consortia practices would form if they could pick their partners.

    repeat      maximise    sum_p (b_p - s_p) x_ph / sum_p n_p x_ph             balance_per_head, or
                            sum_p (b_p - s_p) x_ph / sum_p b_p x_ph             balance_per_pound
                subject to  sum_h x_hh = 1                                      one_coalition, always
                            x_ph <= x_hh; x_hh = 1 for a declared hub           hub_opens, always
                            km_ph <= R                                          reach
                            area(p) = area(h)                                   stay_in_area
                            L x_hh <= sum_p n_p x_ph <= U x_hh                  population_window
                            members are connected on the graph                  contiguity
                            |D_h / B_h - D_a / B_a| <= t                        balance_band
                            |sum_p n_p (i_p - I) x_ph| <= t I sum_p n_p x_ph    deprivation_mix
                            sum_p r_p x_ph <= t sum_{p that may join h} r_p     surplus_concentration
    and take the members of the best coalition out, until no coalition is possible; who remains is left out.

Symbols: x_ph = 1 where place p belongs to the coalition around place h, b_p the budget that p brings and s_p its
expected spend (GBP m), n_p people, km_ph great-circle distance, D_h = sum_p (b_p - s_p) x_ph the balance, B_h its
budget, a its area (the nation where areas may be crossed), i_p deprivation score, I its mean in a, r_p surplus.
A ratio is solved as a sequence of linear programmes in whole numbers (Dinkelbach, Management Science 13, 1967).
A practice in no consortium has no budget to spend, so any lawful consortium is better than none. All members rank
coalitions alike, so no coalition can do better than what its luckiest member has: the partition is stable.
Source: Farrell and Scotchmer, Partnerships, Quarterly Journal of Economics 103, 1988.
"""

from allocopt.model import Model
from allocopt.objectives_choice import balance_per_head, balance_per_pound
from allocopt.rules.coalition import one_coalition
from allocopt.rules.grouping import (
    balance_band,
    deprivation_mix,
    hub_opens,
    population_window,
    surplus_concentration,
)
from allocopt.rules.membership import contiguity, reach, stay_in_area

MODEL = Model(
    always=[one_coalition, hub_opens],
    rules=[
        reach,
        stay_in_area,
        population_window,
        contiguity,
        balance_band,
        deprivation_mix,
        surplus_concentration,
    ],
    objectives=[balance_per_head, balance_per_pound],
    kind="choice",
)
