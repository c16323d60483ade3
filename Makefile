# Every target sets up what it needs; bare `make` lists them.
PYTHON ?= python3
VENV   := .venv
RUN    := $(VENV)/bin/python
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup fmt check test curate filter sweep pictures stats verify train latents sample evaluate ablate vote export plan bench lock

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## install the locked environment into .venv (every other target does this by itself)

$(READY): requirements.lock requirements-uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Rushes needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "The Python module 'venv' is missing. On Debian or Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Setting up $(VENV) (once) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@$(VENV)/bin/uv pip install --quiet --python $(RUN) --compile-bytecode --require-hashes -r requirements.lock
	@touch $@

fmt: $(READY)  ## format the code, rewrite the generated page docs/tables.md
	@$(VENV)/bin/ruff format .
	@$(VENV)/bin/ruff check --fix .
	@$(RUN) -m curation.docs

check: $(READY)  ## format and lint check, types, the rules of the house
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/pyright --pythonpath $(RUN)
	@$(RUN) -m pytest tests/test_house.py

test: $(READY)  ## run the tests, WORKERS=2 files at a time; SLOW=1 runs the slow ones too [ARGS=]
	@$(RUN) -m pytest --numprocesses $(or $(WORKERS),2) --dist loadfile --no-loadscope-reorder --durations=10 $(if $(SLOW),,-m "not slow") $(ARGS)

curate: $(READY)  ## curate the demo corpus, or VIDEOS=<folder|glob|table> OUT=<folder> [CONFIG= JOB= LIMIT= FORCE= RETRY= ARGS=]
	@$(RUN) -m curation run $(if $(VIDEOS),--videos '$(VIDEOS)') $(if $(OUT),--out '$(OUT)') $(if $(CONFIG),--config '$(CONFIG)') \
		$(if $(JOB),--job $(JOB)) $(if $(LIMIT),--limit $(LIMIT)) $(if $(FORCE),--force $(FORCE)) $(if $(RETRY),--retry $(RETRY)) $(ARGS)

filter: $(READY)  ## apply the rules of OUT (default: the demo corpus) anew [CONFIG=], or try some: ARGS="--set hq.motion.min=0.2 --dry-run"
	@$(RUN) -m curation filter $(if $(OUT),--out '$(OUT)') $(if $(CONFIG),--config '$(CONFIG)') $(ARGS)

sweep: $(READY)  ## write subsets of OUT to choose thresholds by: of each score the worst 12.5, 25 and 50 % removed [CONFIG= ARGS=]
	@$(RUN) -m curation sweep $(if $(OUT),--out '$(OUT)') $(if $(CONFIG),--config '$(CONFIG)') $(ARGS)

pictures: $(READY)  ## pack PICTURES=<folder|table|WebDataset tars> with their captions into OUT=<folder> [FORCE=1 ARGS=]
	@test -n "$(PICTURES)" -a -n "$(OUT)" || { echo "Name both: make pictures PICTURES=/data/photos OUT=/data/corpus/shards/photos"; exit 1; }
	@$(RUN) -m curation pictures --pictures '$(PICTURES)' --out '$(OUT)' $(if $(FORCE),--force) $(ARGS)

stats: $(READY)  ## print the funnel of OUT (default: the demo corpus) and write its Parquet
	@$(RUN) -m curation run --job stats $(if $(OUT),--out '$(OUT)') $(if $(CONFIG),--config '$(CONFIG)') $(ARGS)

train: $(READY)  ## train STAGE=1|2|3|3-i2v|3-interp|all of RECIPE=demo on SHARDS=<folder of packed sets> [OUT= MIX= LATENTS= FORCE=1 ARGS=]
	@test -n "$(STAGE)" || { echo "Name a stage: make train STAGE=1"; exit 1; }
	@$(RUN) -m training train --stage '$(STAGE)' $(if $(RECIPE),--recipe '$(RECIPE)') $(if $(OUT),--runs '$(OUT)') \
		$(if $(SHARDS),--data.shards '$(SHARDS)') $(if $(MIX),--data.mixture '$(MIX)') $(if $(LATENTS),--data.latents '$(LATENTS)') \
		$(if $(FORCE),--force) $(ARGS)

latents: $(READY)  ## encode what STAGE= reads, once for many trainings, into OUT=<folder> [RECIPE= SHARDS= FORCE=1 ARGS=]
	@test -n "$(STAGE)" || { echo "Name a stage: make latents STAGE=2b"; exit 1; }
	@$(RUN) -m training encode --stage '$(STAGE)' $(if $(RECIPE),--recipe '$(RECIPE)') $(if $(OUT),--out '$(OUT)') \
		$(if $(SHARDS),--data.shards '$(SHARDS)') $(if $(FORCE),--force) $(ARGS)

verify: $(READY)  ## check every byte of a packed SET=<folder>, or say in numbers what is in it: JOB=describe [ARGS=]
	@test -n "$(SET)" || { echo "Name a packed set: make verify SET=data/demo/corpus/shards/pretrain"; exit 1; }
	@$(RUN) -m shards $(or $(JOB),verify) '$(SET)' $(ARGS)

