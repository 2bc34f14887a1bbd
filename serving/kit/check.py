#!/usr/bin/env python3
"""Does this device compute what the model's float64 oracle says? Needs NumPy and a runtime, nothing else.

    python3 check.py                 judge every model of this directory that a runtime here reads
    python3 check.py --selftest      prove that a wrong answer, a changed file, a missing output would be found
    python3 check.py --benchmark     time them, too (never on an emulated processor)

Runtimes: ai-edge-litert or tflite_runtime for .tflite, onnxruntime for .onnx. Writes `certificate-<name>.json`, which
`isomer report BUNDLE --add` puts into the bundle's matrix. Exit codes: 0 all that could be judged passes, 1 something
fails or proves nothing, 2 the kit is damaged, 3 there is no runtime.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
SCHEMA = "isomer-device-certificate/1"
PASS, FAIL, INCONCLUSIVE, NOT_RUN = "PASS", "FAIL", "INCONCLUSIVE", "NOT_RUN"
Tensors = dict[str, np.ndarray]
# Percentiles of a few fast calls are chance.
MIN_SECONDS = 0.5
# The default kernels come first: they are what an application gets, and what is judged.
FAMILIES = {"tflite": ("xnnpack", "builtin", "reference"), "onnx": ("onnxruntime",)}


class Absent(Exception):
    """A runtime is not installed here."""


# --- The judge: the arithmetic of isomer's own (pipeline/parity), which the tests compare with this.


def ulp_errors(actual: np.ndarray, exact: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Largest error of each row in float32 units in the last place of its scale; where exact is NaN, none."""
    finite = np.isfinite(exact)
    with np.errstate(invalid="ignore", over="ignore"):
        difference = np.abs(actual.astype(np.float64) - exact)
    difference = np.where(np.isfinite(difference), difference, np.inf)
    worst = np.where(finite, difference, 0.0).reshape(len(exact), -1).max(axis=1, initial=0.0)
    return worst / np.exp2(np.floor(np.log2(scales)) - 23)


def judge_output(name: str, value: np.ndarray | None, want: Tensors) -> tuple[str, float, float, float]:
    """(problem or nothing, largest error, the same in ULP, its budget) of one output.

    Args:
        want: "exact", and for floats "scale" and "limit" in ULP, each by row.
    """
    exact = want["exact"]
    if value is None or value.shape != exact.shape:
        return f"output '{name}' is {'missing' if value is None else list(value.shape)}", np.inf, np.inf, 0.0
    if "limit" not in want:
        wrong = int(np.count_nonzero(value != exact))
        return (f"output '{name}' differs in {wrong} values" if wrong else ""), float(wrong), float(wrong), 0.0
    errors = ulp_errors(value, exact, want["scale"])
    row = int(np.argmax(errors / want["limit"]))
    with np.errstate(invalid="ignore"):
        largest = float(np.nanmax(np.abs(value.astype(np.float64) - exact), initial=0.0))
    shown, limit = float(errors[row]), float(want["limit"][row])
    beyond = int(np.count_nonzero(errors > want["limit"]))
    problem = f"output '{name}' is off by {shown:.3g} ULP in row {row}, the budget is {limit:.3g}; {beyond} rows are"
    return (f"{problem} beyond theirs" if shown > limit else ""), largest, shown, limit


def judge(outputs: Tensors, wanted: dict[str, Tensors], flushed: list[int] | None) -> dict[str, Any]:
    """The verdict on the outputs of one artifact.

    Args:
        wanted: by output name, as for `judge_output`.
        flushed: rows of the subnormal input and of zeros: a processor may take the one for the other.
    """
    found: dict[str, Any] = {"verdict": PASS, "reason": "", "max_abs_error": 0.0, "ulp_error": 0.0, "budget_ulp": 0.0}
    ratio = -1.0
    for name, want in wanted.items():
        problem, largest, shown, limit = judge_output(name, outputs.get(name), want)
        if problem and flushed is not None:
            order = np.arange(len(want["exact"]))
            order[flushed[0]] = flushed[1]
            other = judge_output(name, outputs.get(name), {k: v[order] for k, v in want.items()})
            problem, largest, shown, limit = (problem, largest, shown, limit) if other[0] else other
        found["max_abs_error"] = max(found["max_abs_error"], largest)
        if (shown / limit if limit else np.inf if problem else 0.0) > ratio:
            ratio = shown / limit if limit else np.inf if problem else 0.0
            found.update(ulp_error=shown, budget_ulp=limit)
        if problem and found["verdict"] is PASS:
            found.update(verdict=FAIL, reason=problem)
    if extra := sorted(set(outputs) - set(wanted)):
        found.update(verdict=FAIL, reason=f"outputs {extra} are not the model's")
    return found


