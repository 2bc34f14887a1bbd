"""models.config, labels, promotions: which versions serve, and what they are called."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import foreign
import pytest
from live import Live, publish, serving, until

from serving.errors import FailedPrecondition, InvalidArgument
from serving.lifecycle import config, promotion
from serving.lifecycle.config import Policy
from serving.lifecycle.promotion import Promotions

OPTIONS = ("--no-gate", "--poll-seconds", "0.05")
Writer = Callable[..., None]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Base path of a model whose version v answers x / 2 + v."""
    for version in (1, 2, 3):
        foreign.half_plus(tmp_path / "half" / str(version), version)
    return tmp_path / "half"


def entry(base: Path, policy: str = "", labels: dict[str, int] | None = None, name: str = "half") -> str:
    chosen = f"model_version_policy {{ {policy} }}" if policy else ""
    pairs = " ".join(f"version_labels {{ key: '{k}' value: {v} }}" for k, v in (labels or {}).items())
    return f"config {{ name: '{name}' base_path: '{base}' model_platform: 'tensorflow' {chosen} {pairs} }}\n"


def write(file: Path, *entries: str) -> Path:
    hidden = file.with_suffix(".new")
    hidden.write_text(f"model_config_list {{\n{''.join(entries)}}}\n")
    return hidden.rename(file)


def answer(live: Live, version: int | None = None, label: str = "") -> float | str:
    found = live.predict("half", {"instances": [0.0]}, version, label)
    return found.json["predictions"][0] if found.status == 200 else f"{found.status} {found.error}"


@pytest.fixture
def file(base: Path, tmp_path: Path) -> Path:
    return write(tmp_path / "models.config", entry(base))


@pytest.fixture
def live(file: Path) -> Iterator[Live]:
    with serving(None, "--model-config-file", str(file), *OPTIONS) as server:
        yield server


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        ("", {3}),
        ("latest { }", {3}),
        ("latest { num_versions: 2 }", {2, 3}),
        ("all { }", {1, 2, 3}),
        ("specific { versions: 1 versions: 2 versions: 7 }", {1, 2}),
    ],
)
def test_policies(base: Path, tmp_path: Path, policy: str, served: set[int]) -> None:
    file = write(tmp_path / "models.config", entry(base, policy))
    with serving(None, "--model-config-file", str(file), *OPTIONS) as live:
        assert {v for v in (1, 2, 3) if answer(live, v) == v} == served
        assert answer(live) == max(served)


def test_labels_and_changes_of_the_file(live: Live, base: Path, file: Path) -> None:
    assert answer(live, label="stable") == "400 Unrecognized servable version label: stable"
    both = "specific { versions: 1 versions: 3 }"
    write(file, entry(base, both, {"stable": 1, "canary": 3}))
    until(lambda: answer(live, label="stable") == 1.0, "labelled")
    assert answer(live, label="canary") == answer(live) == 3.0
    assert live.get("/v1/models/half/labels/stable/metadata").json["model_spec"]["version"] == "1"
    # In one step the version is loaded and the label moved; the label waits for the version.
    write(file, entry(base, "specific { versions: 2 }", {"stable": 2}))
    until(lambda: answer(live, label="stable") == 2.0, "moved")
    until(lambda: live.states("half") == {"1": "END", "2": "AVAILABLE", "3": "END"}, "unloaded")
    assert answer(live, label="canary") == "400 Unrecognized servable version label: canary"
    # Labels of versions that never come change nothing.
    write(file, entry(base, "specific { versions: 2 }", {"stable": 9}))
    until(lambda: len(live.events("config_changed")) == 3, "read")
    assert answer(live, label="stable") == 2.0


def test_a_file_that_is_refused_changes_nothing(live: Live, base: Path, file: Path) -> None:
    write(file, entry(base), entry(base))
    (event,) = until(lambda: live.events("unreadable"), "refused")
    assert "Illegal to list model half multiple times" in event["reason"]
    assert answer(live) == 3.0
    write(file, entry(base, "specific { versions: 1 }"))
    until(lambda: answer(live) == 1.0, "repaired")


