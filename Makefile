# The short commands for people and for CI. Each makes the environment first if it is not there.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: help demo test check sanitize races bench clean

help:
	@echo "make demo    install, then run the lesson and its exam with three seeds"
	@echo "make test    install, then run the tests"
	@echo "make check   lint, format, types, floors"
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
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(VENV)/user
	$(BIN)/backsight lesson --seeds 3

test: $(VENV)/developer
	$(BIN)/python -m pytest --numprocesses 2

check: $(VENV)/developer
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest --quiet tests/test_floors.py

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
	$(BIN)/python benchmarks/startup.py

clean:
	rm -rf $(VENV)
