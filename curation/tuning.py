"""The commands that look for thresholds: `filter`, which may only try, and `sweep`, which makes subsets to train on."""

import json
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import yaml
from jsonargparse import ActionConfigFile, ArgumentParser, Namespace

from curation.config import CurateConfig, RuleSet
from curation.override import carry_over, override
from curation.rule import stated
from shards.plain_yaml import to_yaml

if TYPE_CHECKING:
    from curation.judged import Judged
    from curation.tables import Corpus
    from shards.places import Place

SWEEP, SWEEP_RAW = "sweep.yaml", "raw.yaml"


def add_parsers(commands, command: str | None) -> None:
    """Adds both to the commands, and the keys of `command`, or of both without one."""
    tried = ArgumentParser(exit_on_error=False, description="Filter anew, or only say what rules would reject.")
    tried.add_argument("--config", action=ActionConfigFile, help="YAML; may be given again, the later one wins")
    tried.add_argument("--set", action="append", type=str, help="<set>.<column>.<key>=<value>; may be given again")
    tried.add_argument("--thresholds", type=str, help="corpus or rules.json whose numbers the shares of all sets take")
    tried.add_argument("--dry-run", action="store_true", help="write nothing")
    if command in (None, "filter"):
        tried.add_class_arguments(CurateConfig)
    commands.add_subcommand("filter", tried, help="apply the rules of sets, and say what each rejects")
    sweep = ArgumentParser(exit_on_error=False, description="Write verdicts of subsets: of each score a share removed.")
    sweep.add_argument("--config", action=ActionConfigFile, help="YAML; may be given again, the later one wins")
    sweep.add_argument("--of", type=str, help="the set whose scores are swept; without it the first")
    sweep.add_argument("--columns", type=list[str], default=[], help="scores, as [motion, 'text_area:top']")
    sweep.add_argument("--shares", type=list[float], help="what to remove of each; 0.125, 0.25, 0.5")
    if command in (None, "sweep"):
        sweep.add_class_arguments(CurateConfig)
    commands.add_subcommand("sweep", sweep, help="write subsets to choose thresholds by")


def with_overrides(arguments: Sequence[str], parsed: Namespace, dumped: str) -> list[str]:
    """The arguments, with the sets as `--set` and `--thresholds` change them said at the end.

    Args:
        arguments: what was parsed.
        parsed: what it gave.
        dumped: the same as YAML.

    Raises:
        ValueError: `--set` makes no sense.
    """
    options = parsed.get("filter")
    if options is None or not (options.set or options.thresholds):
        return list(arguments)
    sets = override(yaml.safe_load(dumped)["filter"].get("sets") or {}, options.set or ())
    sets = carry_over(sets, options.thresholds) if options.thresholds else sets
    return [*arguments, f"--sets={json.dumps(sets)}"]


def sweep(root: "Place", options: Namespace, config: CurateConfig, remembered: str, say) -> None:
    """Writes the verdicts of the subsets, and the configurations that pack them; verdicts of older sweeps are removed.

    Args:
        root: the corpus, held by this run.
        options: `of`, `columns`, `shares`.
        config: the configuration.
        remembered: the same, as YAML.
        say: tells a line.

    Raises:
        ValueError: there is no such set, or a score or share makes no sense.
    """
    from curation.filter import judge_sets
    from curation.retention import amount
    from curation.sweep import FULL, RAW, remove_others
    from curation.tables import Corpus
    from shards.store import atomic_path

    corpus = Corpus(root)
    name, subsets = _subsets(corpus, options, config)
    texts = _configurations(yaml.safe_load(remembered), name, subsets)
    for subset, judged in judge_sets(corpus, replace(config, sets=subsets)).items():
        kept = amount(judged.summary, ~judged.summary.having())
        say(f"{subset}: keeps {kept}{_cut(judged) if subset not in (RAW, FULL) else ''}")
    for file, text in texts.items():
        with atomic_path(root / file) as temporary:
            temporary.write_text(text, encoding="utf-8")
    if removed := remove_others(corpus, subsets):
        say(f"removed verdicts of older sweeps: {', '.join(removed)}")
    say(f"to train on any of them: make curate OUT={root} CONFIG={root / SWEEP_RAW} JOB=pack, and then")
    say(f"    make train SHARDS={root}/shards MIX='{{{RAW}: 1}}' ARGS='--data.kept {root}/verdicts/<subset>'")
    say(f"to pack each by itself: make curate OUT={root} CONFIG={root / SWEEP} JOB=pack")


def _subsets(corpus: "Corpus", options: Namespace, config: CurateConfig) -> tuple[str, dict[str, RuleSet]]:
    """The set that is swept, and what comes of it."""
    from curation.selectable import declared
    from curation.sweep import SHARES, sweep_sets

    name = options.of or next(iter(config.sets), None)
    if name not in config.sets:
        raise ValueError(f"--of {name}: there is no such set; there are {', '.join(config.sets) or 'none'}")
    swept, columns = _at_record(name, config.sets[name]), declared(corpus, config, None)
    return name, sweep_sets(swept, columns, options.columns, options.shares or SHARES)


def _configurations(whole: dict, name: str, subsets: Mapping[str, RuleSet]) -> dict[str, str]:
    """Texts by file, which pack as the swept set is packed, beside the sets that there are: `raw.yaml` the set without
    rules, of which trainings may read any subset by its verdicts; `sweep.yaml` all subsets.
    """
    from curation.sweep import RAW

    packed = whole["sets"][name].get("pack") or {}
    sets = {subset: _plain(rule_set) | {"pack": deepcopy(packed)} for subset, rule_set in subsets.items()}
    files = {SWEEP: sets, SWEEP_RAW: {RAW: sets[RAW]}}
    return {file: to_yaml(whole | {"sets": whole["sets"] | added}) for file, added in files.items()}


def _at_record(name: str, rule_set: RuleSet) -> RuleSet:
    """The set, with the file of the thresholds that it takes: a folder would mean those of a set called as a subset."""
    from curation.thresholds import record_of

    return replace(rule_set, thresholds=rule_set.thresholds and str(record_of(rule_set.thresholds, name)))


def _cut(judged: "Judged") -> str:
    """Where the only share of a subset cuts, and what ties kept from it."""
    bound, rejected = judged.reasons.bounds[0], judged.summary.by_reason()
    number = judged.summary.counts()["clips"] - rejected.get(f"{bound.rule.column}:null", {"clips": 0})["clips"]
    if bound.limit is None or not number:
        return ", for no clip has a value"
    got, asked = rejected[bound.reason]["clips"], int(Fraction(str(bound.share)) * number)
    return f", cut at {bound.limit:.4g}" + (
        f"; takes {got} of the {asked} asked, the others tie" if got < asked else ""
    )


def _plain(rule_set: RuleSet) -> dict:
    """A rule set as YAML holds it, but for how it is packed."""
    plain = {"rules": [stated(rule) for rule in rule_set.rules], "duplicates": rule_set.duplicates}
    return plain | ({"thresholds": rule_set.thresholds} if rule_set.thresholds else {})
