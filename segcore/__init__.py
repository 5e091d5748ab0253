"""Maskwright without a window: a library that a notebook or a script can use.

The public names live in the packages below, so that importing this one costs nothing:

- `segcore.store.Project`: open a project, its items and labels
- `segcore.images.open`: read a picture, a DICOM series or a NIfTI volume
- `segcore.metrics`: confusion matrix, IoU, Dice
- `segcore.models.build`, `segcore.infer.Predictor`: models and predictions (they load torch)
- `segcore.refine.grabcut`: an object from two strokes
- `segcore.formats`: read and write mask files
- `segcore.projects`: what the commands do

``docs/api.md`` has an example of each.
"""

__version__ = "0.1.0"
