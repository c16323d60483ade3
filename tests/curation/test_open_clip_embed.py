"""Pictures and texts to unit embeddings."""

import numpy as np
import pytest

from curation.open_clip_embed import Embedder

MODEL = "local-dir:curation/demo/weights/clip"


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder(MODEL, None, "cpu", threads=1, batch_size=2)


def test_embeddings_have_unit_length_and_come_in_order(embedder):
    grays = [np.full((40, 60, 3), level, np.uint8) for level in (10, 120, 240)]
    together = embedder.pictures([lambda p=p: p for p in grays])
    assert together.shape == (3, 128) and together.dtype == np.float32
    assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-5)
    for picture, embedding in zip(grays, together, strict=True):
        np.testing.assert_allclose(embedder.pictures([lambda p=picture: p])[0], embedding, atol=1e-5)
    texts = embedder.texts(["a red circle", "a blue square", "a red circle"])
    assert np.linalg.norm(texts, axis=1) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(texts[0], texts[2], atol=1e-5)
    assert texts[0] @ texts[1] < 0.99


def test_nothing_gives_nothing(embedder):
    assert embedder.pictures([]).shape == (0, 0) and embedder.texts([]).shape == (0, 0)


def test_threads_beside_a_gpu_prepare_the_same_pictures(embedder):
    """What they give does not depend on the device, so they are tried without one."""
    from concurrent.futures import ThreadPoolExecutor

    beside = Embedder(MODEL, None, "cpu", threads=1, batch_size=2)
    assert beside._pool is None
    beside._pool = ThreadPoolExecutor(3)
    noise = [np.random.default_rng(k).integers(0, 256, (40, 60, 3), np.uint8) for k in range(7)]
    load = [lambda p=p: p for p in noise]
    np.testing.assert_array_equal(beside.pictures(load), embedder.pictures(load))

    def broken() -> np.ndarray:
        raise ValueError("the proxy frame at 1.000 s is damaged")

    with pytest.raises(ValueError, match="is damaged"):
        beside.pictures([*load, broken])


def test_the_scale_is_that_of_the_model(embedder):
    assert embedder.logit_scale == pytest.approx(float(embedder._model.logit_scale.exp().detach()), rel=1e-6)
    assert embedder.logit_scale > 1
