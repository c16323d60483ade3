"""Turns the YAML files of a stage into objects, by LightningCLI: what is wrong in them stops before anything starts."""

import logging
import sys
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError
from lightning.pytorch import Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

import training.callbacks.sharded  # noqa: F401  makes the name `fsdp2` known
from training.callbacks.watch import Watch
from training.data import StageData
from training.evaluation.real_videos import RealVideos
from training.evaluation.settings import EvaluationSettings
from training.latent_set import facts
from training.module import StageModule
from training.settings import deciding, ranks_told
from training.stage_trainer import StageTrainer

for _name in ("lightning.pytorch", "lightning.fabric"):  # hints of theirs; what matters here is said by us
    logging.getLogger(_name).setLevel(logging.ERROR)


# The length of a stage is `num_samples`, and each sample is read once an epoch: these would change that unseen.
NOT_FOR_STAGES = {
    "max_steps": -1,
    "max_epochs": -1,
    "max_time": None,
    "min_steps": None,
    "min_epochs": None,
    "limit_train_batches": None,
    "overfit_batches": 0.0,
    "fast_dev_run": False,
    "reload_dataloaders_every_n_epochs": 0,
}


class StageCLI(LightningCLI):
    """The parser of one stage; builds model and data at once, the trainer when asked."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds what is not of model, data or trainer."""
        parser.add_argument("--num_samples", type=int, required=True, help="samples that the stage sees")
        parser.add_argument("--init_from", type=str | None, default=None, help="stage whose EMA weights it starts from")
        about = "published weights that it starts from: a diffusers folder, its hub name, or a .safetensors file"
        parser.add_argument("--init_weights", type=str | None, default=None, help=about)
        # YAML that names no class, as all did before there were several, means this one
        parser.set_defaults({"model.sampler": {"class_path": "training.sampler.EulerSampler"}})
        parser.add_argument("--watch", type=Watch, default=Watch(), help="how often the stage is looked at, in samples")
        evaluation, about = EvaluationSettings(), "what is sampled and measured to judge the stage"
        parser.add_argument("--evaluation", type=EvaluationSettings, default=evaluation, help=about)

    def instantiate_classes(self) -> None:
        """Builds all but the trainer, which needs to know the run.

        Raises:
            ValueError: null stands where a value must be, or nothing under a section; names it.
        """
        if empty := [name for name in self.parser.groups or () if self.config.get(name, "") is None]:
            raise ValueError(f"{empty[0]}: nothing stands under it (null); leave it out to have its default")
        try:
            self.parser.validate(self.config, skip_unset=False)  # when it parses, it lets nulls pass
        except TypeError as error:
            raise ValueError(_in_short(str(error))) from error
        self.built: Any = self.parser.instantiate(self.config)
        self.config_init = self.built
        self.datamodule, self.model = self.built.data, self.built.model


