"""Lets torchvision be imported beside a torch that its build is not for: a plugin for pytest.

Its wheel on PyPI is built for CUDA. Beside torch's build for CPUs its operators do not load, and it then
fails as it describes them to torch; what the processors of models take of it needs none of them.
"""

from importlib import import_module

import torch

MISSING = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
LIBRARY = torch.library.Library("torchvision", "FRAGMENT")
try:
    import_module("torchvision")
except RuntimeError:
    for name in ("nms", "qnms"):
        LIBRARY.define(f"{name}{MISSING}")
    import_module("torchvision")
