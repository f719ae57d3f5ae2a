"""The verbs: parse, call, print. Everything heavy is imported inside a verb, so that `--help` answers at once.

stdout is the result, stderr the log and progress. With `--json` stdout holds one JSON object alone.
Exit codes: 0 done, 1 a bug, 2 your file or data, 3 infeasible or unbounded, 4 stopped before the proof asked for.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from allocopt.cli_parts import failures, leaving_at_once, print_json, progress, refuse_both

if TYPE_CHECKING:
    from allocopt.scenario import SweepFile

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Fair-share reallocations and consortium groupings, solved and proved.",
)


Scenario = Annotated[str, typer.Argument(help="A scenario file, or the name of a shipped one such as `england`.")]
Folder = Annotated[Path, typer.Argument(help="A run folder.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a key; repeatable; comes last.")
]
Out = Annotated[Path, typer.Option("--out", help="Where run folders go.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else there.")]
ScenarioFile = Annotated[Path | None, typer.Option("--scenario", help="Where the scenario file is now.")]
Format = Literal["csv", "parquet"]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress and no log.")]


@app.command()
def run(
    scenario: Scenario,
    *,
    set_: Set = None,
    out: Out = Path("runs"),
    no_report: Annotated[bool, typer.Option("--no-report", help="Leave out report.html and report.xlsx.")] = False,
    format_: Annotated[Format, typer.Option("--format", help="`parquet` writes a typed twin of every table.")] = "csv",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Solve a scenario, prove it, and write its run folder."""
    with failures(as_json=as_json):
        from allocopt.scenario import load

        loaded = load(scenario, set=set_ or [])
        from allocopt.report.writers import reports, twins
        from allocopt.runs import run_loaded

        also = [*([] if no_report else [reports]), *([twins] if format_ == "parquet" else [])]
        with progress(quiet=quiet or as_json) as tell:
            found = run_loaded(loaded, out=out, tell=tell, also=also)
        if as_json:
            print_json({"run": str(found.folder), **found.record})
        else:
            from allocopt.report.text import show_run

            show_run(found, quiet=quiet)
    raise typer.Exit(found.exit)


@app.command()
def check(scenario: Scenario, *, set_: Set = None, as_json: Json = False, quiet: Quiet = False) -> None:
    """Find every error of a scenario (or of every case of a sweep) and its tables without solving anything."""
    with failures(as_json=as_json):
        from allocopt.scenario import load, load_sweep

        if sweep := load_sweep(scenario, set=set_ or []):
            check_cases(sweep, as_json=as_json, quiet=quiet)
            return
        loaded = load(scenario, set=set_ or [])
        from allocopt.checked import checked_facts
        from allocopt.record import facts_record
        from allocopt.report.text import show_check

        with progress(quiet=quiet or as_json) as tell:
            tell("reading and checking tables")
            facts = checked_facts(loaded)
        if as_json:
            print_json(facts_record(facts))
        else:
            show_check(facts)


def check_cases(sweep: SweepFile, *, as_json: bool, quiet: bool) -> None:
    """Print the count and the first rows of a sweep; raises ScenarioFault with every error of every case."""
    from allocopt.batches.checking import check_sweep
    from allocopt.report.batches import show_sweep

    with progress(quiet=quiet or as_json) as tell:
        found = check_sweep(sweep, tell=tell)
    if as_json:
        print_json(found.as_dict())
    else:
        show_sweep(found)


