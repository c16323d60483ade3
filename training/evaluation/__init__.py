"""Judging a finished stage: videos of fixed captions and seeds, beside references, measured by `training.metrics`."""
