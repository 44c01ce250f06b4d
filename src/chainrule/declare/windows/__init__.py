"""Functions of images: a kernel or a window slides over them. Images are (batch, channels, ...)."""
