"""The command `cxmodels`: a transaction log becomes customer equity in one line.

Exit codes: 0 done, 1 the run failed, 2 wrong usage or configuration, 3 the input breaks its
contract. With --json standard output holds exactly one line, on errors too. Heavy libraries
are imported when a command needs them, so that schedulers can read this file cheaply.
"""

import json
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from cxmodels.errors import CxError, DataError, OptionError

FAILED, USAGE, CONTRACT = 1, 2, 3

app = typer.Typer(
    name="cxmodels",
    help="Customer lifetime value and customer equity from a transaction log.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="The settings of the run.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder that holds the runs.")]
Company = Annotated[
    bool, typer.Option("--company", help="Make a simulated company, and run on its orders.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON line on standard output.")]
Force = Annotated[bool, typer.Option("--force", help="Do it again; replace a finished run.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the trace of an unexpected error.")]


@dataclass(frozen=True)
class Answer:
    """What a command has to say: to a person in lines, to a machine in facts."""

    status: str
    exit_code: int = 0
    text: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """The answer as one JSON line."""
        every = {"status": self.status, "exit_code": self.exit_code, **self.facts}
        return json.dumps(every, ensure_ascii=False, allow_nan=False, default=str)


KEPT = " The finished steps are kept; the same command resumes after them."


def _of_error(error: BaseException, debug: bool, resumes: bool) -> Answer:
    """What went wrong, in words for the person with the spreadsheet."""
    text = str(error)
    facts: dict[str, Any] = {"message": text}
    if isinstance(error, DataError):
        facts["problems"] = [vars(problem) for problem in error.problems]
        text += "\nNothing was written."
        return Answer("input contract broken", CONTRACT, text, facts)
    if isinstance(error, OptionError):
        return Answer("configuration", USAGE, text, facts)
    if isinstance(error, CxError):
        return Answer("failed", FAILED, text, facts)
    kept = KEPT if resumes else ""
    if isinstance(error, KeyboardInterrupt):
        return Answer("interrupted", FAILED, f"interrupted.{kept}", {"message": "interrupted"})
    if isinstance(error, OSError) and error.strerror:
        place = f": {error.filename}" if error.filename else ""
        text = f"the system refused, {error.strerror}{place}."
    else:
        kind = f"{type(error).__name__}: {error}".strip(": ")
        text = f"stopped on an unexpected error, {kind}."
    hint = "" if debug else " Add --debug for the trace."
    return Answer("failed", FAILED, text + kept + hint, {"message": text})


def _answered(
    action: Callable[[], Answer], *, machine: bool, debug: bool, resumes: bool = False
) -> None:
    """Carry out a command, say its answer, and leave with its exit code."""
    try:
        answer = action()
    except (Exception, KeyboardInterrupt) as error:
        answer = _of_error(error, debug, resumes)
        if debug and not isinstance(error, CxError):
            traceback.print_exc()
        typer.echo(f"cxmodels: {answer.text}", err=True)
    else:
        if not machine:
            typer.echo(answer.text)
    if machine:
        typer.echo(answer.line())
    raise typer.Exit(answer.exit_code)


@app.command()
def demo(
    out: Out = None, company: Company = False, json: Json = False, force: Force = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Run everything on CDNOW, the sample that comes along, or on a simulated company."""

    def action() -> Answer:
        from cxmodels.refresh.demo import company_config, demo_config

        made = company_config if company else demo_config
        return _refreshed(made(out or Path("cxmodels-demo")), force)

    _answered(action, machine=json, debug=debug, resumes=True)


@app.command()
def refresh(
    config: ConfigPath, out: Out = None, json: Json = False, force: Force = False,
    debug: Debug = False,
) -> None:  # fmt: skip
    """Make a quarter's run: from the log to the report."""

    def action() -> Answer:
        from cxmodels.refresh.config import read_config

        return _refreshed(read_config(config, out=out), force)

    _answered(action, machine=json, debug=debug, resumes=True)


@app.command()
def check(config: ConfigPath, json: Json = False, debug: Debug = False) -> None:
    """Check settings and log; say what would run."""

    def action() -> Answer:
        from cxmodels.refresh.config import read_config
        from cxmodels.refresh.rehearsal import rehearsed

        found = rehearsed(read_config(config))
        return Answer("ready", text=found.text, facts=found.facts)

    _answered(action, machine=json, debug=debug)


@app.command()
def report(run: RunPath, json: Json = False, debug: Debug = False) -> None:
    """Draw the report of a finished run again."""

    def action() -> Answer:
        from cxmodels.refresh.rerender import rerender

        files = [str(path) for path in rerender(run)]
        return Answer("done", text="\n".join(files), facts={"files": files})

    _answered(action, machine=json, debug=debug)


def _refreshed(config: Any, force: bool) -> Answer:
    """Carry a run out and sum it up."""
    from rich.console import Console

    from cxmodels.refresh.plan import plan_of
    from cxmodels.refresh.progress import Spoken
    from cxmodels.refresh.run import execute
    from cxmodels.refresh.summary import summary_of

    plan = plan_of(config)
    with Spoken(Console(stderr=True)) as spoken:
        ending = execute(plan, spoken, force=force)
    summary = summary_of(plan.final)
    heading = f"Run {plan.name} is {ending.value}."
    return Answer(ending.value, text=f"{heading}\n{summary.text}", facts=summary.facts)


def main() -> None:
    """Entry point of the command: usage errors, too, answer in JSON when asked."""
    if "--json" not in sys.argv[1:]:
        app()
        return
    try:
        code = app(standalone_mode=False)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        answer = Answer("usage", USAGE, facts={"message": error.format_message()})
        typer.echo(f"cxmodels: {error.format_message()}", err=True)
        typer.echo(answer.line())
        code = USAGE
    sys.exit(code)
