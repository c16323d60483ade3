"""The command line of curation: the only place that turns YAML into objects."""

import logging
import os
import sys
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from jsonargparse import ActionConfigFile, ArgumentError, ArgumentParser, Namespace, set_parsing_settings

from curation.config import CurateConfig
from curation.demo.config import DemoConfig
from curation.nulls import refuse_nulls
from curation.pictures.config import PicturesConfig
from curation.remembered import of_corpus, with_default_config, without_subsets
from curation.rule_yaml import register
from curation.tuning import add_parsers, with_overrides

if TYPE_CHECKING:
    from shards.places import Place

DEMO_FOOTAGE = Path("data/demo/footage")
JOB_NAMES = ("split", "score", "dedup", "filter", "pack", "stats")
FORCEABLE = ("split", "captions", "score", "dedup", "pack")
RETRIABLE = ("quarantined", "failed", "blocked")
GOES_ON = "What is finished stands; once that is mended, the same command goes on"
CONFIGURED = {"demo": DemoConfig, "pictures": PicturesConfig}
"""By command; of the others it is `CurateConfig`."""
TABLE_FOLDERS = ("inputs", "videos", "clips", "captions", "proxies", "scores", "verdicts", "shards", "stats")


def make_parser(command: str | None = None) -> ArgumentParser:
    """`run` for the jobs, `filter` and `sweep` for thresholds, `pictures` for those of a user, `demo` renders; keys,
    which take time to add, of that command only, without one of all."""
    set_parsing_settings(docstring_parse_attribute_docstrings=True)  # --help shows the docs of fields
    register()
    parser = ArgumentParser(
        prog="python -m curation", exit_on_error=False, description="Turns raw video into a curated, packed data set."
    )
    commands = parser.add_subcommands(dest="command")
    run = ArgumentParser(exit_on_error=False, description="Run all jobs, or one. Without --videos: the demo corpus.")
    run.add_argument("--config", action=ActionConfigFile, help="YAML; may be given again, the later one wins")
    run.add_argument("--job", choices=["all", *JOB_NAMES], default="all", help="the job to run")
    run.add_argument("--force", choices=FORCEABLE, help="move the tables of this job, and those built on them, aside")
    run.add_argument("--retry", choices=RETRIABLE, help="read the videos of this status again")
    if command in (None, "run"):
        run.add_class_arguments(CurateConfig)
    commands.add_subcommand("run", run, help="split, score, dedup, filter, pack, stats")
    add_parsers(commands, command)
    pictures = ArgumentParser(exit_on_error=False, description="Pack pictures with captions as they are.")
    pictures.add_argument("--force", action="store_true", help="move the set that stands aside and pack anew")
    pictures.add_class_arguments(PicturesConfig)
    commands.add_subcommand("pictures", pictures, help="pack pictures that you bring")
    demo = ArgumentParser(exit_on_error=False, description="Render the demo corpus: footage with known truth.")
    demo.add_argument("--out", type=str, default=str(DEMO_FOOTAGE), help="folder for videos, captions and truth")
    demo.add_class_arguments(DemoConfig)
    commands.add_subcommand("demo", demo, help="render the demo corpus")
    return parser


def demo(options: Namespace, config: DemoConfig) -> None:
    """Renders the demo corpus."""
    from curation.demo.corpus import render_corpus

    render_corpus(Path(options.out), config)
    print(f"demo corpus: {options.out} (videos, captions.parquet, truth)")


def run(options: Namespace, config: CurateConfig, resolved: str) -> None:
    """Runs the jobs over a corpus, and remembers the configuration there for runs that name none.

    Raises:
        ValueError: something that the user can mend; says what and how.
    """
    from curation.engine import Engine, stop_ray
    from curation.jobs import Curation
    from curation.lock import sole_user
    from curation.progress import Screen
    from curation.tables import Corpus
    from shards.places import reaching
    from shards.store import atomic_path

    jobs = _jobs(options)
    root = _root(config, may_be_new="split" in jobs and config.videos is not None)

    def remember() -> None:
        with atomic_path(root / "config.yaml") as temporary:
            temporary.write_text(without_subsets(resolved), encoding="utf-8")

    with sole_user(root):
        _clean(root)
        if "split" in jobs and config.videos and Path(config.videos) == DEMO_FOOTAGE / "videos":
            _render_missing_demo()
        engine = Engine(config.engine, config.workers, root / "journal")
        try:
            with reaching(root):
                Curation(Corpus(root), config, engine, Screen()).run(jobs, options.force, remember, options.retry)
        except OSError as error:
            raise ValueError(f"{_words(error, root)}. {GOES_ON}") from error
        finally:
            stop_ray()


def _jobs(options: Namespace) -> tuple[str, ...]:
    """The jobs to run.

    Raises:
        ValueError: what is to be forced or tried again belongs to another job.
    """
    jobs = JOB_NAMES if options.job == "all" else (options.job,)
    if options.force and ("split" if options.force == "captions" else options.force) not in jobs:
        raise ValueError(f"FORCE={options.force} with JOB={options.job}: leave JOB out, or name the job that is forced")
    if options.retry and ("split" not in jobs or options.force == "split"):
        raise ValueError(f"RETRY={options.retry} reads videos again in the job split, which FORCE=split does for all")
    return jobs


def run_command(command: str, options: Namespace, config: CurateConfig, dumped: str) -> None:
    """`run`, `filter` or `sweep`.

    Raises:
        ValueError: something that the user can mend; says what and how.
    """
    remembered = of_corpus(dumped)
    if command == "run":
        run(options, config, remembered)
    elif command == "sweep" or options.dry_run:
        _look(options, config, remembered if command == "sweep" else None)
    else:
        run(Namespace(job="filter", force=None, retry=None), config, remembered)


