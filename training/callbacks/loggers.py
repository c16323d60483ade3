"""Where the numbers of a stage go: TensorBoard and `log.csv` always, Weights & Biases where it is asked for."""

from importlib.util import find_spec
from pathlib import Path

from lightning.pytorch.loggers import Logger, TensorBoardLogger, WandbLogger

from training.callbacks.csv_log import CsvLog


def loggers_of(folder: Path, wandb: str | None) -> list[Logger]:
    """The loggers of a run; TensorBoard's comes first. Nothing is written yet.

    Args:
        folder: of the run, `<runs>/<stage>`.
        wandb: a project of Weights & Biases, or None. Each start of the command is a run of its own there, grouped by
            folder; WANDB_MODE=offline keeps it on this machine, for `wandb sync`.

    Raises:
        ValueError: the package wandb is not installed.
    """
    loggers: list[Logger] = [TensorBoardLogger(folder, name="", version="tensorboard"), CsvLog(folder / "log.csv")]
    if wandb is None:
        return loggers
    if find_spec("wandb") is None:
        raise ValueError(
            f"watch.wandb is {wandb!r}, but the package wandb is not installed: install it (.venv/bin/python -m pip "
            "install wandb), or leave watch.wandb out; TensorBoard and log.csv are written in any case"
        )
    group = f"{folder.resolve().parent.name}-{folder.name}"
    return [*loggers, WandbLogger(project=wandb, name=folder.name, group=group, save_dir=folder)]
