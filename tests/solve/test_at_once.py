"""A programme that is asked for all places at once is the one that Pyomo builds, to the bit and the name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from test_template import PATH, assert_same, compiled, facts, parts

from allocopt.model import load_model, rule
from allocopt.plan import gather
from allocopt.problem import Problem, chosen_parts
from allocopt.scenario import load
from allocopt.settings import RuleSetting
from allocopt.solve import at_once
from allocopt.solve.at_once import built, compiled_at_once, same, sample_of

MODEL = load_model("pace_of_change")


@pytest.fixture(autouse=True)
def every_size(monkeypatch):
    """Small programmes too are asked at once."""
    monkeypatch.setattr(at_once, "LARGE", 1)


@pytest.mark.parametrize(
    ("sets", "asked_so"),
    [
        ([], True),
        (PATH, True),
        ([*PATH, "objectives=[movement, shortfall_below_target, gross_deficit]"], True),
        (["rules.growth_floor.taper={from: 1%, to: 3%}", "rules.mover_budget={max: £900m}"], True),
        ([*PATH, "rules.dft_floor={rate: -5%}"], True),
        (["rules.growth_floor.rate={2019-20: 2%}"], True),
        (["objectives=[common_speed, movement]"], False),
        (["objectives=[worst_shortfall]"], False),
        (["rules.group_protection={column: region, least: 90%}"], False),
        ([*PATH, "rules.growth_floor={rate: -100%}"], False),
    ],
)
def test_what_is_asked_at_once_is_what_pyomo_builds(sets, asked_so):
    """Rules that look at single places, and rows that lose a term, are left to Pyomo."""
    of = facts(*sets)
    programme, found = built(of.situation, MODEL, **parts(of))
    assert (programme.pyomo is None) == asked_so
    assert_same(found, compiled(of))


@pytest.mark.parametrize("name", ["england", "england-path", "policy-2016-21"])
def test_the_national_programmes_are_asked_at_once(name):
    """On a sample of their places; the whole is the same function of the same columns."""
    found = gather(load(name))
    small = replace(found, situation=sample_of(found.situation, 300))
    programme, asked = built(small.situation, MODEL, **parts(small))
    assert programme.pyomo is None
    assert_same(asked, compiled(small))


def test_a_small_programme_is_built_in_pyomo(monkeypatch):
    monkeypatch.setattr(at_once, "LARGE", 2_000)
    of = facts()
    assert built(of.situation, MODEL, **parts(of))[0].pyomo is not None


def test_a_sample_has_the_figures_of_its_places_and_their_share_of_the_pot():
    whole = facts(*PATH).situation
    found = sample_of(whole, 10)
    at = [whole.places.index(place) for place in found.places]
    assert (len(at), at[0], at[-1]) == (10, 0, len(whole.places) - 1)
    assert np.array_equal(found.baseline, whole.baseline[at])
    assert found.target.sum(axis=0) == pytest.approx(found.pot)
    assert found.groups["region"] == tuple(whole.groups["region"][place] for place in at)
    assert sample_of(whole, 10**6).places == whole.places


def test_a_rule_that_tells_columns_from_figures_is_found_out_and_built_in_pyomo():
    """Were its answer used, the floor would be half of what the rule says."""

    @rule(unit="GBP m", equation="x_p >= b_p / 2", source="test")
    def sly(m, p):
        """Half the baseline, or a quarter when nobody seems to look."""
        return m.allocation[p] >= m.baseline[p] * (0.5 if isinstance(p, str) else 0.25)

    of = facts()
    with_own = type(MODEL)([sly, *MODEL.rules], MODEL.objectives, MODEL.always)
    said = {"rules": {"sly": RuleSetting()}, "objectives": of.loaded.scenario.objectives}
    programme, found = built(of.situation, with_own, **said)
    assert programme.pyomo is not None
    rows = np.flatnonzero(found.row_component == "sly")
    assert found.row_lower[rows] == pytest.approx(of.situation.baseline / 2)
    asked = compiled_at_once(Problem(None, of.situation, *chosen_parts(with_own, **said)))
    assert asked is not None
    assert not same(asked, found)


def test_a_sample_that_contradicts_a_rule_leaves_it_to_the_whole():
    """The rule looks impossible to a tenth of the places; of all of them it is true."""

    @rule(unit="GBP m", equation="1 <= pot / 40000", source="test", index="year")
    def rich(m):
        """A statement about the pot alone."""
        return m.pot >= 40_000

    of = facts()
    with_own = type(MODEL)([rich, *MODEL.rules], MODEL.objectives, MODEL.always)
    said = {"rules": {"rich": RuleSetting()}, "objectives": of.loaded.scenario.objectives}
    assert built(of.situation, with_own, **said)[0].pyomo is not None
