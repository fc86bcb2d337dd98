"""What bitsandbytes 0.50.2's AdamW8bit does to three random tensors, for test/native/adamw_int8_test.cpp.

    pip install torch==2.13.0 bitsandbytes==0.50.2 safetensors numpy
    python test/parity/make_bitsandbytes_golden.py

Two things of its quantisation are changed:

- On CPUs it looks codes up in a table of 65536 even steps, which is coarse near 0 (it gives 1e-8 the code of 2.1e-5). The one for all
  other devices and the CUDA kernel take the nearest code, as the paper does: that one is used.
- There a small second moment becomes 0 beside a first moment that does not, and the weight jumps by up to m / epsilon: as it is, this
  script sees updates of 15 at a learning rate of 1e-3. vsgrpo gives a second moment the least code above 0 instead; so does this script.
  It prints how many that are of each tensor.
"""
from pathlib import Path

import bitsandbytes
import torch
from bitsandbytes.backends.cpu import ops
from bitsandbytes.functional import create_dynamic_map
from safetensors.torch import save_file

FILE = Path(__file__).parent / "fixtures" / "adamw8bit.safetensors"
STEPS = 4
# Whole blocks, a ragged last block, and one that is too small for 8 bits.
SHAPES = {"matrix": (13, 321), "vector": (4352,), "small": (5, 8)}
floored = []


def quantize_nearest(values, code, absmax, out, blocksize):
    default = torch._C.DispatchKey.CompositeExplicitAutograd
    codes, largest = torch.ops.bitsandbytes.quantize_blockwise.default._op_dk(default, values, code, blocksize)
    if code[0] == 0:  # the map without sign
        floored.append((codes == 0).sum().item())
        codes.clamp_(min=1)
    out.copy_(codes)
    absmax.copy_(largest)


def gradient(shape, rng):
    """Rounded to bfloat16, so that gradients of both types can be tested. In matrices every seventh value is far below the others."""
    values = torch.randn(shape, generator=rng)
    if values.dim() > 1:
        values.view(-1)[::7] *= 1e-3
    return values.to(torch.bfloat16)


def main():
    assert bitsandbytes.__version__ == "0.50.2", bitsandbytes.__version__
    torch.set_num_threads(1)
    ops._quant_blockwise_fp32_direct = quantize_nearest
    rng = torch.Generator().manual_seed(12)
    params = {name: torch.nn.Parameter(torch.randn(shape, generator=rng)) for name, shape in SHAPES.items()}
    out = {f"start.{name}": p.detach().clone() for name, p in params.items()}
    out |= {"map.signed": create_dynamic_map(signed=True), "map.unsigned": create_dynamic_map(signed=False)}
    groups = [dict(params=[p for p in params.values() if p.dim() > 1], weight_decay=0.1),
              dict(params=[p for p in params.values() if p.dim() == 1], weight_decay=0.0)]
    optimizer = bitsandbytes.optim.AdamW8bit(groups, lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
    for step in range(STEPS):
        for name, p in params.items():
            g = gradient(p.shape, rng)
            out[f"grad.{step}.{name}"] = g
            p.grad = g.float()
        floored.clear()
        optimizer.step()
        print(f"step {step}: second moments kept above 0: {floored}")
        for name, p in params.items():
            out[f"after.{step}.{name}"] = p.detach().clone()
            state = optimizer.state[p]
            for moment, i in (("m", 1), ("v", 2)):
                out[f"{moment}.{step}.{name}"] = state[f"state{i}"].clone()
                if f"absmax{i}" in state:
                    out[f"{moment}_absmax.{step}.{name}"] = state[f"absmax{i}"].clone()
    versions = {"torch": torch.__version__, "bitsandbytes": bitsandbytes.__version__}
    settings = {"lr": "1e-3", "betas": "0.9,0.999", "eps": "1e-8", "weight_decay": "0.1"}
    save_file(out, FILE, metadata=versions | settings)
    FILE.chmod(0o644)
    print(f"{FILE.name}: {len(out)} tensors, {FILE.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
