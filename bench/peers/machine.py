"""What the machine itself reaches: a plain copy in its memory, and a large bfloat16 matrix product on random numbers."""

import statistics
import time

import torch

from device import device_of, is_gpu, wait


def seconds_of(job, call):
    for _ in range(3):
        call()
    times = []
    for _ in range(10):
        wait(job)
        begin = time.perf_counter()
        call()
        wait(job)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def run(job):
    device, tiny = device_of(job), job.get("tiny")
    source = torch.randn(1 << (20 if tiny else 30), device=device)
    target = torch.empty_like(source)
    copy = seconds_of(job, lambda: target.copy_(source))
    side = 256 if tiny else 8192
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    product = seconds_of(job, lambda: a @ b)
    return {
        "seconds": [copy, product],
        # Read and written.
        "copyBytesPerSecond": 2 * source.nbytes / copy,
        "matrixFlops": 2 * side**3 / product,
        "name": torch.cuda.get_device_name() if is_gpu(job) else "cpu",
    }
