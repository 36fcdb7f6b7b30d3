"""The networks of the benchmarks in PyTorch, to time PyTorch on the same layers; random weights.

MobileNetV2 (Sandler et al. 2018, table 2) with one output, and EfficientNet-Lite0 read by block statistics and an MLP.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

_MOBILENET = (
    (3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (3, 2, 6, 32, 3), (3, 2, 6, 64, 4), (3, 1, 6, 96, 3), (3, 2, 6, 160, 3),
    (3, 1, 6, 320, 1),
)  # fmt: skip
_LITE0 = (
    (3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3), (5, 1, 6, 112, 3), (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)  # fmt: skip
"""Kernel, first stride, expansion, channels and blocks of each stage."""

_STEM, _HEAD = 32, 1280


def network_of(form: dict[str, Any]) -> nn.Module:
    """The network of a model.json for one view group: uint8 [N, 3, S, S] -> float32 [N, 1]."""
    return Statistics(form["blocks"], form["hidden"]) if form["head"] == "statistics" else Pooled()


class Pooled(nn.Module):
    """MobileNetV2 and one linear layer on the mean of its last maps."""

    def __init__(self) -> None:
        super().__init__()
        stem, blocks, channels = _backbone(_MOBILENET)
        self.features = nn.Sequential(stem, *blocks, _convolution(channels, _HEAD, 1))
        self.logit = nn.Linear(_HEAD, 1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Logits of pixels in 0..255."""
        return self.logit(self.features(pixels.float() / 127.5 - 1).mean((2, 3)))


class Statistics(nn.Module):
    """EfficientNet-Lite0 as far as it is read: means and deviations of the maps of chosen blocks, then an MLP."""

    def __init__(self, blocks: list[int], hidden: int) -> None:
        super().__init__()
        self.stem, every, _ = _backbone(_LITE0)
        self.blocks = nn.ModuleList(every[: max(blocks) + 1])
        self.read = frozenset(blocks)
        width = sum(2 * every[index].outputs for index in blocks)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("deviation", torch.ones(width))
        self.head = nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, 1))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Logits of pixels in 0..255."""
        x = self.stem((pixels.float() - 127) / 128)
        found = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.read:
                variance, mean = torch.var_mean(x, (2, 3), correction=0)
                found += [mean, (variance + 1e-8).sqrt()]
        return self.head((torch.cat(found, 1) - self.mean) / self.deviation)


def _backbone(stages: tuple[tuple[int, int, int, int, int], ...]) -> tuple[nn.Module, list[_Block], int]:
    """Stem, blocks, and the channels of the last one."""
    blocks: list[_Block] = []
    channels = _STEM
    for kernel, stride, expansion, outputs, repeats in stages:
        for index in range(repeats):
            blocks.append(_Block(channels, outputs, kernel, expansion, stride if index == 0 else 1))
            channels = outputs
    return _convolution(3, _STEM, 3, 2), blocks, channels


def _convolution(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(inplace=True),
    )


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int, expansion: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        layers = [_convolution(inputs, wide, 1)] if expansion > 1 else []
        self.path = nn.Sequential(
            *layers,
            _convolution(wide, wide, kernel, stride, groups=wide),
            nn.Conv2d(wide, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.outputs = outputs
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.path(x) if self.adds else self.path(x)
