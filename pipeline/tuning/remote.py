"""Trials on the machines of a Ray cluster; the study and its journal stay here."""

from __future__ import annotations

import logging
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.datasets import Dataset
from pipeline.epochs import EpochProgress
from pipeline.errors import EnvironmentFault, IsomerError, first_line
from pipeline.recipes import Recipe
from pipeline.tuning.trial import Hopeless, attempt

_RETRIES = 3  # of a trial whose machine or process is lost
_CONNECT = 10.0  # seconds for a cluster to answer at its address
_WAIT = 0.2  # seconds between two looks at what the trials report
# A trial has one CPU: TensorFlow would start a thread on each that the machine has.
_ENVIRONMENT = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}


@dataclass(frozen=True)
class Task:
    """What all trials have in common. It travels to the other machines, the recipe as its file's text."""

    recipe: Recipe
    dataset: Dataset
    seed: int
    epochs: int | None


def optimize(
    study: Any,
    trials: int,
    draw: Callable[[Any], dict[str, Any]],
    tell: Callable[[Any, Any], None],
    task: Task,
    address: str,
) -> None:
    """What `study.optimize` does, with as many trials at once as the cluster has CPUs.

    A trial whose machine is lost is tried again on another. Each notes the id of its node.

    Args:
        study: Optuna's.
        draw: gives a trial its settings.
        tell: told of each trial that has ended, as Optuna's callbacks are.
        address: "auto", "local" or "host:port".

    Raises:
        EnvironmentFault: Ray is missing, or there is no such cluster.
    """
    import optuna

    ray = import_ray()
    states = {"hopeless": optuna.trial.TrialState.PRUNED, "failed": optuna.trial.TrialState.FAIL}
    with _connected(ray, address):
        board = ray.remote(num_cpus=0)(_Board).remote()
        run = ray.remote(num_cpus=1, max_retries=_RETRIES)(_run)
        dataset = ray.put(task.dataset)
        source = task.recipe.path.read_bytes()
        running: dict[Any, Any] = {}
        begun = 0
        while running or begun < trials:
            at_once = max(1, int(ray.cluster_resources().get("CPU", 1)))
            while begun < trials and len(running) < at_once:
                trial = study.ask()
                settings = draw(trial)
                job = run.remote(
                    board, trial.number, source, task.recipe.path.name, dataset, settings, task.seed, task.epochs
                )
                running[job] = trial
                begun += 1
            done, _ = ray.wait(list(running), timeout=_WAIT)
            by_number = {trial.number: trial for trial in running.values()}
            for number, epoch, value in ray.get(board.take.remote()):
                trial = by_number[number]
                trial.report(value, epoch)
                if trial.should_prune():
                    board.end.remote(number)
            for job in done:
                trial = running.pop(job)
                value, node = _collect(ray, job)
                trial.set_user_attr("node", node)
                if isinstance(value, str):
                    study.tell(trial, state=states[value])
                else:
                    study.tell(trial, value)
                tell(study, study.trials[trial.number])


class _Board:
    """Where trials write their figures and read whether to end: an actor on the cluster."""

    def __init__(self) -> None:
        self.figures: list[tuple[int, int, float]] = []
        self.hopeless: set[int] = set()

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Take a figure down; whether the trial should end."""
        self.figures.append((number, epoch, value))
        return number in self.hopeless

    def take(self) -> list[tuple[int, int, float]]:
        """All figures since the last call."""
        taken, self.figures = self.figures, []
        return taken

    def end(self, number: int) -> None:
        """Let a trial end at its next figure."""
        self.hopeless.add(number)


def _run(
    board: Any,
    number: int,
    source: bytes,
    name: str,
    dataset: Dataset,
    settings: dict[str, Any],
    seed: int,
    epochs: int | None,
) -> tuple[float | str, str]:
    """A trial, on the machine that Ray chose: its value, "hopeless" or "failed", and the node's id."""
    import ray

    def follow(progress: EpochProgress) -> None:
        if progress.val_value is not None and ray.get(board.report.remote(number, progress.epoch, progress.val_value)):
            raise Hopeless

    node = ray.get_runtime_context().get_node_id()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(source)
        try:
            return attempt(path, dataset, settings, seed, epochs, follow), node
        except Hopeless:
            return "hopeless", node
        except IsomerError:
            return "failed", node


def _collect(ray: Any, job: Any) -> tuple[float | str, str]:
    try:
        found: tuple[float | str, str] = ray.get(job)
        return found
    except ray.exceptions.RayTaskError as error:
        raise EnvironmentFault(
            f"A trial could not run on the Ray cluster: {first_line(error.cause if error.cause else error)}.",
            "Each of its machines needs the same isomer, installed in the Python that ray was started with.",
        ) from error
    except ray.exceptions.RayError:  # lost more often than it is tried again
        return "failed", ""


@contextmanager
def _connected(ray: Any, address: str) -> Iterator[None]:
    """A connection to a cluster, closed in the end; one that was there before stays."""
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what Ray 2.60 asks for, or warns
    try:
        _knock(address)
        ray.init(
            address=address,
            logging_level=logging.ERROR,
            log_to_driver=False,
            runtime_env={"env_vars": _ENVIRONMENT},
            **({"include_dashboard": False} if address == "local" else {}),
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise EnvironmentFault(
            f"There is no Ray cluster at '{address}': {first_line(error)}.",
            "Start one with `ray start --head`, join it from other machines with `ray start --address HOST:6379`, or "
            "use --ray local.",
        ) from error
    try:
        yield
    finally:
        with suppress(Exception):
            ray.shutdown()


def _knock(address: str) -> None:
    """Raise OSError if nothing listens at "host:port": Ray itself would wait for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=_CONNECT).close()


def import_ray() -> Any:
    """Ray, without its ways under `uv run`: it would pack this directory and start each trial in a copy of it.

    It asks for that when it is imported first, so import it here.

    Raises:
        EnvironmentFault: it is not installed.
    """
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    try:
        import ray
    except ImportError as error:
        raise EnvironmentFault(
            "Ray is not installed, which --ray needs.",
            "Run `uv sync --inexact --group ray` (75 MB), or pip install ray.",
        ) from error
    return ray