def _look(options: Namespace, config: CurateConfig, swept: str | None) -> None:
    """Says what rules would do, writing nothing; or, with the configuration as YAML, writes the subsets of a sweep."""
    from contextlib import nullcontext

    from curation.engine import Engine
    from curation.jobs import Curation
    from curation.lock import sole_user
    from curation.progress import Screen
    from curation.tables import Corpus
    from curation.tuning import sweep
    from shards.places import reaching

    root = _root(config)
    curation = Curation(Corpus(root), config, Engine("local", None, root / "journal"), Screen())
    with sole_user(root) if swept else nullcontext(), reaching(root):
        curation.check_filter()
        if swept:
            sweep(root, options, config, swept, curation.screen.say)
        else:
            curation.filter(write=False)


def pictures(options: Namespace, config: PicturesConfig) -> None:
    """Packs pictures that a user brings.

    Raises:
        ValueError: something that the user can mend; says what and how.
    """
    from curation.lock import sole_user
    from curation.pictures.pack import pack_pictures
    from curation.progress import Screen
    from shards.places import absolute, place, reaching

    root = absolute(place(config.out))
    with sole_user(root):
        try:
            with reaching(root):
                pack_pictures(root, config, options.force, Screen())
        except OSError as error:
            raise ValueError(f"{_words(error, root)}. {GOES_ON}") from error


def _root(config: CurateConfig, may_be_new: bool = False) -> "Place":
    """The folder of the corpus. It is there, unless it may be new: a mistyped name leaves no folder behind.

    Raises:
        ValueError: none is named, it is not there, or its block list is forgotten; says the way out.
    """
    from curation.tables import Corpus
    from shards.places import absolute, place, reaching

    if config.out is None:
        raise ValueError("name the folder of the corpus: OUT=<folder> (or `out:` in the YAML)")
    root = absolute(place(config.out))
    try:
        with reaching(root):
            if not may_be_new and not root.exists():
                Corpus(root).need("clips", "split")
    except OSError as error:
        raise ValueError(_words(error, root)) from error
    _refuse_forgotten_block_list(root / "config.yaml", config)
    return root


def _refuse_forgotten_block_list(remembered: "Place", config: CurateConfig) -> None:
    """A takedown must not be undone by a run that names another configuration.

    Raises:
        ValueError: the corpus has a block list and this run names none.
    """
    from shards.places import reaching

    with reaching(remembered):
        if config.block_list is not None or not remembered.exists():
            return
        before = yaml.safe_load(remembered.read_text(encoding="utf-8")) or {}
    if before.get("block_list"):
        raise ValueError(
            f"this corpus has the block list {before['block_list']}, and this run names none. Name it again "
            f'(`block_list:` in the YAML, or ARGS="--block_list {before["block_list"]}"), or an empty file to lift it'
        )


def _words(error: OSError, root: "Place") -> str:
    """What went wrong, with the file or else the corpus."""
    where, what = str(error.filename or root), error.strerror or str(error)
    return what if where in what else f"{where}: {what}"


def _clean(root: "Place") -> None:
    """Removes what a killed run left unfinished in our own folders."""
    from shards.store import remove_temporaries

    for table in TABLE_FOLDERS:
        remove_temporaries(root / table)


def _render_missing_demo() -> None:
    if not (DEMO_FOOTAGE / "corpus.json").exists():
        print("rendering the demo corpus (once) ...", flush=True)
        demo(Namespace(out=str(DEMO_FOOTAGE)), DemoConfig())


def main(arguments: list[str]) -> int:
    """Parses, runs, and turns what a user can mend into one line; RUSHES_DEBUG=1 shows where it came from."""
    _set_up_logging()
    if any("://" in argument for argument in arguments):  # OUT/config.yaml may lie at an address
        set_parsing_settings(config_read_mode_fsspec_enabled=True)
    command = next(iter(arguments), "")
    parser = make_parser(command)
    try:
        arguments = with_default_config(arguments)
        parsed = parser.parse_args(arguments)
        if (changed := with_overrides(arguments, parsed, parser.dump(parsed))) != arguments:
            parsed = parser.parse_args(changed)
    except (ValueError, OSError) as error:
        print(f"error: {getattr(error, 'strerror', None) or error}", file=sys.stderr)
        return 1
    except ArgumentError as error:
        print(f"error: {error}\n`.venv/bin/python -m curation {command} --help` lists every key", file=sys.stderr)
        return 2
    options = parsed[parsed.command] if parsed.command else None
    if options is None:
        parser.print_help()
        return 2
    try:
        _call(parser, parsed, options)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130
    except (ValueError, OSError, RuntimeError, ArgumentError) as error:
        if os.environ.get("RUSHES_DEBUG"):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _set_up_logging() -> None:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s: %(message)s")
    for chatty in ("botocore", "aiobotocore"):  # they tell where they found credentials, each time
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _call(parser: ArgumentParser, parsed: Namespace, options: Namespace) -> None:
    """Builds the configuration of the command that was given, and runs it."""
    refuse_nulls(CONFIGURED.get(parsed.command, CurateConfig), options)
    built = parser.instantiate(parsed)[parsed.command]
    if parsed.command == "demo":
        demo(options, _as(DemoConfig, built))
    elif parsed.command == "pictures":
        pictures(options, _as(PicturesConfig, built))
    else:
        run_command(parsed.command, options, _as(CurateConfig, built), parser.dump(parsed))


def _as(config_class, built: Namespace):
    """The dataclass from its share of the parsed arguments."""
    return config_class(**{field.name: built[field.name] for field in fields(config_class)})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
