"""Plotly figures as plain data, in one house style: safe for colour-blind readers, legible in greyscale and in print.

A series is told apart by pattern, dash or marker as well as by colour. Money is drawn in £m and hovers in whole pounds.
Nothing here imports plotly or allocopt: the specification is JSON that the page's own copy of plotly.js draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

BLUE, ORANGE, GREY, BLACK, SKY, GREEN = "#0072b2", "#d55e00", "#767676", "#1a1a1a", "#56b4e9", "#009e73"
"""Okabe and Ito's palette (2008), which stays apart under the common kinds of colour blindness."""

WIDTH = 680
"""Pixels: fits a printed A4 page, so that print and screen show the same drawing."""

Spec = dict[str, Any]


@dataclass(frozen=True)
class Series:
    """One set of values with its own look; `texts` are what hovering says (as exact as the table)."""

    name: str
    values: Sequence[float]
    texts: Sequence[str] = ()
    colour: str = BLUE
    pattern: str = ""
    dash: str = "solid"


def bars(
    groups: Sequence[str], series: Sequence[Series], *, axis: str, stacked: bool = True, dots: Series | None = None
) -> Spec:
    """Horizontal bars, the first group on top; `dots` adds one marker a group (a net figure)."""
    data = [_bar(groups, one) for one in series]
    if dots is not None:
        data.append(_dots(groups, dots))
    layout = _layout(height=130 + max(len(groups), 2) * (26 if stacked else 14 + 14 * len(series)))
    layout |= {"barmode": "relative" if stacked else "group", "bargap": 0.25}
    layout["xaxis"] |= {"title": {"text": axis}, "zeroline": True, "zerolinecolor": BLACK, "zerolinewidth": 1}
    layout["yaxis"] |= {"autorange": "reversed", "type": "category", "showgrid": False}
    return {"data": data, "layout": layout}


def _bar(groups: Sequence[str], one: Series) -> Spec:
    return {
        "type": "bar",
        "orientation": "h",
        "name": one.name,
        "x": list(one.values),
        "y": list(groups),
        "customdata": list(one.texts),
        "hovertemplate": "%{y}<br>" + one.name + ": %{customdata}<extra></extra>",
        "marker": {
            "color": one.colour,
            "line": {"color": one.colour, "width": 1},
            "pattern": {
                "shape": one.pattern,
                "fillmode": "overlay",
                "bgcolor": one.colour,
                "fgcolor": "#ffffff",
                "size": 7,
                "solidity": 0.3,
            },
        },
    }


def _dots(groups: Sequence[str], one: Series) -> Spec:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": one.name,
        "x": list(one.values),
        "y": list(groups),
        "customdata": list(one.texts),
        "hovertemplate": "%{y}<br>" + one.name + ": %{customdata}<extra></extra>",
        "marker": {"symbol": "diamond", "size": 10, "color": "#ffffff", "line": {"color": BLACK, "width": 2}},
    }


def lines(x: Sequence[Any], series: Sequence[Series], *, x_axis: str, y_axis: str, markers: bool = False) -> Spec:
    """Lines over a common x."""
    data = [line(x, one, markers=markers) for one in series]
    layout = _layout(height=420)
    layout["xaxis"] |= {"title": {"text": x_axis}}
    layout["yaxis"] |= {"title": {"text": y_axis}, "zeroline": True, "zerolinecolor": BLACK}
    return {"data": data, "layout": layout}


def line(x: Sequence[Any], one: Series, *, markers: bool = False) -> Spec:
    """One line; without `texts` hovering says x and y."""
    drawn: Spec = {
        "type": "scatter",
        "mode": "lines+markers" if markers else "lines",
        "name": one.name,
        "x": list(x),
        "y": list(one.values),
        "line": {"color": one.colour, "dash": one.dash, "width": 2.5},
    }
    if one.texts:
        drawn |= {"customdata": list(one.texts), "hovertemplate": one.name + ": %{customdata}<extra></extra>"}
    return drawn


def fan(x: Sequence[Any], low: Sequence[float], high: Sequence[float], *, name: str, shade: str) -> list[Spec]:
    """A filled band between two lines, to lie under the lines of a figure."""
    edge: Spec = {"type": "scatter", "mode": "lines", "x": list(x), "line": {"width": 0}, "hoverinfo": "skip"}
    lower = edge | {"y": list(low), "showlegend": False, "name": f"{name} (lower)"}
    upper = edge | {"y": list(high), "fill": "tonexty", "fillcolor": shade, "name": name}
    return [lower, upper]


def stacked_with(spec: Spec, under: Sequence[Mapping[str, Any]]) -> Spec:
    """A figure with further traces drawn under its own."""
    return {"data": [*under, *spec["data"]], "layout": spec["layout"]}


def _layout(*, height: int) -> Spec:
    axis = {"gridcolor": "#dddddd", "automargin": True, "ticks": "outside", "tickcolor": "#767676"}
    return {
        "width": WIDTH,
        "height": height,
        "margin": {"l": 60, "r": 20, "t": 50, "b": 55},
        "font": {"family": "Arial, Helvetica, sans-serif", "size": 13, "color": BLACK},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "legend": {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom", "traceorder": "normal"},
        "hoverlabel": {"bgcolor": "#ffffff", "bordercolor": BLACK, "font": {"color": BLACK}},
        "xaxis": dict(axis),
        "yaxis": dict(axis),
        "dragmode": False,
    }
