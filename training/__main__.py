"""The command line of training: train a stage, sample from one, plan a recipe, encode its data, compare arms."""

import argparse
import logging
import os
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from shards.places import is_address
from training.ablation import command as ablation
from training.ablation import vote_command as voting
from training.evaluation import command as evaluation
from training.recipe import ALL, CONFIGS, Recipe
from training.run import Run, last_finished, weights_of
from training.sole_user import sole_user

if TYPE_CHECKING:
    from training.data import StageData

# OpenMP's threads spin while they wait. Beside anything else on the same cores, such as workers that read ahead, a step
# of 0.3 s then takes up to 16 s; with little spinning it stays at 0.3 s. Read when torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def make_parser() -> argparse.ArgumentParser:
    """The commands; what they do not know themselves goes to the configuration."""
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description="Trains a video diffusion model in stages on packed shards, and samples from it.",
        epilog="Every key of the configuration can be set as an option: --data.batch_size 4 --trainer.devices 2",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    shared = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    shared.add_argument("--recipe", default="demo", help=f"folder in {CONFIGS}, or a path (default demo)")
    shared.add_argument("--runs", help="folder of the runs (default runs/<name of the recipe>)")
    train = commands.add_parser("train", parents=[shared], allow_abbrev=False, help="train one stage, or go on with it")
    train.add_argument("--stage", required=True, help="name of the stage, of a chain of the recipe, or all")
    train.add_argument("--force", action="store_true", help="move what the stage left aside, and start it anew")
    sample = commands.add_parser("sample", parents=[shared], allow_abbrev=False, help="sample videos")
    what = sample.add_mutually_exclusive_group()
    what.add_argument("--caption", help="what the video shows")
    columns = "caption or image, maybe seed and last_image"
    what.add_argument("--captions", help=f"a list: .txt, or .csv, .jsonl, .parquet with columns {columns}")
    sample.add_argument("--image", help="JPEG, PNG or WebP: the first frame, for stages that are given it")
    sample.add_argument("--last-image", help="the last frame, for stages that are given that too")
    sample.add_argument("--stage", help="a finished stage (default: the last one that takes what is given)")
    sample.add_argument("--seed", type=int, default=0, help="of the noise; line n of a list adds n (default 0)")
    sample.add_argument("--batch", type=int, default=1, help="videos at once (default 1)")
    which = sample.add_mutually_exclusive_group()
    which.add_argument("--raw", action="store_true", help="the last weights in place of their average")
    which.add_argument("--ema", metavar="LENGTH", help="another average: its ema_decay or ema_sigma_rel")
    sample.add_argument("--out", help="folder for mp4, GIF, PNG and samples.parquet (default: samples in the run)")
    sample.add_argument("--force", action="store_true", help="replace what was sampled with other settings")
    ema = commands.add_parser("ema", parents=[shared], allow_abbrev=False, help="make an average of another length")
    ema.add_argument("--stage", required=True, help="a finished stage that kept snapshots")
    ema.add_argument("--sigma-rel", type=float, required=True, help="length, as model.ema_sigma_rel takes it")
    evaluation.add_parser(commands, shared)
    ablation.add_parser(commands, shared)
    plan = commands.add_parser("plan", parents=[shared], allow_abbrev=False, help="say what stages would do")
    plan.add_argument("--stage", help="a stage or a chain (default: all)")
    out = commands.add_parser("export", parents=[shared], allow_abbrev=False, help="write a stage for diffusers")
    out.add_argument(
        "--stage", help="a finished stage (default: the last image to video, or text to video where there is none)"
    )
    out.add_argument("--out", help="new folder (default: diffusers in the run)")
    about = "make latent sets of the packed sets that a stage reads, for --data.latents"
    encode = commands.add_parser("encode", parents=[shared], allow_abbrev=False, help=about)
    encode.add_argument("--stage", required=True, help="whose codec, text encoder, frame size and packed set")
    encode.add_argument("--out", help="folder of latent sets (default: latents/<width>x<height> beside the shards)")
    encode.add_argument("--dtype", choices=["float16", "bfloat16"], default="float16", help="default float16")
    encode.add_argument("--windows", type=int, default=4, help="of a clip, for codecs that need fixed ones (default 4)")
    encode.add_argument("--threads", type=int, default=1, help="of the CPU; equal bytes need equal ones (default 1)")
    encode.add_argument("--force", action="store_true", help="move what stands there aside, and make it anew")
    voting.add_parser(commands)
    return parser


