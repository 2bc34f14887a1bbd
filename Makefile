# isomer: one Keras model, every runtime, provably the same.  `make help` lists the targets.

MODEL ?= cnn
MODELS := softmax mlp cnn lstm vit perceptron xor rings spirals loan tabular housing gru autoencoder
UV := $(shell command -v uv 2>/dev/null || echo .tools/uv/bin/uv)
RUN := $(UV) run --frozen
SETUP := .venv/.isomer-setup
EMULATED := $(patsubst %,.tools/emulated/%/machine.json,arm64 armhf armhf-tflite riscv64)
DEVICE_RUNTIMES := litert-arm64,onnxruntime-arm64,tflite-armhf,onnxruntime-armhf,onnxruntime-riscv64
PROMTOOL := .tools/prometheus/promtool
PAGE := serving/page/dist/index.html

.DEFAULT_GOAL := main
.PHONY: main all setup flex emulated arm64 device-check gpu gpu-check train export validate serve bench coverage test soak lint format clean help

main: setup ## Train MODEL (cnn), export it to all formats, judge every cell, publish the bundle
	$(RUN) isomer export $(MODEL)

all: setup ## The same for all recipes
	$(RUN) isomer export $(MODELS)

setup: $(SETUP) $(PAGE) ## Install everything the project needs, by its own files

flex: ## Install the TensorFlow that runs TFLite files with TensorFlow's own operations (--allow-flex)
flex: $(filter .tools/%,$(UV))
	$(UV) venv --quiet --clear --python '>=3.11,<3.13' .tools/flex
	$(UV) pip install --quiet --python .tools/flex/bin/python --no-deps --require-hashes -r tools/flex.txt

emulated: $(SETUP) ## Install what runs runtimes on emulated ARM and RISC-V processors (Debian's packages, 570 MB)
	$(RUN) python tools/setup_emulated.py --uv "$(UV)"

arm64: $(SETUP) ## The same for ARM64 alone (240 MB)
	$(RUN) python tools/setup_emulated.py --uv "$(UV)" arm64

# Tests take them along where packages can be had, and say so where not.
.tools/emulated/%/machine.json: tools/setup_emulated.py tools/arm64.txt tools/armhf.txt | $(SETUP)
	$(RUN) python tools/setup_emulated.py --uv "$(UV)" --if-possible $*

$(PROMTOOL): tools/setup_promtool.py | $(SETUP)
	$(RUN) python tools/setup_promtool.py

device-check: setup $(EMULATED) ## MODEL's latest bundle on emulated processors: Raspberry Pi 2 to 5, and RISC-V
	$(RUN) isomer validate exports/$(MODEL) --runtime $(DEVICE_RUNTIMES)

gpu: .tools/gpu/tensorflow/installed .tools/gpu/onnxruntime/installed ## Install what runs models on NVIDIA GPUs

# Without the project's settings, which take tensorflow-cpu for tensorflow.
.tools/gpu/%/installed: tools/gpu-%.txt | $(filter .tools/%,$(UV))
	$(UV) venv --quiet --clear --python '>=3.11,<3.14' .tools/gpu/$*
	$(UV) pip install --quiet --no-config --python .tools/gpu/$*/bin/python --no-deps --require-hashes -r $<
	@touch $@

# Without a driver nothing is installed, and the cells say so.
gpu-check: setup $(if $(wildcard /proc/driver/nvidia/version /dev/nvidiactl /dev/dxg),gpu) ## MODEL's latest bundle on this machine's NVIDIA GPU, with TF32 off and on
	$(RUN) isomer validate exports/$(MODEL) --runtime tensorflow,onnxruntime --device gpu,gpu-tf32

train: setup ## Train MODEL
	$(RUN) isomer train $(MODEL)

export: setup ## Export MODEL, trained first if it was not
	$(RUN) isomer export $(MODEL)

validate: setup ## Run the cells of MODEL's latest bundle again
	$(RUN) isomer validate exports/$(MODEL)

serve: setup ## Serve the bundles in exports/: a page for browsers, and TensorFlow Serving's REST paths and gRPC
	$(RUN) isomer serve exports --web

bench: setup ## Compare with what people use today, as ratios
	$(RUN) python -m benchmarks

coverage: setup ## Take the whole corpus through isomer and today's converters (hours); writes docs/coverage.md
	$(UV) run --frozen --group coverage python -m benchmarks.coverage

test: setup $(EMULATED) $(PROMTOOL) ## Run the tests
	$(RUN) python tools/setup_compiler.py
	$(RUN) pytest

soak: setup ## Send the server 100,000 bad requests and many that its description allows: none may crash or hang it, or make it grow
	$(RUN) python tests/serving/soak.py --requests 100000

lint: setup ## Style, types and the walls of the house
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) lint-imports
	@twice=$$(find tests -name 'test_*.py' -exec basename {} ';' | sort | uniq -d); \
	test -z "$$twice" || { echo "pytest collects no two modules of one name: $$twice"; exit 1; }

format: setup ## Format the Python files
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

clean: ## Remove what was generated, but not the bundles in exports/
	rm -rf .venv .tools node_modules serving/page/dist runs .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# uv is installed into the project when the system has none; so is Node.js (a PyPI wheel).
.tools/uv/bin/uv:
	python3 tools/bootstrap_uv.py .tools/uv

$(SETUP): pyproject.toml uv.lock package.json package-lock.json tools/setup_browser.py tools/setup_tfjs.py | $(filter .tools/%,$(UV))
	$(UV) sync --frozen --inexact
	sh tools/setup_node.sh "$(UV)"
	$(RUN) python tools/setup_tfjs.py
	$(RUN) python tools/setup_browser.py
	@touch $@

# What browsers get, with the runtimes' own files in it: built here, so that the server needs no Node.js.
$(PAGE): $(SETUP) tools/build_page.py $(shell find adapters serving/page -name dist -prune -o -type f -print)
	$(RUN) python tools/build_page.py
