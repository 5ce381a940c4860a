# Needs python3 (3.11 or newer) with its venv module, and make. Everything is installed into .venv.
#   PYTHON=python3.12 make ...     another Python         ARGS="--background blur" make run     options for bgcam

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
CPU_TORCH := https://download.pytorch.org/whl/cpu
ARGS ?=
# Test processes, one a core; tests/conftest.py shares the files among them. PARALLEL= runs the tests one after the other, as a debugger needs it.
PARALLEL ?= --numprocesses logical --maxprocesses 4
# Large arrays stay with the process: to fetch each frame's memory anew is up to a third of a test's time.
KEEP_MEMORY := MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=1000000000

.DEFAULT_GOAL := help
.PHONY: help run demo test test-cpus test-e2e test-batch soak lint types docs man dist deb deb-test pins clean
.DELETE_ON_ERROR:

help:
	@echo "make run     install bgcam into $(VENV) and run it: on the webcam, or on a demo clip where there is none"
	@echo "make demo    the demo clip in any case: out/demo.mp4 and out/demo.png"
	@echo "make test    install what the tests need and run them all"
	@echo "make test-e2e  real cameras: in an emulated kernel (Debian packages, 10 minutes), NATIVE=1 on this machine's own"
	@echo "make test-cpus  what depends on a processor's instructions, on emulated ones (QEMU, minutes)"
	@echo "make test-batch  bgcam batch on Ray when nodes and drivers are killed (minutes)"
	@echo "make soak    50,000 frames through everything, for leaks and drift (minutes)"
	@echo "make lint    ruff, import-linter and clang-format: mistakes, directions of imports, layout"
	@echo "make types   mypy, on the tests too"
	@echo "make docs    the documentation as a site: out/site/index.html"
	@echo "make man     the manual page, docs/bgcam.1, from the options"
	@echo "make dist    an sdist and a manylinux wheel, checked: dist/; the same wheel without OpenVINO: dist/light/"
	@echo "make deb     a Debian package for this distribution: dist/"
	@echo "make deb-test  install it in a clean root, run it there, purge it (root, mmdebstrap; minutes)"
	@echo "make pins    requirements/ from pyproject.toml; ARGS=--upgrade for newer versions"
	@echo "make clean   remove $(VENV) and all that was built"

run: $(VENV)/.stamp-run
	@if $(BIN)/python -c "import sys; from bgcam.realtime.devices.listing import list_cameras; sys.exit(not list_cameras())"; \
	then exec $(BIN)/bgcam $(ARGS); \
	else echo "No webcam here: running the demo clip instead."; exec $(BIN)/bgcam demo $(ARGS); fi

demo: $(VENV)/.stamp-run
	@$(BIN)/bgcam demo $(ARGS)

test: $(VENV)/.stamp-test
	$(KEEP_MEMORY) $(BIN)/python -m pytest $(PARALLEL) $(ARGS)

# BGCAM_REQUIRE_CPUS=1 makes it an error where QEMU cannot be had.
test-cpus: $(VENV)/.stamp-test
	$(BIN)/python tests/cpus/emulated.py $(ARGS)

# BGCAM_REQUIRE_E2E=1 makes it an error where no kernel can be booted.
test-e2e: $(VENV)/.stamp-e2e
ifeq ($(NATIVE),1)
	BGCAM_E2E=native $(BIN)/python -m pytest -rs tests/e2e $(ARGS)
else
	$(BIN)/python tests/e2e/kernel.py $(ARGS)
endif

test-batch: $(VENV)/.stamp-test
	BGCAM_BATCH=1 $(BIN)/python -m pytest tests/batch $(ARGS)

soak: $(VENV)/.stamp-test
	$(BIN)/python tests/soak.py $(ARGS)

