"""One trial of the peer: reads a job (JSON), times it, writes what it measured to the job's "out".

    python bench/peers/worker.py JOB.json
"""

import json
import os
import platform
import sys
import warnings
from pathlib import Path

import torch
from torch import library as torch_operators

# A CUDA build of torchvision imports on a CPU-only torch once these two operators have a schema. Where torch has CUDA too, it
# brings them itself, and a second one would end the process.
operators = torch_operators.Library("torchvision", "FRAGMENT")
for name in ("nms", "qnms") if torch.version.cuda is None else ():
    try:
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    except RuntimeError:
        pass

import transformers  # noqa: E402

from device import peak_of  # noqa: E402


def peak_bytes():
    """Largest resident size of this process; ru_maxrss would count the parent's at the fork too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError("/proc/self/status has no VmHWM")


def versions():
    import trl

    found = {module.__name__: module.__version__ for module in (trl, transformers, torch)}
    return {**found, "python": platform.python_version(), "threads": torch.get_num_threads()}


def main(job):
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if job["task"] == "grpo-step":
        from grpo_step import run
    elif job["task"] == "generate":
        from passes import generate as run
    elif job["task"] == "forward-backward":
        from passes import forward_backward as run
    elif job["task"] == "loss":
        from passes import loss as run
    elif job["task"] == "training":
        from passes import training as run
    elif job["task"] == "score":
        from passes import score as run
    elif job["task"] == "machine":
        from machine import run
    else:
        raise ValueError(f"unknown task {job['task']}")
    measured = run(job)
    Path(job["out"]).write_text(json.dumps({**measured, **peak_of(job, peak_bytes()), "versions": versions()}))


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    main(json.loads(Path(sys.argv[1]).read_text()))
