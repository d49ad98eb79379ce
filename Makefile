# Every target is one line; the logic is in tools/. PYTHON may name another interpreter (>= 3.11).
PYTHON ?= python3

.DEFAULT_GOAL := help
.PHONY: help book serve test test-unit test-browser test-notebooks test-no-amx test-colab test-tensorflow lint store record clean

help: ## list the targets
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24
book: ## build the book into _build/html (needs no torch)
	@$(PYTHON) tools/run.py book
serve: ## build the book and serve it on 127.0.0.1
	@$(PYTHON) tools/run.py serve
test: ## everything: lint, unit, browser and notebook tests
	@$(PYTHON) tools/run.py test
test-unit: ## the tests that need no browser and no notebook kernel
	@$(PYTHON) tools/run.py test-unit
test-browser: ## the tests that drive pages and JupyterLab in Chromium
	@$(PYTHON) tools/run.py test-browser
test-notebooks: ## run every notebook cell and compare it with its stored output
	@$(PYTHON) tools/run.py test-notebooks
test-no-amx: ## the notebooks again, with the CPU's newer instruction sets switched off
	@$(PYTHON) tools/run.py test-no-amx
test-colab: ## the notebooks and widgets on Colab's versions (needs Python 3.13 and 8 GB)
	@$(PYTHON) tools/run.py test-colab
test-tensorflow: ## the notebook cells that need TensorFlow (in .venv-tensorflow, 3 GB)
	@$(PYTHON) tools/run.py test-tensorflow
lint: ## check style and formatting
	@$(PYTHON) tools/run.py lint
store: ## run the notebooks and store their outputs
	@$(PYTHON) tools/run.py store
record: ## measure this machine's accelerator (or its CPU) and store what was found
	@$(PYTHON) tools/run.py record
clean: ## remove what the targets made (.venv, .venv-colab and .venv-tensorflow stay)
	@$(PYTHON) tools/run.py clean
