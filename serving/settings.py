"""What a user can set, in one place, with its defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

ENGINES = ("auto", "onnx", "tflite", "savedmodel")
FLOAT32 = "float32"
# Those whose inputs and outputs are the model's own.
PRECISIONS = (FLOAT32, "float16", "int8-weights", "int4-weights", "int8-dynamic", "int8", "int16x8")


@dataclass(frozen=True)
class Limits:
    """Bounds on what one client can make the server hold or do.

    Attributes:
        body: bytes of a request's body, also after gzip: 413 beyond.
        head: bytes of request line and headers: 431 beyond.
        rows: of one request: 400 beyond.
        pending: requests that wait for, or run in, the thread pool: 429 beyond.
        batch_rows: that are run together; 1 runs every request by itself.
        request_seconds: from a whole request to its answer: 504 beyond.
        connections: open at once; more are answered 503 and closed.
        read_seconds: for a whole request to arrive (408 beyond), and for a response to be taken.
        idle_seconds: that a connection may be kept alive between requests.
    """

    body: int = 64 << 20
    head: int = 64 << 10
    rows: int = 65536
    pending: int = 256
    batch_rows: int = 64
    request_seconds: float = 30.0
    connections: int = 4096
    read_seconds: float = 30.0
    idle_seconds: float = 75.0


@dataclass(frozen=True)
class Settings:
    """The server's settings.

    Attributes:
        root: a directory of models (each a base path with integer versions), or one base path.
        model_name: of the model, where `root` is one base path; the directory's name if None.
        model_config_file: a models.config; it is served instead of `root`.
        host, rest_port, grpc_port: where to listen; port 0 takes a free one. Loopback unless told otherwise.
        no_grpc: REST only.
        web: serve the page at /, and the bundles' files, on the REST port.
        engine: "auto", "onnx", "tflite" or "savedmodel".
        precision: which artifacts, in order of preference; some of `PRECISIONS`.
        gate: check hashes and replay the goldens before a version takes traffic.
        poll_seconds: between looks at the base paths.
        threads: of one engine call. Requests run beside each other, so that one is best under load.
        workers: processes that share the ports.
        drain_delay: seconds between becoming unready and closing the listener, for load balancers to notice.
        drain_seconds: that requests in flight get to finish after that.
        access_log: a file for one line for each request; "-" is standard output.
        tls_certificate, tls_key: PEM files; both, or neither.
        traces: URL of a collector that gets OpenTelemetry traces; None for none.
        token_file: holds the token that requests must carry; health and readiness are free.
    """

    root: Path | None = None
    model_name: str | None = None
    model_config_file: Path | None = None
    host: str = "127.0.0.1"
    rest_port: int = 8501
    grpc_port: int = 8500
    no_grpc: bool = False
    web: bool = False
    engine: str = "auto"
    precision: tuple[str, ...] = (FLOAT32,)
    gate: bool = True
    poll_seconds: float = 1.0
    threads: int = 1
    workers: int = 1
    drain_delay: float = 0.0
    drain_seconds: float = 30.0
    access_log: str | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    traces: str | None = None
    token_file: Path | None = None
    limits: Limits = field(default_factory=Limits)
