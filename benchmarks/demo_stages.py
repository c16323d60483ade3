"""What the stages of the demo recipe learn in their minutes: held-out loss at the end of each, against a floor.

    make train STAGE=all && make bench NAME=demo_stages

Reads the records of finished stages. A loss is to be compared with that of its own stage alone: others have other noise
levels, samples and frames.
"""

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from training.run import Run

FLOORS = {"1": 0.68, "2a": 0.58, "2b": 0.47, "3-t2v": 0.46, "3-i2v-base": 0.42, "3-i2v": 0.39, "3-interp": 0.34}


def last_loss(run: Run) -> float | None:
    """The held-out loss at the end of a finished stage."""
    return run.record["held_out_loss"][-1]["loss"] if run.is_finished and run.record else None


def main() -> int:
    """Prints one line of JSON; 1 where a stage is missing or above its floor."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/demo"), help="default runs/demo")
    folder = parser.parse_args().runs
    found = {stage: last_loss(Run(folder / stage)) for stage in FLOORS}
    ok = all(loss is not None and loss <= FLOORS[stage] for stage, loss in found.items())
    figures = {stage: None if loss is None else round(loss, 4) for stage, loss in found.items()}
    print(json.dumps({"name": "demo_stages", "figures": figures, "floors": FLOORS, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
