"""The part of a flow map that the camera makes: pan, tilt, zoom and roll, fitted so that moving things do not count."""

import numpy as np

ROUNDS = 10
LEAST_SPREAD_PX = 0.01  # of the map: differences below are noise of the flow


def camera_part(maps: np.ndarray) -> np.ndarray:
    """The flow that the best pan, tilt, zoom and roll would give in each map.

    Fits u = tx + a x - b y, v = ty + b x + a y (a similarity) by iteratively reweighted least squares with the weights
    of Geman and McClure (Bulletin of the ISI 52, 1987), 1 / (1 + (r / s)^2)^2, where s is the median residual. The
    first residuals are those of the median flow, so a thing that covers less than half of the frame does not count.

    Args:
        maps: float (num_maps, h, w, 2), flow along x and y in pixels of the map.

    Returns:
        float64, of the same shape; what moves by itself is the difference to the maps.
    """
    flow = maps.reshape(len(maps), -1, 2).astype(np.float64)
    basis = _basis(*maps.shape[1:3])
    products = np.einsum("nci,ncj->nij", basis, basis).reshape(len(basis), -1)
    fitted = np.broadcast_to(np.median(flow, axis=1, keepdims=True), flow.shape)
    for _ in range(ROUNDS):  # sums by einsum: unlike those of BLAS they do not depend on the number of threads
        weights = _weights(np.linalg.norm(flow - fitted, axis=2))
        left = np.einsum("tn,nk->tk", weights, products).reshape(-1, 4, 4)
        right = np.einsum("tnc,nci->ti", weights[..., None] * flow, basis)
        moves = np.einsum("tij,tj->ti", np.linalg.pinv(left, hermitian=True), right)
        fitted = np.einsum("ti,nci->tnc", moves, basis)
    return fitted.reshape(maps.shape)


def _weights(residuals: np.ndarray) -> np.ndarray:
    """Of each place in each map, (num_maps, num_places), from lengths in pixels."""
    spread = np.maximum(np.median(residuals, axis=1, keepdims=True), LEAST_SPREAD_PX)
    return 1 / (1 + (residuals / spread) ** 2) ** 2


def _basis(height: int, width: int) -> np.ndarray:
    """Flow of a unit pan, tilt, zoom and roll at each place of a map: float64 (height * width, 2, 4)."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    x, y = x - x.mean(), y - y.mean()
    one, zero = np.ones_like(x), np.zeros_like(x)
    along_x, along_y = np.stack([one, zero, x, -y], axis=-1), np.stack([zero, one, y, x], axis=-1)
    return np.stack([along_x, along_y], axis=-2).reshape(-1, 2, 4)
