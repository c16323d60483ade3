"""A recipe is a folder of stages, each a YAML file of differences."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CONFIGS = Path("configs/train")
BASE, RECIPE, ALL = "base", "recipe", "all"
EXTENDS, CHAINS = "extends", "chains"


@dataclass(frozen=True)
class Recipe:
    """The stages of one folder of configurations."""

    folder: Path
    """Holds `base.yaml`, one file a stage, and maybe `recipe.yaml`: that names a recipe beside it that this one
    `extends`, so that its files are differences from those of the same name, and `chains`, names for several stages."""

    @property
    def _told(self) -> dict[str, Any]:
        """What `recipe.yaml` says.

        Raises:
            ValueError: it cannot be read, or holds something else.
        """
        path = self.folder / f"{RECIPE}.yaml"
        try:
            told = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
        except yaml.YAMLError as error:
            raise ValueError(f"{path} is no valid YAML: {error}") from error
        if not isinstance(told, dict) or not {*told} <= {EXTENDS, CHAINS} or not isinstance(told.get(CHAINS, {}), dict):
            raise ValueError(f"{path} may hold `{EXTENDS}: <recipe>` and `{CHAINS}:`, names with lists of stages")
        return told

    @property
    def layers(self) -> list["Recipe"]:
        """The recipes that this one extends, the first one first, and itself.

        Raises:
            ValueError: there is no such recipe, or one extends itself.
        """
        found: list[Recipe] = [self]
        while name := found[0]._told.get(EXTENDS):
            found.insert(0, Recipe(self.folder.parent / str(name)))
            found[0]._check()
            if found[0] in found[1:]:
                raise ValueError(f"recipe {name!r} extends itself: see {found[1].folder / RECIPE}.yaml")
        return found

    def _check(self) -> None:
        """Sees that it is there."""
        if not any((self.folder / f"{name}.yaml").exists() for name in (BASE, RECIPE)):
            there = self.folder.parent.glob("*/*.yaml")
            known = ", ".join(sorted({path.parent.name for path in there if path.stem in (BASE, RECIPE)}))
            raise ValueError(f"no recipe {self.folder.name!r} in {self.folder.parent}; there are: {known}")

    @property
    def stages(self) -> list[str]:
        """Names of the stages in order.

        Raises:
            ValueError: there is no such recipe.
        """
        self._check()
        files = [path for layer in self.layers for path in layer.folder.glob("*.yaml")]
        names = list(dict.fromkeys(path.stem for path in files if path.stem not in (BASE, RECIPE)))
        return sorted(names, key=lambda name: (self._depth(name, names), name))

    def _depth(self, stage: str, names: list[str]) -> int:
        """Stages that come before it."""
        seen: list[str] = []
        while (before := self._init_from(stage)) in names and before not in seen:
            seen.append(stage := before)
        return len(seen)

    def _init_from(self, stage: str) -> str | None:
        before = None
        for path in self._files(stage):
            try:
                config = yaml.safe_load(path.read_text(encoding="utf-8"))
            except yaml.YAMLError:
                return None  # whoever trains it is told
            before = config.get("init_from", before) if isinstance(config, dict) else before
        return before

    def before(self, stage: str) -> list[str]:
        """The stages whose weights a stage builds on, in the order of training, without itself.

        Raises:
            ValueError: there is no such recipe or stage.
        """
        self.files(stage)
        names, found = self.stages, []
        while (stage := self._init_from(stage) or "") in names and stage not in found:
            found.insert(0, stage)
        return found

    @property
    def chains(self) -> dict[str, list[str]]:
        """Stages by the name that stands for them, in the order of training.

        Raises:
            ValueError: `recipe.yaml` does not hold lists of this recipe's stages.
        """
        chains: dict[str, list[str]] = {}
        for layer in self.layers:
            told = layer._told.get(CHAINS, {})
            for name, stages in told.items():
                self._check_chain(f"{layer.folder / RECIPE}.yaml: {name!r}", name, stages)
            chains |= told
        return chains

    def _check_chain(self, where: str, name: Any, stages: Any) -> None:
        if not isinstance(name, str) or not isinstance(stages, list) or not stages:
            raise ValueError(f"{where} is no name, in quotes, with a list of stages")
        if unknown := [stage for stage in stages if stage not in self.stages]:
            raise ValueError(f"{where} names {unknown[0]!r}; the stages are: {', '.join(self.stages)}")

    def chain(self, name: str) -> list[str]:
        """The stages that a name stands for, in the order of training: those of a chain, `all`, or the one so named.

        Raises:
            ValueError: there is no such recipe, chain or stage.
        """
        known = {ALL: self.stages} | {stage: [stage] for stage in self.stages} | self.chains
        if name not in known:
            names = ", ".join(dict.fromkeys([*self.stages, *self.chains, ALL]))
            raise ValueError(f"recipe {self.folder.name!r} has no stage {name!r}; it has: {names}")
        return known[name]

    def files(self, stage: str) -> list[Path]:
        """The YAML files of a stage, the later wins.

        Raises:
            ValueError: there is no such recipe or stage.
        """
        if stage not in self.stages:
            raise ValueError(f"recipe {self.folder.name!r} has no stage {stage!r}; it has: {', '.join(self.stages)}")
        return self._files(stage)

    def _files(self, stage: str) -> list[Path]:
        paths = [layer.folder / f"{name}.yaml" for name in (BASE, stage) for layer in self.layers]
        return [path for path in paths if path.exists()]
