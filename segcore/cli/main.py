"""The table of commands, and the one place where an error becomes two lines and an exit code.

Exit codes: 0 done, 1 failed, 2 wrong use. A traceback is shown only with MASKWRIGHT_DEBUG=1.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

import segcore
from segcore.base import MaskwrightError
from segcore.cli import console
from segcore.cli.commands import COMMANDS
from segcore.cli.crash import write_report
from segcore.cli.host import Host, host_of

_INTERRUPTED = 130  # how Typer ends on Ctrl+C

app = typer.Typer(
    name="maskwright",
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for _row in COMMANDS:
    app.command(
        _row.name,
        help=_row.help,
        epilog=f"Example: {_row.example}",
        short_help=_row.help.split("\n", 1)[0],
    )(_row.function)


@app.callback(
    invoke_without_command=True,
    epilog="Example: maskwright street.maskwright opens that project in the window. "
    "For research use, not a medical device.",
)
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True)
    ] = False,
    startup_report: Annotated[
        bool,
        typer.Option(
            "--startup-report", help="Open the demo, print the start-up times as JSON, close."
        ),
    ] = False,
) -> None:
    """See what a segmentation model predicted, correct it, measure it, teach the model.

    Without a command the window opens, with the project that is named:
    maskwright [PROJECT.maskwright]
    """
    if version:
        console.say(f"maskwright {segcore.__version__}")
        raise typer.Exit
    host = host_of(context)
    if startup_report:
        if host.startup_report is None:
            raise typer.BadParameter("the start-up report needs the window: run maskwright")
        raise typer.Exit(host.startup_report())
    if context.invoked_subcommand is None:
        if host.open_window is None:
            console.note(context.get_help())
            raise typer.Exit(2)
        raise typer.Exit(host.open_window(None))


def run(arguments: Sequence[str], host: Host | None = None) -> int:
    """Run one command; returns its exit code, and raises nothing.

    Parameters
    ----------
    arguments : the command line without the program's name.
    host : what the program around can do; see `Host`.
    """
    if arguments and _is_lost_project(arguments[0]):
        console.note(f"maskwright: there is no project {arguments[0]}.")
        console.note("            Make one with: maskwright new PROJECT --images DIR")
        return 2
    debug = os.environ.get("MASKWRIGHT_DEBUG") == "1"
    try:
        app(list(arguments), prog_name="maskwright", obj=host or Host())
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if code == _INTERRUPTED:
            console.note("maskwright: stopped.")
        return code if code in (0, 1, 2) else 1
    except MaskwrightError as error:
        if debug:
            raise
        console.show_error(error)
        return 1
    except KeyboardInterrupt:  # where Typer itself did not take it
        console.note("maskwright: stopped.")
        return 1
    except BrokenPipeError:
        # The reader of our output has gone (`maskwright info p | head`); nothing is wrong here.
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
        return 0
    except Exception as error:
        if debug:
            raise
        report = write_report(error, arguments)
        console.note("maskwright: something unexpected went wrong inside the program.")
        console.note(f"            The report is in {report}; send it along if you ask for help.")
        return 1
    return 0


def _is_lost_project(argument: str) -> bool:
    """A project that somebody wants to open and that is not there; not a mistyped command."""
    return argument.rstrip("/\\").endswith(".maskwright") and not Path(argument).is_dir()
