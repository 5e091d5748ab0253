# Everything a person types: make run, make test, make check, make bench, make shots, make wheel.
# The set-up runs again only when what is to be installed has changed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
PROJECT ?=
CAMVID ?= ../shared/data/camvid
ZOO ?= tmp/zoo
# Processes that share the tests; each may load torch (2 GB).
WORKERS ?= 2
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test check bench docs shots zoo-table wheel clean help

help:
	@echo "make run     set up if needed, then open the window on the demo project"
	@echo "             (make run PROJECT=street.maskwright opens another one)"
	@echo "make test    set up if needed, then run the quick tests without a screen"
	@echo "make check   ruff, mypy and the import contracts"
	@echo "make bench   measure; prints milliseconds and ratios"
	@echo "make docs    write the generated pages of the manual again"
	@echo "make shots   take the screenshots of docs/images again"
	@echo "make zoo-table  train every model on CamVid and write the table of docs/models.md"
	@echo "             (hours; may be stopped and called again; CAMVID=folder ZOO=folder)"
	@echo "make wheel   build the wheel, install it into an empty environment and try it"

$(READY): pyproject.toml constraints.txt packaging/set_up.sh
	@sh packaging/set_up.sh "$(PYTHON)" "$(VENV)"
	@touch $(READY)

run: $(READY)
ifeq ($(PROJECT),)
	@$(BIN)/python -m app.main demo
else
	@$(BIN)/python -m app.main "$(PROJECT)"
endif

# Without bytecode each of the processes that tests start would compile our sources anew.
test: $(READY)
	@QT_QPA_PLATFORM=offscreen OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= \
		$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(READY)
	@QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest tests/bench -m bench -s -q

docs: $(READY)
	@QT_QPA_PLATFORM=offscreen $(BIN)/python -m docs.generate

shots: $(READY)
	@QT_QPA_PLATFORM=offscreen $(BIN)/python packaging/shots.py

zoo-table: $(READY)
	@$(BIN)/python packaging/zoo_table.py "$(ZOO)" --camvid "$(CAMVID)"

wheel: $(READY)
	@rm -rf build
	@$(BIN)/python -m build --wheel --outdir dist .
	@$(BIN)/python packaging/smoke.py dist

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