@app.command()
def batch(
    sweep: Annotated[str, typer.Argument(help="A scenario file with a `sweep` block.")],
    *,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes; as many as fit by default.")
    ] = None,
    cluster: Annotated[str | None, typer.Option("--cluster", help="The address of a Dask scheduler.")] = None,
    set_: Set = None,
    out: Out = Path("runs"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on where it stopped (the default).")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over: solve every case again.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Write report.html of the batch as well.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Solve every case of a sweep; finished cases are kept, so the same command goes on where it stopped."""
    with failures(as_json=as_json):
        refuse_both("--resume", "--fresh", given=resume and fresh)
        from allocopt.batches import batch as solve
        from allocopt.report.batches import show_batch, watching

        with watching(quiet=quiet or as_json) as tell:
            found = solve(sweep, workers=workers, cluster=cluster, set=set_ or [], out=out, fresh=fresh, tell=tell)
        if report:
            from allocopt.report.writers import write_reports

            write_reports([found.folder], None)
        if as_json:
            print_json({"batch": str(found.folder), "reused": found.reused, **found.record})
        else:
            show_batch(found, quiet=quiet)
    raise typer.Exit(found.exit)


@app.command()
def compare(
    runs: Annotated[list[Path], typer.Argument(help="Two or more run folders, or the folder of a batch.")],
    *,
    as_json: Json = False,
) -> None:
    """Set runs side by side: figures, what was asked, rules, inputs, and the places whose money differs most."""
    with failures(as_json=as_json):
        from allocopt.comparison import compare as compared
        from allocopt.report.batches import show_comparison

        found = compared(runs)
        if as_json:
            print_json(found.as_dict())
        else:
            show_comparison(found)


@app.command()
def show(
    scenario: Scenario,
    key: Annotated[str | None, typer.Argument(help="Only this key, such as rules.growth_floor.")] = None,
    *,
    against: Annotated[str | None, typer.Option("--against", help="Show what differs from another scenario.")] = None,
    set_: Set = None,
    as_json: Json = False,
) -> None:
    """Show a scenario as it stands after inheritance: every value, where it was written, and its source."""
    with failures(as_json=as_json):
        from allocopt.report.scenario_text import scenario_rows, show_rows
        from allocopt.scenario import load

        loaded = load(scenario, set=set_ or [])
        other = load(against) if against else None
        rows = scenario_rows(loaded, key, other)
        if as_json:
            print_json({"scenario": str(loaded.path), "rows": rows})
        else:
            show_rows(loaded, rows)


@app.command()
def models(
    name: Annotated[str | None, typer.Argument(help="A model; without it, the list.")] = None,
    *,
    as_json: Json = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of scenario files.")] = False,
    manual: Annotated[bool, typer.Option("--manual", help="Print the whole manual as Markdown.")] = False,
) -> None:
    """Print a model's mathematics, parameters, units, defaults and sources, from the code itself."""
    with failures(as_json=as_json):
        from allocopt.report.manual import model_record, show_model, show_models

        if schema:
            from allocopt.scenario import schema as scenario_schema

            print_json(scenario_schema())
        elif manual:
            from allocopt.report.handbook import handbook

            sys.stdout.write(handbook())
        elif as_json:
            print_json(model_record(name))
        elif name:
            show_model(name)
        else:
            show_models()


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="The new scenario; NAME.yaml is written here.")],
    *,
    parent: Annotated[str, typer.Option("--from", help="The scenario that it extends.")],
    as_json: Json = False,
) -> None:
    """Start a scenario that extends another."""
    with failures(as_json=as_json):
        from allocopt.scenario import write_new

        path = write_new(name, parent)
        if as_json:
            print_json({"scenario": str(path)})
        else:
            print(f"wrote {path}: say what it changes and why, then `allocopt run {path}`")  # noqa: T201


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="A run folder; two or more make a comparison.")],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where the report goes; a run's own folder unless said.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write report.html and report.xlsx of a run, or comparison.html of several."""
    with failures(as_json=as_json):
        from allocopt.report.writers import write_reports

        with progress(quiet=quiet or as_json) as tell:
            tell("writing the report")
            written = write_reports(runs, out)
        if as_json:
            print_json({"written": [str(path) for path in written]})
        else:
            print("\n".join(str(path) for path in written))  # noqa: T201


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="NHS England's practice table (CSV) or a saved session (JSON).")],
    *,
    session: Annotated[Path | None, typer.Option("--session", help="Need indices for the places of a session.")] = None,
    by: Annotated[str | None, typer.Option("--by", help="Need indices for each value of a column.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Where the tables go.")] = Path(),
    as_json: Json = False,
) -> None:
    """Take in files of NHS England's place-based allocation tool: practices with need indices, or a grouping."""
    with failures(as_json=as_json):
        from allocopt.exchange.desk import take_in
        from allocopt.report.text import show_exchange

        taken = take_in(file, session_file=session, by=by, out=out)
        if as_json:
            print_json(taken.as_dict())
        else:
            show_exchange(taken)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="A run folder; for `--format neighbours` a scenario.")],
    *,
    formats: Annotated[
        list[str] | None, typer.Option("--format", help="geojson, parquet, session; repeatable; all that fit.")
    ] = None,
    table: Annotated[Path | None, typer.Option("--table", help="The tool's practice table: names, ICBs.")] = None,
    set_: Set = None,
    out: Annotated[Path | None, typer.Option("--out", help="Where the files go; the run folder unless said.")] = None,
    as_json: Json = False,
) -> None:
    """Write a run for other tools: GeoJSON, Parquet, a session; or a scenario's neighbours as a table of links."""
    with failures(as_json=as_json):
        from allocopt.exchange.desk import give_out
        from allocopt.report.text import show_exchange

        given = give_out(folder, formats=formats or [], table=table, out=out, sets=set_ or [])
        if as_json:
            print_json(given.as_dict())
        else:
            show_exchange(given)


