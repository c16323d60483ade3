"""A scorer that stands in where a test is about tables and jobs, and not about scores."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from curation.scorer import Score, Scorer
from shards.schema import field


@dataclass(frozen=True)
class Sum(Scorer):
    """Adds a number to a column."""

    column: str
    of: str
    plus: int = 1
    needs: str = ""
    """What it lacks when it is prepared."""
    weighs: str = ""
    """What it lacks when its weights are asked for."""
    reads_frames = False

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.of,)

    @property
    def writes(self) -> pa.Schema:
        return pa.schema([field(self.column, pa.int64(), "a sum")])

    def prepare(self) -> None:
        if self.needs:
            raise ValueError(f"there is no {self.needs}")

    def weights(self) -> Mapping[str, None]:
        if self.weighs:
            raise ValueError(f"there is no {self.weighs}")
        return {}

    def build(self) -> Score:
        return lambda table, frames: {self.column: [value + self.plus for value in table[self.of].to_pylist()]}
