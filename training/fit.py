"""Trains one stage: checks, starts or goes on, hands its weights over.

What is wrong is said before anything is written.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer
from safetensors.torch import load_file
from torch import Tensor

from shards.store import atomic_path, read_json, remove_temporaries, write_table
from training.callbacks.checkpoints import PlainFile, is_whole, refuse_foreign
from training.callbacks.loggers import loggers_of
from training.callbacks.watchers import Watchers
from training.code_version import code_version
from training.config import Stage
from training.latent_set import hash_of
from training.module import StageModule
from training.published import fill
from training.run import Run, check_same, content_hash, file_hash, versions
from training.sample_plan import SKIPPED
from training.screen import Screen
from training.sharding import whole
from training.start import Start, find_start
from training.weights_file import save_weights


def train(stage: Stage, run: Run, screen: Screen, force: bool = False) -> None:
    """Trains a stage to its end, from where it stands.

    Args:
        stage: its objects.
        run: its folder.
        screen: where to say what happens.
        force: moves what stands there aside and starts anew.

    Raises:
        ValueError: something that the user can mend; nothing was written or moved.
    """
    stage.open()
    stage.check_evaluation()
    source = find_start(stage, run)
    if source and source.stage:
        check_frozen(source.stage, stage.model, ["codec"])  # the same latents; captions may be told otherwise
    made_from = stage.settings() | stage.data.identity() | _weights(stage, source)
    if not force:
        check_same(run, made_from)
        if run.is_finished:
            _drop_checkpoints(run)  # where the run that finished was killed before it did so
            screen.say(f"stage {run.stage} is finished: {run.ema_weights}; FORCE=1 trains it anew")
            return
    trainer = stage.trainer(logger=loggers_of(run.folder, stage.watch.wandb), plugins=[PlainFile()])
    if not trainer.is_global_zero:
        screen.mute()
    for line in stage.data.describe():
        screen.say(line)
    watchers = _prepare(stage, run, trainer, screen, hash_of(made_from))
    began = _load(stage, source, trainer)
    checkpoint = None if force else _checkpoint(run, hash_of(made_from), screen)
    if trainer.is_global_zero:
        if force and run.folder.exists():
            screen.say(f"stage {run.stage}: the old run is now {run.move_aside()}")
        _begin(stage, run, {"made_from": made_from, "started_from": began}, goes_on=checkpoint is not None)
    screen.say(_beginning(run, source, began, checkpoint))
    try:
        trainer.fit(stage.model, datamodule=stage.data, ckpt_path=checkpoint, weights_only=True)
    except SystemExit:  # Lightning's end after a SIGTERM, which Ctrl-C became
        if watchers.interrupt.was_pressed:
            raise KeyboardInterrupt from None
        raise
    if trainer.global_step < stage.data.num_steps:
        raise ValueError(f"stage {run.stage} stopped early; the same command (without FORCE) goes on")
    _hand_over(stage, run, watchers, trainer.is_global_zero)
    trainer.strategy.barrier()  # else the others would look for the next stage's weights before the first wrote them
    screen.say(_end(run, watchers))


def _weights(stage: Stage, source: Start | None) -> dict[str, str | None]:
    """Hashes of all weights that the stage is given."""
    given = {"init": source and source.path, "codec": stage.model.codec.weights(), "text": stage.model.text.weights()}
    if stage.model.image_encoder:
        given["image_encoder"] = stage.model.image_encoder.weights()
    return {f"{name}_weights": content_hash(path) for name, path in given.items()}


def check_frozen(run: Run, model: StageModule, names: Sequence[str] = ("codec", "encoder")) -> None:
    """Sees that a finished stage learnt with the weights that these parts have now.

    Args:
        run: of the stage.
        model: its parts, not loaded yet.
        names: `codec`, `encoder`: that of captions, or of images where it takes their place.

    Raises:
        ValueError: it learnt with others; names the part.
    """
    encoder = ("image_encoder", model.image_encoder) if model.image_encoder else ("text", model.text)
    known, parts = (run.record or {})["made_from"], {"codec": ("codec", model.codec), "encoder": encoder}
    for name, part in (parts[each] for each in names):
        if known.get(f"{name}_weights") != content_hash(part.weights()):
            raise ValueError(
                f"stage {run.stage} in {run.folder.parent} was trained with other weights of model.{name}: "
                f"bring them back, or train it anew: FORCE=1 STAGE={run.stage}"
            )


def _prepare(stage: Stage, run: Run, trainer: Trainer, screen: Screen, made_from: str) -> Watchers:
    """Tells every part how long the stage is, and adds what looks at it."""
    trainer.accumulate_grad_batches = stage.data.share_steps(trainer.world_size, trainer.accumulate_grad_batches)
    stage.data.num_steps = num_steps = stage.num_steps()
    stage.model.samples_at = stage.data.samples_at
    trainer.fit_loop.epoch_loop.max_steps = num_steps
    watchers = Watchers(stage, run, stage.data.samples_at(num_steps), screen, made_from)
    trainer.callbacks.extend(watchers.in_order)  # type: ignore[attr-defined]
    return watchers


def _load(stage: Stage, source: Start | None, trainer: Trainer) -> dict[str, Any]:
    """Loads the weights that the stage starts from, and those that stay frozen; tells what the former were."""
    began = source.record() if source else {}
    if source and source.published_as:
        began["tensors"] = str(fill(stage.model.denoiser, source.path))
    elif source:
        load_weights(stage, source.path)
    stage.model.load_frozen(trainer.strategy.root_device)
    stage.model.start()
    for bucket in stage.data.buckets:
        stage.model.check_parts(bucket)
    return began


def load_weights(stage: Stage, path: Path) -> None:
    """Fills the denoiser.

    Raises:
        ValueError: the file is damaged, or of another architecture; names both.
    """
    try:
        stage.model.denoiser.load_state_dict(stage.model.denoiser.widened(load_file(path)))
    except Exception as error:  # safetensors and torch each raise their own
        words = str(error).strip().splitlines()
        raise ValueError(f"{path} does not hold the weights of this denoiser: {' '.join(words[:3])}") from error


def _begin(stage: Stage, run: Run, origin: dict[str, Any], goes_on: bool) -> None:
    """Makes the folder, with all that can be known before the first step; of each code that trained the stage, too."""
    earlier, now = (run.record or {}).get("code", []) if goes_on else [], code_version()
    code = earlier if now in earlier[-1:] else [*earlier, now]
    run.folder.mkdir(parents=True, exist_ok=True)
    remove_temporaries(run.folder)
    write_table(run.folder / "skipped.parquet", stage.data.skipped, SKIPPED)
    with atomic_path(run.config) as temporary:
        temporary.write_text(stage.to_yaml(), encoding="utf-8")
    run.write_record({"finished": False, **origin, "versions": versions(), "code": code})


def _checkpoint(run: Run, made_from: str, screen: Screen) -> Path | None:
    """The newest checkpoint that is whole.

    Raises:
        ValueError: there are some, none of them whole; it is of another run.
    """
    for path in run.checkpoints:
        if is_whole(path):
            refuse_foreign(path, made_from)
            return path
        screen.say(f"{path} is damaged and passed over")
    if run.checkpoints:
        raise ValueError(f"{run.checkpoints[0]} is damaged: remove it, and the stage starts from its first step")
    return None


def _beginning(run: Run, source: Start | None, began: dict[str, Any], checkpoint: Path | None) -> str:
    if checkpoint:
        return f"stage {run.stage} goes on from {checkpoint}"
    told = f": {began['tensors']}" if "tensors" in began else ""
    return f"stage {run.stage} starts from {source or 'random weights'}{told}"


def _all_weights(stage: Stage, run: Run) -> Iterator[tuple[Path, dict[str, Tensor]]]:
    """The last weights and each average, with their files; whole on the first rank."""
    denoiser, ema = stage.model.denoiser, stage.model.ema
    yield run.raw_weights, whole(denoiser.state_dict())
    first, *_ = ema.by_length
    for length, weights in ema.weights(denoiser):
        yield run.ema_weights if length == first else run.averaged(length), whole(weights)


def _hand_over(stage: Stage, run: Run, watchers: Watchers, is_first_rank: bool) -> None:
    """Writes the weights, then the record that says that they are whole, and drops the checkpoints."""
    weights = {}
    for path, values in _all_weights(stage, run):
        if is_first_rank:
            save_weights(path, values)
            weights[path.name] = file_hash(path)
    if not is_first_rank:
        return
    run.write_record(
        (run.record or {})
        | {
            "finished": True,
            "weights": weights,
            "held_out_loss": watchers.held_out.history,
            "num_failed": num_failed(run),
            "num_skipped_steps": len(watchers.guard.skipped),
        }
    )
    _drop_checkpoints(run)


def _drop_checkpoints(run: Run) -> None:
    for path in reversed(run.checkpoints):
        path.unlink()


def num_failed(run: Run) -> int:
    """Samples that could not be read, by whatever rank."""
    return len({key for path in run.folder.glob("failed*.json") for key in read_json(path)})


def _end(run: Run, watchers: Watchers) -> str:
    losses = [measured["loss"] for measured in watchers.held_out.history]
    told = f"held-out loss {losses[0]:.4f} -> {losses[-1]:.4f}" if losses else "no held-out samples"
    failed = num_failed(run)
    return f"✓ stage {run.stage}  {told}; {failed} samples could not be read; weights: {run.ema_weights}"