@app.command()
def explain(
    folder: Folder,
    place: Annotated[str, typer.Argument(help="A place: its code, or its whole name.")],
    *,
    year: Annotated[str | None, typer.Option("--year", help="One year of a path; without it, every year.")] = None,
    against: Annotated[Path | None, typer.Option("--against", help="Another run: why the place differs.")] = None,
    scenario: ScenarioFile = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Explain one place step by step: fair share, limits, what it receives; of a grouping, its consortium and why."""
    with failures(as_json=as_json):
        from allocopt.explain.whole import explain_place
        from allocopt.report.membership import show_place

        with progress(quiet=quiet or as_json) as tell:
            found = explain_place(folder, place, year=year, against=against, scenario=scenario, tell=tell)
        if as_json:
            print_json(found.as_dict())
        else:
            show_place(found)


@app.command()
def calibrate(
    scenario: Annotated[str, typer.Argument(help="A scenario whose spend is modelled.")] = "england",
    *,
    set_: Set = None,
    as_json: Json = False,
) -> None:
    """Fit the risk model of spend to published shares, and show how well it fits."""
    with failures(as_json=as_json):
        from allocopt.calibrate import calibrate as fit
        from allocopt.plan import gather
        from allocopt.report.risk_text import show_fits
        from allocopt.scenario import load

        fits = fit(gather(load(scenario, set=set_ or [])))
        if as_json:
            print_json({one.name: one.as_dict() for one in fits})
        else:
            show_fits(fits)


@app.command()
def verify(
    folder: Folder,
    *,
    scenario: ScenarioFile = None,
    rerun: Annotated[int, typer.Option("--rerun", min=0, help="Of a batch: so many cases are solved again.")] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check a finished run or batch again from its folder and its inputs, without the solver."""
    with failures(as_json=as_json):
        from allocopt.check.folder import verify as verify_run
        from allocopt.report.text import show_verdict

        with progress(quiet=quiet or as_json) as tell:
            tell("checking")
            if (folder / "batch.json").is_file():
                from allocopt.batches.audit import verify_batch

                verdict = verify_batch(folder, rerun=rerun, scenario=scenario)
            else:
                verdict = verify_run(folder, scenario=scenario)
        if as_json:
            print_json(verdict.as_dict())
        else:
            show_verdict(verdict)
    raise typer.Exit(0 if verdict.passed else 1)


@app.command()
def replay(
    name: Annotated[str | None, typer.Argument(help="A round, such as 2001-02 or S5; without it, all.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Compute published rounds and figures again: published beside computed, disagreement explained."""
    with failures(as_json=as_json):
        from allocopt.replay import replay as replay_rounds
        from allocopt.report.replay_text import show_replay

        episodes = replay_rounds(name)
        passed = all(one.passed for one in episodes)
        if as_json:
            print_json({"passed": passed, "episodes": [one.as_dict() for one in episodes]})
        else:
            show_replay(episodes, whole=name is not None)
    raise typer.Exit(0 if passed else 1)


def main() -> None:
    """The console script."""
    with leaving_at_once():
        app()


if __name__ == "__main__":
    main()
