"""What decides the form of a network: closed choices and numbers, light to import."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any


class Backbone(enum.StrEnum):
    """Names for `--backbone`."""

    EFFICIENTNET_LITE0 = "efficientnet-lite0"
    EFFICIENTNET_LITE1 = "efficientnet-lite1"
    EFFICIENTNET_LITE2 = "efficientnet-lite2"
    MOBILENET_V2 = "mobilenet-v2"
    EFFICIENTNET_V2_B0 = "efficientnetv2-b0"
    RESNET_50 = "resnet-50"
    TINY = "tiny"  # four small convolutions, to try the pipeline in a minute


class HeadForm(enum.StrEnum):
    """What reads the backbone."""

    STATISTICS = "statistics"  # mean and deviation of chosen blocks, standardised, an MLP for each view group
    POOLED = "pooled"  # global average of the last block's output, one linear layer for each view group


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Everything that decides the graph, weights apart."""

    backbone: Backbone = Backbone.EFFICIENTNET_LITE0
    alpha: float = 1.0
    head: HeadForm = HeadForm.STATISTICS
    blocks: tuple[int, ...] = tuple(range(3, 15))
    """Blocks whose statistics are read, counted from 0; of no use to pooled heads."""
    hidden: int = 256
    dropout: float = 0.5
    groups: int = 1
    size: int = 224

    def as_json(self) -> dict[str, Any]:
        """JSON types, as `from_json` reads them."""
        return {
            "backbone": self.backbone.value, "alpha": self.alpha, "head": self.head.value, "blocks": list(self.blocks),
            "hidden": self.hidden, "dropout": self.dropout, "groups": self.groups, "size": self.size,
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> NetworkConfig:
        """The config that `as_json` wrote."""
        return cls(
            backbone=Backbone(data["backbone"]), alpha=float(data["alpha"]), head=HeadForm(data["head"]),
            blocks=tuple(int(b) for b in data["blocks"]), hidden=int(data["hidden"]), dropout=float(data["dropout"]),
            groups=int(data["groups"]), size=int(data["size"]),
        )  # fmt: skip
