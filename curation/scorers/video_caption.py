"""Captions of a clip's proxy frames by a video-language model of transformers, named by its hub name or folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from curation.caption_text import NoCaption
from curation.captioner import NO_FRAME, Writer
from curation.chat_captioner import ChatCaptioner
from curation.chat_model import ChatModel
from curation.scorer import Frames

TICKS = 1000  # a second, as the model is told it: times of frames are given in milliseconds


@dataclass(frozen=True, kw_only=True)
class VideoCaption(ChatCaptioner):
    """Any model with the task image-text-to-text whose processor has a chat template.

    A model that knows video gets the frames as one video, with their times; another gets them as pictures.
    """

    source: str = "video"
    """Name of this source of captions; the column is `caption_<source>`."""
    prompt: str = "Describe in one or two sentences what happens in this video, and how the camera moves."
    """What the model is asked."""
    num_frames: int = 8
    """Proxy frames that it sees, evenly spread over the clip; fewer where the clip has fewer."""

    kind = "pictures"

    def load(self) -> Writer:
        """Loads model and processor."""
        return _VideoWriter(self, self.load_chat())


class _VideoWriter(Writer):
    """A loaded model that looks at frames."""

    def __init__(self, config: VideoCaption, model: ChatModel) -> None:
        self._config, self._model = config, model

    def subject(self, clip: dict, frames: Frames) -> Frames:
        if not frames:
            raise NoCaption(NO_FRAME)
        return spread(frames, self._config.num_frames)

    def write(self, subjects: Sequence[Frames], clip_ids: Sequence[str]) -> list[tuple[str, bool]]:
        questions, processing = self.questions(subjects)
        return self._model.answer(questions, clip_ids, processing)

    def questions(self, subjects: Sequence[Frames]) -> tuple[list[list[dict]], dict[str, Any]]:
        """For each clip what the model is asked, and settings of the processor."""
        question = {"type": "text", "text": self._config.prompt}
        if not self._model.takes_video:
            return [[*({"type": "image", "image": p} for _, p in frames), question] for frames in subjects], {}
        videos = [{"type": "video", "video": np.stack([p for _, p in frames])} for frames in subjects]
        times = [times_of(frames) for frames in subjects]
        return [[video, question] for video in videos], {"do_sample_frames": False, "video_metadata": times}


def spread(frames: Frames, count: int) -> Frames:
    """So many of the frames, evenly spread with the first and the last one; all where there are no more."""
    places = np.linspace(0, len(frames) - 1, min(count, len(frames))).round().astype(int)
    return [frames[place] for place in places]


def times_of(frames: Frames) -> dict:
    """Times of frames as transformers takes them: numbers of frames of a video of 1000 frames a second."""
    start_s = frames[0][0]
    indices = [round(TICKS * (time_s - start_s)) for time_s, _ in frames]
    step = indices[-1] / (len(frames) - 1) if len(frames) > 1 else TICKS
    return {"fps": TICKS, "frames_indices": indices, "total_num_frames": round(step * len(frames))}
