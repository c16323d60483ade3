"""Optical flow between two frames, without weights: what stands in for the networks that VBench takes."""

import cv2
import numpy as np

TOLD = "DIS optical flow (Kroeger et al. 2016; OpenCV, preset medium)"


def optical_flow(before: np.ndarray, after: np.ndarray, short_side_px: int) -> np.ndarray:
    """Where each pixel goes, right and down, in pixels of frames whose short side is `short_side_px`.

    Args:
        before: uint8 (H, W, 3) RGB.
        after: likewise.
        short_side_px: frames are brought to it first; the method needs some 100 pixels.

    Returns:
        float32 (h, w, 2), at that size.
    """
    scale = short_side_px / min(before.shape[:2])
    size = tuple(round(side * scale) for side in before.shape[1::-1])
    shrinks = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    grays = [
        cv2.resize(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY), size, interpolation=shrinks) for each in (before, after)
    ]
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return method.calc(*grays, None)  # pyright: ignore[reportCallIssue, reportArgumentType]
