from types import SimpleNamespace

import numpy as np
import pyarrow as pa

from curation.quantiles import population
from curation.rule import Rule

LONG = 2**20


class Columns:
    """Parts whose sources are long texts, as paths are; notes what Arrow holds while they are read."""

    def __init__(self):
        self.held, self.types = [], {"source": pa.string()}
        self.wide = SimpleNamespace(fields={})

    def read(self, part, columns):
        self.held.append(pa.total_allocated_bytes())
        sources = [letter * LONG for letter in ("ab" if part % 2 else "bca")]
        flow = pa.array(np.arange(len(sources)) + 10.0 * part)
        return pa.table({"source": [*sources, None], "flow": pa.concat_arrays([flow, pa.array([None], flow.type)])})


def test_of_texts_that_make_groups_each_is_held_once():
    columns = Columns()
    found = population(columns, Rule("flow", drop_bottom=0.5, by="source"), lambda work: map(work, range(20)))
    assert [group and group[0] for group in found.groups] == ["b", "c", "a"]
    b, c, a = (v.tolist() for v in np.split(found.values, found.ends[:-1]))
    assert b == [10.0 * part + part % 2 for part in range(20)]
    assert c == [10.0 * part + 1 for part in range(0, 20, 2)]
    assert a == [10.0 * part + (0 if part % 2 else 2) for part in range(20)]
    assert max(columns.held) - columns.held[0] < 10 * LONG  # 50 of them were read
