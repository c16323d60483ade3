"""What a denoiser consists of, and which part of it a stage trains."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from training.denoisers.denoiser import Denoiser


@dataclass(frozen=True)
class Inventory:
    """Numbers of parameters (scalars, not tensors)."""

    num_total: int
    """All."""
    num_temporal: int
    """Those that serve time alone."""
    num_trainable: int
    """Those that the optimizer may change."""


def count(denoiser: Denoiser) -> Inventory:
    """Counts a denoiser's parameters; works on the meta device."""
    named = list(denoiser.named_parameters())
    return Inventory(
        num_total=sum(parameter.numel() for _, parameter in named),
        num_temporal=sum(parameter.numel() for name, parameter in named if denoiser.is_temporal(name)),
        num_trainable=sum(parameter.numel() for _, parameter in named if parameter.requires_grad),
    )


def select_trainable(denoiser: Denoiser, patterns: Sequence[str]) -> list[str]:
    """Lets a parameter train if any pattern is found in its `<group>/<name>`, and freezes the others.

    Image batches give temporal layers gradients of zero, not none, and AdamW would let those decay: so a stage names
    what it trains, and the rest stays bit-equal.

    Args:
        denoiser: its parameters' `requires_grad` is set; unchanged if an error is raised.
        patterns: regular expressions, looked for anywhere in the name: `^temporal/` trains the temporal layers alone.

    Returns:
        The `<group>/<name>` of what trains, in the denoiser's order.

    Raises:
        ValueError: a pattern is no regular expression or matches nothing, or there is no pattern.
    """
    groups = denoiser.groups()
    if not patterns:
        raise ValueError('nothing would train: give at least one pattern, for example ".*" for everything')
    matched = {name for pattern in patterns for name in _matches(pattern, groups)}
    for name, parameter in groups.items():
        parameter.requires_grad_(name in matched)
    return [name for name in groups if name in matched]


def _matches(pattern: str, groups: dict[str, nn.Parameter]) -> list[str]:
    try:
        found = [name for name in groups if re.search(pattern, name)]
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
    if not found:
        examples = list(groups)[:: max(1, len(groups) // 4)]
        raise ValueError(f"{pattern!r} matches no parameter; their names are like {', '.join(examples)}")
    return found
