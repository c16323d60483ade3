"""Where the files of a packed set lie, those of the plan that it is made from among them."""

from dataclasses import dataclass

from curation.guard import RECORD
from curation.tables import Corpus
from shards.manifest import MANIFEST
from shards.places import Place, reaching
from shards.store import read_json


@dataclass(frozen=True)
class SetFiles:
    """Where the files of one packed set lie."""

    root: Place

    def tar(self, part: str) -> Place:
        """A shard, by its part's name, e.g. `train/00000`."""
        return self.root / f"{part}.tar"

    def plan(self, part: str) -> Place:
        """The rows that a shard is made from."""
        return self.root / "plan" / f"{part.replace('/', '-')}.parquet"

    def failures(self, part: str) -> Place:
        """The clips of a shard's plan that are not in it."""
        return self.root / "failures" / f"{part.replace('/', '-')}.parquet"

    def chosen(self, generation: int) -> Place:
        """The clips of a generation, and which shard each goes into; of `generations.CHOSEN`."""
        return self.root / "plan" / f"generation-{generation:03d}.parquet"

    def unfit(self, generation: int) -> Place:
        """The clips of a generation that go into no shard."""
        return self.failures(f"unfit-{generation:03d}")

    @property
    def plan_list(self) -> Place:
        """The generations with the names of their shards; one is listed there once its whole plan stands."""
        return self.root / "plan" / "plan.json"

    @property
    def manifest(self) -> Place:
        """What was packed; it speaks of a generation once all of its shards stand."""
        return self.root / MANIFEST

    def parts(self) -> list[str]:
        """Names of the shards of all generations that are planned."""
        return [part for generation in read_json(self.plan_list)["generations"] for part in generation["parts"]]


def packed_sets(corpus: Corpus) -> list[str]:
    """Names of the sets that were packed from verdicts, sorted; what else lies beside them, as pictures, is the user's.

    They bear the record that `pack` writes before all else.
    """
    with reaching(shards := corpus.folder("shards")):
        return sorted(record.parent.name for record in shards.glob(f"*/{RECORD}"))


def set_files(corpus: Corpus, set_name: str) -> SetFiles:
    """The files of a rule set's shards."""
    return SetFiles(corpus.folder(f"shards/{set_name}"))