def test_models_come_and_go(live: Live, base: Path, file: Path) -> None:
    write(file, entry(base, name="other"))
    until(lambda: live.states("other") == {"3": "AVAILABLE"}, "new model")
    until(lambda: live.states("half") == {"3": "END"}, "old model")
    assert answer(live) == "404 Servable not found for request: Latest(half)"
    assert live.get("/readyz").status == 200
    write(file, entry(base, name="other"), entry(base.parent / "none", name="missing"))
    until(lambda: live.get("/readyz").json.get("reasons") == ["missing: no version is available"], "unready")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("model_config_list {", "Invalid protobuf file"),
        ("", "has no model_config_list"),
        ("model_config_list { config { name: 'm' base_path: '/m' } }", "Illegal setting neither"),
        ("model_config_list { config { name: 'm' base_path: '/m' model_platform: 'x' } }", "unsupported platform x"),
        ("model_config_list { config { name: 'm' base_path: '/m' model_type: TENSORFLOW } }", ""),
    ],
)
def test_files_are_checked(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "models.config"
    file.write_text(text)
    if not words:
        assert config.read(file)[0].policy == Policy()
        return
    with pytest.raises(InvalidArgument, match=words):
        config.read(file)


def test_rollbacks_undo_promotions_one_by_one() -> None:
    now = Promotions().promote(1, "stable").promote(2, "stable").promote(3, "stable").promote(3, "canary")
    now = now.roll_back([1, 2, 3], "stable")
    assert (now.labels, now.withdrawn) == ({"stable": 2, "canary": 3}, {3})
    now = now.roll_back([1, 2, 3], "stable")
    assert (now.labels["stable"], now.withdrawn) == (1, {2, 3})
    with pytest.raises(FailedPrecondition):
        now.roll_back([1, 2, 3], "stable")
    now = now.promote(3, "stable")
    assert (now.labels["stable"], now.withdrawn) == (3, {2})
    assert now.roll_back([1, 2, 3], "stable").labels["stable"] == 1
    unlabelled = Promotions().roll_back([1, 2, 3], "stable")
    assert (unlabelled.labels, unlabelled.withdrawn) == ({}, {3})


def isomer(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "pipeline", *arguments], capture_output=True, text=True)


def test_promote_and_rollback_reach_a_running_server(tiny_bundle: Path, tmp_path: Path) -> None:
    root = tmp_path / "exports"
    (root / "tiny").mkdir(parents=True)
    for version in ("1", "2"):
        publish(tiny_bundle, root / "tiny" / version)
    with serving(root, "--poll-seconds", "0.05") as live:
        path = "/v1/models/tiny/labels/stable/metadata"
        for version in ("1", "2"):
            done = isomer("promote", "tiny", version, "--exports", str(root))
            assert done.returncode == 0, done.stderr
            until(lambda v=version: v in str(live.get(path).json.get("model_spec")), "promoted")
        assert live.states("tiny") == {"1": "END", "2": "AVAILABLE"}
        done = isomer("rollback", "tiny", "--exports", str(root))
        assert "stable = 1" in done.stdout
        until(lambda: live.states("tiny") == {"1": "AVAILABLE", "2": "END"}, "rolled back")
        assert live.get("/v1/models/tiny/metadata").json["model_spec"]["version"] == "1"
        (root / "tiny" / promotion.FILE).write_text("{")
        until(lambda: live.events("unreadable"), "noticed")
        assert live.states("tiny") == {"1": "AVAILABLE", "2": "END"}
    assert isomer("rollback", "tiny", "--exports", str(root)).returncode == 2
    assert isomer("rollback", "none", "--exports", str(root)).returncode == 2
    (root / "tiny" / promotion.FILE).unlink()
    assert "no version 7" in isomer("promote", "tiny", "7", "--exports", str(root)).stderr
    (root / "tiny" / "2" / "model.keras").unlink()
    assert "model.keras: missing" in isomer("promote", "tiny", "2", "--exports", str(root)).stderr
