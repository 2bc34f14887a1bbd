"""The `isomer` command as a user meets it: a process with an exit code, two streams and files that it leaves."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.bundle import schemas

COMMAND = (sys.executable, "-m", "pipeline")
ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 60.0  # until what has been killed must be gone; never measured


@dataclass(frozen=True)
class Finished:
    """A command that ended: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The error messages on stderr."""
        return [line for line in self.err.splitlines() if line.startswith("error:")]

    def results(self) -> list[dict[str, Any]]:
        """The lines of stdout: each must be a JSON object that follows the schema `result`."""
        lines = [json.loads(line) for line in self.out.splitlines()]
        for line in lines:
            schemas.validate(line, "result")
        return lines


def run(*arguments: str | Path, prefix: Sequence[str] = (), env: Mapping[str, str] | None = None) -> Finished:
    """Run isomer to its end."""
    command = [*prefix, *COMMAND, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env={**_environment(), **(env or {})})
    return Finished(done.returncode, done.stdout, done.stderr)


def refused(done: Finished, code: int, *words: str) -> None:
    """Assert that a command ended with this code and one clear message, which has all these words."""
    assert done.code == code, done.err
    assert len(done.errors) == 1, done.err
    assert "Traceback" not in done.err, done.err
    assert "does not know" not in done.err, done.err
    message = " ".join(done.err[done.err.index("error:") :].split())
    for word in words:
        assert word in message, done.err


@contextmanager
def started(*arguments: str | Path, scratch: Path) -> Iterator[subprocess.Popen[str]]:
    """isomer as the leader of a process group, as a shell starts it; killed in the end.

    Args:
        scratch: its directory for temporary files, by which `kin` recognises what it started.
    """
    scratch.mkdir(exist_ok=True)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # inherited by whoever runs pytest in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**_environment(), "TMPDIR": str(scratch)},
    )
    try:
        yield process
    finally:
        kill(process)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def kill(process: subprocess.Popen[str], how: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to a process and its group, if it is still there."""
    if process.poll() is None:
        os.killpg(process.pid, how)
    if how is signal.SIGKILL:
        process.wait()


def follow(process: subprocess.Popen[str], words: str) -> str:
    """Read its stderr up to the line that has these words; returns what was read."""
    assert process.stderr is not None
    seen = ""
    for line in process.stderr:
        seen += line
        if words in line:
            return seen
    raise AssertionError(f"never said '{words}' but:\n{seen}")


def kin(scratch: Path) -> dict[int, str]:
    """Command lines of the processes that use this directory for temporary files, by id; zombies do not count."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words, variables = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
            except OSError:
                continue
            if words and (os.fsencode(scratch) in words or os.fsencode(scratch) in variables):
                found[int(entry.name)] = words.replace(b"\0", b" ").decode(errors="replace")[:200]
    return found


def nothing_remains(scratch: Path) -> None:
    """Assert that in the end no process and no scratch directory is left of what was started."""
    deadline = time.monotonic() + PATIENCE
    while (left := kin(scratch)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left
    assert [str(p) for directory in scratch.glob("isomer-*") for p in (directory, *directory.iterdir())] == []


def tree(directory: Path) -> dict[str, str]:
    """Every file below a directory with the hash of its content."""
    files = (p for p in sorted(directory.rglob("*")) if p.is_file())
    return {p.relative_to(directory).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def _environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "200"}
