"""Exponential moving average of the weights of one module, the denoiser.

A dictionary of tensors rather than a second module: no deep copy, and what is frozen is never averaged.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from training.sharding import like, local, whole

Place = tuple[str, Mapping[str, Tensor | None], str]
"""Name in the state dict, and where the tensor of now lies: a submodule's dictionary, and its key there."""


class Ema:
    """average <- d average + (1 - d) weights, with d = min(decay, (1 + n) / (10 + n)) at the nth update.

    The warm-up lets the average forget the first weights; it is that of TensorFlow's `ExponentialMovingAverage` and of
    sgm's `LitEma`. Parameters that train are averaged in float32 (float64 stays), buffers are copied, frozen parameters
    keep the bits they had at the start. Of a sharded module each rank averages its share.

    Pass the plain module, always the same one: wrappers (compiled, distributed) change the names.

    Raises:
        ValueError: decay does not lie in 0 <= decay < 1.
    """

    def __init__(self, module: nn.Module, decay: float = 0.9999) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"ema decay: 0 <= decay < 1, not {decay}")
        self.length = decay
        self.num_updates = 0
        self._average = {name: raw.clone() for name, raw in module.state_dict().items()}
        self._places_of: nn.Module | None = None
        self._places: list[Place] = []  # to walk through the modules at every step costs more than to average

    def decay(self) -> float:
        """d of the last update."""
        return min(self.length, (1 + self.num_updates) / (10 + self.num_updates))

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Takes in the module's weights; call once an optimizer step. The averages follow the module to its device."""
        self.num_updates += 1
        if self._places_of is not module:
            self._places_of, self._places = module, list(_places(module))
        averages, weights = [], []
        for name, tensors, key in self._places:
            raw = tensors[key]
            if raw is None or name not in self._average:  # buffers that are in no state dict
                continue
            if not isinstance(raw, nn.Parameter):
                self._average[name] = raw.clone()
            elif raw.requires_grad:
                self._average[name] = average = _wide(self._average[name], raw)
                averages.append(local(average))
                weights.append(local(raw).to(average.dtype))
        if averages:
            torch._foreach_lerp_(averages, weights, 1 - self.decay())

    @torch.no_grad()
    def copy_to(self, module: nn.Module) -> None:
        """Overwrites the module's weights and buffers with the averages, in the module's own precision."""
        _overwrite(module, self._average)

    @contextmanager
    def swapped(self, module: nn.Module) -> Iterator[None]:
        """Within the block the module has the averages; after it, also after an error, its own weights bit for bit.

        A checkpoint written within the block would hold the averages in place of the weights.
        """
        raw = {name: value.clone() for name, value in module.state_dict().items()}
        try:
            self.copy_to(module)
            yield
        finally:
            _overwrite(module, raw)

    def state_dict(self) -> dict[str, Any]:
        """`num_updates`, and `average`: every weight and buffer by its name in the module.

        The tensors themselves, no copies; of a sharded module whole ones, see `sharding.whole`.
        """
        return {"num_updates": self.num_updates, "average": whole(self._average)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from `state_dict()`; the averages stay on the device they are on.

        Raises:
            ValueError: names or shapes are not those of the module.
        """
        average: dict[str, Tensor] = state["average"]
        odd = set(average) ^ set(self._average)
        odd |= {name for name in set(average) - odd if average[name].shape != self._average[name].shape}
        if odd:
            raise ValueError(
                f"averages of another model: {len(odd)} names or shapes differ, such as {min(odd)}; "
                "load them into the architecture they were trained with"
            )
        self.num_updates = state["num_updates"]
        self._average = {name: like(average[name], old) for name, old in self._average.items()}


def _places(module: nn.Module) -> Iterator[Place]:
    for prefix, part in module.named_modules(remove_duplicate=False):
        for tensors in (part._parameters, part._buffers):
            for key in tensors:
                yield f"{prefix}.{key}".lstrip("."), tensors, key


def _wide(average: Tensor, raw: Tensor) -> Tensor:
    """The average on the device of the weight, in float32 at least."""
    if average.device == raw.device and average.dtype in (torch.float32, torch.float64):
        return average
    return average.to(raw.device, torch.promote_types(raw.dtype, torch.float32))


@torch.no_grad()
def _overwrite(module: nn.Module, values: dict[str, Tensor]) -> None:
    for name, raw in module.state_dict().items():
        raw.copy_(values[name])
