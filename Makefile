# make app: the page on http://localhost:5000, with the model that ships; PORT=5001 takes another.
# make test: everything that is checked. Both install what they need into .venv.
# make docs: builds the documentation into site/. make tables writes the tables of scores and the
# reference of the command line and HTTP again: after a change of a command, or when another model ships.
# Then make gallery writes the captions of the gallery again, make pictures those of README and page.
# make bench: measures the speed of what ships and writes the tables of benchmarks/README.md and
# docs/scale.md. The machine must have nothing else to do.
# make release: the wheel and the source distribution in dist/, the same bytes each time.
# make audit: looks requirements.lock up in today's list of known flaws, so it needs the network. It is
# no test: its answer changes without a change here.
# make lowest: the tests in TESTS with the oldest versions that pyproject.toml allows, in .venv/lowest;
# TESTS=tests runs all. It asks the network for them, so it is not part of make test. torch and
# torchvision are those of constraints.txt: their oldest ones come with gigabytes of libraries for
# graphics cards.
PYTHON ?= python3
PORT ?= 5000
VENV := .venv
BIN := $(VENV)/bin
LOWEST := $(VENV)/lowest
TESTS ?= tests/test_*.py tests/batch tests/cluster tests/data tests/evaluation \
  tests/train/test_checkpoint.py tests/train/test_export.py tests/train/test_recipe.py \
  tests/web/test_api.py tests/web/test_monitoring.py tests/web/test_views.py

.PHONY: app test docs gallery pictures tables bench release audit lowest programs clean

app: $(VENV)/app
	$(BIN)/python app.py --port $(PORT)

test: $(VENV)/test programs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n auto --dist loadfile

docs: $(VENV)/test
	$(BIN)/python -m mkdocs build --strict

gallery: $(VENV)/test
	$(BIN)/python docs/gallery.py

pictures: $(VENV)/test programs
	$(BIN)/python docs/pictures.py

tables: $(VENV)/test
	$(BIN)/python docs/tables.py

bench: $(VENV)/bench programs
	$(BIN)/python benchmarks/report.py; status=$$?; $(BIN)/python docs/tables.py && exit $$status

release: $(VENV)/test
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/python -m twine check --strict dist/*

audit: $(VENV)/test
	$(BIN)/python -m pip_audit -r requirements.lock --disable-pip --require-hashes

lowest: $(LOWEST)/ready
	$(LOWEST)/bin/python -m pytest -n auto --dist loadfile $(TESTS)

$(LOWEST)/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv --clear $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet uv
	printf 'torch\ntorchvision\n' > $(LOWEST)/torch.txt
	$(LOWEST)/bin/uv pip install --quiet --python $(LOWEST) --resolution lowest-direct \
	  --exclude $(LOWEST)/torch.txt -e '.[dev]'
	$(LOWEST)/bin/python -m pip install --quiet $$(grep '^torch' constraints.txt)
	touch $@

$(VENV)/app: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

$(VENV)/test: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

# With the networks that the benchmarks compare with; what ships is measured without them, too.
$(VENV)/bench: $(VENV)/test
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,peers]'
	touch $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# The browser tests drive Debian's Chromium, and exiftool and exiv2 read sidecars back; without them
# those tests are skipped, and say so. So is the test of a proxy without nginx, which is not installed
# here: its package starts a server.
programs:
	@{ command -v chromium && command -v exiftool && command -v exiv2; } >/dev/null || { \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null && apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium libimage-exiftool-perl exiv2 \
	    >/dev/null; \
	} || echo "no Chromium, exiftool or exiv2, and no right to install them: their tests are skipped"

clean:
	rm -rf $(VENV)
