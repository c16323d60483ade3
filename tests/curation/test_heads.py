"""Heads over embeddings: published values, closed forms, and files that are no heads."""

import itertools
import json
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from curation.guard import describe
from curation.scorer import Misfit
from curation.scorers.heads import Head


def tiny() -> Head:
    """An MLP over the 128 numbers of the demo's CLIP."""
    torch.manual_seed(0)
    return Head(file=save(Path(tempfile.mkdtemp()) / "head.pth", mlp(128, 4, 1)), column="aesthetic")


def mlp(*widths: int) -> nn.Sequential:
    return nn.Sequential(*(nn.Linear(a, b) for a, b in itertools.pairwise(widths)))


def save(path: Path, model: nn.Module) -> str:
    torch.save(model.state_dict(), path)
    return str(path)


def table(*clips: list | None, name: str = "clip_frame_embeddings") -> pa.Table:
    """Each clip with the embeddings of its frames."""
    return pa.table({name: pa.array(clips, pa.list_(pa.list_(pa.float16())))})


def scored(head: Head, clips: pa.Table) -> dict:
    return head.build()(clips, [()] * len(clips))


def published(media: Path, model: str) -> list[tuple[np.ndarray, float]]:
    """Unit embeddings and what the published head gives for them."""
    files = json.loads((media / "manifest.json").read_text())["files"]
    mine = [entry for entry in files if entry["path"].startswith(f"weights/embeddings/{model}")]
    return [(np.load(media / entry["path"])[0], entry["truth"]["expected_head_output"]) for entry in mine]


@pytest.mark.parametrize("model", ["vit_b_32", "vit_l_14"])
def test_published_heads_give_their_published_values_over_stored_embeddings(media, model):
    head = Head(file=str(media / f"weights/aesthetic-predictor__sa_0_4_{model}_linear.pth"), column="aesthetic")
    head.prepare()
    truth = published(media, model)
    assert len(truth) == 10
    columns = scored(head, table(*([list(embedding.astype(np.float16))] for embedding, _ in truth)))
    assert columns["aesthetic"] == pytest.approx([value for _, value in truth], abs=3e-3), "as float16 keeps them"
    assert columns["error"] == [None] * 10


def test_a_clip_gets_the_mean_or_the_largest_of_its_frames(tmp_path):
    linear = nn.Linear(2, 1)
    linear.load_state_dict({"weight": torch.tensor([[1.0, -1.0]]), "bias": torch.tensor([0.5])})
    file, clips = save(tmp_path / "h.pth", linear), table([[1, 0], [0, 1]], None, [[0, 1]], [])
    mean, most = (scored(Head(file=file, column="x", of_frames=of), clips) for of in ("mean", "max"))
    assert mean["x"] == [0.5, None, -0.5, None] and most["x"] == [1.5, None, -0.5, None]
    assert mean["error"] == [None, "no clip_frame_embeddings", None, "no clip_frame_embeddings"]


def test_the_second_aesthetic_predictor_has_its_dropouts_and_no_activation(tmp_path):
    """`sac+logos+ava1-l14-linearMSE.pth`: linear layers 0, 2, 4, 6, 7 with dropout between them."""
    torch.manual_seed(1)
    drops = [nn.Dropout(0.2), nn.Dropout(0.2), nn.Dropout(0.1), nn.Identity()]
    widths = [768, 1024, 128, 64, 16, 1]
    linears = [nn.Linear(a, b) for a, b in itertools.pairwise(widths)]
    layers = [linears[0], drops[0], linears[1], drops[1], linears[2], drops[2], linears[3], linears[4]]
    model = nn.ModuleDict({"layers": nn.Sequential(*layers)}).eval()
    assert sorted(model.state_dict())[0] == "layers.0.bias" and "layers.7.weight" in model.state_dict()
    embedding = nn.functional.normalize(torch.randn(3, 768), dim=-1).half()
    columns = scored(
        Head(file=save(tmp_path / "v2.pth", model), column="x"), table(*([list(e.numpy())] for e in embedding))
    )
    with torch.inference_mode():
        expected = model["layers"](embedding.float())[:, 0].tolist()
    assert columns["x"] == pytest.approx(expected, abs=1e-5)


def test_relu_and_sigmoid_as_detectors_have_them(tmp_path):
    torch.manual_seed(2)
    hidden, last = nn.Linear(8, 16), nn.Linear(16, 2)
    save_file(
        {"0.weight": hidden.weight, "0.bias": hidden.bias, "2.weight": last.weight, "2.bias": last.bias},
        tmp_path / "h.safetensors",
    )
    embedding = nn.functional.normalize(torch.randn(1, 8), dim=-1).half()
    head = Head(file=str(tmp_path / "h.safetensors"), column="nsfw", relu=True, output="sigmoid", index=1)
    with torch.inference_mode():
        expected = torch.sigmoid(last(torch.relu(hidden(embedding.float()))))[0, 1].item()
    assert scored(head, table([list(embedding[0].numpy())]))["nsfw"] == pytest.approx([expected], abs=1e-6)


