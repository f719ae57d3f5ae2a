"""The assumptions and quality-assurance log says every source and reason of the scenario, and every proof."""

from pathlib import Path

from allocopt.runs import run

GOOD = Path(__file__).parent / "fixtures" / "bad" / "good" / "scenario.yaml"


def test_every_source_and_reason_stands_in_the_log_of_a_run(tmp_path):
    changes = ["rules.growth_floor.source=a letter of 2019", "rules.growth_floor.why=nobody is cut | at all"]
    found = run(GOOD, set=changes, out=tmp_path)
    assert found.folder is not None
    text = (found.folder / "assurance.md").read_text(encoding="utf-8")
    rate = found.record["scenario"]["rules"]["growth_floor"]["rate"]
    assert f'| rules.growth_floor | "rate": {rate} | a letter of 2019 | nobody is cut \\| at all |' in text
    assert "| a letter of 2019 | nobody is cut \\| at all |" in text.partition("## Rules that held")[2]
    assert f"receive £{found.headline['pot_gbp']:,} of £{found.headline['pot_gbp']:,}: equal" in text
    assert all(f"bound of {one['name']}: proven" in text for one in found.record["objectives"])
    for file in found.record["inputs"]:
        assert f"| {file['file']} | {file['rows']} | {file['sha256']} |" in text
    assert all(f"| {one['name']} |" in text for one in found.record["objectives"])
