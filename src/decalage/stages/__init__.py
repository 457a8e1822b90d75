"""The engines: voice activity, segmentation, recognition, translation."""
