"""Gradients are clipped by the norm that was taken already, to what PyTorch clips them to."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from training.module import StageModule


def grown() -> nn.Module:
    """A layer with gradients of norm above 1."""
    torch.manual_seed(0)
    layer = nn.Linear(4, 3)
    layer(torch.randn(8, 4)).pow(2).sum().backward()
    return layer


def clipped(layer: nn.Module, value: float | None, algorithm: str = "norm") -> tuple[list[torch.Tensor], list[Any]]:
    """Gradients afterwards, and what was left to Lightning."""
    left: list[Any] = []
    norm = torch.nn.utils.get_total_norm([weight.grad for weight in layer.parameters() if weight.grad is not None])
    module = SimpleNamespace(denoiser=layer, gradient_norm=norm, clip_gradients=lambda *told: left.append(told))
    optimizer = torch.optim.SGD(layer.parameters())
    StageModule.configure_gradient_clipping(module, optimizer, value, algorithm)  # pyright: ignore[reportArgumentType]
    return [weight.grad for weight in layer.parameters() if weight.grad is not None], left


def test_clipped_as_pytorch_does():
    ours, left = clipped(grown(), 0.5)
    other = grown()
    torch.nn.utils.clip_grad_norm_(other.parameters(), 0.5)
    assert not left and all(map(torch.equal, ours, [weight.grad for weight in other.parameters()]))
    assert torch.nn.utils.get_total_norm(ours).item() == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize(("value", "algorithm"), [(None, "norm"), (0.0, "norm"), (0.1, "value")])
def test_all_else_is_left_to_lightning(value, algorithm):
    ours, left = clipped(grown(), value, algorithm)
    assert len(left) == 1 and all(map(torch.equal, ours, [weight.grad for weight in grown().parameters()]))
