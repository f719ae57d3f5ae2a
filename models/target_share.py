"""Every place at its fair share: the end of every pace-of-change policy, and what it would cost today.

    minimise    the scenario's objectives, in their order (they are all fixed by the rule)
                sum_p max(0, s_p - x_p)         gross_deficit
                sum_p max(0, T_p - x_p)         shortfall_below_target
                sum_p max(0, x_p - b_p Q / B)   movement
    subject to  x_p = T_p                       at_target
                sum_p x_p = Q                   budget

Symbols: x_p allocation of place p (GBP m), T_p its target, s_p its expected spend, Q the pot, b_p its baseline, B
the sum of baselines.
Source: weighted capitation, NHS England, Technical Guide to Allocation Formulae and Pace of Change.
"""

from allocopt.model import Model
from allocopt.objectives import gross_deficit, movement, shortfall_below_target
from allocopt.rules.growth import budget
from allocopt.rules.need import at_target

MODEL = Model(always=[budget, at_target], rules=[], objectives=[gross_deficit, shortfall_below_target, movement])
