"""How a fixed number of samples a step is cut into batches that fit a device."""


def accumulated_batches(global_batch: int, ranks: int, most: int) -> int:
    """Batches that each rank accumulates for a step: the fewest equal ones that are small enough.

    Equal ones, so that the mean over the batches' mean losses is the mean over the samples of the step.

    Args:
        global_batch: samples of a step, over all ranks; above 0.
        ranks: that share them; above 0.
        most: samples that a batch may have; above 0.

    Raises:
        ValueError: they cannot be shared out equally, or only in batches less than half as large as they might be;
            names the nearest numbers that can.
    """
    if found := _divided(global_batch, ranks, most):
        return found
    below = next((n for n in range(global_batch - 1, 0, -1) if _divided(n, ranks, most)), None)
    above = next(n for n in range(global_batch + 1, global_batch + ranks * most + 1) if _divided(n, ranks, most))
    raise ValueError(
        f"data.global_batch {global_batch} cannot be cut into equal batches of about {most} samples, as many as fit, "
        f"on each of {ranks} {'rank' if ranks == 1 else 'ranks'}; "
        + (f"{below} and {above} can" if below else f"{above} can")
    )


def _divided(global_batch: int, ranks: int, most: int) -> int:
    """As `accumulated_batches`; 0 where there is no such number."""
    share, rest = divmod(global_batch, ranks)
    if rest:
        return 0
    fewest = -(-share // most)
    return next((number for number in range(fewest, 2 * fewest + 1) if share % number == 0), 0)
