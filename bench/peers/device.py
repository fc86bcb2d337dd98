"""Where a peer computes, and what a measurement must do for it: a GPU works on after a call has returned."""

import torch


def is_gpu(job):
    return job.get("device") == "cuda"


def device_of(job):
    return torch.device("cuda", 0) if is_gpu(job) else torch.device("cpu")


def wait(job):
    """Until everything that was asked for is done."""
    if is_gpu(job):
        torch.cuda.synchronize()


def peak_of(job, host_bytes):
    """The result's memory: of the GPU's allocator where it computes there, else of the process."""
    if not is_gpu(job):
        return {"peakBytes": host_bytes}
    return {"peakBytes": torch.cuda.max_memory_allocated(), "hostPeakBytes": host_bytes}
