"""Which sets were filtered to the end: `rules.json` is written last, so verdicts without it are what a kill left."""

import logging
from collections.abc import Iterable

from curation.tables import Corpus
from curation.thresholds import RECORD
from shards.places import reaching

logger = logging.getLogger(__name__)


def filtered_sets(corpus: Corpus, names: Iterable[str]) -> list[str]:
    """Those of the sets whose verdicts are whole, in their order; warns of half-written ones, which count as none."""
    found = []
    for name in names:
        if not corpus.parts(f"verdicts/{name}"):
            continue
        record = corpus.folder(f"verdicts/{name}") / RECORD
        with reaching(record):
            if record.exists():
                found.append(name)
            else:
                words = "%s is missing: the set %s was not filtered to the end and is not counted; run JOB=filter"
                logger.warning(words, record, name)
    return found