def nearest(outputs: Tensors, families: dict[str, Tensors]) -> tuple[str, float]:
    """The recorded kernels whose answers are closest, and the largest difference to them."""
    best = ("", np.inf)
    for family, answers in families.items():
        shapes = all(n in outputs and outputs[n].shape == v.shape for n, v in answers.items())
        far = max((_apart(outputs[n], v) for n, v in answers.items()), default=0.0) if shapes else np.inf
        if far < best[1]:
            best = (family, far)
    return best


def judge_quantized(outputs: Tensors, families: dict[str, Tensors], quanta: dict[str, float]) -> dict[str, Any]:
    """The verdict where arithmetic is coarse and no oracle has a budget: equal to recorded kernels, to one quantum."""
    family, far = nearest(outputs, families)
    found: dict[str, Any] = {"verdict": PASS, "reason": "", "max_abs_error": far}
    if far == 0.0:
        return found
    if not quanta or set(quanta) != set(next(iter(families.values()), {})):
        reason = f"nothing says how far kernels may differ: off by {far:.3g} from {family or 'all'}"
        return {**found, "verdict": INCONCLUSIVE if np.isfinite(far) else FAIL, "reason": reason}
    for answers in families.values():
        # A hundredth of a quantum for the float32 rounding of a whole number times its step.
        if all(n in outputs and _apart(outputs[n], v) <= 1.01 * quanta[n] for n, v in answers.items()):
            return found
    reason = f"further than one quantum from all recorded kernels: {far:.3g} from {family or 'all'}"
    return {**found, "verdict": FAIL, "reason": reason}


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    if a.shape != b.shape:
        return float("inf")
    same = (a == b) | (np.isnan(a.astype(np.float64)) & np.isnan(b.astype(np.float64)))
    with np.errstate(invalid="ignore"):
        far = np.abs(a.astype(np.float64) - b.astype(np.float64))
    return float(np.where(same, 0.0, np.where(np.isnan(far), np.inf, far)).max(initial=0.0))


# --- The runtimes.


class LiteRT:
    """A .tflite file in ai-edge-litert, or in tflite_runtime where that is what the device has."""

    def __init__(self, path: Path, family: str) -> None:
        try:
            from ai_edge_litert import interpreter as library

            self.name, package = "litert", "ai-edge-litert"
        except ImportError:
            try:
                from tflite_runtime import interpreter as library
            except ImportError:
                raise Absent(
                    "neither ai-edge-litert nor tflite_runtime is installed: pip install ai-edge-litert"
                ) from None
            self.name, package = "tflite_runtime", "tflite-runtime"
        self.versions = {package: _version(package)}
        kinds = library.OpResolverType
        resolver = {"builtin": kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES, "reference": kinds.BUILTIN_REF}.get(family)
        more = {} if resolver is None else {"experimental_op_resolver_type": resolver}
        self._model = library.Interpreter(model_path=str(path), num_threads=1, **more)
        runner = self._model.get_signature_runner("serving_default")
        self._inputs, self._outputs = runner.get_input_details(), runner.get_output_details()
        self._fixed = all(-1 not in d["shape_signature"] for d in self._inputs.values())
        self._shapes: dict[str, Any] = {}

    def run(self, rows: Tensors) -> Tensors:
        shapes = {n: v.shape for n, v in rows.items()}
        if shapes != self._shapes:
            for name, shape in shapes.items():
                if not self._fixed:
                    self._model.resize_tensor_input(self._inputs[name]["index"], shape)
            self._model.allocate_tensors()
            self._shapes = shapes
        for name, value in rows.items():
            self._model.set_tensor(self._inputs[name]["index"], _quantize(value, self._inputs[name]))
        self._model.invoke()
        return {n: _dequantize(self._model.get_tensor(d["index"]), d) for n, d in self._outputs.items()}


