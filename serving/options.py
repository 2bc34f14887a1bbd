"""The server's command line: one table, for `python -m serving` and `isomer serve` alike."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from serving.rest.description import describe
from serving.settings import ENGINES, PRECISIONS, Limits, Settings

_EXAMPLES = (
    "Examples: isomer serve exports/;  isomer serve exports/ --rest-port 9000 --engine tflite;  "
    "isomer serve --model-config-file models.config"
)


def parse(arguments: Sequence[str], program: str, root: Path | None = None) -> Settings:
    """The settings that a command line asks for. Exits with 2 for one that is wrong, with 0 for --help.

    Args:
        program: what the user typed.
        root: served if nothing is named.
    """
    given = _parser(program).parse_args(arguments)
    limits = Limits(**{limit.name: getattr(given, f"max_{limit.name}") for limit in fields(Limits)})
    values = {f.name: getattr(given, f.name) for f in fields(Settings) if hasattr(given, f.name)}
    if given.root is None and given.model_config_file is None:
        values["root"] = root
    return Settings(**values, gate=not given.no_gate, limits=limits)


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        description="Serve bundles: a TF Serving compatible server. Each version is checked against its certificate.",
        epilog=_EXAMPLES,
        formatter_class=_Help,
    )
    add = parser.add_argument
    add("root", type=Path, nargs="?", help="directory of models, or one model's base path (exports)")
    add("--model-name", metavar="NAME", help="of the model, where root is one base path (its directory's name)")
    add("--model-config-file", type=Path, help="a models.config; read again when it changes")
    add("--host", default=Settings.host, help="address to listen on")
    add("--rest-port", type=_port, default=Settings.rest_port, help="port of the REST API; 0 takes a free one")
    add("--grpc-port", type=_port, default=Settings.grpc_port, help="port of gRPC; 0 takes a free one")
    add("--no-grpc", action="store_true", help="serve REST only")
    add("--web", action="store_true", help="serve the page for browsers at /, beside the API")
    add("--engine", choices=ENGINES, default=Settings.engine, help="what runs the models")
    add(
        "--precision",
        type=_precisions,
        default=Settings.precision,
        metavar="NAME[,NAME]",
        help="of the artifact; of several, the first that passed (float32)",
    )
    add("--no-gate", action="store_true", help="serve models of other origin, unchecked")
    add("--poll-seconds", type=_positive, default=Settings.poll_seconds, help="between looks for new versions")
    add("--threads", type=_whole, default=Settings.threads, help="of one engine call")
    add("--workers", type=_whole, default=Settings.workers, help="processes that share the ports")
    add("--drain-delay", type=_seconds, default=Settings.drain_delay, help="seconds from unready to closing the port")
    add("--drain-seconds", type=_seconds, default=Settings.drain_seconds, help="for requests in flight to finish")
    add("--access-log", metavar="FILE", help="one JSON line for each request; - is standard output")
    add("--traces", metavar="URL", help="send OpenTelemetry traces to this collector, by OTLP over HTTP")
    add("--tls-certificate", type=Path, metavar="PEM", help="serve REST and gRPC with TLS")
    add("--tls-key", type=Path, metavar="PEM", help="the certificate's private key")
    add("--token-file", type=Path, metavar="FILE", help="holds the bearer token that requests must carry")
    add("--openapi", action=_Describe, help="print the REST API as an OpenAPI document, and exit")
    for limit in fields(Limits):
        kind = _positive if limit.name.endswith("seconds") else _whole
        add(f"--max-{limit.name.replace('_', '-')}", type=kind, default=limit.default, help=_HELP[limit.name])
    return parser


class _Describe(argparse.Action):
    """Prints the description of the REST API, and exits."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(json.dumps(describe(Limits()), indent=2))
        parser.exit()


class _Help(argparse.HelpFormatter):
    """Help in the words of isomer's other verbs; a default is told where there is one."""

    def _format_usage(self, usage, actions, groups, prefix):  # type: ignore[no-untyped-def]
        return super()._format_usage("%(prog)s [OPTIONS] [root]", actions, groups, "Usage: ")

    def _get_help_string(self, action: argparse.Action) -> str:
        default = "" if action.default in (None, False, argparse.SUPPRESS, Settings.precision) else " (%(default)s)"
        return (action.help or "") + default


_HELP = {
    "body": "bytes of a request's body, also after gzip",
    "head": "bytes of request line and headers",
    "rows": "of one request",
    "pending": "requests that wait for the thread pool",
    "batch_rows": "of requests that are run together; 1 runs each by itself",
    "request_seconds": "from a whole request to its answer",
    "connections": "open at once",
    "read_seconds": "for a request to arrive, and for a response to be taken",
    "idle_seconds": "that a connection is kept alive between requests",
}


def _number(text: str, kind: type[float], least: float, most: float, what: str) -> float:
    try:
        value = kind(text)
    except ValueError:
        value = kind(-1)
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"'{text}' is not {what}")
    return value


def _precisions(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in PRECISIONS:
            raise argparse.ArgumentTypeError(f"'{name}' is none of {', '.join(PRECISIONS)}")
    return names


def _port(text: str) -> int:
    return int(_number(text, int, 0, 65535, "a port"))


def _whole(text: str) -> int:
    return int(_number(text, int, 1, 2**53, "a whole number above zero"))


def _positive(text: str) -> float:
    return _number(text, float, 1e-3, 1e9, "a number of at least 0.001")


def _seconds(text: str) -> float:
    return _number(text, float, 0.0, 1e9, "a number of seconds")
