import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pyarrow as pa
import pytest
import torch
from footage import noise_scene, write_video
from safetensors.torch import save_file

from curation.config import LimitsConfig
from curation.guard import describe
from curation.scorers import raft
from curation.scorers.motion import TOO_FEW, averaged, motion_of
from curation.scorers.raft import Raft, flow_size
from curation.span_frames import SpanReader

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
    size = {"width": 160, "height": 120}
    rows = [{"path": path, "start_pts": start * TICKS, "end_pts": end * TICKS} | size for path, start, end in spans]
    return pa.Table.from_pylist(rows)


@pytest.fixture
def video(tmp_path) -> str:
    return str(write_video(tmp_path / "a.mp4", noise_scene(1, 12, 2.0)))


def pictures_and_flows(video: str) -> tuple[list, np.ndarray]:
    """Those of its first 12 frames, all flows in one pass."""
    from torchvision.models.optical_flow import raft_small

    model, reader = raft_small().eval(), SpanReader(0.5, LimitsConfig())
    model.load_state_dict(torch.load(random_weights(), weights_only=True))
    frames = reader.frames(video, 0, 12 * TICKS, (168, 128))
    reader.close()
    pictures = torch.from_numpy(np.stack([p for _, p in frames])).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.inference_mode():
        return frames, model(pictures[:-1], pictures[1:])[-1].permute(0, 2, 3, 1).numpy()


def test_it_is_the_definition_of_motion_with_the_flow_of_the_model(video):
    """Computed once more here, straight from torchvision."""
    scorer = tiny()
    columns = scorer.build()(clips((video, 0, 12)), [()])
    frames, flows = pictures_and_flows(video)
    expected = motion_of([t for t, _ in frames], [averaged(flow, 16) for flow in flows])
    assert len(frames) == 3 and expected is not None
    got = [columns[name][0] for name in scorer.writes.names]
    assert got == pytest.approx(list(expected), rel=1e-4) and columns["error"] == [None]


def test_only_averaged_flow_is_kept_of_a_batch_and_it_is_what_all_flows_give(video, monkeypatch):
    """Bit by bit; memory thus does not grow with the flows of a long clip."""
    seen = []
    monkeypatch.setattr(raft, "motion_of", lambda times_s, maps: seen.append(maps) or motion_of(times_s, maps))
    columns = tiny().build()(clips((video, 0, 12)), [()])
    flows = pictures_and_flows(video)[1]
    assert [(one.shape, one.base) for one in seen[0]] == [((16, 21, 2), None)] * 2, "no view of a whole flow"
    assert all(np.array_equal(one, averaged(flow, 16)) for one, flow in zip(seen[0], flows, strict=True))
    expected = motion_of([0.0, 0.5, 1.0], [averaged(flow, 16) for flow in flows])
    assert tuple(columns[name][0] for name in tiny().writes.names) == expected


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


def test_another_device_is_another_configuration():
    """Last digits differ; `auto` would not tell which it was."""
    assert describe(replace(tiny(), device="cuda")) != describe(tiny())
    assert "auto" not in get_args(get_type_hints(Raft)["device"])


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
