"""Normalisation of the channels of images."""

from __future__ import annotations

from chainrule.nn.normalization import BatchNorm

__all__ = ["BatchNorm2d", "BatchNorm3d"]


class BatchNorm2d(BatchNorm):
    """`BatchNorm1d` for each channel of images (batch, channels, height, width)."""

    shapes = ("[batch,{n},height,width]",)


class BatchNorm3d(BatchNorm):
    """`BatchNorm1d` for each channel of volumes (batch, channels, depth, height, width)."""

    shapes = ("[batch,{n},depth,height,width]",)
