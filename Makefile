# make app: the page on http://localhost:5000, with the model that ships; PORT=5001 takes another.
# make test: everything that is checked. Both install what they need into .venv.
PYTHON ?= python3
PORT ?= 5000
VENV := .venv
BIN := $(VENV)/bin

.PHONY: app test chromium clean

app: $(VENV)/app
	$(BIN)/python app.py --port $(PORT)

test: $(VENV)/test chromium
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

$(VENV)/app: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

$(VENV)/test: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The browser tests drive Debian's Chromium; without it they are skipped, and say so.
chromium:
	@command -v chromium >/dev/null || { \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null && \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
	} || echo "no Chromium, and no right to install it: the browser tests are skipped"

clean:
	rm -rf $(VENV)