lint: $(VENV)/.stamp-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=.typing $(BIN)/lint-imports --no-logo
	$(BIN)/clang-format --dry-run --Werror $(wildcard realtime/picture/native/*.[ch] realtime/picture/kernels/*.cu* tests/*.h)

# mypy runs no import hooks, so it is shown the root under its package's name. Two conftests are one too many for it.
TEST_MODULES := $(notdir $(basename $(wildcard tests/*.py) $(filter-out %/conftest.py,$(wildcard tests/e2e/*.py tests/batch/*.py))))
types: $(VENV)/.stamp-lint
	@MYPYPATH=.typing:tests:tests/e2e:tests/batch $(BIN)/mypy -p bgcam $(addprefix -m ,$(TEST_MODULES))

# --strict: a broken link or anchor is an error.
docs: $(VENV)/.stamp-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "out/site/index.html"

man: $(VENV)/.stamp-test
	@$(BIN)/python docs/make_man.py

# auditwheel names the oldest glibc that the wheel runs on, and refuses libraries that a system may lack. Without a C
# compiler the wheel would be slow, so that is an error here.
dist: $(VENV)/.stamp-dist
	rm -rf build dist
	$(BIN)/python -m build --outdir build/dist .
	$(BIN)/python -m zipfile -l build/dist/*.whl | grep picture/native/_library >/dev/null || { echo "the wheel lacks the compiled stages: install a C compiler" >&2; exit 1; }
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/auditwheel repair --wheel-dir dist build/dist/*.whl
	mv build/dist/*.tar.gz dist/
	$(BIN)/twine check --strict dist/*
	$(BIN)/python packaging/light_wheel.py dist/*.whl dist/light
	$(BIN)/twine check --strict dist/light/*

# The package fits the Python of the distribution that builds it: SYSTEM_PYTHON is that one.
SYSTEM_PYTHON ?= /usr/bin/python3
deb: $(VENV)/.stamp-run
	$(BIN)/python -m bgcam.packaging.deb.build $(SYSTEM_PYTHON)

# BGCAM_REQUIRE_DEB=1 makes it an error where no clean root can be made.
deb-test: deb $(VENV)/.stamp-test
	BGCAM_LINTIAN=1 $(BIN)/python -m pytest tests/test_deb.py
	$(BIN)/python -m bgcam.packaging.deb.clean_root dist/bgcam_*.deb

# What is pinned stays as it is where pyproject.toml allows it; ARGS=--upgrade takes the newest, ARGS="--upgrade-package NAME" one.
# torch.txt goes first, then what has most demands.
PIN := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --custom-compile-command "make pins"
TESTED := pyproject.toml --extra onnxruntime --extra torch --extra train --extra export --extra batch --group test

pins: $(VENV)/.stamp-lint
	$(PIN) $(ARGS) $(TESTED) --no-annotate -o requirements/torch.txt
	sed -i '/^#/!{/^torch==/!d}' requirements/torch.txt
	$(PIN) $(ARGS) $(TESTED) --generate-hashes -c requirements/torch.txt --no-emit-package torch -o requirements/test.txt
	$(PIN) $(ARGS) pyproject.toml --generate-hashes -c requirements/test.txt -o requirements/run.txt
	$(PIN) $(ARGS) --group lint --generate-hashes -c requirements/test.txt -o requirements/lint.txt
	$(PIN) $(ARGS) --group docs --generate-hashes -c requirements/test.txt -c requirements/lint.txt -o requirements/docs.txt
	$(PIN) $(ARGS) --group dist --generate-hashes -c requirements/test.txt -c requirements/lint.txt -o requirements/dist.txt
	$(PIN) $(ARGS) --group e2e --generate-hashes -c requirements/test.txt -o requirements/e2e.txt

clean:
	rm -rf $(VENV) .typing .coverage build dist out bgcam.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -f realtime/picture/native/_library.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps say what $(VENV) holds; each is made again when the list that it stands for changes. A $(VENV) that is
# there already is used as it is, and what is missing in it is installed.
$(VENV)/.stamp-venv:
	@python=; for candidate in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11); do \
	    if $$candidate -c "import sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null; \
	    then python=$$candidate; break; fi; done; \
	if [ -x $(BIN)/python ]; then python=$(BIN)/python; fi; \
	if [ -z "$$python" ]; then \
	    echo "bgcam needs Python 3.11 or newer, found `$(or $(PYTHON),python3) --version 2>&1`; install one, or PYTHON=/path/to/python make" >&2; exit 1; fi; \
	if ! $$python -c "import sys; sys.exit(sys.version_info < (3, 11))"; then \
	    echo "$(VENV) holds `$$python --version`, bgcam needs Python 3.11 or newer: make clean, then again" >&2; exit 1; fi; \
	if ! [ -x $(BIN)/python ]; then \
	    $$python -c "import ensurepip" 2>/dev/null || \
	        { echo "Python's venv module is missing: sudo apt install python3-venv" >&2; exit 1; }; \
	    echo "Making $(VENV) with `$$python --version`"; $$python -m venv $(VENV); fi
	@touch $@

# Each list is complete and has hashes, so pip need not resolve anything.
$(VENV)/.stamp-run: $(VENV)/.stamp-venv requirements/run.txt pyproject.toml $(wildcard realtime/picture/native/*)
	$(PIP) install --quiet --no-deps -r requirements/run.txt
	$(PIP) install --quiet --no-deps --editable .
	@mkdir -p .typing && ln -sfn .. .typing/bgcam
	@$(BIN)/python -c "import sys; from bgcam.realtime.picture.native import LIBRARY; sys.exit(not LIBRARY)" || \
	    echo "No C compiler here: bgcam takes more of the processor; sudo apt install gcc libc6-dev, then make clean run"
	@touch $@

# torch comes in builds of their own hashes and needs: on x86-64 the ordinary one brings gigabytes of CUDA libraries, so
# the CPU build is offered where it can be reached.
$(VENV)/.stamp-test: $(VENV)/.stamp-run requirements/test.txt requirements/torch.txt
	$(PIP) install --quiet --no-deps -r requirements/test.txt
	@index=; $(BIN)/python -c "import socket; socket.create_connection(('download.pytorch.org', 443), 3)" 2>/dev/null \
	    && index="--extra-index-url $(CPU_TORCH)"; \
	echo "$(PIP) install --quiet $$index -r requirements/torch.txt"; \
	$(PIP) install --quiet $$index -r requirements/torch.txt
	@touch $@

$(VENV)/.stamp-e2e: $(VENV)/.stamp-test requirements/e2e.txt
	$(PIP) install --quiet --no-deps -r requirements/e2e.txt
	@touch $@

$(VENV)/.stamp-lint: $(VENV)/.stamp-test requirements/lint.txt
	$(PIP) install --quiet --no-deps -r requirements/lint.txt
	@touch $@

$(VENV)/.stamp-docs: $(VENV)/.stamp-run requirements/docs.txt
	$(PIP) install --quiet --no-deps -r requirements/docs.txt
	@touch $@

$(VENV)/.stamp-dist: $(VENV)/.stamp-venv requirements/dist.txt
	$(PIP) install --quiet --no-deps -r requirements/dist.txt
	@touch $@
