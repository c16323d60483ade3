import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from footage import noise_scene, write_video
from safetensors.torch import save_file

from curation.config import LimitsConfig
from curation.guard import describe
from curation.scorers.motion import TOO_FEW, motion_of
from curation.scorers.raft import Raft, flow_size
from curation.span_frames import read_span

TICKS = 1024  # of the time base that ours get, in one frame of 10 a second


@cache
def random_weights() -> str:
    """A file of weights of `raft_small` as torchvision publishes them, but random."""
    from torchvision.models.optical_flow import raft_small

    torch.manual_seed(0)
    path = Path(tempfile.mkdtemp()) / "raft_small.pth"
    torch.save(raft_small().state_dict(), path)
    return str(path)


def tiny() -> Raft:
    return Raft(model="raft_small", pretrained=random_weights(), short_side_px=128, device="cpu")


def clips(*spans: tuple[str, int, int]) -> pa.Table:
    rows = [{"path": path, "start_pts": start * TICKS, "end_pts": end * TICKS} for path, start, end in spans]
    return pa.Table.from_pylist(rows)


@pytest.fixture
def video(tmp_path) -> str:
    return str(write_video(tmp_path / "a.mp4", noise_scene(1, 12, 2.0)))


def test_it_is_the_definition_of_motion_with_the_flow_of_the_model(video):
    """Computed once more here, straight from torchvision."""
    from torchvision.models.optical_flow import raft_small

    scorer, model = tiny(), raft_small().eval()
    model.load_state_dict(torch.load(random_weights(), weights_only=True))
    columns = scorer.build()(clips((video, 0, 12)), [()])
    frames = read_span(video, 0, 12 * TICKS, 0.5, lambda w, h: (168, 128), LimitsConfig())
    pictures = torch.from_numpy(np.stack([p for _, p in frames])).permute(0, 3, 1, 2) / 255 * 2 - 1
    with torch.inference_mode():
        flows = model(pictures[:-1], pictures[1:])[-1].permute(0, 2, 3, 1).numpy()
    expected = motion_of([t for t, _ in frames], list(flows), 16)
    assert len(frames) == 3 and expected is not None
    got = [columns[name][0] for name in scorer.writes.names]
    assert got == pytest.approx(list(expected), rel=1e-4) and columns["error"] == [None]


def test_a_broken_file_and_a_single_frame_are_null_with_a_reason(video, tmp_path):
    (tmp_path / "b.mp4").write_bytes(b"no video")
    columns = tiny().build()(clips((str(tmp_path / "b.mp4"), 0, 9), (video, 0, 2), (video, 0, 12)), [()] * 3)
    assert columns["raft_motion"][:2] == [None, None] and columns["raft_motion"][2] > 0
    assert "cannot be opened" in columns["error"][0] and columns["error"][1:] == [TOO_FEW, None]


@pytest.mark.parametrize(
    ("size", "seen"),
    [((1920, 1080), (800, 448)), ((1080, 1920), (448, 800)), ((176, 144), (544, 448)), ((9000, 10), (1792, 128))],
)
def test_sides_are_multiples_of_eight_whatever_the_video(size, seen):
    assert flow_size(448, *size) == seen


def test_weights_are_taken_from_safetensors_too(tmp_path):
    save_file(torch.load(random_weights(), weights_only=True), tmp_path / "raft.safetensors")
    Raft(model="raft_small", pretrained=str(tmp_path / "raft.safetensors")).prepare()


def test_other_weights_are_another_configuration(tmp_path):
    state = torch.load(random_weights(), weights_only=True)
    torch.save({name: value + 1 for name, value in state.items()}, tmp_path / "other.pth")
    other = Raft(model="raft_small", pretrained=str(tmp_path / "other.pth"), short_side_px=128, device="cpu")
    assert describe(tiny()) != describe(other) and describe(tiny()) == describe(tiny())


@pytest.mark.parametrize(
    ("pretrained", "words"),
    [("no/such/file.pth", "no/such/file.pth is no file, and raft_small has the tags"), ("{here}/b.pth", "b.pth")],
)
def test_weights_that_cannot_be_had_are_named(pretrained, words, tmp_path):
    (tmp_path / "b.pth").write_bytes(b"no weights")
    with pytest.raises(ValueError, match=words):
        Raft(model="raft_small", pretrained=pretrained.format(here=tmp_path)).prepare()


def test_weights_of_the_other_model_are_refused():
    with pytest.raises(ValueError, match=r"weights .* of raft_large cannot be loaded"):
        Raft(model="raft_large", pretrained=random_weights()).prepare()
