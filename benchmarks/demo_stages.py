"""What the stages of the demo recipe learn in their minutes: held-out loss before and after each, against a ceiling.

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

CEILINGS = {"1": 0.68, "2a": 0.58, "2b": 0.47, "3-t2v": 0.445, "3-i2v-base": 0.42, "3-i2v": 0.37, "3-interp": 0.34}


def losses(run: Run) -> tuple[float, float] | None:
    """The held-out loss before and after a finished stage; None where it was not measured."""
    measured = (run.record or {}).get("held_out_loss", []) if run.is_finished else []
    return (measured[0]["loss"], measured[-1]["loss"]) if len(measured) > 1 else None


def main() -> int:
    """Prints one line of JSON; 1 where a stage is missing, above its ceiling, or no better than before it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/demo"), help="default runs/demo")
    folder = parser.parse_args().runs
    found = {stage: losses(Run(folder / stage)) for stage in CEILINGS}
    ok = all(told is not None and told[1] < min(told[0], CEILINGS[stage]) for stage, told in found.items())
    figures = {stage: told and [round(loss, 4) for loss in told] for stage, told in found.items()}
    print(json.dumps({"name": "demo_stages", "figures": figures, "floors": CEILINGS, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
