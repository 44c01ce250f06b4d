"""Layers of images, sequences and volumes: (batch, channels, ...)."""
