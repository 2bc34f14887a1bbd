"""The verbs of devices on the command line: thin, as `cli` is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import EXIT_PASS, UsageError

if TYPE_CHECKING:
    from pipeline.terminal import Terminal

Bundle = Annotated[Path, typer.Argument(help="A bundle (exports/cnn/1), or its parent for the latest version.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, all else on stderr.")]
Each = Callable[[Sequence[str], Callable[[str, "Terminal"], int], bool], None]


def register(app: typer.Typer, each: Each) -> None:
    """Add the verbs to the command line. `each` runs one on a bundle and ends with its exit code."""

    @app.command(
        epilog="Example: isomer kit exports/cnn, then copy exports/cnn/device-1 and run python3 check.py there"
    )
    def kit(
        bundle: Bundle,
        output: Annotated[Path | None, typer.Option("--output", "-o", help="Where the kit goes.")] = None,
        json: Json = False,
    ) -> None:
        """Make a directory to copy to a device: models, golden answers, a checker that needs NumPy and a runtime."""

        def one(_: str, terminal: Terminal) -> int:
            from pipeline.kit import assemble

            made = assemble(bundle, output)
            if json:
                terminal.result({"bundle": str(bundle), "kit": str(made)})
            else:
                size = sum(p.stat().st_size for p in made.rglob("*") if p.is_file())
                terminal.out.print(f"kit: {made} ({size / 1e6:.1f} MB); there: python3 check.py", soft_wrap=True)
            return EXIT_PASS

        each([str(bundle)], one, json)

    @app.command(epilog="Example: isomer report exports/cnn --add certificate-pi4.json --output report.html")
    def report(
        bundle: Bundle,
        add: Annotated[list[Path] | None, typer.Option(help="A device's certificate (repeat).")] = None,
        output: Annotated[Path | None, typer.Option("--output", "-o", help="Write it: a .html or .md file.")] = None,
        json: Json = False,
    ) -> None:
        """Show a bundle's matrix again, with the cells of devices that ran its kit."""

        def one(_: str, terminal: Terminal) -> int:
            from pipeline.bundle import manifest
            from pipeline.devices import report as run
            from pipeline.report import card, html
            from pipeline.report.table import matrix

            done = run(bundle, tuple(add or ()))
            if output is not None:
                views = {".html": html.render, ".md": card.render}
                if output.suffix not in views:
                    raise UsageError(f"'{output}' is neither .html nor .md.", "Name it report.html or report.md.")
                text = views[output.suffix](done.certificate, manifest.read(done.bundle))
                output.write_text(text, encoding="utf-8")
            if json:
                terminal.result(done.to_json())
            else:
                terminal.out.print(matrix(done.certificate))
            return done.exit_code

        each([str(bundle)], one, json)
