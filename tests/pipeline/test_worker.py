"""Workers: whatever a runtime does to its process is the verdict of one cell, with its last words."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from command import nothing_remains

from pipeline.artifact import Artifact
from pipeline.cells import Cell, Status
from pipeline.errors import RuntimeCrash, RuntimeUnavailable
from pipeline.parity import budget
from pipeline.parity.evidence import Evidence
from pipeline.parity.inputs import Judged
from pipeline.parity.judge import judge
from pipeline.runtimes import RuntimeEntry, early_start
from pipeline.runtimes.worker import Worker
from pipeline.signature import Signature, TensorSpec

FAKE = "fake_runtimes"
SIGNATURE = Signature((TensorSpec("x", "float32", (None, 2)),), (TensorSpec("y", "float32", (None, 2)),))
ARTIFACT = Artifact("fake", "float32", "fake.bin", SIGNATURE)
HARMLESS = Artifact("fake", "float32", "fake.bin", SIGNATURE, variant="harmless")
ROWS = {"x": np.arange(8, dtype=np.float32).reshape(4, 2)}


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Fakes can be imported; and nothing of any worker is left in the end."""
    path = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield tmp_path
    nothing_remains(tmp_path)


def cells(device: str, *artifacts: Artifact, timeout: float = 300.0) -> list[Cell]:
    exact = {"y": ROWS["x"].astype(np.float64) * 2}
    reference = {"y": ROWS["x"] * 2}
    judged = Judged(ROWS, 4, None, "made up", ())
    evidence = Evidence(judged, exact, reference, budget.derive(exact, reference, 4))
    entry = RuntimeEntry("fake", FAKE, "fake", device, timeout=timeout)
    with early_start([entry]) as start:
        return judge(Path(), artifacts, [entry], evidence, 0, start)


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("raises", ["crashed: ValueError: node 17 (Erf) is not implemented"]),
        ("segfaults", ["killed by SIGSEGV", "about to be: segfaults"]),
        ("exits", ["exit status 7", "about to be: exits"]),
        ("calls sys.exit", ["exit status 1", "license expired"]),
        ("broken import", ["exit status 1", "libfake.so.7: cannot open shared object file"]),
        ("out of memory", ["crashed: MemoryError"]),
    ],
)
def test_a_crash_is_the_cells_failure_with_its_last_words(device: str, words: list[str]) -> None:
    (cell,) = cells(device, ARTIFACT)
    assert cell.verdict is Status.FAIL
    for word in words:
        assert word in cell.reason


def test_a_hang_is_the_cells_failure() -> None:
    (cell,) = cells("hangs", ARTIFACT, timeout=3)
    assert cell.verdict is Status.FAIL
    assert "no answer within 3 s, stopped. Its last words: about to be: hangs" in cell.reason


@pytest.mark.parametrize(
    ("device", "reason"),
    [("missing", "the fake library is not installed. Install it."), ("no such adapter", "no fake adapter.")],
)
def test_what_is_missing_is_not_run(device: str, reason: str) -> None:
    (cell,) = cells(device, ARTIFACT)
    assert (cell.verdict, cell.samples) == (Status.NOT_RUN, 0)
    assert reason in cell.reason


def test_noise_on_standard_output_is_no_answer() -> None:
    (cell,) = cells("babbles", ARTIFACT)
    assert (cell.verdict, cell.reason, cell.max_abs_error) == (Status.PASS, "", 0.0)


@pytest.mark.parametrize("device", ["raises", "segfaults", "exits", "hangs"])
def test_the_next_artifact_is_judged_on_its_own(device: str) -> None:
    first, second = cells(device, ARTIFACT, HARMLESS, timeout=5)
    assert (first.verdict, second.verdict) == (Status.FAIL, Status.PASS), second.reason


def test_a_worker_that_is_used_after_its_end_says_so() -> None:
    with Worker(FAKE, "segfaults") as worker:
        worker.activate(ARTIFACT, Path())
        for _ in range(2):
            with pytest.raises(RuntimeCrash, match="SIGSEGV"):
                worker.infer(ROWS, 4)


def test_unavailable_says_how_to_fix_it() -> None:
    with Worker(FAKE, "missing") as worker, pytest.raises(RuntimeUnavailable) as caught:
        worker.activate(ARTIFACT, Path())
    assert caught.value.fix == "Install it."


@pytest.mark.parametrize("device", ["well behaved", "hangs"])
def test_a_worker_does_not_outlive_its_parent(device: str, scratch: Path) -> None:
    """Killed with SIGKILL, the parent closes nothing; its child may be idle, or busy for ever."""
    script = f"""
import os, signal, sys, threading
from pathlib import Path
from test_worker import ARTIFACT, FAKE, ROWS, Worker
worker = Worker(FAKE, {device!r})
worker.activate(ARTIFACT, Path())
if {device!r} == "hangs":
    threading.Timer(1, os.kill, (os.getpid(), signal.SIGKILL)).start()
    worker.infer(ROWS, 4)
os.kill(os.getpid(), signal.SIGKILL)
"""
    here = Path(__file__).parent
    path = os.pathsep.join((str(here), str(here.parent), os.environ["PYTHONPATH"]))
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path})
    assert done.returncode == -9
