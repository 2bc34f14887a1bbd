"""Publishing: whatever happens on the way, the old bundles are there, or the old and the new one; never a half."""

from __future__ import annotations

import fcntl
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from command import PATIENCE, ROOT, follow, kill, nothing_remains, refused, run, started, tree

from pipeline import frameworks
from pipeline.bundle import manifest, publish
from pipeline.errors import EnvironmentFault

SEED = random.randrange(1 << 30)
DICE = random.Random(SEED)

# Publishes small bundles for ever; says so after each.
WRITER = """
import os, sys
from pathlib import Path
from pipeline.bundle import manifest, publish
base = Path(sys.argv[1])
while True:
    with publish.staging(base) as root:
        (root / "variables").mkdir()
        for index in range(20):
            (root / "variables" / f"{index}.bin").write_bytes(os.urandom(20_000))
        version = publish.next_version(base)
        manifest.write(root, manifest.build(root, "model", version, "2025-01-01T00:00:00+00:00", []))
        publish.publish(root, version)
    print(version, flush=True)
"""


def versions(base: Path) -> set[int]:
    """The versions below a base directory, each of which must be complete."""
    found = {int(p.name) for p in base.iterdir() if p.name.isdigit()}
    for version in found:
        checked = manifest.verify(base / str(version))
        assert checked.intact, (SEED, version, checked.problems)
    return found


def stagings(base: Path) -> list[str]:
    return [p.name for p in base.iterdir() if p.name.startswith(".staging")]


def test_a_writer_killed_at_any_moment_leaves_only_whole_bundles(tmp_path: Path) -> None:
    base = tmp_path / "model"
    seen: set[int] = set()
    halves = 0
    for _ in range(12):
        process = subprocess.Popen([sys.executable, "-c", WRITER, base], stdout=subprocess.PIPE, cwd=ROOT)
        assert process.stdout is not None
        assert process.stdout.readline(), "the writer ended"
        time.sleep(DICE.uniform(0, 0.1))
        process.kill()
        process.wait()
        process.stdout.close()
        now = versions(base)
        assert now > seen
        assert now == set(range(1, len(now) + 1))
        halves += len(stagings(base))
        seen = now
    assert halves, "no kill came in the midst of writing"
    with publish.staging(base) as root:
        assert stagings(base) == [root.name]  # what the killed left is gone
    assert stagings(base) == []


# Lines on stderr at which, or some time after which, an export is killed.
MOMENTS = (
    ("starting TensorFlow", 3.0),
    ("writing savedmodel", 0.1),
    ("writing tfjs", 0.3),
    ("running the cells", 0.5),
    ("on litert/cpu", 0.5),
    ("on tfjs-node/wasm", 0.5),
)


def test_an_export_killed_at_any_moment(tiny_model: Path, tmp_path: Path, bundle: Path) -> None:
    """SIGKILL to the command's process group, as a closing container does; its workers have groups of their own."""
    base, scratch = bundle.parent, tmp_path / "scratch"
    runtimes = "tensorflow,litert,onnxruntime,tfjs-node"
    arguments = ("export", tiny_model, "--runtime", runtimes, "--device", "cpu,wasm", "--output", base.parent)
    for words, within in MOMENTS:
        before = versions(base)
        with started(*arguments, scratch=scratch) as process:
            follow(process, words)
            time.sleep(DICE.uniform(0, within))
            kill(process)
        assert versions(base) - before in (set(), {max(before) + 1}), (SEED, words)
        assert versions(base) >= before
        nothing_remains(scratch)
    before = versions(base)
    done = run(*arguments)
    assert done.code == 0, done.err
    assert versions(base) == before | {max(before) + 1}
    assert stagings(base) == []


@pytest.mark.parametrize(("words", "after"), [("starting TensorFlow", 2.0), ("running the cells", 0.0)])
def test_ctrl_c_during_an_export(words: str, after: float, tiny_model: Path, tmp_path: Path, bundle: Path) -> None:
    base, scratch, before = bundle.parent, tmp_path / "scratch", tree(bundle)
    with started("export", tiny_model, "--output", base.parent, scratch=scratch) as process:
        follow(process, words)
        time.sleep(after)
        kill(process, signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    assert "error: interrupted." in err
    assert "Nothing of" in err
    assert "earlier bundles are as they were" in err
    assert "Traceback" not in err
    assert out == ""
    assert tree(bundle) == before
    assert (versions(base), stagings(base)) == ({1}, [])
    nothing_remains(scratch)


def test_a_second_export_into_the_same_place_is_turned_away(tiny_model: Path, bundle: Path) -> None:
    before = tree(bundle)
    with (bundle.parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = run("export", tiny_model, "--output", bundle.parents[1])
    refused(done, 3, "Another export is writing to", "Wait for it, or choose another --output")
    assert tree(bundle) == before
    assert versions(bundle.parent) == {1}


def write_with_python(path: Path) -> None:
    with path.open("wb") as file:
        file.write(bytes(1 << 20))


def write_with_numpy(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, x=np.zeros(1 << 17))


def write_with_numpy_at_once(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(1 << 17))


def write_with_hdf5(path: Path) -> None:
    with path.open("r+b") as file, h5py.File(file, "w") as store:
        store["x"] = np.zeros(1 << 17)


def write_with_tensorflow(path: Path) -> None:
    frameworks.load()
    import tensorflow as tf

    with tf.io.gfile.GFile(str(path), "w") as file:
        file.write("x" * (1 << 20))


@pytest.mark.parametrize(
    "write",
    [write_with_python, write_with_numpy, write_with_numpy_at_once, write_with_hdf5, write_with_tensorflow],
)
def test_a_full_disk_is_named_whichever_library_meets_it(write: Callable[[Path], None], tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"no room to write.*No space left on device"), publish.staging(tmp_path):
        write(Path("/dev/full"))
    assert stagings(tmp_path) == []


def test_a_tensorflow_refusal_below_the_output_is_the_outputs(tmp_path: Path) -> None:
    frameworks.load()
    import tensorflow as tf

    with pytest.raises(EnvironmentFault, match="cannot be written: Not a directory"), publish.staging(tmp_path) as root:
        (root / "file").touch()
        tf.io.gfile.GFile(str(root / "file" / "saved_model.pb"), "w").write("x")


@pytest.mark.parametrize(
    "error",
    [ValueError("shapes differ"), PermissionError(13, "Permission denied", "/etc/shadow"), RuntimeError("File exists")],
    ids=lambda e: type(e).__name__,
)
def test_what_is_not_about_the_output_stays_what_it_is(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error)) as caught, publish.staging(tmp_path):
        raise error
    assert caught.value is error
    assert stagings(tmp_path) == []


@pytest.mark.parametrize(
    ("present", "latest"),
    [
        ([], None),
        (["9", "10"], "10"),
        (["2", "rejected-20250101T000000", ".staging-x1", "x3", "4.5", "²"], "2"),
    ],
)
def test_only_whole_numbers_are_versions(present: list[str], latest: str | None, tmp_path: Path) -> None:
    for name in present:
        (tmp_path / name).mkdir()
    found = publish.latest(tmp_path)
    assert (found.name if found else None) == latest
    assert publish.next_version(tmp_path) == int(latest or 0) + 1


def test_rejected_bundles_are_kept_side_by_side_and_are_no_versions(tmp_path: Path) -> None:
    kept: list[Any] = []
    for content in ("first", "second"):
        with publish.staging(tmp_path) as root:
            (root / "report.html").write_text(content)
            kept.append(publish.reject(root))
    assert [(k / "report.html").read_text() for k in kept] == ["first", "second"]
    assert publish.latest(tmp_path) is None