sample: $(READY)  ## sample CAPTION="...", CAPTIONS=<list>, or from IMAGE=<picture> [LAST_IMAGE= STAGE= RECIPE= SEED= BATCH= RAW=1 OUT= FORCE=1 ARGS=]
	$(if $(CAPTION)$(CAPTIONS)$(IMAGE),,@echo 'Say what the video shows: make sample CAPTION="a red circle moves left", CAPTIONS=<list>, or IMAGE=<picture>'; exit 1)
	@$(RUN) -m training sample $(if $(CAPTION),--caption '$(subst ','\'',$(CAPTION))') $(if $(CAPTIONS),--captions '$(CAPTIONS)') \
		$(if $(IMAGE),--image '$(IMAGE)') $(if $(LAST_IMAGE),--last-image '$(LAST_IMAGE)') \
		$(if $(STAGE),--stage '$(STAGE)') $(if $(RECIPE),--recipe '$(RECIPE)') $(if $(OUT),--runs '$(OUT)') $(if $(SEED),--seed $(SEED)) \
		$(if $(BATCH),--batch $(BATCH)) $(if $(RAW),--raw) $(if $(FORCE),--force) $(ARGS)

evaluate: $(READY)  ## sample held-out captions from a finished stage and measure that beside real videos [STAGE= RECIPE= OUT= SHARDS= RAW=1 FORCE=1 ARGS=]
	@$(RUN) -m training evaluate $(if $(STAGE),--stage '$(STAGE)') $(if $(RECIPE),--recipe '$(RECIPE)') $(if $(OUT),--runs '$(OUT)') \
		$(if $(SHARDS),--data.shards '$(SHARDS)') $(if $(RAW),--raw) $(if $(FORCE),--force) $(ARGS)

export: $(READY)  ## write a finished stage as a diffusers pipeline, into OUT=<new folder> [STAGE= RECIPE= RUNS= ARGS=]
	@$(RUN) -m training export $(if $(STAGE),--stage '$(STAGE)') $(if $(RECIPE),--recipe '$(RECIPE)') $(if $(RUNS),--runs '$(RUNS)') \
		$(if $(OUT),--out '$(OUT)') $(ARGS)

plan: $(READY)  ## say what the stages of RECIPE=demo would do, without weights [STAGE= SHARDS= ARGS=]
	@$(RUN) -m training plan $(if $(RECIPE),--recipe '$(RECIPE)') $(if $(STAGE),--stage '$(STAGE)') \
		$(if $(SHARDS),--data.shards '$(SHARDS)') $(ARGS)

DEMO  := data/demo/corpus
JUDGE := data/demo/judge/corpus
PACKED := shards/pretrain/manifest.json
CORPUS ?= $(DEMO)
ABLATED = $(or $(RECIPE),demo-ablate)
COMPARED = $(or $(STAGE),$(if $(wildcard $(addsuffix /2b.yaml,configs/train/$(ABLATED) $(ABLATED))),2b,2))

# a folder for each recipe and stage, or the trials and latents of one would stand in the way of the next
OTHER = $(filter-out demo-ablate-2,$(notdir $(ABLATED))-$(COMPARED))
ABLATION = $(or $(OUT),runs/$(if $(OTHER),ablation-$(OTHER),demo-ablate))
ENCODED = $(CORPUS)/latents/ablation$(OTHER:%=-%)

ablate: $(READY) $(if $(filter $(DEMO),$(CORPUS)),$(DEMO)/$(PACKED)) $(if $(filter demo-ablate,$(notdir $(ABLATED))),$(JUDGE)/$(PACKED))  ## train the same model on each subset of a sweep of CORPUS and compare them [RECIPE= STAGE= OUT= FORCE=1 ARGS="--seeds 3 --arms raw,full"]
	@$(RUN) -m curation sweep --out '$(CORPUS)'
	@$(RUN) -m curation run --out '$(CORPUS)' --config '$(CORPUS)/raw.yaml' --job pack
	@$(RUN) -m training encode --recipe '$(ABLATED)' --stage '$(COMPARED)' --data.shards '$(CORPUS)/shards' --data.mixture '{"sweep_raw": 1}' --out '$(ENCODED)'
	@$(RUN) -m training ablate --recipe '$(ABLATED)' --stage '$(COMPARED)' --corpus '$(CORPUS)' --runs '$(ABLATION)' --data.latents '$(ENCODED)' $(if $(FORCE),--force) $(ARGS)

$(DEMO)/$(PACKED): | $(READY)
	@$(RUN) -m curation run

# footage of another seed, whose clean clips judge the arms: none of them trains on it
$(JUDGE)/$(PACKED): | $(READY)
	@$(RUN) -m curation demo --out data/demo/judge/footage --seed 1 --num_videos 12
	@$(RUN) -m curation run --videos data/demo/judge/footage/videos --captions data/demo/judge/footage/captions.parquet --out $(JUDGE) \
		--config configs/curate/demo.yaml --pack.val_share 1

vote: $(READY)  ## compare videos of an ablation's arms, blind, on a page of this machine: OUT=<its folder> [ARMS=a,b PORT= ARGS=]
	@test -n "$(OUT)" || { echo "Name the folder of an ablation: make vote OUT=runs/demo-ablate"; exit 1; }
	@$(RUN) -m training vote --out '$(OUT)' $(if $(ARMS),--arms '$(ARMS)') $(if $(PORT),--port $(PORT)) $(ARGS)

bench: $(READY)  ## run one benchmark: NAME=<file in benchmarks/>
	@test -f 'benchmarks/$(NAME).py' || { echo "Name one: make bench NAME=<$$(ls benchmarks/*.py 2>/dev/null | xargs -n1 basename -s .py | paste -sd'|')>"; exit 1; }
	@$(RUN) benchmarks/$(NAME).py $(ARGS)

lock: $(READY)  ## recompile requirements.lock from pyproject.toml
	@$(VENV)/bin/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --group dev \
		--custom-compile-command "make lock" pyproject.toml -o requirements.lock
