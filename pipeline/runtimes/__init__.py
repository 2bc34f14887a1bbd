"""The runtimes, one module each, and the table of which runtime reads which format on which device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module

from pipeline.artifact import Artifact
from pipeline.errors import UsageError
from pipeline.precisions import FLOAT32, PRECISIONS
from pipeline.runtimes.base import Runtime
from pipeline.runtimes.emulated import ARM64, ARMHF, ARMHF_TFLITE, RISCV64, Machine
from pipeline.runtimes.worker import Worker

# Where a reduced precision is optional, a sample shows that the runtime computes what the file says.
_REDUCED_ROWS = 500
_FIXED = tuple(p.name for p in PRECISIONS if p.calibrated)
# What a machine without a GPU emulates for minutes, or only few pages get.
_THOROUGH = ("webgl_f16", "webgpu", "wasm_threads")
# JavaScript gives a model its inputs as floats.
_FLOAT_IO = tuple(p.name for p in PRECISIONS if not p.whole_io and p.name != "int16x8")
# TensorFlow Lite 2.14 has other kernels for 16-bit activations, which no answers of today's can be held against.
_OF_2023 = tuple(p.name for p in PRECISIONS if p.name != "int16x8")


@dataclass(frozen=True)
class RuntimeEntry:
    """One row of the table.

    Attributes:
        name: of the runtime, as in cells.
        module: where `Runtime` is implemented (imported only in the worker process).
        format: the format that it reads.
        device: "cpu", "gpu", "wasm", "webgl", ...
        required: a cell that must PASS for the bundle to pass; others may be NOT_RUN.
        native: runs without a browser or Node.js.
        sample: judge at most this many dataset samples (0: all), for devices emulated in software.
        timeout: seconds that one call may take before it counts as hung.
        slow_start: its import takes seconds, so it is started before it is needed.
        static: takes only files without dynamic dimensions.
        own_variant: takes only the variant that is named like its device.
        flex: runs the files that hold TensorFlow's own operations (Select TF), and only those, in a Python of its own.
        thorough: a second browser, threads, or slow without a GPU: `validate` runs it, `export` where it is named.
        on_request: run only where its name or its device is asked for, if no row that always runs has the same.
        cuda: on an NVIDIA GPU, in a Python of its own where one is installed.
        emulated: on a processor in software, in a Python of its own; never timed, and run where it is asked for.
        precisions: of the files that it reads, where it is not for all.
    """

    name: str
    module: str
    format: str
    device: str
    required: bool = True
    native: bool = True
    sample: int = 0
    timeout: float = 300.0
    slow_start: bool = False
    flex: bool = False
    static: bool = False
    thorough: bool = False
    on_request: bool = False
    emulated: bool = False
    cuda: bool = False
    own_variant: bool = False
    precisions: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"{self.name}/{self.device}"

    def reads(self, artifact: Artifact) -> bool:
        """Whether an artifact is tried in this runtime; one without the operations may fail on them."""
        if artifact.format != self.format or (self.flex and not artifact.flex):
            return False
        if self.own_variant and artifact.variant != self.device:
            return False
        if self.precisions and artifact.precision not in self.precisions:
            return False
        dynamic = any(None in tensor.shape for tensor in artifact.signature.inputs)
        return not (self.static and (dynamic or artifact.flex))

    def rows(self, artifact: Artifact) -> int:
        """Judge at most this many dataset samples of an artifact (0: all): one precision shows what a runtime does."""
        if artifact.precision == FLOAT32 or self.required:
            return self.sample
        return min(self.sample or _REDUCED_ROWS, _REDUCED_ROWS)

    def start(self) -> Worker:
        """Its process."""
        python = None
        if self.flex:
            python = import_module(self.module).python()
        elif self.emulated or self.cuda:
            python = import_module(self.module).python(self.device)
        return Worker(self.module, self.device, self.timeout, python=python)


def _in_browsers(
    name: str, module: str, format: str, static: bool = False, own_variant: bool = False, **samples: int
) -> tuple[RuntimeEntry, ...]:
    """Rows of a library in a browser, by device; none is required, as a machine may have no browser."""
    return tuple(
        RuntimeEntry(
            name,
            module,
            format,
            device.replace("_", "-"),
            required=False,
            native=False,
            sample=sample,
            static=static,
            own_variant=own_variant,
            thorough=name.endswith("-firefox") or device in _THOROUGH,
            precisions=_FLOAT_IO if device in ("wasm", "webgl") else (FLOAT32,),
        )
        for device, sample in samples.items()
    )


def _emulated(
    name: str, module: str, format: str, machine: Machine, precisions: tuple[str, ...] = ()
) -> tuple[RuntimeEntry, ...]:
    """A row for each processor."""
    return tuple(
        RuntimeEntry(
            name,
            module,
            format,
            cpu,
            required=False,
            sample=100,
            on_request=True,
            emulated=True,
            precisions=precisions,
        )
        for cpu in machine.processors
    )


def _on_request(
    name: str, module: str, device: str, precisions: tuple[str, ...], sample: int = 0, static: bool = False
) -> RuntimeEntry:
    """A row of another way to run a TFLite file."""
    return RuntimeEntry(
        name,
        module,
        "tflite",
        device,
        required=False,
        sample=sample,
        static=static,
        on_request=True,
        precisions=precisions,
    )


def _on_gpu(name: str, format: str, device: str, on_request: bool = False) -> RuntimeEntry:
    """A row of a library on an NVIDIA GPU."""
    module = f"pipeline.runtimes.{name}"
    return RuntimeEntry(name, module, format, device, required=False, on_request=on_request, cuda=True)


RUNTIMES: tuple[RuntimeEntry, ...] = (
    RuntimeEntry("tensorflow", "pipeline.runtimes.tensorflow", "savedmodel", "cpu", slow_start=True),
    _on_gpu("tensorflow", "savedmodel", "gpu"),
    RuntimeEntry("litert", "pipeline.runtimes.litert", "tflite", "cpu"),
    RuntimeEntry("litert-reference", "pipeline.runtimes.litert_reference", "tflite", "cpu", False, precisions=_FIXED),
    RuntimeEntry("tflite-flex", "pipeline.runtimes.tflite_flex", "tflite", "cpu", flex=True),
    RuntimeEntry("onnxruntime", "pipeline.runtimes.onnxruntime", "onnx", "cpu"),
    _on_gpu("onnxruntime", "onnx", "gpu"),
    RuntimeEntry("tfjs-node", "pipeline.runtimes.tfjs_node", "tfjs", "wasm", native=False),
    RuntimeEntry("onnxruntime-node", "pipeline.runtimes.onnxruntime_node", "onnx", "cpu", required=False, native=False),
    *_in_browsers(
        "tfjs-browser", "pipeline.runtimes.tfjs_browser", "tfjs", wasm=0, webgl=500, webgl_f16=100, webgpu=100, cpu=500
    ),
    *_in_browsers("onnxruntime-web", "pipeline.runtimes.onnxruntime_web", "onnx", wasm=0, wasm_threads=500, webgpu=100),
    *_in_browsers(
        "litert-web", "pipeline.runtimes.litert_web", "tflite", wasm=0, wasm_threads=500, webgpu=100, static=True
    ),
    *_in_browsers("tfjs-firefox", "pipeline.runtimes.tfjs_firefox", "tfjs", wasm=0, webgl=100, webgpu=20),
    *_in_browsers("onnxruntime-firefox", "pipeline.runtimes.onnxruntime_firefox", "onnx", wasm=0, webgpu=20),
    *_in_browsers("litert-firefox", "pipeline.runtimes.litert_firefox", "tflite", wasm=0, webgpu=20, static=True),
    *_emulated("litert-arm64", "pipeline.runtimes.emulated_litert", "tflite", ARM64),
    *_emulated("onnxruntime-arm64", "pipeline.runtimes.emulated_onnxruntime", "onnx", ARM64),
    *_emulated("tflite-armhf", "pipeline.runtimes.emulated_tflite", "tflite", ARMHF_TFLITE, _OF_2023),
    *_emulated("onnxruntime-armhf", "pipeline.runtimes.emulated_onnxruntime", "onnx", ARMHF),
    *_emulated("onnxruntime-riscv64", "pipeline.runtimes.emulated_onnxruntime", "onnx", RISCV64),
    _on_gpu("tensorflow", "savedmodel", "gpu-tf32", on_request=True),
    _on_gpu("onnxruntime", "onnx", "gpu-tf32", on_request=True),
    _on_request("litert-compiled", "pipeline.runtimes.litert_compiled", "cpu", _FLOAT_IO),
    _on_request("litert-compiled", "pipeline.runtimes.litert_compiled", "gpu", (FLOAT32,), sample=500, static=True),
    _on_request("tflite-micro", "pipeline.runtimes.tflm", "cpu", (FLOAT32, *_FIXED), sample=200, static=True),
    *_in_browsers("web-bundle", "pipeline.runtimes.web_bundle", "web", wasm=0, webgl=500, cpu=500, own_variant=True),
    *_in_browsers(
        "web-bundle-firefox",
        "pipeline.runtimes.web_bundle_firefox",
        "web",
        wasm=0,
        webgl=100,
        cpu=100,
        own_variant=True,
    ),
)


def select(
    names: tuple[str, ...] = (),
    devices: tuple[str, ...] = (),
    formats: tuple[str, ...] = (),
    thorough: bool = True,
) -> tuple[RuntimeEntry, ...]:
    """The entries that match, in table order; empty filters match all but those that run on request.

    Args:
        thorough: match the thorough ones, too, where neither their name nor their device is given.

    Raises:
        UsageError: a name or a device that no entry has, or nothing matches.
    """
    known = {e.name for e in RUNTIMES}
    for name in names:
        if name not in known:
            raise UsageError(f"There is no runtime '{name}'.", f"Choose from {', '.join(sorted(known))}.")
    offered = {e.device for e in RUNTIMES}
    for device in devices:
        if device not in offered:
            raise UsageError(f"There is no device '{device}'.", f"Choose from {', '.join(sorted(offered))}.")
    usual = {word for e in RUNTIMES if not e.on_request for word in (e.name, e.device)}
    named = {*names, *devices} - usual
    chosen = tuple(
        e
        for e in RUNTIMES
        if (not names or e.name in names)
        and (not devices or e.device in devices)
        and (not formats or e.format in formats)
        and (not e.on_request or e.name in named or e.device in named)
        and (thorough or not e.thorough or e.name in names or e.device in devices)
    )
    if not chosen:
        asked = ", ".join((*names, *devices))
        raise UsageError(
            f"Nothing would be judged: '{asked}' leaves no runtime for {', '.join(formats)}.",
            "Restrict --runtime and --device less, or give another --format.",
        )
    return chosen


@contextmanager
def early_start(entries: Iterable[RuntimeEntry]) -> Iterator[Callable[[RuntimeEntry], Worker]]:
    """Start slow runtimes now, so that their imports overlap with ours.

    Yields a function that hands out the worker of an entry, started early or now. Its caller may close it; all are
    closed at the end.
    """
    waiting = {e: e.start() for e in entries if e.slow_start}
    everyone = list(waiting.values())

    def start(entry: RuntimeEntry) -> Worker:
        if entry not in waiting:
            everyone.append(entry.start())
            return everyone[-1]
        return waiting.pop(entry)

    try:
        yield start
    finally:
        for worker in everyone:
            worker.close()


def create(module: str, device: str) -> Runtime:
    """Import a runtime's module and construct its `Runtime` for a device."""
    runtime: Runtime = import_module(module).Runtime(device)
    return runtime