@dataclass(frozen=True)
class Stage:
    """The objects of one stage, and the configuration that they were made from."""

    cli: StageCLI

    @property
    def model(self) -> StageModule:
        """The parts that learn, and those that they need."""
        return self.cli.model

    @property
    def data(self) -> StageData:
        """The samples."""
        return self.cli.datamodule

    @property
    def watch(self) -> Watch:
        """How often the stage is looked at."""
        return self.cli.built.watch

    @property
    def evaluation(self) -> EvaluationSettings:
        """What is sampled and measured to judge it."""
        return self.cli.built.evaluation

    @property
    def init_from(self) -> str | None:
        """The stage that it starts from."""
        return self.cli.built.init_from

    @property
    def init_weights(self) -> str | None:
        """Published weights that it starts from: a path or a hub name."""
        return self.cli.built.init_weights

    def open(self) -> None:
        """Opens the data, and sees that its frames suit the codec.

        Raises:
            ValueError: see `StageData.open` and `LatentCodec.shape`; the latent set is stale.
        """
        self.check_trainer()
        self.check_given()
        tokens = self.tokens()
        for folder, latents in self.data.latent_sets().items():
            latents.refuse_stale(self.latent_facts(), folder)
        self.data.open(self.model.conditioning, tokens)

    def tokens(self) -> list[int]:
        """Tokens of a sample of each bucket: places in the latents' T x h x w.

        Raises:
            ValueError: the codec cannot encode a bucket; names it.
        """
        shapes = [self.model.codec.shape(b.num_frames, b.height, b.width) for b in self.data.buckets]
        return [frames * height * width for frames, _, height, width in shapes]

    def latent_facts(self) -> dict[str, Any]:
        """What decides the latents and text features of the stage's samples."""
        return facts(self.model.codec, self.model.text, self.settings(), self.data.latent_bucket, self.data.rates)

    def why_no_latents(self) -> str:
        """Why the stage can read packed sets alone; empty where latents could stand for them."""
        try:
            _ = self.data.latent_bucket
        except ValueError as error:
            return str(error)
        return ""

    def latents_fit(self) -> bool:
        """Whether the latents that it is told to read are there, and of its frame size, codec and text encoder.

        Raises:
            ValueError: see `StageData.latent_sets`; what stands there is damaged.
        """
        if self.why_no_latents():
            return False
        now = self.latent_facts()
        return all(latents.is_made_with(now) for latents in self.data.latent_sets().values())

    def ranks(self) -> tuple[int, int]:
        """Ranks, and batches that each accumulates, as configured; ranks that only the machine tells count as one."""
        told = (max(each, 1) if isinstance(each, int) else 1 for each in ranks_told(self.cli.config.trainer))
        devices, num_nodes, accumulated = told
        return devices * num_nodes, accumulated

    def num_steps(self) -> int:
        """Steps of the stage: as many as see at most `num_samples`.

        Raises:
            ValueError: the first step takes more.
        """
        num_samples, samples_at = self.cli.built.num_samples, self.data.samples_at
        if num_samples < samples_at(1):
            raise ValueError(f"num_samples is {num_samples}, but the first step takes {samples_at(1)}: raise it")
        guess = max(1, round(num_samples / (self.data.stream.mean_batch * self.data.batches_per_step)))
        low = high = guess  # near it: far away another epoch would have to be laid out for each look
        while low > 1 and samples_at(low) > num_samples:
            low = max(1, low - 2 * (high - low) - 1)
        while samples_at(high) <= num_samples:
            high += 2 * (high - low) + 1
        return low + bisect_right(range(low, high), num_samples, key=samples_at) - 1

    def check_given(self) -> None:
        """Sees that frames can be given where the stage gives any.

        Raises:
            ValueError: the stage has buckets too short.
        """
        given = self.model.conditioning.given
        short = [str(bucket) for bucket in self.data.buckets if given and bucket.num_frames <= given.number]
        if given and short:
            raise ValueError(f"conditioning.given gives {given.number} frames: a bucket needs more, not {short[0]}")

    def check_evaluation(self) -> None:
        """Sees that there is something to compare with, where the stage is evaluated on its way.

        Raises:
            ValueError: see `RealVideos`.
        """
        if self.evaluation.every:
            RealVideos(self.data, self.model.conditioning, self.evaluation.num_videos)

    def check_trainer(self) -> None:
        """Sees that the trainer's settings are those of a stage.

        Raises:
            ValueError: one of them would change what the stage sees, or is not supported; names it.
        """
        config = self.cli.config.trainer
        for key, default in NOT_FOR_STAGES.items():
            if config[key] != default:
                raise ValueError(f"trainer.{key} cannot be set: the length of a stage is `num_samples`")
        if str(config.precision) in ("bf16-true", "16-true", "transformer-engine"):
            raise ValueError(f"trainer.precision {config.precision} is not supported; bf16-mixed is")

    def trainer(self, **settings: Any) -> Trainer:
        """The trainer of the configuration, with these settings.

        Raises:
            ValueError: this machine has not what it asks for, such as a GPU.
        """
        try:
            trainer = self.cli.instantiate_trainer(**settings)
            if str(self.cli.config.trainer.precision) in ("16", "16-mixed") and trainer.precision == "bf16-mixed":
                raise ValueError("float16 needs a GPU")  # Lightning would take bfloat16 in its place
            return trainer
        except Exception as error:  # Lightning raises its own and others' errors here
            wanted = self.cli.config.trainer
            raise ValueError(
                f"the trainer cannot run here: {error}. It asks for accelerator {wanted.accelerator!r}, devices "
                f"{wanted.devices!r}, precision {wanted.precision!r}; for a CPU: ARGS='--trainer.accelerator cpu'"
            ) from error

    def to_yaml(self) -> str:
        """The whole configuration, as `--config` takes it."""
        return self.cli.parser.dump(self.cli.config, skip_unset=False)

    def settings(self) -> dict[str, Any]:
        """All settings that decide the weights, flat: key to value."""
        return deciding(yaml.safe_load(self.to_yaml()), self.data.global_batch is not None)


def build_stage(files: Sequence[Path], arguments: Sequence[str] = ()) -> Stage:
    """The objects of a stage.

    Args:
        files: YAML, the later wins key by key.
        arguments: of the command line, win over the files.

    Raises:
        ValueError: a file is missing, a key unknown, a value of the wrong type or out of its range.
    """
    for file in files:
        _check_yaml(file)
    named = [part for file in files for part in ("--config", str(file))]
    defaults = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "limit_val_batches": 0,
        "use_distributed_sampler": False,
        "max_epochs": -1,
        "accelerator": "cpu",
        "devices": 1,
    }
    try:
        return Stage(_parse([*named, *arguments], defaults))
    except ArgumentError as error:
        raise ValueError(_in_short(str(error))) from error


def _parse(arguments: list[str], defaults: dict[str, Any]) -> StageCLI:
    before, sys.argv = sys.argv, sys.argv[:1]  # LightningCLI warns when both are there
    try:
        return StageCLI(
            StageModule,
            StageData,
            args=arguments,
            run=False,
            save_config_callback=None,
            trainer_class=StageTrainer,
            trainer_defaults=defaults,
            seed_everything_default=0,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
            parser_kwargs={"exit_on_error": False, "prog": "python -m training train"},
        )
    finally:
        sys.argv = before


def _check_yaml(file: Path) -> None:
    """jsonargparse says what is wrong in broken YAML, but not in which file."""
    try:
        yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{file} is no valid YAML: {error}") from error


def _in_short(message: str) -> str:
    return "\n".join(line for line in message.splitlines() if line.strip())
