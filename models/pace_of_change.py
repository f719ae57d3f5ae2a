"""Pace of change: how far each place moves from what it gets today towards its fair share.

    minimise    the scenario's objectives, one after the other (each stage keeps what the stages before it reached)
                sum_p max(0, s_p - x_p)         gross_deficit
                sum_p max(0, T_p - x_p)         shortfall_below_target
                sum_p max(0, x_p - b_p Q / B)   movement
    subject to  sum_p x_p = Q                   budget, always
                x_p >= (1 + f(d0_p)) b_p        growth_floor
                x_p <= (1 + c(d0_p)) b_p        growth_ceiling
                x_p >= (1 + u) T_p              dft_floor
                x_p / T_p >= min(1, 1 + d0_p)   no_further_under_target

Symbols: x_p allocation of place p (GBP m), b_p its baseline, T_p its target, s_p its expected spend, Q the pot, B the
sum of baselines, d0_p = b_p / (share_p B) - 1 its opening distance from target.
Source: NHS England, Technical Guide to Allocation Formulae and Pace of Change.
"""

from allocopt.model import Model
from allocopt.objectives import gross_deficit, movement, shortfall_below_target
from allocopt.rules.growth import budget, growth_ceiling, growth_floor
from allocopt.rules.need import dft_floor, no_further_under_target

MODEL = Model(
    always=[budget],
    rules=[growth_floor, growth_ceiling, dft_floor, no_further_under_target],
    objectives=[gross_deficit, shortfall_below_target, movement],
)
