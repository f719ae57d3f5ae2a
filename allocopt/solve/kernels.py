# mypy: disable-error-code="no-untyped-def, no-untyped-call"
"""The loops of `chains`, compiled by numba: a dynamic programme over convex piecewise-linear functions.

Node i of a chain holds one amount x_i. From the last node backwards

    V_i(x) = c_i x + sum_k j_k max(0, kink_k - x or x - kink_k) + W_i(x)              on [low_i, high_i]
    W_i(x) = min { V_(i+1)(y) + sum_k j_k max(0, g_k x - y or y - g_k x) : least x <= y <= most x }

V is kept as breakpoints and slopes. As x grows, the best y stays on a line y = g x or rests at a breakpoint of V: W has
V's segments stretched line by line, with a flat piece between two lines. Lines come by falling ratio, kinks rising.
Arrays are handed on one by one: numba counts references at every access to a tuple's (measured: three times slower).
Imports `looping`, and `blocks` for its types.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from allocopt.looping import njit
from allocopt.problem import Array
from allocopt.solve.blocks import EARNS, FREE, Flags, Ints

NEAR = 1e-9
"""GBP million: an amount within a thousandth of a pound of a kink stands on it."""
TOUCHING = 1e-7
"""GBP million: limits that cross by less than a tenth of a pound leave one point."""

compiled = njit(cache=True, error_model="numpy")
inlined = njit(cache=True, error_model="numpy", inline="always")


class Net(NamedTuple):
    """The chains at given prices, as plain arrays for the compiled loops."""

    first: Ints
    low: Array
    high: Array
    cost: Array
    kink_first: Ints
    kink: Array
    kink_jump: Array
    kink_falls: Flags
    line_first: Ints
    ratio: Array
    line_jump: Array
    line_falls: Flags
    least: Array
    most: Array


@inlined
def _lines_into(i, line_first, ratio, weight, falls, least, most, jump, turn, base):
    """The lines into node i that cost something and may be crossed, into `jump` and from `turn[base]` on.

    Gives their number, the slopes in both amounts below them all, and those of the lines that are never crossed.
    """
    some, steep, rate, own, earlier = 0, 0.0, 0.0, 0.0, 0.0
    for k in range(line_first[i], line_first[i + 1]):
        size, line = weight[k], ratio[k]
        if size <= 0.0:
            continue
        if line <= least[i] or line >= most[i]:
            if falls[k] != (line <= least[i]):
                side = -size if falls[k] else size
                own += side
                earlier -= side * line
            continue
        jump[some], turn[base + some] = size, line
        some += 1
        if not falls[k]:
            steep += size
            rate -= size * line
    turn[base + some] = least[i]
    return some, steep, rate, own, earlier


@inlined
def _kinks_within(i, kink_first, kink, weight, falls, start, end, at, jump):
    """The kinks of node i between `start` and `end` into `at` and `jump`; the slope before them."""
    some, slope = 0, 0.0
    for k in range(kink_first[i], kink_first[i + 1]):
        size = weight[k]
        if size <= 0.0:
            continue
        if falls[k]:
            slope -= size
        if kink[k] <= start:
            slope += size
        elif kink[k] < end:
            at[some], jump[some] = kink[k], size
            some += 1
    at[some] = FREE
    return slope


@inlined
def _with_kinks(start, end, slope, at, jump, points, slopes, count, out_points, out_slopes):
    """V of a node from W (`count` segments) between `start` and `end`, and from its own slope and kinks."""
    made, s, next_kink = 0, 0, 0
    out_points[0] = start
    while s < count - 1 and points[s + 1] <= start:
        s += 1
    while out_points[made] < end and s < count:
        reached = min(end, points[s + 1])
        while at[next_kink] < reached:
            out_slopes[made] = slope + slopes[s]
            made += 1
            out_points[made] = at[next_kink]
            slope += jump[next_kink]
            next_kink += 1
        if reached > out_points[made]:
            out_slopes[made] = slope + slopes[s]
            made += 1
            out_points[made] = reached
        s += 1
    return made


@inlined
def _along(here, steep, rate, jump, some, turn, base, points, slopes, count, rest, out_points, out_slopes):
    """W from V (`count` segments): its number of segments; `rest` gets the y at which each line is left."""
    made, line = 0, 0
    out_points[0] = points[0] / here
    for s in range(count + 1):
        while line <= some and (s == count or slopes[s] > -steep):
            below = turn[base + line]
            rest[base + line] = points[s]
            end = points[s] / below if below > 0.0 else FREE
            if end > out_points[made]:
                out_slopes[made] = rate
                made += 1
                out_points[made] = end
            if line < some:
                steep -= jump[line]
                rate += jump[line] * below
            here = below
            line += 1
        if s == count or here <= 0.0:
            break
        if here < FREE and points[s + 1] / here > out_points[made]:
            out_slopes[made] = here * (slopes[s] + steep) + rate
            made += 1
            out_points[made] = points[s + 1] / here
    return made


@inlined
def _next(here, x, turn, rest, base, some):
    """The best amount of a node after x: on the line or at the resting point that x has reached."""
    for line in range(base, base + some + 1):
        if here < FREE and x * here <= rest[line]:
            return x * here
        if x * turn[line] < rest[line]:
            return rest[line]
        here = turn[line]
    return x * here


@compiled
def best_amounts(net, room, x):
    """Every chain's best amounts into `x`; False when some chain has none."""
    first, low, high, cost, kink_first, kink, kink_weight, kink_falls = net[:8]
    line_first, ratio, line_weight, line_falls, least, most = net[8:]
    vp, vs, wp, ws = np.empty(room), np.empty(room), np.empty(room), np.empty(room)
    at, jump, across = np.empty(room), np.empty(room), np.empty(room)
    turn, rest = np.empty(len(ratio) + len(x)), np.empty(len(ratio) + len(x))
    lines = np.empty(len(x), dtype=np.int64)
    for chain in range(len(first) - 1):
        first_node, after, count, carried = first[chain], first[chain + 1], 1, 0.0
        wp[0], wp[1], ws[0] = -FREE, FREE, 0.0
        for i in range(after - 1, first_node - 1, -1):
            start, end = max(low[i], wp[0]), min(high[i], wp[count])
            if start > end:
                if start - end > TOUCHING:
                    return False
                end = start
            base = i + line_first[i]
            slope = cost[i] + carried
            slope += _kinks_within(i, kink_first, kink, kink_weight, kink_falls, start, end, at, jump)
            lines[i], steep, rate, own, carried = _lines_into(
                i, line_first, ratio, line_weight, line_falls, least, most, across, turn, base
            )
            count = _with_kinks(start, end, slope + own, at, jump, wp, ws, count, vp, vs)
            if i > first_node:
                count = _along(most[i], steep, rate, across, lines[i], turn, base, vp, vs, count, rest, wp, ws)
        s = 0
        while s < count and vs[s] < 0.0:
            s += 1
        x[first_node] = vp[s]
        for i in range(first_node + 1, after):
            x[i] = _next(most[i], x[i - 1], turn, rest, i + line_first[i], lines[i])
    return True


