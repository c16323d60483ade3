"""How words are picked, against the closed form of the nucleus."""

from collections import Counter

import pytest
import torch

from curation.next_token import Decoding, NextToken

LOGITS = torch.log(torch.tensor([0.05, 0.5, 0.15, 0.3]))


def picks(decoding: Decoding, num_clips: int) -> Counter:
    ids = [f"clip-{number}" for number in range(num_clips)]
    return Counter(NextToken(decoding, ids)(LOGITS.expand(num_clips, -1)).tolist())


def test_without_chance_it_is_the_likeliest():
    assert picks(Decoding(), 5) == {1: 5}


@pytest.mark.parametrize(
    ("decoding", "shares"),
    [
        (Decoding(top_p=0.7), {1: 5 / 8, 3: 3 / 8}),  # 0.5 alone is less than 0.7; 0.5 + 0.3 is not
        (Decoding(top_p=0.4), {1: 1}),
        (Decoding(top_p=1), {0: 0.05, 1: 0.5, 2: 0.15, 3: 0.3}),
        (Decoding(top_p=1, temperature=0.5), {0: 0.0025 / 0.365, 1: 0.25 / 0.365, 2: 0.0225 / 0.365, 3: 0.09 / 0.365}),
    ],
)
def test_chance_follows_the_nucleus(decoding, shares):
    found = picks(decoding, 4000)
    assert set(found) <= set(shares)
    assert {token: found[token] / 4000 for token in shares} == pytest.approx(shares, abs=0.03)


def test_a_clip_draws_the_same_whoever_shares_its_batch():
    decoding, ids = Decoding(top_p=1), ["a", "b", "c"]
    logits = torch.randn(6, 3, 50, generator=torch.Generator().manual_seed(0))
    together, alone = NextToken(decoding, ids), [NextToken(decoding, [clip_id]) for clip_id in ids]
    drawn = [together(step).tolist() for step in logits]
    assert drawn == [[int(one(step[k : k + 1])) for k, one in enumerate(alone)] for step in logits]
    assert len({tuple(row) for row in zip(*drawn, strict=True)}) == 3, "each clip draws for itself"
    other = NextToken(Decoding(top_p=1, seed=1), ids)
    assert drawn != [other(step).tolist() for step in logits]


@pytest.mark.parametrize("wrong", [{"max_tokens": 0}, {"top_p": 0}, {"top_p": 1.1}, {"temperature": 0}])
def test_what_cannot_be_meant_is_refused_by_its_key(wrong):
    with pytest.raises(ValueError, match=f"^{next(iter(wrong))}: "):
        Decoding(**wrong)
