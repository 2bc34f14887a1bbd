"""The verbs of serving on the command line. Each calls `serving`, which knows nothing of the engine room."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_EXPORTS = Path("exports")

Name = Annotated[str, typer.Argument(help="A model's name in the exports directory.")]
Exports = Annotated[Path, typer.Option("--exports", help="The directory of models.")]
Label = Annotated[str, typer.Option(help="The label that clients ask for.")]


def serve(context: typer.Context) -> None:
    """Serve bundles: a TF Serving compatible server, each version checked against its certificate first."""
    from serving.main import run
    from serving.options import parse

    raise typer.Exit(run(parse(context.args, "isomer serve", _EXPORTS)))


def promote(
    name: Name,
    version: Annotated[int, typer.Argument(min=0, help="The version that is to have the label.")],
    label: Label = "stable",
    exports: Exports = _EXPORTS,
) -> None:
    """Give a version a label; servers follow at their next look, once that version passed their gate."""
    from serving.promoting import promote as run

    raise typer.Exit(run(exports, name, version, label))


def rollback(name: Name, label: Label = "stable", exports: Exports = _EXPORTS) -> None:
    """Put a label back to the version before, and withdraw the newer ones from traffic."""
    from serving.promoting import roll_back as run

    raise typer.Exit(run(exports, name, label))


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    # `serve` has the options of `python -m serving`, with its --help.
    through = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(context_settings=through, add_help_option=False)(serve)
    app.command(epilog="Example: isomer promote cnn 3 --label stable")(promote)
    app.command(epilog="Example: isomer rollback cnn")(rollback)