@compiled
def measured(node, column, sign, size, falls, at, least, most, back, cost, x, values):
    """Write measuring variables into `values` (see `Excess.measure`); `back` for those of lines."""
    for k in range(len(node)):
        before = x[node[k] - 1] if back else 1.0
        short = at[k] * before - x[node[k]]
        z = least[k] + size[k] * max(0.0, short if falls[k] else -short)
        values[column[k]] = sign[k] * (most[k] if sign[k] * cost[column[k]] < -EARNS else z)


@compiled
def _pick(value, low, high):
    return min(max(value, low), high)


@compiled
def _kink_slopes(net, i, x):
    """Slopes just left and right of x_i of what the amount costs by itself; without end at its bounds."""
    left, right = net.cost[i], net.cost[i]
    for k in range(net.kink_first[i], net.kink_first[i + 1]):
        fall = net.kink_jump[k] if net.kink_falls[k] else 0.0
        left += net.kink_jump[k] - fall if x[i] > net.kink[k] + NEAR else -fall
        right += net.kink_jump[k] - fall if x[i] >= net.kink[k] - NEAR else -fall
    if x[i] <= net.low[i] + NEAR:
        left = -FREE
    if x[i] >= net.high[i] - NEAR:
        right = FREE
    return left, right


@compiled
def _line_slopes(net, i, x):
    """At (x_(i-1), x_i): slopes in both below every line that touches, what the touching lines add, their ratio."""
    steep, rate, room, line = 0.0, 0.0, 0.0, 0.0
    for k in range(net.line_first[i], net.line_first[i + 1]):
        y = net.ratio[k] * x[i - 1]
        if abs(x[i] - y) <= NEAR:
            room += net.line_jump[k]
            line = net.ratio[k]
        above = x[i] > y + NEAR
        if above and not net.line_falls[k]:
            steep += net.line_jump[k]
            rate -= net.line_jump[k] * net.ratio[k]
        if not above and net.line_falls[k]:
            steep -= net.line_jump[k]
            rate += net.line_jump[k] * net.ratio[k]
    return steep, rate, room, line


