"""How often a stage is looked at: the section `watch` of its YAML."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Watch:
    """How often a stage is looked at, in samples; 0 means at its end alone."""

    numbers_every: int = 512
    """Losses, gradient norm, learning rate, speed and memory go to TensorBoard and to `log.csv`."""
    held_out_every: int = 50_000
    """The held-out loss is measured; besides at the beginning and at the end."""
    videos_every: int = 50_000
    """Videos of `captions` are sampled from the averaged weights and from the last ones; besides at the end."""
    checkpoint_every: int = 10_000
    """The state is written from which a killed run goes on."""
    keep_checkpoints: int = 1
    """How many: `last.ckpt`, before it `last-1.ckpt` and so on; where the newest is damaged, the next is taken."""
    ema_snapshots_every: int = 0
    """The averages of `model.ema_sigma_rel` are kept, to put other lengths together afterwards; besides at the end."""
    captions: tuple[str, ...] = ()
    """What videos are sampled of."""
    max_skipped_steps: int = 20
    """Steps that may be left out since their gradient was not finite, or a spike; the stage stops at one more."""
    max_skipped_share: float = 0.0
    """The same as a share of the stage's steps, for long ones: the larger number of the two counts."""
    max_gradient_ratio: float = 0.0
    """A gradient of more than so many times the usual norm is a spike; 0 knows none."""
    wandb: str | None = None
    """A project of Weights & Biases that the numbers go to as well, if the package wandb is installed."""
    peak_tflops: float | None = None
    """What a device reaches at best at the stage's precision, 1e12 operations a second: for the utilisation. None looks
    a GPU up in a table, and tells no utilisation of a CPU."""

    def most_skipped(self, num_steps: int) -> int:
        """How many of the steps of a stage may be left out."""
        return max(self.max_skipped_steps, int(self.max_skipped_share * num_steps))

    def __post_init__(self) -> None:
        for name in ("numbers_every", "held_out_every", "videos_every", "checkpoint_every", "ema_snapshots_every"):
            if getattr(self, name) < 0:
                raise ValueError(f"watch.{name} is a number of samples, at least 0, not {getattr(self, name)}")
        if self.keep_checkpoints < 1:
            raise ValueError(f"watch.keep_checkpoints is at least 1, not {self.keep_checkpoints}")
        if self.max_skipped_steps < 0 or not (self.max_gradient_ratio == 0 or self.max_gradient_ratio > 1):
            raise ValueError("watch.max_skipped_steps is at least 0; watch.max_gradient_ratio is 0 or above 1")
        if not 0 <= self.max_skipped_share < 1:
            raise ValueError(f"watch.max_skipped_share is at least 0 and below 1, not {self.max_skipped_share}")
        if self.peak_tflops is not None and not self.peak_tflops > 0:
            raise ValueError(f"watch.peak_tflops is above 0, or null, not {self.peak_tflops}")
