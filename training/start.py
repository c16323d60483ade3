"""What a stage starts from: the EMA weights of an earlier stage, or weights published elsewhere."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training import published
from training.config import Stage
from training.run import Run, weights_of


@dataclass(frozen=True)
class Start:
    """Weights that lie on this machine."""

    path: Path
    """File of an earlier stage, or file or folder of what was published."""
    published_as: str | None = None
    """The folder, file or hub name that the configuration gives; None for an earlier stage."""

    @property
    def stage(self) -> Run | None:
        """The earlier stage."""
        return None if self.published_as else Run(self.path.parent)

    def __str__(self) -> str:
        """For people."""
        return (
            f"the published weights in {self.path}" if self.published_as else f"the EMA weights of {self.path.parent}"
        )

    def record(self) -> dict[str, Any]:
        """For the stage's record; hashes stand in `made_from`."""
        return {"published_as": self.published_as, "path": str(self.path)}


def find_start(stage: Stage, run: Run) -> Start | None:
    """What the stage starts from; None for random weights.

    Raises:
        ValueError: it names two; see also `weights_of` and `published.find`.
    """
    before, given = stage.init_from, stage.init_weights
    if before and given:
        raise ValueError(
            f"stage {run.stage} starts from stage {before} (init_from) and from {given} (init_weights): leave one out, "
            "for example with --init_from=null"
        )
    if given:
        return Start(published.find(given, stage.model.denoiser), given)
    return Start(weights_of(Run(run.folder.parent / before), f"stage {run.stage}")) if before else None
