"""Several averages of one module, so that the length can be chosen after the training."""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor, nn

from training.ema import Ema
from training.power_ema import PowerEma, gamma


class Averages:
    """Averages of several lengths; the first is handed to the next stage.

    Args:
        module: whose weights are averaged.
        decays: of averages of a fixed decay; they come first.
        sigma_rels: of averages whose memory is that share of the training.
    """

    def __init__(self, module: nn.Module, decays: Sequence[float], sigma_rels: Sequence[float] = ()) -> None:
        each = [Ema(module, decay) for decay in decays] + [PowerEma(module, width) for width in sigma_rels]
        self.by_length: dict[str, Ema] = {str(ema.length): ema for ema in each}
        """The length is the decay, or the relative width, as YAML tells it."""
        self.first = each[0]

    def update(self, module: nn.Module) -> None:
        """Takes in the module's weights; call once an optimizer step."""
        for ema in self.by_length.values():
            ema.update(module)

    def weights(self, module: nn.Module) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Length, and averaged weights by name, in the module's own precision; one average at a time."""
        for length, ema in self.by_length.items():
            with ema.swapped(module):
                yield length, module.state_dict()

    def state_dict(self) -> dict[str, Any]:
        """State of each average by its length."""
        return {length: ema.state_dict() for length, ema in self.by_length.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from `state_dict()`.

        Raises:
            ValueError: the lengths, or the module, are not those.
        """
        if state.keys() != self.by_length.keys():
            raise ValueError(f"averages of the lengths {', '.join(state)}, not {', '.join(self.by_length)}")
        for length, ema in self.by_length.items():
            ema.load_state_dict(state[length])


def check_lengths(decays: Sequence[float], sigma_rels: Sequence[float]) -> None:
    """Sees that there are such averages.

    Raises:
        ValueError: there is none, one is out of its range, or two have one length.
    """
    for width in sigma_rels:
        gamma(width)
    if not all(0 <= decay < 1 for decay in decays):
        raise ValueError(f"model.ema_decay: 0 <= decay < 1, not {', '.join(map(str, decays))}")
    lengths = [str(float(length)) for length in (*decays, *sigma_rels)]
    if not lengths or len(set(lengths)) < len(lengths):
        raise ValueError(f"model.ema_decay and model.ema_sigma_rel name {lengths}: at least one length, each once")
