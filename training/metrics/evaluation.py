"""Several metrics over the same videos, fed batch by batch on any number of ranks."""

from collections.abc import Sequence

import torch

from training.metrics.metric import Estimate, Figure, Measure, Metric, State, Videos
from training.metrics.ranks import of_all_ranks
from training.metrics.rows import Rows


class Evaluation:
    """Measures sampled and real videos; what a metric lacks is told in its figure and stops no other metric.

    Args:
        metrics: each with a name of its own.
        device: where networks run.

    Raises:
        ValueError: two metrics have one name.
    """

    def __init__(self, metrics: Sequence[Metric], device: torch.device) -> None:
        names = [metric.name for metric in metrics]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"several metrics are called {', '.join(sorted(twice))}: give each a `name` of its own")
        self.metrics = list(metrics)
        self.missing: dict[str, str] = {}
        """Why a metric has no value, by its name; of this rank."""
        self._format: str | None = None
        self._measures: dict[str, Measure] = {}
        self._hashes: dict[str, str] = {}
        self._states = {(metric.name, is_real): metric.new_state() for metric in metrics for is_real in (False, True)}
        for metric in metrics:
            try:
                self._measures[metric.name] = metric.load(device)
                self._hashes[metric.name] = metric.weights_hash()
            except ValueError as error:
                self.missing[metric.name] = str(error)

    def add(self, numbers: Sequence[int], videos: Videos, is_real: bool = False) -> None:
        """Measures a batch.

        Args:
            numbers: of each video in the list of sampled, or of real ones; each video on one rank, once. A sampled and
                a real video of one caption best have the same number.
            videos: all of an evaluation in one format.
            is_real: whether they are reference videos; without metrics that need such, this does nothing.

        Raises:
            ValueError: the videos are of another format than those before.
        """
        self._check_format(videos)
        for metric in self.metrics:
            if metric.name in self.missing or (is_real and not metric.needs_real):
                continue
            try:
                with torch.inference_mode():
                    values = self._measures[metric.name](videos)
            except ValueError as error:
                self.missing[metric.name] = str(error)
            else:
                self._states[metric.name, is_real].add(numbers, values)

    def forget_sampled(self) -> None:
        """Makes room for other sampled videos of the same format; the real ones stay."""
        self._states |= {(metric.name, False): metric.new_state() for metric in self.metrics}

    def _check_format(self, videos: Videos) -> None:
        frames, height, width = videos.frames.shape[1:4]
        told = f"videos of {frames}x{height}x{width} at {videos.fps:g} fps"
        self._format = self._format or told
        if told != self._format:
            raise ValueError(f"{told} after {self._format}: an evaluation takes one format, since figures depend on it")

    def figures(self) -> list[Figure]:
        """The figure of each metric over the videos of all ranks, alike on each; every rank calls it."""
        missing: dict[str, str] = {}
        for told in reversed(of_all_ranks(self.missing)):  # the first rank's word counts
            missing |= told
        formats = [told for told in of_all_ranks(self._format) if told]
        return [self._figure(metric, missing.get(metric.name, ""), formats) for metric in self.metrics]

    def _figure(self, metric: Metric, missing: str, formats: Sequence[str]) -> Figure:
        fake, real = (self._states[metric.name, is_real].gathered() for is_real in (False, True))
        estimate, missing = _estimate(metric, fake, real, missing)
        return Figure(
            name=metric.name,
            value=estimate.value if estimate else None,
            low=estimate.low if estimate else None,
            high=estimate.high if estimate else None,
            better=metric.better,
            protocol="; ".join([metric.protocol, *formats[:1]]),
            num_fake=len(fake),
            num_real=len(real),
            weights_hash=self._hashes.get(metric.name, ""),
            caution=estimate.caution if estimate else "",
            missing=missing,
        )

    def of_videos(self, name: str) -> dict[int, float]:
        """The value of each sampled video by its number, of the videos of all ranks; every rank calls it.

        Empty for metrics of a set, and where the metric is missing.
        """
        state = self._states[name, False].gathered()
        if not isinstance(state, Rows) or not len(state) or state.values.ndim != 1:
            return {}
        return dict(zip(state.numbers, state.values.tolist(), strict=True))


def _estimate(metric: Metric, fake: State, real: State, missing: str) -> tuple[Estimate | None, str]:
    """The estimate, or why there is none."""
    if missing:
        return None, missing
    try:
        return metric.summarise(fake, real), ""
    except ValueError as error:
        return None, str(error)
