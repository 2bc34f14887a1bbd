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


deploy = typer.Typer(
    help="Files that deploy bundles, and the check that what is served is what was certified.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@deploy.command(epilog="Example: isomer deploy check http://localhost:8501 exports/cnn --grpc localhost:8500")
def check(
    url: Annotated[str, typer.Argument(help="The server's REST address.")],
    bundle: Annotated[Path, typer.Argument(help="A bundle (exports/cnn/1), or its parent for the latest version.")],
    grpc: Annotated[str | None, typer.Option(help="Host and port of its gRPC services, asked too.")] = None,
    name: Annotated[str | None, typer.Option(help="The model's name there, if it is another.")] = None,
    latest: Annotated[bool, typer.Option("--latest", help="Ask without naming the version.")] = False,
    token_file: Annotated[Path | None, typer.Option(help="Holds the bearer token.")] = None,
    authority: Annotated[Path | None, typer.Option(help="PEM file of who signed the certificate.")] = None,
    artifact: Annotated[
        str | None, typer.Option(help="What it serves, if that is no float32, such as tflite/int8.tflite.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object for each way.")] = False,
) -> None:
    """Replay a bundle's golden samples against any running server: TensorFlow Serving, KServe, isomer's own.

    Exit codes: 0 if the answers are the certificate's, 1 if not, 2 usage, 3 if the server cannot be asked.
    """
    from serving.deploy.verbs import check as run

    token = token_file.read_text(encoding="utf-8").strip() if token_file else ""
    options = {"grpc": grpc, "name": name, "latest": latest, "token": token, "authority": authority}
    raise typer.Exit(run(url, bundle, json, artifact=artifact, **options))


@deploy.command(epilog="Example: isomer deploy render compose exports/ --output deploy/")
def render(
    target: Annotated[str, typer.Argument(help="compose, kubernetes, kserve or docker.")],
    exports: Annotated[Path, typer.Argument(help="Directory of models, or one model's base path.")] = _EXPORTS,
    output: Annotated[Path, typer.Option(help="Where the files go.")] = Path("deploy"),
    image: Annotated[str, typer.Option(help="Of isomer's server.")] = "isomer-serving:latest",
    storage: Annotated[str, typer.Option(help="A volume claim's name, or KServe's storage URI.")] = "exports",
    only: Annotated[str | None, typer.Option(help="Only this model.")] = None,
    canary: Annotated[int, typer.Option(help="Percent of requests for what is new, with KServe.")] = 100,
) -> None:
    """Write the files that deploy bundles."""
    from serving.deploy.verbs import render as run

    raise typer.Exit(run(exports, target, output, image=image, storage=storage, only=only, canary=canary))


def register(app: typer.Typer) -> None:
    """Add the verbs to the command line."""
    # `serve` has the options of `python -m serving`, with its --help.
    through = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(context_settings=through, add_help_option=False)(serve)
    app.command(epilog="Example: isomer promote cnn 3 --label stable")(promote)
    app.command(epilog="Example: isomer rollback cnn")(rollback)
    app.add_typer(deploy, name="deploy")
