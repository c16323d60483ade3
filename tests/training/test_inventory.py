import pytest
import torch
from torch import Tensor, nn

from training.denoisers.denoiser import Denoiser
from training.inventory import Inventory, count, select_trainable


class Handmade(Denoiser):
    """3 spatial and 20 temporal parameters."""

    text_width = 0

    def __init__(self) -> None:
        super().__init__()
        self.conv_in = nn.Linear(2, 1)
        self.time_mixer = nn.Linear(4, 4)

    def forward(self, noisy, c_noise, conditions) -> Tensor:
        return self.time_mixer(noisy) * self.conv_in.bias

    def is_temporal(self, name: str) -> bool:
        return name.startswith("time_mixer")


SPATIAL = ["spatial/conv_in.weight", "spatial/conv_in.bias"]
TEMPORAL = ["temporal/time_mixer.weight", "temporal/time_mixer.bias"]


def trainable(denoiser: Denoiser) -> list[str]:
    return [name for name, parameter in denoiser.groups().items() if parameter.requires_grad]


def test_counts_scalars():
    assert count(Handmade()) == Inventory(num_total=23, num_temporal=20, num_trainable=23)


def test_counts_on_the_meta_device():
    with torch.device("meta"):
        assert count(Handmade()).num_total == 23


@pytest.mark.parametrize(
    ("patterns", "names", "num_trainable"),
    [
        (["^spatial/"], SPATIAL, 3),
        (["^temporal/"], TEMPORAL, 20),
        ([".*"], SPATIAL + TEMPORAL, 23),
        (["bias$"], [SPATIAL[1], TEMPORAL[1]], 5),
        (["mixer.weight", "^spatial/"], [*SPATIAL, TEMPORAL[0]], 19),
    ],
)
def test_patterns_choose_what_trains(patterns, names, num_trainable):
    denoiser = Handmade()
    assert select_trainable(denoiser, patterns) == names == trainable(denoiser)
    assert count(denoiser) == Inventory(23, 20, num_trainable)


def test_a_later_choice_replaces_an_earlier_one():
    denoiser = Handmade()
    select_trainable(denoiser, ["^temporal/"])
    select_trainable(denoiser, ["^spatial/"])
    assert trainable(denoiser) == SPATIAL


def test_what_is_frozen_stays_bit_equal_under_adamw_after_a_batch_that_gives_it_zeros():
    denoiser = Handmade()
    select_trainable(denoiser, ["^spatial/"])
    before = [parameter.detach().clone() for parameter in denoiser.time_mixer.parameters()]
    optimizer = torch.optim.AdamW(denoiser.parameters(), weight_decay=0.5)
    denoiser(torch.ones(1, 4), None, None).sum().backward()
    optimizer.step()
    assert all(torch.equal(p, q) for p, q in zip(denoiser.time_mixer.parameters(), before, strict=True))
    assert denoiser.conv_in.bias.grad is not None


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (["^temporal/", "^temporl/"], r"'\^temporl/' matches no parameter.* like spatial/conv_in.weight"),
        ([], "nothing would train"),
        (["^spatial/("], r"'\^spatial/\(' is no regular expression"),
    ],
)
def test_a_wrong_choice_is_refused_and_changes_nothing(patterns, message):
    denoiser = Handmade()
    with pytest.raises(ValueError, match=message):
        select_trainable(denoiser, patterns)
    assert trainable(denoiser) == SPATIAL + TEMPORAL
