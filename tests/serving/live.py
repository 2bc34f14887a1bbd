"""A server as a user meets it: a process with an address, a log on stderr and an exit code."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0  # until something that must happen counts as not happening; never measured


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return str(self.json["error"])


@dataclass
class Live:
    """A running server."""

    process: subprocess.Popen[str] | None
    lines: list[str] = field(default_factory=list)
    host: str = ""
    port: int = 0
    grpc: str = ""

    @classmethod
    def elsewhere(cls, rest: str, grpc: str) -> Live:
        """A server that runs already."""
        host, _, port = rest.rpartition(":")
        return cls(None, [], host, int(port), grpc)

    def request(self, method: str, path: str, body: bytes | str | None = None, **headers: str) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        try:
            data = body.encode() if isinstance(body, str) else body
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read(), {k.lower(): v for k, v in response.getheaders()})
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.request("GET", path)

    def predict(self, model: str, document: Any, version: int | None = None, label: str = "") -> Answer:
        where = f"/labels/{label}" if label else "" if version is None else f"/versions/{version}"
        return self.request("POST", f"/v1/models/{model}{where}:predict", json.dumps(document))

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log's lines about one kind of event."""
        found = [json.loads(line) for line in self.lines if line.startswith("{")]
        return [e for e in found if e["event"] == name]

    def states(self, model: str) -> dict[str, str]:
        """State by version."""
        answer = self.get(f"/v1/models/{model}")
        return {v["version"]: v["state"] for v in answer.json.get("model_version_status", [])}

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for something to come true; returns it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"never {what}")


@contextmanager
def serving(
    root: Path | None, *options: str, command: Sequence[str] = ("-m", "serving"), ready: bool = True
) -> Iterator[Live]:
    """A server on a free port, killed in the end."""
    process = subprocess.Popen(
        [sys.executable, *command, *([str(root)] if root else []), "--rest-port", "0", "--grpc-port", "0", *options],
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    live = Live(process)
    assert process.stderr is not None

    def collect() -> None:
        for line in process.stderr or ():
            live.lines.append(line)

    reader = Thread(target=collect, daemon=True)
    reader.start()
    try:
        found = until(lambda: live.events("listening") or process.poll() is not None, "listening")
        assert found is not True, "".join(live.lines)
        live.host, _, port = found[0]["address"].removeprefix("http://").rpartition(":")
        live.port = int(port)
        live.grpc = found[0]["grpc"] or ""
        if ready:
            until(lambda: live.get("/readyz").status == 200, "ready: " + "".join(live.lines))
        yield live
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        reader.join(PATIENCE)
        process.stderr.close()


def publish(version: Path, target: Path) -> None:
    """Copy a version to its place as publishing does: hidden first, then renamed."""
    hidden = target.parent / f".{target.name}"
    shutil.copytree(version, hidden)
    hidden.rename(target)


def seal(version: Path, file: str) -> None:
    """Give a changed file its right hash, so that only the gate's replay can find it."""
    path = version / "manifest.json"
    manifest = json.loads(path.read_text())
    for entry in manifest["files"]:
        if entry["path"] == file:
            content = (version / file).read_bytes()
            entry["bytes"], entry["sha256"] = len(content), hashlib.sha256(content).hexdigest()
    path.write_text(json.dumps(manifest))
