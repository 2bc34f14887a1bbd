"""The command line: verbs, thin. Each calls the function of the same name and shows what it returns."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline import device_verbs, serving_verbs, training_verbs
from pipeline.errors import EXIT_ENVIRONMENT, EXIT_PARITY, EXIT_PASS, EXIT_USAGE, IsomerError

if TYPE_CHECKING:
    from pipeline.terminal import Terminal

EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="isomer",
    help="One Keras model, every runtime, provably the same.",
    epilog="Exit codes: 0 pass, 1 parity failed, 2 usage, 3 environment. Each verb has --help with examples.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

Models = Annotated[
    list[str],
    typer.Argument(help="Recipes by name (cnn, mlp ...) or path, .keras files, or functions (module.py:build)."),
]
Bundle = Annotated[Path, typer.Argument(help="A bundle (exports/cnn/1), or its parent for the latest version.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object per model on stdout, all else on stderr.")]
Data = Annotated[Path | None, typer.Option(help="MNIST as .npz, or arrays by input name for a .keras file.")]
Runtimes = Annotated[list[str] | None, typer.Option("--runtime", help="Only this runtime (repeat, or commas).")]
Devices = Annotated[list[str] | None, typer.Option("--device", help="Only this device: cpu, gpu, wasm, webgl, webgpu.")]
Formats = Annotated[list[str] | None, typer.Option("--format", help="Only this format (repeat, or commas).")]
Precisions = Annotated[
    list[str] | None,
    typer.Option("--precision", help="Beside float32, also this: float16, int8, int8-dynamic ... (repeat, or commas)."),
]
Gate = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="Share of float32's accuracy that a reduced precision must keep.")
]
Seed = Annotated[int, typer.Option(help="Of the training and of sampled inputs.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Train at most so many epochs.")]
Runs = Annotated[Path, typer.Option(help="Where trainings are kept and found again.")]
Unsafe = Annotated[bool, typer.Option("--unsafe", help="Trust Python code inside a .keras file (Lambda layers).")]

Imports = Annotated[
    list[Path] | None,
    typer.Option("--import-module", help="Run this .py file first, for the custom layers it registers (repeat)."),
]

Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        metavar="NAME:DTYPE:SHAPE[:LOW..HIGH]",
        help='An input of a subclassed model that stores none, such as "ids:int32:?,128"; or the range of the whole '
        'numbers of any input, "ids:int32:?,128:0..999" (repeat).',
    ),
]

Split = Annotated[
    bool, typer.Option("--split", help="Keep what reads strings as a SavedModel, and export the part behind it.")
]

Flex = Annotated[
    bool,
    typer.Option(
        "--allow-flex",
        help="Let a TFLite file hold TensorFlow's own operations where it has no others. It then runs only where the "
        "Flex delegate is, and is judged there (make flex).",
    ),
]


@app.command(
    epilog="Examples: isomer export cnn;  isomer export model.keras --format onnx,tflite --output out --json;  "
    "isomer export net.py:build --input ids:int32:?,128"
)
def export(
    models: Models,
    format: Formats = None,
    precision: Precisions = None,
    gate: Gate = 0.99,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="size=50kB,accuracy=0.99,latency=2ms",
            help="Name the smallest artifact within this; the exit code is 1 if there is none.",
        ),
    ] = None,
    output: Annotated[Path, typer.Option(help="Bundles go to OUTPUT/<name>/<version>/.")] = Path("exports"),
    data: Data = None,
    runtime: Runtimes = None,
    device: Devices = None,
    seed: Seed = 0,
    epochs: Epochs = None,
    runs: Runs = Path("runs"),
    unsafe: Unsafe = False,
    import_module: Imports = None,
    input: Inputs = None,
    split: Split = False,
    allow_flex: Flex = False,
    json: Json = False,
) -> None:
    """Capture, write all formats, judge every cell, and publish a bundle if all is well."""

    def one(name: str, terminal: Terminal) -> int:
        from pipeline import choosing
        from pipeline.exporting import export as run

        limits = None if budget is None else choosing.parse(budget)
        done = run(
            name,
            format=_split(format),
            precision=_split(precision),
            gate=gate,
            output=output,
            data=data,
            runtime=_split(runtime),
            device=_split(device),
            seed=seed,
            epochs=epochs,
            runs=runs,
            unsafe=unsafe,
            imports=tuple(import_module or ()),
            input=tuple(input or ()),
            split=split,
            allow_flex=allow_flex,
            observer=terminal,
        )
        choice = None if limits is None else choosing.choose(done.bundle, done.certificate, limits, terminal)
        line = done.to_json() if choice is None else {**done.to_json(), "choice": choice.to_json()}
        _show(terminal, line, done.certificate, json)
        if not json:
            terminal.out.print(f"bundle: {done.bundle}\nreport: {done.bundle / 'report.html'}", soft_wrap=True)
            if choice is not None:
                terminal.out.print(f"choice: {choice.reason}", soft_wrap=True)
        return max(done.exit_code, EXIT_PARITY if choice is not None and choice.chosen is None else EXIT_PASS)

    _each(models, one, json)


@app.command(epilog="Examples: isomer validate exports/cnn;  isomer validate exports/cnn/1 --runtime litert")
def validate(
    bundle: Bundle,
    data: Data = None,
    runtime: Runtimes = None,
    device: Devices = None,
    gate: Gate = 0.99,
    json: Json = False,
) -> None:
    """Run the cells of a bundle again on this machine and judge them."""

    def one(_: str, terminal: Terminal) -> int:
        from pipeline.validating import validate as run

        done = run(bundle, data=data, runtime=_split(runtime), device=_split(device), gate=gate, observer=terminal)
        _show(terminal, done.to_json(), done.certificate, json)
        return done.exit_code

    _each([str(bundle)], one, json)


@app.command(epilog="Example: isomer benchmark exports/cnn --batch 32")
def benchmark(
    bundle: Bundle,
    batch: Annotated[int, typer.Option(min=1, help="Rows per call.")] = 1,
    calls: Annotated[int, typer.Option(min=1, help="Calls that are timed, at least.")] = 100,
    seconds: Annotated[float, typer.Option(min=0, help="Time calls at least this long.")] = 0.5,
    runtime: Runtimes = None,
    device: Devices = None,
    json: Json = False,
) -> None:
    """Latency and throughput of a bundle's artifacts in their runtimes on this machine."""

    def one(_: str, terminal: Terminal) -> int:
        from pipeline.benchmarking import benchmark as run
        from pipeline.report.timings import table

        done = run(
            bundle,
            batch=batch,
            calls=calls,
            seconds=seconds,
            runtime=_split(runtime),
            device=_split(device),
            observer=terminal,
        )
        if json:
            terminal.result(done.to_json())
        else:
            terminal.out.print(table(done.to_json()))
        return EXIT_PASS

    _each([str(bundle)], one, json)