@compiled
def _link(net, i, x, left, right):
    """From the slopes of V at x_i to those of W at x_(i-1); and the part of V's slopes that is of use."""
    steep, rate, room, line = _line_slopes(net, i, x)
    down, up = steep, steep + room
    if x[i] <= net.least[i] * x[i - 1] + NEAR:
        down, line = -FREE, net.least[i]
    if net.most[i] < FREE and x[i] >= net.most[i] * x[i - 1] - NEAR:
        up, line = FREE, net.most[i]
    left, right = _pick(left, -up, -down), _pick(right, -up, -down)
    if line <= 0.0:
        return left, right, rate, rate
    before = rate + line * (left + steep) if left > -FREE else -FREE
    after = rate + line * (right + steep) if right < FREE else FREE
    return left, right, before, after


@compiled
def _price_lines(net, i, x, wanted, prices, ties):
    """Prices of the lines and ratios into node i that give x_i the slope -`wanted`; the slopes in x_i and x_(i-1)."""
    steep, _, _, _ = _line_slopes(net, i, x)
    rest, slope, rate = -wanted - steep, 0.0, 0.0
    for k in range(net.line_first[i], net.line_first[i + 1]):
        y = net.ratio[k] * x[i - 1]
        share = net.line_jump[k] if x[i] > y + NEAR else 0.0
        if abs(x[i] - y) <= NEAR:
            share = _pick(rest, 0.0, net.line_jump[k])
            rest -= share
        own = share - net.line_jump[k] if net.line_falls[k] else share
        prices[k] = abs(own)
        slope += own
        rate -= own * net.ratio[k]
    ties[i] = rest
    if rest > 0.0 and net.most[i] < FREE:
        return slope + rest, rate - rest * net.most[i]
    if rest < 0.0 and net.least[i] > 0.0:
        return slope + rest, rate - rest * net.least[i]
    ties[i] = 0.0
    return slope, rate


@compiled
def _price_kinks(net, i, x, rest, prices):
    """Prices of the kinks of node i that give it the slope `rest`; what is left over falls to its bounds."""
    for k in range(net.kink_first[i], net.kink_first[i + 1]):
        if net.kink_falls[k]:
            rest += net.kink_jump[k]
        if x[i] > net.kink[k] + NEAR:
            rest -= net.kink_jump[k]
    for k in range(net.kink_first[i], net.kink_first[i + 1]):
        share = net.kink_jump[k] if x[i] > net.kink[k] + NEAR else 0.0
        if abs(x[i] - net.kink[k]) <= NEAR:
            share = _pick(rest, 0.0, net.kink_jump[k])
            rest -= share
        prices[k] = net.kink_jump[k] - share if net.kink_falls[k] else share
    return rest


@compiled
def _onward(net, i, x, wanted, left, right, before, after):
    """The slope of V at x_(i+1) that goes with the slope `wanted` at x_i."""
    own_left, own_right = _kink_slopes(net, i, x)
    rate_wanted = _pick(_pick(0.0, wanted - own_right, wanted - own_left), before, after)
    steep, rate, _, line = _line_slopes(net, i + 1, x)
    if x[i + 1] <= net.least[i + 1] * x[i] + NEAR:
        line = net.least[i + 1]
    if net.most[i + 1] < FREE and x[i + 1] >= net.most[i + 1] * x[i] - NEAR:
        line = net.most[i + 1]
    if line <= 0.0:
        return _pick(0.0, left, right)
    return _pick((rate_wanted - rate) / line - steep, left, right)


@compiled
def settle_prices(net, x, kinks, lines, bounds, ties):
    """Prices of every chain's rows at its best amounts: slopes of V found from the last year back, settled forwards."""
    left, right, before, after = np.empty(len(x)), np.empty(len(x)), np.zeros(len(x) + 1), np.zeros(len(x) + 1)
    for chain in range(len(net.first) - 1):
        start, end = net.first[chain], net.first[chain + 1]
        before[end], after[end] = 0.0, 0.0
        for i in range(end - 1, start - 1, -1):
            own_left, own_right = _kink_slopes(net, i, x)
            left[i] = max(own_left + before[i + 1], -FREE)
            right[i] = min(own_right + after[i + 1], FREE)
            if i > start:
                left[i], right[i], before[i], after[i] = _link(net, i, x, left[i], right[i])
        wanted, into = 0.0, 0.0
        for i in range(start, end):
            onward = 0.0
            if i + 1 < end:
                onward = _onward(net, i, x, wanted, left[i + 1], right[i + 1], before[i + 1], after[i + 1])
                wanted, next_into = onward, 0.0
                next_into, onward = _price_lines(net, i + 1, x, wanted, lines, ties)
            bounds[i] = _price_kinks(net, i, x, -(net.cost[i] + into + onward), kinks)
            if i + 1 < end:
                into = next_into
