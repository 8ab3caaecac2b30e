# make app: the page on http://localhost:5000, with the model that ships; PORT=5001 takes another.
# make test: everything that is checked. Both install what they need into .venv.
PYTHON ?= python3
PORT ?= 5000
VENV := .venv
BIN := $(VENV)/bin

.PHONY: app test programs clean

app: $(VENV)/app
	$(BIN)/python app.py --port $(PORT)

test: $(VENV)/test programs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto --dist loadfile

$(VENV)/app: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

$(VENV)/test: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The browser tests drive Debian's Chromium, exiftool and exiv2 read sidecars back, and nginx stands
# before the page; without them those tests are skipped, and say so.
PATH := $(PATH):/usr/sbin
programs:
	@{ command -v chromium && command -v exiftool && command -v exiv2 && command -v nginx; } \
	  >/dev/null || { \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	    chromium libimage-exiftool-perl exiv2 nginx-light >/dev/null; \
	} || echo "not all of Chromium, exiftool, exiv2 and nginx are here: their tests are skipped"

clean:
	rm -rf $(VENV)