def train(options: argparse.Namespace, rest: list[str]) -> None:
    """Trains a stage, or one after the other."""
    recipe = _recipe(options)
    stages = recipe.chain(options.stage)
    from training.config import build_stage
    from training.fit import train as train_stage
    from training.screen import Screen

    for name in stages:
        run = Run(_runs(options) / name)
        is_before = name != options.stage in recipe.stages  # as `3-i2v-base` before `3-i2v`
        if is_before and run.is_finished:
            continue
        stage, screen = build_stage(recipe.files(name), rest), Screen()
        with sole_user(run):
            train_stage(stage, run, screen, options.force and not is_before)


def sample(options: argparse.Namespace, rest: list[str]) -> None:
    """Samples a video, or those of a list."""
    recipe, runs = _recipe(options), _runs(options)
    from training.captions import Wanted, read_captions

    listed = Path(options.captions) if options.captions is not None else None
    images = tuple(Path(path) for path in (options.image, options.last_image) if path)
    if not (listed or images) and options.caption is None:
        raise ValueError("say what the video shows: --caption, --captions or --image")
    if options.last_image and not options.image:
        raise ValueError("--last-image needs --image, the first frame")
    if listed and images:
        raise ValueError("a list names its pictures itself: columns image and last_image")
    wanted = [Wanted(options.caption or "", options.seed, images=images)]
    if listed:
        wanted = read_captions(listed, options.seed)
    if options.stage:
        recipe.files(options.stage)
    run = Run(runs / options.stage) if options.stage else last_finished(recipe, runs, len(wanted[0].images))
    weights_of(run, "sampling")
    from training.generate import Sampling, sample_overview
    from training.generate import sample as sample_videos

    folder, how = (
        Path(options.out or run.folder / "samples"),
        Sampling(options.batch, options.raw, options.ema, options.force),
    )
    with sole_user(Run(folder)):
        sampled = []
        for each in sample_videos(run, wanted, folder, rest, how):
            print(f"stage {run.stage}: {each.video} {each.animation} {each.sheet}", flush=True)
            sampled.append(each)
        if listed:
            print(f"stage {run.stage}: {len(sampled)} videos on {sample_overview(folder, listed.stem, sampled)}")


def export(options: argparse.Namespace, rest: list[str]) -> None:
    """Writes a stage as a folder of diffusers."""
    recipe, runs = _recipe(options), _runs(options)
    if options.stage:
        recipe.files(options.stage)
    run = Run(runs / options.stage) if options.stage else last_finished(recipe, runs, _preferred(recipe, runs))
    weights_of(run, "the export")
    from training.export.command import export as export_stage

    for line in export_stage(run, Path(options.out or run.folder / "diffusers"), rest):
        print(line)


def _preferred(recipe: Recipe, runs: Path) -> int:
    """Frames that the stage to export is given: 1, image to video, if such a stage is finished; else text to video."""
    return int(any(run.is_finished and run.num_given == 1 for run in (Run(runs / stage) for stage in recipe.stages)))


def evaluate(options: argparse.Namespace, rest: list[str]) -> None:
    """Samples from a stage and measures it."""
    recipe, runs = _recipe(options), _runs(options)
    run = Run(runs / options.stage) if options.stage else last_finished(recipe, runs)
    recipe.files(run.stage)
    weights_of(run, "the evaluation")
    with sole_user(Run(Path(options.out or run.folder / "evaluation"))):
        evaluation.run_evaluation(recipe, run, options, rest, lambda line: _say(f"stage {run.stage}: {line}"))


