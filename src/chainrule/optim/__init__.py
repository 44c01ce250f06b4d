"""Optimizers: how a gradient changes a parameter."""

from chainrule.optim.optimizers import *
