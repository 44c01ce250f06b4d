"""Augmentation inside the training loop: images changed at random in training, and nowhere else.

    logits = model(augment.flip(augment.shift(x, 2)))

Each image of each step has its own draw, counted by the seed, the step and its row in the batch, so
that any step can be repeated and every target draws the same. In validation and prediction all of
them give what they are given.
"""

from chainrule.augment.geometry import crop, cutout, flip, shift
from chainrule.augment.mixing import mixup, smooth_labels
from chainrule.augment.values import brightness, noise

__all__ = ["brightness", "crop", "cutout", "flip", "mixup", "noise", "shift", "smooth_labels"]


def __dir__() -> list[str]:
    return list(__all__)
