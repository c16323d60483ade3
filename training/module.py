"""One stage as Lightning runs it: a step of training, the held-out loss, what a checkpoint holds, sampling."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import Tensor

from training.averages import Averages, check_lengths
from training.bucket import Bucket
from training.codec import LatentCodec
from training.conditioner import Conditioner
from training.conditioning import Conditioning, Conditions, unconditional
from training.denoisers.denoiser import Denoiser
from training.guidance import Guidance, guided
from training.image_encoder import ImageEncoder
from training.inventory import select_trainable
from training.objective import Objective
from training.optimizer import Adam, learning
from training.sampler import Sampler
from training.sharding import shard
from training.stream import Batch
from training.text import TextEncoder

HELD_OUT_QUANTILES = (0.125, 0.375, 0.625, 0.875)  # of the stage's own noise levels: middles of four equal shares


class StageModule(LightningModule):
    """The parts of a stage; the codec and the text encoder are frozen and stay out of checkpoints."""

    def __init__(
        self,
        denoiser: Denoiser,
        codec: LatentCodec,
        text: TextEncoder,
        conditioning: Conditioning,
        objective: Objective,
        optimizer: Adam,
        sampler: Sampler,
        guidance: Guidance,
        image_encoder: ImageEncoder | None = None,
        trainable: tuple[str, ...] = (".*",),
        ema_decay: float | tuple[float, ...] = 0.9999,
        ema_sigma_rel: tuple[float, ...] = (),
        compile: bool | str = False,
    ) -> None:
        """Takes the parts.

        Args:
            denoiser: the network that learns.
            codec: pixels to latents.
            text: captions to features.
            conditioning: numbers beside the caption, and its dropout.
            objective: what is learnt.
            optimizer: and its learning rate.
            sampler: for videos.
            guidance: for videos.
            image_encoder: frames to embeddings, where an embedding takes the place of the caption.
            trainable: regular expressions over `spatial/<name>` and `temporal/<name>`; what none of them finds is
                frozen.
            ema_decay: of the average, a step; several keep several, the first is handed on.
            ema_sigma_rel: further averages, each over that share of the training (EDM2, `power_ema.py`).
            compile: the denoiser by `torch.compile`; a name is that of another backend than Inductor.

        Raises:
            ValueError: there is no average of such a length, or no such backend.
        """
        super().__init__()
        self.denoiser, self.codec, self.text, self.image_encoder = denoiser, codec, text, image_encoder
        self.conditioner = Conditioner(conditioning, codec, text, image_encoder)
        self.conditioning, self.objective, self.adam = conditioning, objective, optimizer
        self.trainable = trainable
        self.ema_decays = ema_decay if isinstance(ema_decay, tuple) else (ema_decay,)
        self.ema_sigma_rels, self.backend = ema_sigma_rel, _backend(compile)
        check_lengths(self.ema_decays, self.ema_sigma_rels)
        self.sampler, self.guidance = sampler, guidance
        self.samples_at: Callable[[int], int] = int
        """Samples that so many steps of the stage learn from."""
        self.skips_step = False
        """Whether the step of now is left out; see `callbacks/guard.py`."""
        self.gradient_norm: Tensor | None = None
        """Of the step of now, before it is clipped; None where nobody took it."""

    def load_frozen(self, device: torch.device) -> None:
        """Loads the codec, and the encoder of captions or images.

        Raises:
            ValueError: their weights cannot be had.
        """
        dtype = torch.float32 if device.type == "cpu" else torch.bfloat16
        self.codec.load(device, dtype)
        self.conditioner.load(device, dtype)

    def start(self) -> None:
        """Freezes what the stage does not train."""
        select_trainable(self.denoiser, self.trainable)

    @property
    def is_sharded(self) -> bool:
        """Whether a forward of the denoiser is one of all ranks at once."""
        return isinstance(self.trainer.strategy, ModelParallelStrategy)

    def configure_model(self) -> None:
        """Shards and compiles the denoiser, where that is told; then starts the averages from the weights of now.

        Both happen in place, so names of weights stay what they are.
        """
        if self.is_sharded:
            assert self.device_mesh is not None
            shard(self.denoiser, self.device_mesh["data_parallel"])
        if self.backend:
            self.denoiser.compile(backend=self.backend)
        self.ema = Averages(self.denoiser, self.ema_decays, self.ema_sigma_rels)

    @torch.no_grad()
    def check_parts(self, bucket: Bucket) -> None:
        """Sees that codec, encoder and denoiser fit each other, by one pass over a small corner of a sample.

        Raises:
            ValueError: they do not.
        """
        frames, channels, height, width = self.codec.shape(bucket.num_frames, bucket.height, bucket.width)
        noisy = torch.zeros(1, min(frames, 2), channels, min(height, 16), min(width, 16))
        conditions = self.conditioner.of_nothing(noisy)
        try:
            shape = self.denoiser(noisy, torch.zeros(1), conditions).shape
        except (RuntimeError, ValueError) as error:
            raise ValueError(
                f"the denoiser does not fit latents of {channels} channels{_as_many_given(conditions)}, text of "
                f"{conditions.text.shape[-1]} features and {len(self.conditioning.micro)} numbers: "
                f"{' '.join(str(error).split())[:300]}; see model.denoiser"
            ) from error
        if shape != noisy.shape:
            raise ValueError(
                f"the denoiser gives {tuple(shape)} for latents of {tuple(noisy.shape)}; see model.denoiser"
            )

    @property
    def samples_seen(self) -> int:
        """Samples that the weights of now have learnt from."""
        return self.samples_at(self.trainer.global_step)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """An optimizer of what the stage trains."""
        return self.adam.build(parameter for parameter in self.denoiser.parameters() if parameter.requires_grad)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """One step at the learning rate of the samples seen; the averages follow once a step."""
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.adam.rate(self.samples_seen)
        super().optimizer_step(*args, **kwargs)
        if not self.skips_step:
            self.ema.update(self.denoiser)

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clips by the norm that was taken already, once a step, where there is one."""
        if self.gradient_norm is None or not gradient_clip_val or gradient_clip_algorithm == "value":
            return self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
        torch.nn.utils.clip_grads_with_norm_(learning(optimizer), gradient_clip_val, self.gradient_norm)

    def on_before_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Notes when a batch has come, before it goes to the device: what was waited until then is for data."""
        self.batch_came_s = monotonic()
        return batch

    def training_step(self, batch: Batch, _index: int) -> dict[str, Tensor]:
        """Mean `loss` of the batch, and (B,) `losses` and noise levels `sigma` of its samples for those who look on;
        each sample draws its noise from its own seed."""
        torch.manual_seed(int(batch.seeds[0]))  # of what draws by itself, such as dropout: it too repeats on resuming
        latents = self._latents(batch)  # (B, T, C, h, w)
        generators = _generators(batch)
        sigma, noise = self.objective.draw(_one(latents), generators)
        conditions = self.conditioner.of_batch(batch, latents.shape[1], generators, learning=True)
        sigma, noise = sigma.to(self.device), noise.to(self.device)
        losses = self.objective.loss(self.denoiser, latents, sigma, noise, conditions)  # (B,)
        return {"loss": losses.mean(), "losses": losses.detach(), "sigma": sigma}

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within the block the denoiser has the averaged weights and does not learn; precision is that of training."""
        self.denoiser.eval()
        with self.ema.first.swapped(self.denoiser), self.trainer.precision_plugin.forward_context(), torch.no_grad():
            yield
        self.denoiser.train()

    @contextmanager
    def unaveraged(self) -> Iterator[None]:
        """As `averaged`, with the weights of the last step."""
        self.denoiser.eval()
        with self.trainer.precision_plugin.forward_context(), torch.no_grad():
            yield
        self.denoiser.train()

    @torch.no_grad()
    def held_out_loss(self, batch: Batch) -> Tensor:
        """Loss at fixed quantiles of the stage's noise levels, each sample with the same noise every time: (B,)."""
        latents = self._latents(batch)  # (B, T, C, h, w)
        generators = _generators(batch)
        _, noise = self.objective.draw(_one(latents), generators)
        conditions = self.conditioner.of_batch(batch, latents.shape[1], generators, learning=False)
        noise = noise.to(self.device)
        sigma = self.objective.sigma.for_shape(_one(latents))
        levels = [sigma.quantile(p) for p in HELD_OUT_QUANTILES]
        losses = [
            self.objective.loss(self.denoiser, latents, latents.new_full((len(latents),), level), noise, conditions)
            for level in levels
        ]
        return torch.stack(losses).mean(0)

    def _latents(self, batch: Batch) -> Tensor:
        """(B, T, C, h, w) float32."""
        return self.codec.encode(batch.frames) if batch.frames.dtype == torch.uint8 else batch.frames.float()

    @torch.no_grad()
    def generate(
        self,
        captions: Sequence[str],
        bucket: Bucket,
        fps: float,
        seeds: Sequence[int],
        given: Tensor | None = None,
    ) -> Tensor:
        """Videos, each from the noise of its own seed: uint8 (B, T, H, W, 3) RGB.

        Args:
            captions: B of them; where an image's embedding takes their place, they change nothing.
            bucket: frames and size.
            fps: frames a second.
            seeds: B of them.
            given: uint8 (B, K, H, W, 3) RGB, the frames that a stage with `conditioning.given` needs.
        """
        shape = self.codec.shape(bucket.num_frames, bucket.height, bucket.width)
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]

        def fresh() -> Tensor:
            drawn = [self.objective.noise.draw(shape, generator) for generator in generators]
            return torch.stack(drawn).to(self.device)  # (B, T, C, h, w)

        numbers = [0.0 if bucket.is_image else micro.of_sampling(fps) for micro in self.conditioning.micro]
        # the noise on given frames is drawn before that of the latents, as in diffusers' pipeline
        given = None if given is None else given.to(self.device)
        conditions = self.conditioner.of_sampling(captions, numbers, shape[0], generators, given)
        without = unconditional(conditions, self.conditioner.empty)
        denoise = guided(
            self.guidance,
            self.sampler.sigmas(),
            lambda noisy, sigma: self._estimate(noisy, sigma, conditions),
            lambda noisy, sigma: self._estimate(noisy, sigma, without),
        )
        return self.codec.decode(self.sampler.sample(denoise, fresh(), fresh))

    def _estimate(self, noisy: Tensor, sigma: Tensor, conditions: Conditions) -> Tensor:
        return self.objective.denoise(self.denoiser, noisy, sigma, conditions)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the averages."""
        checkpoint["ema"] = self.ema.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Takes the averages back, and counts the batches of the steps so far as the ranks of now would have done.

        Else a step of accumulated batches would begin amid a step, where more ranks wrote the checkpoint.
        """
        self.ema.load_state_dict(checkpoint["ema"])
        batches = checkpoint["global_step"] * self.trainer.accumulate_grad_batches
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        for counts in (progress["total"], progress["current"]):
            counts.update(dict.fromkeys(counts, batches))


def _backend(compile: bool | str) -> str:
    """Of torch.compile; empty for none."""
    backend = "inductor" if compile is True else compile or ""
    known = torch.compiler.list_backends(exclude_tags=())
    if backend and backend not in known:
        raise ValueError(f"model.compile: no backend {backend!r}; there are: {', '.join(known)}")
    return backend


def _generators(batch: Batch) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in batch.seeds.tolist()]


def _one(latents: Tensor) -> tuple[int, int, int, int]:
    _, num_frames, channels, height, width = latents.shape
    return num_frames, channels, height, width


def _as_many_given(conditions: Conditions) -> str:
    if conditions.given is None:
        return ""
    mask = " and a mask" if conditions.is_given is not None else ""
    return f", {conditions.given.shape[2]} of given frames{mask}"