@app.command(epilog="Examples: isomer inspect cnn;  isomer inspect model.keras --json;  isomer inspect exports/cnn/1")
def inspect(
    models: Models,
    format: Formats = None,
    unsafe: Unsafe = False,
    import_module: Imports = None,
    input: Inputs = None,
    split: Split = False,
    allow_flex: Flex = False,
    json: Json = False,
) -> None:
    """What each format would make of a model, before anything is written; or what a bundle holds."""

    def one(name: str, terminal: Terminal) -> int:
        from pipeline.inspecting import inspect as run
        from pipeline.report.outlook import table
        from pipeline.report.table import matrix

        done = run(
            name,
            format=_split(format),
            unsafe=unsafe,
            imports=tuple(import_module or ()),
            input=tuple(input or ()),
            split=split,
            allow_flex=allow_flex,
            observer=terminal,
        )
        if json:
            terminal.result(done.to_json())
        else:
            terminal.out.print(matrix(done.certificate) if done.certificate else table(done.to_json()))
        return EXIT_PASS

    _each(models, one, json)


@app.command(epilog="Example: isomer verify exports/cnn/1")
def verify(bundle: Bundle, json: Json = False) -> None:
    """Check that a bundle's files are, byte for byte, what was exported."""

    def one(_: str, terminal: Terminal) -> int:
        from pipeline.bundle import manifest

        found = manifest.verify(manifest.locate(bundle))
        if json:
            terminal.result(
                {
                    "bundle": str(found.bundle),
                    "intact": found.intact,
                    "digest": found.digest,
                    "files": found.files,
                    "bytes": found.bytes,
                    "problems": list(found.problems),
                }
            )
        elif found.intact:
            terminal.out.print(f"{found.bundle}: {found.files} files intact, digest {found.digest}", soft_wrap=True)
        for problem in found.problems:
            terminal.error(problem)
        return EXIT_PASS if found.intact else EXIT_USAGE

    _each([str(bundle)], one, json)


serving_verbs.register(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the `isomer` command."""
    try:
        app(args=arguments, prog_name="isomer")
    except SystemExit as end:
        if "tensorflow" not in sys.modules or not isinstance(end.code, int):
            raise
        # Everything is written and closed; TensorFlow's own end takes a second and adds nothing.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code)


def _each(models: Sequence[str], one: Any, json: bool) -> None:
    """Run a verb on each model; the worst exit code is the command's. An error in one does not stop the next."""
    from pipeline.outcome import result_line
    from pipeline.terminal import Terminal

    terminal = Terminal()
    worst = EXIT_PASS
    for name in models:
        began, failure = time.perf_counter(), ""
        try:
            code = one(name, terminal)
        except IsomerError as error:
            terminal.error(error.what, error.fix)
            code = error.exit_code
            failure = str(error)
        except KeyboardInterrupt as error:
            kept = getattr(error, "kept", f"Nothing of '{name}' was published; earlier bundles are as they were.")
            terminal.error("interrupted.", kept)
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except Exception as error:
            if os.environ.get("ISOMER_VERBOSE"):
                raise
            failure = f"isomer failed on '{name}' in a way it does not know: {type(error).__name__}: {error}"
            terminal.error(failure, "Please report it with the output of the same command under ISOMER_VERBOSE=1.")
            code = EXIT_ENVIRONMENT
        if json and failure:
            model = Path(name).stem or name or "?"
            terminal.result({**result_line(model, "ERROR", None, [], time.perf_counter() - began), "error": failure})
        worst = max(worst, code)
    raise typer.Exit(worst)


def _show(terminal: Terminal, line: dict[str, Any], certificate: dict[str, Any], json: bool) -> None:
    from pipeline.report.table import matrix

    if json:
        terminal.result(line)
    else:
        terminal.out.print(matrix(certificate))
    notice = (certificate["dataset"] or {}).get("notice")
    if notice:
        terminal.notice(notice)


def _split(values: list[str] | None) -> tuple[str, ...]:
    """Options that are repeated, or given with commas."""
    return tuple(v.strip() for value in values or () for v in value.split(",") if v.strip())


training_verbs.register(app, _each)
device_verbs.register(app, _each)