class OnnxRuntime:
    """A .onnx file in ONNX Runtime, on the CPU."""

    name = "onnxruntime"

    def __init__(self, path: Path, family: str) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise Absent("onnxruntime is not installed: pip install onnxruntime") from None
        self.versions = {"onnxruntime": onnxruntime.__version__}
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._names = [o.name for o in self._session.get_outputs()]

    def run(self, rows: Tensors) -> Tensors:
        return dict(zip(self._names, self._session.run(self._names, dict(rows))))  # noqa: B905 Python 3.9


RUNTIMES: dict[str, Any] = {"tflite": LiteRT, "onnx": OnnxRuntime}


def _quantize(value: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    kind, (scale, zero) = np.dtype(detail["dtype"]), detail["quantization"]
    if kind.kind not in "iu" or value.dtype.kind != "f" or not scale:
        return value
    bounds = np.iinfo(kind)
    whole = np.round(np.nan_to_num(value.astype(np.float64)) / scale) + zero
    return np.clip(whole, bounds.min, bounds.max).astype(kind)


def _dequantize(value: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    scale, zero = detail["quantization"]
    if value.dtype.kind not in "iu" or not scale:
        return value
    return ((value.astype(np.int32) - zero) * scale).astype(np.float32)


def answer(model: Any, inputs: Tensors, batch: int) -> Tensors:
    """All rows, in batches, in order."""
    rows = len(next(iter(inputs.values())))
    parts = [model.run({n: v[k : k + batch] for n, v in inputs.items()}) for k in range(0, rows, batch)]
    return {n: np.concatenate([p[n] for p in parts]) for n in parts[0]}


# --- The kit.


class Kit:
    """This directory: models, golden inputs, expected answers, and the hashes of all files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.text = (root / "kit.json").read_bytes()
        self.data = json.loads(self.text)
        self.artifacts: list[dict[str, Any]] = self.data["artifacts"]
        self.inputs = {name: self.load(file) for name, file in self.data["inputs"].items()}

    def load(self, file: str) -> np.ndarray:
        return np.load(self.root / file, allow_pickle=False)

    def changed(self) -> list[str]:
        """Files that are not, byte for byte, what was packed."""
        found = []
        for entry in self.data["files"]:
            path = self.root / entry["path"]
            if not path.is_file():
                found.append(f"{entry['path']} is missing")
            elif hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
                found.append(f"{entry['path']} is not the file that was packed")
        return found

    def wanted(self, artifact: dict[str, Any]) -> dict[str, Tensors]:
        return {name: {k: self.load(f) for k, f in files.items()} for name, files in artifact["expect"].items()}

    def families(self, artifact: dict[str, Any]) -> dict[str, Tensors]:
        return {f: {n: self.load(p) for n, p in files.items()} for f, files in artifact["families"].items()}

    def verdict(self, artifact: dict[str, Any], outputs: Tensors) -> dict[str, Any]:
        rows, whole = artifact["rows"], len(next(iter(self.inputs.values())))
        if short := sorted(n for n, v in outputs.items() if len(v) != whole):
            return {"verdict": FAIL, "reason": f"outputs {short} have not {whole} rows"}
        outputs = {n: v[:rows] for n, v in outputs.items()}
        families = {f: {n: v[:rows] for n, v in answers.items()} for f, answers in self.families(artifact).items()}
        if not artifact["expect"]:
            return judge_quantized(outputs, families, artifact["quanta"])
        found = judge(outputs, self.wanted(artifact), self.data["flushed"] if rows == whole else None)
        if found["verdict"] is PASS and artifact["inconclusive"]:
            found.update(verdict=INCONCLUSIVE, reason=artifact["inconclusive"])
        if found["verdict"] is PASS and artifact["quanta"]:
            whole_numbers = judge_quantized(outputs, families, artifact["quanta"])
            found.update(verdict=whole_numbers["verdict"], reason=whole_numbers["reason"])
        return found


def check(kit: Kit, artifact: dict[str, Any], name: str, calls: int) -> dict[str, Any]:
    """The cell of one artifact on this device."""
    keys = ("format", "precision", "variant")
    cell: dict[str, Any] = {**{k: artifact[k] for k in keys}, "runtime": "", "device": name, "required": False}
    cell.update(artifact=artifact["sha256"], verdict=NOT_RUN, reason="", samples=0, environment={})
    rows = len(next(iter(kit.inputs.values())))
    batch = rows if artifact["dynamic"] else 1
    try:
        model = RUNTIMES[artifact["format"]](kit.root / artifact["file"], FAMILIES[artifact["format"]][0])
        cell.update(runtime=model.name, samples=kit.data["regular"], environment={**machine(), **model.versions})
        outputs = answer(model, kit.inputs, batch)
        cell.update(kit.verdict(artifact, outputs))
        again, single = answer(model, kit.inputs, batch), answer(model, kit.inputs, 1)
        family, far = nearest(outputs, kit.families(artifact))
        cell["environment"].update(nearest_kernels=family, difference=_finite(far), golden_rows=rows)
        cell["repeat_equal"] = all(
            np.array_equal(v, again[n], equal_nan=v.dtype.kind == "f") for n, v in outputs.items()
        )
        cell["batches"] = sorted({1, batch})
        if cell["verdict"] == PASS and not cell["repeat_equal"]:
            cell.update(verdict=FAIL, reason="a second run on the same inputs gave other numbers")
        alone = kit.verdict(artifact, single)
        if cell["verdict"] == PASS and alone["verdict"] == FAIL:
            cell.update(verdict=FAIL, reason=f"row by row: {alone['reason']}")
        if calls:
            cell["latency_ms"] = latency(model, {n: v[:1] for n, v in kit.inputs.items()}, calls)
            if model.name == "litert":
                cell["environment"].update(litert_benchmark(kit.root / artifact["file"], calls))
    except Absent as error:
        cell.update(runtime={"tflite": "litert", "onnx": "onnxruntime"}[artifact["format"]], reason=str(error))
    except Exception as error:  # whatever a runtime raises is its verdict
        cell.update(verdict=FAIL, reason=f"{type(error).__name__}: {str(error)[:500]}")
    for key in ("max_abs_error", "ulp_error", "budget_ulp"):
        if key in cell:
            cell[key] = _finite(cell[key])
    return cell


def latency(model: Any, row: Tensors, calls: int) -> dict[str, Any]:
    """Milliseconds of single calls, after a tenth of them as warm-up: as many as asked for, and for half a second."""
    seconds: list[float] = []
    spent, call = 0.0, -(calls // 10) - 1
    while call < calls or spent < MIN_SECONDS:
        started = time.perf_counter()
        model.run(row)
        took = time.perf_counter() - started
        call += 1
        if call > 0:
            seconds.append(took)
            spent += took
    low, p25, p50, p75, p90, p99 = (float(v) * 1e3 for v in np.percentile(seconds, (0, 25, 50, 75, 90, 99)))
    figures = {"min": low, "p50": p50, "p90": p90, "p99": p99}
    # As `isomer benchmark`: quartiles this far apart mean that something else disturbed it.
    return {**{k: round(v, 4) for k, v in figures.items()}, "calls": len(seconds), "unstable": p75 > 1.5 * p25}


def litert_benchmark(path: Path, calls: int) -> dict[str, Any]:
    """What LiteRT's own tool measures (its CompiledModel on zeros or noise), to set beside ours; empty without it."""
    module = "ai_edge_litert.tools.benchmark_litert_model"
    if importlib.util.find_spec("ml_dtypes") is None or importlib.util.find_spec(module) is None:
        return {}
    with tempfile.TemporaryDirectory() as place:
        result = Path(place) / "result.json"
        command = [sys.executable, "-m", module, "--model", str(path), "--num_threads", "1"]
        command += ["--num_runs", str(calls), "--warmup_runs", str(calls // 10 + 1), "--result_json", str(result)]
        try:
            subprocess.run(command, capture_output=True, timeout=600, check=True)
            found = json.loads(result.read_text())["latency"]
            return {f"litert-benchmark {key}": float(found[f"{key}_ms"]) for key in ("init", "min", "median", "p95")}
        except (OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            return {"litert-benchmark": f"failed: {str(error)[:200]}"}


# --- The machine.


def emulated() -> bool:
    """Whether the kernel below is of another processor than the one that this process sees (QEMU's user mode)."""
    try:
        kernel = Path("/proc/sys/kernel/arch").read_text().strip()
    except OSError:
        return False
    family = {"aarch64": "arm", "arm64": "arm", "i686": "x86", "i386": "x86", "x86_64": "x86", "amd64": "x86"}
    here = platform.machine().lower()
    here = "arm" if here.startswith("arm") else family.get(here, here)
    return here != ("arm" if kernel.startswith("arm") else family.get(kernel, kernel))


def machine() -> dict[str, Any]:
    """What produced the verdicts."""
    parts: dict[str, str] = {}
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            parts.setdefault(key.strip(), value.strip())
    except OSError:
        pass
    board = Path("/proc/device-tree/model")
    words = [parts.get("model name", ""), parts.get("Model", "")]
    words += (
        [f"implementer {parts['CPU implementer']} part {parts.get('CPU part', '?')}"]
        if "CPU implementer" in parts
        else []
    )
    facts: dict[str, Any] = {
        "machine": platform.machine(),
        "cpu": "; ".join(w for w in words if w) or platform.processor(),
    }
    facts.update(system=platform.platform(), python=platform.python_version(), numpy=np.__version__, threads=1)
    if board.is_file():
        facts["board"] = board.read_text(errors="replace").strip("\0\n")
    if emulated():
        facts["emulator"] = os.environ.get("ISOMER_EMULATOR", "a user-mode emulator")
    return facts


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


# --- The commands.


def selftest(kit: Kit) -> list[str]:
    """What should have been found and was not; nothing if this checker can fail."""
    missed, tried = [], 0
    for artifact in kit.artifacts:
        try:
            model = RUNTIMES[artifact["format"]](kit.root / artifact["file"], FAMILIES[artifact["format"]][0])
        except Absent:
            continue
        tried += 1
        outputs = answer(model, kit.inputs, 1)
        good = kit.verdict(artifact, outputs)["verdict"]
        for what, wrong in _spoiled(kit, artifact, outputs).items():
            if kit.verdict(artifact, wrong)["verdict"] == PASS:
                missed.append(f"{artifact['file']}: {what} was not found")
        if good == FAIL:
            print(f"  note: {artifact['file']} fails already without being spoiled")
    if not tried:
        raise Absent("no runtime here reads any of the models")
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "kit"
        shutil.copytree(kit.root, copy)
        for artifact in kit.artifacts:
            path = copy / artifact["file"]
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            path.write_bytes(data)
            if not any(artifact["file"] in problem for problem in Kit(copy).changed()):
                missed.append(f"{artifact['file']}: one changed bit was not found")
    return missed


def _spoiled(kit: Kit, artifact: dict[str, Any], outputs: Tensors) -> dict[str, Tensors]:
    name = (
        next(n for n, v in outputs.items() if v.dtype.kind == "f")
        if any(v.dtype.kind == "f" for v in outputs.values())
        else next(iter(outputs))
    )
    value = outputs[name]
    files = artifact["expect"].get(name, {})
    if "limit" in files:
        limit, scale = kit.load(files["limit"]), kit.load(files["scale"])
        step = 3 * float(limit[0]) * float(np.exp2(np.floor(np.log2(scale[0])) - 23))
    else:
        step = 3 * artifact["quanta"].get(name, 1.0)
    off, rolled, gone = value.copy(), np.roll(value, 1, axis=0), value.astype(np.float64)
    off.reshape(len(off), -1)[0, 0] += np.asarray(step).astype(off.dtype) if off.dtype.kind == "f" else 1
    gone.reshape(len(gone), -1)[0, 0] = np.nan
    return {
        "an answer beyond its budget": {**outputs, name: off},
        "answers in another order": {**outputs, name: rolled},
        "a NaN": {**outputs, name: gone},
        "a missing output": {n: v for n, v in outputs.items() if n != name},
        "a missing row": {**outputs, name: value[:-1]},
    }


def record(kit: Kit) -> None:
    """Write what each family of kernels answers on this machine into the kit (its maker's business)."""
    for number, artifact in enumerate(kit.artifacts):
        for family in FAMILIES[artifact["format"]]:
            try:
                model = RUNTIMES[artifact["format"]](kit.root / artifact["file"], family)
                outputs = answer(model, kit.inputs, 1)
            except Absent:
                continue
            artifact["families"][family] = {}
            for index, (name, value) in enumerate(sorted(outputs.items())):
                file = f"golden/answer-{number}-{family}-{index}.npy"
                np.save(kit.root / file, value)
                artifact["families"][family][name] = file
    (kit.root / "kit.json").write_text(json.dumps(kit.data, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main() -> int:
    """Judge, and say what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--selftest", action="store_true", help="prove that this checker can fail")
    parser.add_argument("--benchmark", type=int, nargs="?", const=200, default=0, metavar="CALLS", help="time calls")
    parser.add_argument("--name", default=platform.machine(), help="what the device is called in the matrix")
    parser.add_argument("--output", type=Path, help="of the certificate; certificate-<name>.json here by default")
    parser.add_argument("--record", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    try:
        kit = Kit(HERE)
    except (OSError, ValueError, KeyError) as error:
        print(f"error: the kit cannot be read: {error}", file=sys.stderr)
        return 2
    if options.record:
        record(kit)
        return 0
    if options.benchmark and emulated():
        print("error: this processor is emulated: its time says nothing about the device's.", file=sys.stderr)
        return 2
    changed = kit.changed()
    for problem in changed:
        print(f"FAIL          {problem}", file=sys.stderr)
    if changed:
        return 1
    try:
        if options.selftest:
            missed = selftest(kit)
            print("\n".join(missed) or "selftest: every spoiled answer and every changed file was found.")
            return 1 if missed else 0
    except Absent as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    cells = [check(kit, artifact, options.name, options.benchmark) for artifact in kit.artifacts]
    for cell in cells:
        label = " ".join(p for p in (cell["format"], cell["precision"], cell["variant"]) if p)
        figures = f"{cell['ulp_error']:.3g} of {cell['budget_ulp']:.3g} ULP" if cell.get("budget_ulp") else ""
        close = cell["environment"].get("nearest_kernels")
        same = f"; {cell['environment']['difference']:.2g} from {close} kernels" if close else ""
        times = cell.get("latency_ms")
        took = f"; p50 {times['p50']:.3f}, p99 {times['p99']:.3f} ms" if times else ""
        took += " (unstable)" if times and times["unstable"] else ""
        print(
            f"{cell['verdict']:<13} {label:<28} {cell['runtime']:<14} {figures}{same}{took} {cell['reason']}".rstrip()
        )
    verdicts = [cell["verdict"] for cell in cells]
    status = FAIL if FAIL in verdicts else PASS if PASS in verdicts else INCONCLUSIVE
    document = {
        "schema": SCHEMA,
        "model": kit.data["model"],
        "version": kit.data["version"],
        "bundle": kit.data["bundle"],
        "kit": hashlib.sha256(kit.text).hexdigest(),
        "name": options.name,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),  # noqa: UP017 Python 3.9
        "status": status,
        "machine": machine(),
        "cells": cells,
    }
    target = (
        options.output
        or HERE / f"certificate-{''.join(c if c.isalnum() or c in '-_' else '-' for c in options.name)}.json"
    )
    target.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(
        f"{status} on {options.name} ({platform.machine()}{', emulated' if emulated() else ''}); certificate: {target}"
    )
    if all(v == NOT_RUN for v in verdicts):
        return 3
    return 0 if status == PASS else 1


if __name__ == "__main__":
    sys.exit(main())
