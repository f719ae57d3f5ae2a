"""What the terminal says: within its width, plain in a pipe, coloured only on a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from small_case import path_over_years

import allocopt
from allocopt.report.console import table
from allocopt.report.headline import widest_words
from allocopt.report.text import show_run

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "tests" / "fixtures" / "bad" / "good" / "scenario.yaml"


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    return {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **more}


def command(out: Path) -> list[str]:
    return [sys.executable, "-m", "allocopt.cli", "run", str(SMALL), "--no-report", "--out", str(out)]


def piped(out: Path, **more: str) -> str:
    done = subprocess.run(command(out), capture_output=True, text=True, env=environment(**more), check=True)
    return done.stdout


def on_a_terminal(out: Path, **more: str) -> str:
    """What a terminal would receive."""
    ours, theirs = pty.openpty()
    done = subprocess.Popen(command(out), stdout=theirs, stderr=subprocess.DEVNULL, env=environment(**more))
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert done.wait() == 0
    return said.decode()


@pytest.mark.parametrize(("columns", "width"), [("80", 80), ("120", 120), ("", 120)])
def test_a_pipe_gets_plain_lines_within_the_width(tmp_path, columns, width):
    said = piped(tmp_path, COLUMNS=columns)
    lines = [line for line in said.splitlines() if not line.startswith("written to")]
    assert max(map(len, lines)) <= width
    assert "\x1b" not in said
    assert not [line for line in lines if line != line.rstrip()]


def test_a_run_says_status_headline_rules_and_where_it_was_written(tmp_path):
    said = piped(tmp_path)
    order = ["four places", "optimal:", "Headline", "gross deficit", "Rules", "growth_floor", "written to"]
    at = [said.index(words) for words in order]
    assert at == sorted(at)
    assert "widest gap £0" in said


def test_colour_is_for_terminals_that_want_it(tmp_path):
    assert "\x1b[" in on_a_terminal(tmp_path / "colour")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", on_a_terminal(tmp_path / "plain", NO_COLOR="1"))


def test_the_words_are_the_same_with_and_without_colour(tmp_path):
    bare = re.sub(r"\x1b\[[0-9;]*m", "", on_a_terminal(tmp_path / "one", COLUMNS="100"))
    assert "optimal: every objective proven" in bare


def test_words_stand_to_the_left_and_figures_to_the_right():
    made = table("t", ["name", "amount", "why"], [("a", "£1", "because"), ("b", "-£22", "x")])
    assert [column.justify for column in made.columns] == ["left", "right", "left"]


def test_parquet_twins_hold_the_same_rows(tmp_path):

    subprocess.run([*command(tmp_path), "--format", "parquet"], env=environment(), check=True, capture_output=True)
    folder = next(tmp_path.iterdir())
    for path in folder.glob("*.csv"):
        assert len(pd.read_parquet(path.with_suffix(".parquet"))) == len(pd.read_csv(path))
    assert pd.read_parquet(folder / "allocations.parquet")["allocation_gbp"].dtype == "int64"


def test_tables_of_a_path_say_that_they_are_of_the_last_year(tmp_path, capsys):
    # the headline adds the years up; the tables by region are of the last one
    run = allocopt.run(path_over_years(tmp_path, ["£525m", "£540m"]), out=None)
    show_run(run)
    last = run.allocations["year"].iloc[-1]
    assert f"in {last} alone" in " ".join(capsys.readouterr().out.split())
    assert run.record["summary"].startswith(f"Of {last}, the last year, alone: ")
    titles = {name: title for name, title in run.record["titles"].items() if name != "path"}
    assert all(f"; of {last}, the last year, alone" in title for title in titles.values())


def test_places_that_no_region_tells_apart_make_no_table(tmp_path, capsys):
    show_run(allocopt.run(path_over_years(tmp_path, ["£525m", "£540m"]), set=["report.group_by=[]"], out=None))
    said = " ".join(capsys.readouterr().out.split())
    assert "(against uniform growth): no region or area is told apart" in said
    assert "no grouping" not in said


@pytest.mark.parametrize(
    ("objectives", "words"),
    [
        ([("gross_deficit", 0.0, 0.0)], "widest gap £0"),
        ([("gross_deficit", 3479.0, 9e-6), ("travel", None, 0.000482)], "widest gap £3,479, 0.0482% where"),
        ([("gross_deficit", 3479.0, 9e-6), ("travel", None, None)], "widest gap £3,479, no bound for travel"),
    ],
)
def test_a_gap_that_is_not_known_is_never_said_to_be_nothing(objectives, words):
    said = [{"name": name, "gap_gbp": pounds, "gap": gap} for name, pounds, gap in objectives]
    assert widest_words(said).startswith(words)