def test_more_than_ten_layers_come_in_the_order_of_their_numbers(tmp_path):
    torch.manual_seed(3)
    model = mlp(4, *range(5, 17), 1)
    embedding = nn.functional.normalize(torch.randn(1, 4), dim=-1).half()
    found = scored(Head(file=save(tmp_path / "h.pth", model), column="x"), table([list(embedding[0].numpy())]))
    assert found["x"] == pytest.approx(model(embedding.float())[:, 0].tolist(), abs=1e-6)


def test_one_embedding_a_clip_will_do(tmp_path):
    file = save(tmp_path / "h.pth", nn.Linear(2, 1))
    flat = pa.table({"clip_embedding": pa.array([[1, 0], None, [0, 1]], pa.list_(pa.float16()))})
    columns = scored(Head(file=file, column="x", embeddings="clip_embedding"), flat)
    nested = scored(Head(file=file, column="x"), table([[1, 0]], None, [[0, 1]]))
    assert columns["x"] == nested["x"] and columns["error"][1] == "no clip_embedding"


def test_embeddings_of_another_model_are_refused(tmp_path):
    head = Head(file=save(tmp_path / "h.pth", nn.Linear(768, 1)), column="x")
    with pytest.raises(
        Misfit, match=r"h\.pth takes embeddings of 768 numbers, `clip_frame_embeddings` has 2: .*another model"
    ):
        scored(head, table([[1, 0]]))
    with pytest.raises(Misfit, match="different widths"):
        scored(head, table([[1, 0]], [[1, 0, 0]]))
    numbers = pa.table({"motion": pa.array([1.0, 2.0])})
    with pytest.raises(Misfit, match="`motion` holds no embeddings"):
        scored(Head(file=head.file, column="x", embeddings="motion"), numbers)


def test_what_is_no_head_is_told_before_work(tmp_path):
    with pytest.raises(ValueError, match=r"there is no file nowhere/head\.pth"):
        Head(file="nowhere/head.pth", column="x").prepare()
    torch.save({"layers": torch.zeros(1)}, tmp_path / "odd.pth")
    with pytest.raises(ValueError, match=r"odd\.pth is no head of linear layers.*layers.*\(1,\)"):
        Head(file=str(tmp_path / "odd.pth"), column="x").prepare()
    torch.save(
        {
            "0.weight": torch.zeros(4, 2),
            "0.bias": torch.zeros(4),
            "1.weight": torch.zeros(1, 5),
            "1.bias": torch.zeros(1),
        },
        tmp_path / "gap.pth",
    )
    with pytest.raises(ValueError, match="one gives 4, the next one takes 5"):
        Head(file=str(tmp_path / "gap.pth"), column="x").prepare()
    (tmp_path / "text.pth").write_text("<html>not found</html>")
    with pytest.raises(ValueError, match=r"text\.pth cannot be read"):
        Head(file=str(tmp_path / "text.pth"), column="x").prepare()
    with pytest.raises(ValueError, match=r"index: 1.* gives 1 numbers"):
        Head(file=save(tmp_path / "one.pth", nn.Linear(2, 1)), column="x", index=1).prepare()


class Evil:
    def __reduce__(self):
        return exec, ("raise SystemExit('ran')",)


def test_nothing_that_a_file_holds_is_run(tmp_path):
    torch.save({"weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match=r"evil\.pth cannot be read"):
        Head(file=str(tmp_path / "evil.pth"), column="x").prepare()


def test_a_head_at_an_address_is_kept_and_known_by_its_content(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    save(tmp_path / "h.pth", nn.Linear(2, 1))
    head = Head(file=f"memory://heads/{tmp_path.name}/h.pth", column="x")
    assert head.weights() == {"weights": None}, "not here yet"
    import fsspec

    store = fsspec.filesystem("memory")
    store.pipe_file(head.file.removeprefix("memory:/"), (tmp_path / "h.pth").read_bytes())
    head.prepare()
    before = describe(head)
    store.rm_file(head.file.removeprefix("memory:/"))
    head.prepare()
    assert scored(head, table([[1, 0]]))["x"][0] is not None, "from the cache"
    (copy,) = (tmp_path / "cache/rushes").iterdir()
    save(copy, nn.Linear(2, 1))
    assert describe(head) != before, "other content"
    copy.unlink()
    with pytest.raises(ValueError, match=r"memory://heads/.*cannot be had"):
        head.prepare()
