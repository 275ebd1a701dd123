# The short commands for people and for CI. Each makes the environment first if it is not there.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: help install demo test check pages docs sanitize races bench clean

help:
	@echo "make install install into .venv: .venv/bin/backsight --help"
	@echo "make demo    install, then run the lesson and its exam with three seeds"
	@echo "make test    install, then run the tests"
	@echo "make check   lint, format, types, floors"
	@echo "make pages   write the pages that say what the program and the docstrings say"
	@echo "make docs    the documentation site, into build/site"
	@echo "make sanitize    the kernels in a program that looks for wrong reads and writes"
	@echo "make races   the same, looking for threads that meet in one place"
	@echo "make bench   time and weigh backsight against Keras (minutes)"
	@echo "make clean   remove the environment"

KERNELS = CMakeLists.txt $(wildcard src/backsight/recurrence/kernels/*)

$(VENV)/user: pyproject.toml constraints.txt $(KERNELS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/developer: $(VENV)/user
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,docs]'
	touch $@

install: $(VENV)/user

demo: $(VENV)/user
	$(BIN)/backsight lesson --seeds 3

test: $(VENV)/developer
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

check: $(VENV)/developer
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest --quiet tests/test_floors.py

pages: $(VENV)/developer
	$(BIN)/python scripts/pages.py

docs: pages
	$(BIN)/python -m sphinx --builder html --conf-dir docs --fail-on-warning --keep-going --quiet . build/site
	@echo "build/site/index.html"

sanitize:
	cmake -S . -B build/sanitize -DBACKSIGHT_SANITIZE=address,undefined
	cmake --build build/sanitize --parallel 2
	build/sanitize/sanitize

races:
	cmake -S . -B build/races -DBACKSIGHT_SANITIZE=thread
	cmake --build build/races --parallel 2
	build/races/sanitize 60

bench: $(VENV)/developer
	$(BIN)/python benchmarks/lesson_against_keras.py
	$(BIN)/python benchmarks/training_step.py
	$(BIN)/python benchmarks/kernels.py
	$(BIN)/python benchmarks/scaling.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/report.py
	$(BIN)/python benchmarks/startup.py

clean:
	rm -rf $(VENV)
