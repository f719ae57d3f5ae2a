"""Golden results of the shipped scenarios: what each answers, so that a change that moves a figure is seen.

Regenerate on purpose only (`python tests/test_shipped.py NAME ...`) and say so under "alter results" in CHANGELOG.md.
"""

import json
import sys
from pathlib import Path

import pytest

import allocopt
from allocopt.shipped import shipped

GOLDEN = Path(__file__).parent / "golden" / "shipped"
QUICK = ("deficit-trap", "england", "england-ccgs", "monitoring", "robust")
POUNDS = 2_000
"""What another build of the solver may move within the slack between stages, in pounds; objectives are held to 1e-6."""


def shipped_names() -> list[str]:
    return sorted(path.stem for path in shipped("scenarios").glob("*.yaml"))


def result(name: str) -> dict[str, object]:
    run = allocopt.run(name, out=None)
    objectives = {one["name"]: one["value"] for one in run.record["objectives"]}
    found = {"status": run.record["status"], "objectives": objectives, "headline": dict(run.headline)}
    return found | ({"stress": run.record["stress"].get("headline", {})} if "stress" in run.record else {})


def cases() -> list[object]:
    names = [path.stem for path in sorted(GOLDEN.glob("*.json"))]
    return [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in names]


@pytest.mark.parametrize("name", cases())
def test_a_shipped_scenario_gives_its_golden_result(name: str) -> None:
    golden = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    found = result(name)
    assert found["status"] == golden["status"]
    assert found["objectives"] == pytest.approx(golden["objectives"], rel=1e-6, abs=1e-6)
    assert set(found["headline"]) == set(golden["headline"])
    for measure, value in golden["headline"].items():
        if value is None:
            assert found["headline"][measure] is None, measure
            continue
        tolerance = POUNDS if measure.endswith("_gbp") else max(2, abs(value) * 0.01)
        assert found["headline"][measure] == pytest.approx(value, abs=tolerance), measure
    for case, levels in golden.get("stress", {}).items():
        for level, figures in levels.items():
            for measure, value in figures.items():
                tolerance = 2 * POUNDS if measure.endswith("_gbp") else 1e-3
                assert found["stress"][case][level][measure] == pytest.approx(value, abs=tolerance), (
                    case,
                    level,
                    measure,
                )


def test_every_shipped_scenario_has_a_golden_result() -> None:
    without = set(shipped_names()) - {path.stem for path in GOLDEN.glob("*.json")}
    assert not without, f"python tests/test_shipped.py {' '.join(sorted(without))}"


def test_the_trap_is_shown_for_what_it_is() -> None:
    """A smaller deficit than the same budgets under a need-based rule, bought with more shortfall below target."""
    trap, fair = (
        json.loads((GOLDEN / f"{name}.json").read_text())["headline"] for name in ("deficit-trap", "england-historic")
    )
    assert trap["gross_deficit_gbp"] < fair["gross_deficit_gbp"]
    assert trap["shortfall_below_target_gbp"] > fair["shortfall_below_target_gbp"]


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for scenario in sys.argv[1:] or shipped_names():
        text = json.dumps(result(scenario), indent=2, ensure_ascii=False) + "\n"
        (GOLDEN / f"{scenario}.json").write_text(text, encoding="utf-8")