def ablate(options: argparse.Namespace, rest: list[str]) -> None:
    """Trains and judges the subsets of a corpus."""
    out = _runs(options)
    with sole_user(Run(out)):
        if failed := ablation.run_ablation(_recipe(options), out, options, rest, _say):
            raise ValueError(f"{failed} trials failed; the same command goes on with them")


def plan(options: argparse.Namespace, rest: list[str]) -> None:
    """Says what stages would do."""
    recipe = _recipe(options)
    stages = recipe.chain(options.stage or ALL)
    from training.plan import describe

    for line in describe(recipe, stages, rest):
        print(line, flush=True)


def ema(options: argparse.Namespace, rest: list[str]) -> None:
    """Makes an average of another length from snapshots."""
    if rest:
        raise ValueError(f"ema takes no {' '.join(rest)}")
    _recipe(options).files(options.stage)
    run = Run(_runs(options) / options.stage)
    from training.post_hoc import synthesise

    with sole_user(run):
        print(f"stage {run.stage}: {synthesise(run, options.sigma_rel)}")


def encode(options: argparse.Namespace, rest: list[str]) -> None:
    """Makes the latent sets of a stage, or goes on with them."""
    files = _recipe(options).files(options.stage)
    from training.config import build_stage
    from training.encode import Encoding, make_latent_set
    from training.latent_set import LatentSet
    from training.screen import Screen

    stage, screen = build_stage(files, rest), Screen()
    if why := stage.why_no_latents():  # no error, so that whoever ablates or trains any stage may ask first
        screen.say(f"nothing to encode: stage {options.stage} reads the packed sets ({why})")
        return
    encoding = Encoding(options.dtype, options.windows, options.threads)
    out = Path(options.out) if options.out else _beside(stage.data)
    for packed in stage.data.packed_sets():
        latents = LatentSet(out / packed.name)
        with sole_user(Run(latents.folder)):
            make_latent_set(stage, packed, latents, encoding, screen, options.force)


def vote(options: argparse.Namespace, rest: list[str]) -> None:
    """Opens a polling booth in the browser, until it is interrupted."""
    voting.serve(options, rest, say=lambda line: print(line, flush=True))


def _beside(data: "StageData") -> Path:
    """Where latent sets go if nothing else is said: beside the packed ones, by size."""
    if is_address(data.shards):
        raise ValueError(f"{data.shards} is an address; say where latents go on a local disk: --out")
    bucket = data.latent_bucket
    return Path(data.shards).parent / "latents" / f"{bucket.width}x{bucket.height}"


def _recipe(options: argparse.Namespace) -> Recipe:
    named, path = CONFIGS / options.recipe, Path(options.recipe)
    recipe = Recipe(path if path.is_dir() and not named.is_dir() else named)
    _ = recipe.stages  # says so if there is none
    return recipe


def _runs(options: argparse.Namespace) -> Path:
    return Path(options.runs or Path("runs") / Path(options.recipe).name)


def _say(line: str) -> None:
    print(line, flush=True)


COMMANDS = {
    "train": train,
    "sample": sample,
    "evaluate": evaluate,
    "ablate": ablate,
    "ema": ema,
    "export": export,
    "plan": plan,
    "encode": encode,
    "vote": vote,
}


def main(arguments: list[str]) -> int:
    """Parses, runs, and turns what a user can mend into one line; RUSHES_DEBUG=1 shows where it came from."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    warnings.filterwarnings("ignore", module="lightning")
    options, rest = make_parser().parse_known_args(arguments)
    try:
        COMMANDS[options.command](options, rest)
    except (KeyboardInterrupt, SystemExit) as stop:
        if isinstance(stop, SystemExit) and not stop.code:
            return 0
        where = "checkpoint, if there is one" if options.command == "train" else "shard"
        goes_on = f"; the same command (without FORCE) goes on from the last {where}"
        print("interrupted" + (goes_on if options.command in ("train", "encode") else ""), file=sys.stderr)
        return 130
    except (ValueError, OSError, RuntimeError) as error:
        if os.environ.get("RUSHES_DEBUG"):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
