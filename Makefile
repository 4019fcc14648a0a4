# 'make help' lists the targets.
.DEFAULT_GOAL := help
.PHONY: help env lint types pytest test endurance compose-test demo up deploy update push remove checkov constraints clean

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
# What is not installed: Airflow puts dags and plugins on the path itself.
TREES := PYTHONPATH=plugins:.

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(STAMP) ## make the development environment in .venv, once

$(STAMP): setup.cfg pyproject.toml $(wildcard constraints/*.txt) tools/make_env.sh
	@tools/make_env.sh $(VENV)
	@touch $@

lint: env ## check style, formatting and the one-way imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(TREES) $(BIN)/lint-imports

types: env ## check types, strictly
	$(BIN)/mypy lfcore localbatch plugins/lightfield plugins/lightfield_page demo endurance dags containers infra

pytest: env ## run all tests
	$(BIN)/python -m pytest -n 2 $(PYTEST_OPTIONS)

test: lint types pytest ## linters, types and all tests

endurance: env ## whole deployments with many jobs, killed processes and stopped runs: an hour
	$(BIN)/python -m pytest endurance -n 0 --timeout 3600 $(PYTEST_OPTIONS)

compose-test: env ## build the images, start docker-compose.yaml, and reconstruct synthetic data with it
	$(TREES) $(BIN)/python -m containers.try_compose

demo: env ## synthetic data through Airflow and a local Batch, compared with the truth
	$(BIN)/python -m demo run

up: env ## the same, then leave the Airflow UI running until Ctrl-C
	$(BIN)/python -m demo up

# Usage: make deploy ENV=dev IMAGES=COMMIT; docs/infrastructure.md says what happens.
INFRA = $(BIN)/python -m infra $@ --environment $(or $(ENV),$(error say which: ENV=dev or ENV=prod))

deploy: env ## ENV=dev IMAGES=COMMIT: make what lfcore needs on AWS, or bring it up to date
	$(INFRA) $(if $(IMAGES),--images $(IMAGES))

update: env ## ENV=dev IMAGES=COMMIT: bring up to date what is there
	$(INFRA) $(if $(IMAGES),--images $(IMAGES))

push: env ## ENV=dev IMAGES=COMMIT: build the worker's images, try one, and push both
	infra/build_images.sh $(IMAGES)
	infra/try_image.sh lightfield:cpu-$(IMAGES)
	$(INFRA) --images $(IMAGES)

remove: env ## ENV=dev: remove it from AWS; data, images and logs stay
	$(INFRA)

checkov: ## check the templates with checkov, in an environment of its own
	python3 infra/checkov.py build/checkov

constraints: env ## pin every dependency anew, for each Python
	tools/pin.sh $(BIN)/uv

clean: ## remove the environment, caches and the demo's files
	rm -rf $(VENV) .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info
