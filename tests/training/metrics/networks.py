"""Stand-ins for published TorchScript networks: the same calls, and outputs that tell what came in."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn


class I3d(nn.Module):
    """Called as StyleGAN-V's I3D; gives (B, 400): rows and columns that came in, frames, lowest, highest, mean."""

    def forward(self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False) -> Tensor:
        assert return_features
        size = torch.tensor([x.shape[3], x.shape[4], x.shape[2], int(resize)]).float().expand(x.shape[0], 4)
        x = x / 127.5 - 1 if rescale else x
        flat = x.flatten(1)
        found = torch.stack([flat.amin(1), flat.amax(1), flat.mean(1)], dim=1)
        places = nn.functional.adaptive_avg_pool3d(x, (2, 4, 4)).flatten(1)
        return nn.functional.pad(torch.cat([size, found, places], dim=1), [0, 400 - 7 - places.shape[1]])


class Inception(nn.Module):
    """Called as StyleGAN's Inception; gives (N, 16): mean colours of places of each frame."""

    def forward(self, x: Tensor, return_features: bool = False) -> Tensor:
        assert return_features and x.dtype == torch.uint8
        return nn.functional.adaptive_avg_pool2d(x.float(), (2, 3)).flatten(1)[:, :16]


class C3d(nn.Module):
    """Gives (B, 3): how red, green and blue a video is; sums to 1."""

    def forward(self, x: Tensor) -> Tensor:
        colours = x.mean(dim=[2, 3, 4]) + 1e-3
        return colours / colours.sum(dim=1, keepdim=True)


class NoClasses(nn.Module):
    """Gives (B, 3) that do not sum to 1."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=[2, 3, 4])


class Pooled(nn.Module):
    """Features of a user's own: (B, 3), mean colours."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=[2, 3, 4])


class OfPictures(nn.Module):
    """Takes pictures, no videos."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).mean(dim=[2, 3])


class Demanding(nn.Module):
    """Takes no videos, and says so by an exception of its own."""

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[2] != 99:
            raise ValueError("takes 99 frames")
        return x.mean(dim=[2, 3, 4])


class Unpooled(nn.Module):
    """Features with places: (B, 3, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=2)


class Several(nn.Module):
    """Several outputs."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


def saved(network: nn.Module, folder: Path) -> str:
    """The path of the network's TorchScript."""
    path = folder / f"{type(network).__name__}.pt"
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        torch.jit.script(network).save(str(path))
    return str(path)
