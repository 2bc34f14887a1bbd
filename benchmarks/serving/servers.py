"""The servers that are compared, each a process of its own: how to install it, to start it, and to ask it.

Peers live in virtual environments of their own below `runs/peers`, since their requirements contradict ours (KServe's
SDK and MLServer want an old protobuf).
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving.load import request

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[1]
_PATIENCE = 90.0


@dataclass(frozen=True)
class Server:
    """One kind of server.

    Attributes:
        requirements: of its environment; empty for ours.
        command: after the environment's bin directory; {model}, {port} and {work} are filled in.
        path: that is asked; `form`: tfs, open or plain JSON.
    """

    name: str
    requirements: tuple[str, ...]
    command: tuple[str, ...]
    path: str
    form: str = "tfs"

    def message(self, rows: Any, input_name: str) -> bytes:
        """The request, as bytes."""
        if self.form == "open":
            flat = [v for row in rows for line in row for v in line]
            shape = [len(rows), len(rows[0]), len(rows[0][0])]
            document: Any = {"inputs": [{"name": input_name, "shape": shape, "datatype": "FP32", "data": flat}]}
        else:
            document = {"instances": rows}
        return request(self.path, json.dumps(document).encode())


OURS = Server(
    "isomer",
    (),
    ("python", "-m", "serving", "{root}", "--rest-port", "{port}", "--no-grpc"),
    "/v1/models/{name}:predict",
)
_ONNX = ("onnxruntime>=1.27", "numpy>=2")
PEERS = (
    Server(
        "FastAPI + ONNX Runtime",
        ("fastapi==0.*", "uvicorn[standard]", *_ONNX),
        ("python", str(_HERE / "peers/fastapi_onnx.py"), "{model}", "{port}"),
        "/v1/models/m:predict",
    ),
    Server(
        "KServe SDK",
        ("kserve==0.21.*", *_ONNX),
        ("python", str(_HERE / "peers/kserve_onnx.py"), "{model}", "{port}"),
        "/v1/models/m:predict",
    ),
    Server(
        "MLServer",
        ("mlserver==1.7.*", *_ONNX),
        ("mlserver", "start", "{work}"),
        "/v2/models/m/infer",
        "open",
    ),
    Server(
        "LitServe",
        ("litserve==0.2.*", *_ONNX),
        ("python", str(_HERE / "peers/litserve_onnx.py"), "{model}", "{port}"),
        "/predict",
    ),
    Server(
        "BentoML",
        ("bentoml==1.4.*", *_ONNX),
        ("bentoml", "serve", "bentoml_onnx:Onnx", "--working-dir", str(_HERE / "peers"), "--port", "{port}"),
        "/predict",
    ),
)


def install(server: Server, place: Path) -> Path:
    """The bin directory of a server's environment, made if it is not there."""
    if not server.requirements:
        return Path(sys.executable).parent
    home = place / server.name.split()[0].lower()
    if not (home / "installed").exists():
        uv = shutil.which("uv") or str(_ROOT / ".tools/uv/bin/uv")
        subprocess.run([uv, "venv", "-q", "--clear", "--python", "3.11", str(home)], check=True)
        python = str(home / "bin/python")
        subprocess.run([uv, "pip", "install", "-q", "--python", python, *server.requirements], check=True)
        (home / "installed").touch()
    return home / "bin"


@contextmanager
def running(server: Server, home: Path, version: Path, work: Path, message: bytes) -> Iterator[tuple[int, int]]:
    """A server that answers; gives its port and its first process."""
    port = _free_port()
    model = version / "onnx/float32.onnx"
    work.mkdir(parents=True, exist_ok=True)
    settings = {"http_port": port, "grpc_port": _free_port(), "metrics_port": _free_port(), "parallel_workers": 0}
    (work / "settings.json").write_text(json.dumps(settings))
    (work / "model-settings.json").write_text(json.dumps({"name": "m", "implementation": "mlserver_onnx.Onnx"}))
    shutil.copy(_HERE / "peers/mlserver_onnx.py", work)
    values = {"model": str(model), "port": str(port), "work": str(work), "root": str(version.parents[1])}
    command = [part.format(**values) for part in server.command]
    command[0] = str(home / command[0])
    env = {**os.environ, "MODEL": str(model), "BENTOML_DO_NOT_TRACK": "1", "PATH": f"{home}:{os.environ['PATH']}"}
    with (work / "log").open("w") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            env=env,
            cwd=_ROOT if not server.requirements else work,
            start_new_session=True,
        )
    try:
        _wait(port, message, process, work / "log")
        yield port, process.pid
    finally:
        # Some start processes of their own, and leave them behind when they are asked to end.
        left = _family(process.pid)
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        for number in left:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        process.wait()


def cpu_seconds(first: int) -> float:
    """CPU time of a process and all that descend from it, with those of them that ended."""
    total = 0
    for number in _family(first):
        with suppress(OSError):
            total += sum(map(int, _fields(number)[11:15]))
    return total / os.sysconf("SC_CLK_TCK")


def resident_bytes(first: int) -> int:
    """Resident memory of a process and all that descend from it."""
    pages = sum(int(Path(f"/proc/{n}/statm").read_text().split()[1]) for n in _family(first))
    return pages * os.sysconf("SC_PAGE_SIZE")


def _family(first: int) -> list[int]:
    """A process and its descendants: some servers give theirs groups and sessions of their own."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                children.setdefault(int(_fields(int(entry.name))[1]), []).append(int(entry.name))
    found = [first]
    for number in found:
        found.extend(children.get(number, []))
    return found


def _fields(number: int) -> list[str]:
    """A process' figures behind its name, as proc(5) lists them."""
    return Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()


def _wait(port: int, message: bytes, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until it answers a request with 200."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                client.sendall(message)
                if client.recv(65536).startswith(b"HTTP/1.1 200"):
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"it never answered: {log.read_text()[-2000:]}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
