"""The moving average against a literal loop; what is frozen, swapped or resumed keeps its bits."""

import copy
import io

import pytest
import torch
from torch import nn

from training.ema import Ema


def model() -> nn.Sequential:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    module[0].requires_grad_(False)
    return module


def step(module: nn.Module) -> None:
    """What an optimizer step does to weights and buffers."""
    module(torch.randn(8, 3))
    with torch.no_grad():
        for weights in module.parameters():
            weights.add_(torch.randn_like(weights), alpha=float(weights.requires_grad))


def bits(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.parametrize("decay", [0.5, 0.9999])
def test_average_is_the_literal_loop(decay):
    module = model()
    ema, literal = Ema(module, decay), module[2].weight.detach().double()
    for n in range(1, 21):
        step(module)
        ema.update(module)
        d = min(decay, (1 + n) / (10 + n))
        literal = d * literal + (1 - d) * module[2].weight.detach().double()
    assert torch.allclose(ema.state_dict()["average"]["2.weight"].double(), literal, atol=1e-5)
    assert not torch.allclose(module[2].weight.double(), literal, atol=1e-2)


def test_without_memory_the_average_is_the_weights():
    module = model()
    ema = Ema(module, decay=0.0)
    step(module)
    ema.update(module)
    assert same(ema.state_dict()["average"], module.state_dict())


def test_frozen_parameters_keep_their_bits_and_buffers_are_copied():
    module = model()
    start, ema = bits(module), Ema(module)
    for _ in range(5):
        step(module)
        ema.update(module)
    average = ema.state_dict()["average"]
    assert torch.equal(average["0.weight"], start["0.weight"]) and torch.equal(average["0.bias"], start["0.bias"])
    for name in ("1.running_mean", "1.num_batches_tracked"):
        assert torch.equal(average[name], module.state_dict()[name]) and not torch.equal(average[name], start[name])


def test_swapped_gives_the_average_and_then_the_exact_weights():
    module = model()
    ema = Ema(module)
    step(module)
    ema.update(module)
    raw, pointers = bits(module), [weights.data_ptr() for weights in module.parameters()]
    with ema.swapped(module):
        assert same(bits(module), ema.state_dict()["average"]) and not same(bits(module), raw)
    assert same(bits(module), raw)
    with pytest.raises(KeyError), torch.inference_mode(), ema.swapped(module):
        raise KeyError("while sampling")
    assert same(bits(module), raw) and [weights.data_ptr() for weights in module.parameters()] == pointers
    module(torch.randn(8, 3)).sum().backward()
    ema.update(module)


def test_copy_to_leaves_the_average_apart_from_the_module():
    module, other = model(), model()
    ema = Ema(module)
    step(module)
    ema.update(module)
    ema.copy_to(other)
    average = copy.deepcopy(ema.state_dict()["average"])
    assert same(bits(other), average)
    step(other)
    assert same(ema.state_dict()["average"], average)


def test_a_resumed_average_equals_the_unbroken_one():
    module = model()
    ema = Ema(module)
    step(module)
    ema.update(module)
    file = io.BytesIO()
    torch.save(ema.state_dict(), file)
    file.seek(0)
    resumed = Ema(model())
    resumed.load_state_dict(torch.load(file, weights_only=True))
    step(module)
    ema.update(module)
    resumed.update(module)
    assert resumed.num_updates == 2 and same(ema.state_dict()["average"], resumed.state_dict()["average"])


def test_tensors_that_are_replaced_between_updates_are_followed():
    module, ema = (first := model()), Ema(first, decay=0.0)
    ema.update(module)
    module[2].weight = nn.Parameter(torch.ones(2, 4))
    module[1].running_mean = torch.full((4,), 7.0)
    module.register_buffer("scratch", torch.zeros(1), persistent=False)
    ema.update(module)
    average = ema.state_dict()["average"]
    assert torch.equal(average["2.weight"], torch.ones(2, 4)) and torch.equal(
        average["1.running_mean"], torch.full((4,), 7.0)
    )
    assert "scratch" not in average


def test_tied_weights_stay_tied():
    module = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    module[1].weight = module[0].weight
    ema = Ema(module, decay=0.5)
    with torch.no_grad():
        module[0].weight.add_(1)
    ema.update(module)
    average = ema.state_dict()["average"]
    assert torch.equal(average["0.weight"], average["1.weight"]) and not torch.equal(
        average["0.weight"], module[0].weight
    )


def test_a_loaded_state_is_left_as_it_is():
    module, other = model(), Ema(model())
    loaded = Ema(module)
    loaded.load_state_dict(other.state_dict())
    before = copy.deepcopy(other.state_dict()["average"])
    step(module)
    loaded.update(module)
    assert same(other.state_dict()["average"], before)


def test_another_models_average_is_refused():
    with pytest.raises(ValueError, match=r"2\.bias"):
        Ema(model()).load_state_dict(Ema(model()[:2]).state_dict())
    wider = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    with pytest.raises(ValueError, match=r"2 names or shapes differ, such as 2\.bias"):
        Ema(model()).load_state_dict(Ema(wider).state_dict())


def test_weights_of_low_precision_are_averaged_in_float32():
    module = nn.Linear(1, 1, bias=False).bfloat16()
    nn.init.ones_(module.weight)
    ema = Ema(module, decay=0.999)
    ema.num_updates = 10**6
    nn.init.constant_(module.weight, 1.125)
    ema.update(module)
    average = ema.state_dict()["average"]["weight"]
    # a step of 0.000125 is lost in bfloat16
    assert average.dtype == torch.float32 and average.item() == pytest.approx(1.000125, abs=1e-6)
    with ema.swapped(module):
        assert module.weight.dtype == torch.bfloat16


def test_frozen_parameters_are_not_computed_with():
    module = nn.Linear(2, 1, bias=False).bfloat16().requires_grad_(False)
    nn.init.constant_(module.weight, float("inf"))
    ema = Ema(module)
    ema.update(module)
    average = ema.state_dict()["average"]["weight"]
    assert average.dtype == torch.bfloat16 and torch.equal(average, module.weight)


def test_the_average_shares_no_memory_with_the_weights():
    module = model()
    ema = Ema(module)
    theirs = {value.data_ptr() for value in module.state_dict().values()}
    for _ in range(2):
        assert theirs.isdisjoint(value.data_ptr() for value in ema.state_dict()["average"].values())
        ema.update(module)


def test_decay_is_checked():
    with pytest.raises(ValueError, match="decay"):
        Ema(model(), decay=1.0)
