"""What the golden generators share: two tiny random Qwen2-VL models, sequences with media, and writing."""

import copy
import json
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

ROOT = Path(__file__).resolve().parent / "fixtures"
VOCAB = 163  # odd, so that nothing may rely on an aligned vocabulary
EOS, VISION_START, VISION_END, VISION_PAD, IMAGE, VIDEO = 151, 152, 153, 154, 155, 156
TEXT_IDS = 150
SEED = 20250404

CONFIGS = {
    # head_dim 16, tied head, vision head_dim 16.
    "tiny-a": dict(hidden=64, heads=4, kv=2, intermediate=80, section=[2, 3, 3], tied=True, vision=32, vision_heads=2),
    # head_dim 32, three queries per key, own head, vision head_dim 12 (neither a power of two nor a multiple of 8).
    "tiny-b": dict(hidden=96, heads=3, kv=1, intermediate=72, section=[4, 6, 6], tied=False, vision=24, vision_heads=2),
}


def flat_config(c):
    """config.json as the published checkpoints have it."""
    return {
        "architectures": ["Qwen2VLForConditionalGeneration"],
        "attention_dropout": 0.0,
        "bos_token_id": TEXT_IDS,
        "eos_token_id": EOS,
        "vision_start_token_id": VISION_START,
        "vision_end_token_id": VISION_END,
        "vision_token_id": VISION_PAD,
        "image_token_id": IMAGE,
        "video_token_id": VIDEO,
        "hidden_act": "silu",
        "hidden_size": c["hidden"],
        "initializer_range": 0.02,
        "intermediate_size": c["intermediate"],
        "max_position_embeddings": 32768,
        "max_window_layers": 2,
        "model_type": "qwen2_vl",
        "num_attention_heads": c["heads"],
        "num_hidden_layers": 2,
        "num_key_value_heads": c["kv"],
        "rms_norm_eps": 1e-06,
        "rope_theta": 1000000.0,
        "sliding_window": 32768,
        "tie_word_embeddings": c["tied"],
        "torch_dtype": "float32",
        "transformers_version": "4.41.2",
        "use_cache": True,
        "use_sliding_window": False,
        "vision_config": {
            "depth": 2,
            "embed_dim": c["vision"],
            "mlp_ratio": 4,
            "num_heads": c["vision_heads"],
            "in_chans": 3,
            "hidden_size": c["hidden"],
            "patch_size": 14,
            "spatial_merge_size": 2,
            "spatial_patch_size": 14,
            "temporal_patch_size": 2,
        },
        "rope_scaling": {"type": "mrope", "mrope_section": c["section"]},
        "vocab_size": VOCAB,
    }


def metadata(**extra):
    base = {"torch": "2.13.0", "transformers": transformers.__version__, "seed": str(SEED)}
    return {**base, **{k: str(v) for k, v in extra.items()}}


DTYPES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.int32: "I32"}


def write(path, tensors, **extra):
    """Safetensors with a stable order of everything (the library's writer shuffles the metadata), by way of a temporary name."""
    header, chunks, offset = {"__metadata__": dict(sorted(metadata(**extra).items()))}, [], 0
    # Wide types first, so that everything is aligned.
    for name, t in sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0])):
        data = t.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes() if t.numel() else b""
        header[name] = {"dtype": DTYPES[t.dtype], "shape": list(t.shape), "data_offsets": [offset, offset + len(data)]}
        chunks.append(data)
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(chunks))
    os.replace(temporary, path)
    print(f"  {path.relative_to(ROOT)}: {len(tensors)} tensors, {path.stat().st_size / 1024:.0f} KiB", flush=True)


def make_model(name):
    """A model re-initialised wide: the default spread gives near-zero logits and zero biases, which hide mistakes."""
    directory = ROOT / name
    directory.mkdir(parents=True, exist_ok=True)
    flat = flat_config(CONFIGS[name])
    model = Qwen2VLForConditionalGeneration(Qwen2VLConfig(**{k: v for k, v in copy.deepcopy(flat).items() if k != "torch_dtype"}))
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for key, p in sorted(model.named_parameters()):
            p.copy_(torch.randn(p.shape, generator=generator) * 0.2)
            if p.dim() == 1 and "norm" in key and key.endswith("weight") or key.endswith("ln_q.weight"):
                p.add_(1.0)
    state = {old_name(k): p for k, p in model.named_parameters()}
    write(directory / "model.safetensors", state, format="pt")
    # Short arrays on one line, as the project's formatter has them.
    text = re.sub(r"\[\s+([^\[\]]*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m[1]) + "]", json.dumps(flat, indent=2))
    (directory / "config.json").write_text(text.replace("e-0", "e-") + "\n")
    return load(name, torch.float32)


def load(name, dtype):
    model = Qwen2VLForConditionalGeneration.from_pretrained(ROOT / name, dtype=dtype, attn_implementation="eager")
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    return model.eval()


def old_name(key):
    """The name in the published files."""
    return key.replace("model.visual.", "visual.").replace("model.language_model.", "model.")


@dataclass
class Case:
    """One unpadded sequence. `media` holds (kind, (t, h, w), patches) in the order of the placeholders."""

    ids: list
    media: list

    def grids(self, kind):
        return torch.tensor([g for k, g, _ in self.media if k == kind], dtype=torch.long).reshape(-1, 3)

    def patches(self, kind):
        parts = [p for k, _, p in self.media if k == kind]
        return torch.cat(parts) if parts else None

    def inputs(self, ids=None):
        ids = torch.tensor([self.ids if ids is None else ids])
        out = dict(input_ids=ids, attention_mask=torch.ones_like(ids))
        if (p := self.patches("image")) is not None:
            out.update(pixel_values=p, image_grid_thw=self.grids("image"))
        if (p := self.patches("video")) is not None:
            out.update(pixel_values_videos=p, video_grid_thw=self.grids("video"))
        return out

    def positions(self, model, ids=None):
        i = self.inputs(ids)
        positions, delta = model.model.get_rope_index(
            i["input_ids"], i.get("image_grid_thw"), i.get("video_grid_thw"), attention_mask=i["attention_mask"]
        )
        return positions[:, 0], int(delta[0]) + len(i["input_ids"][0])

    def tensors(self, model):
        positions, next_position = self.positions(model)
        out = dict(
            input_ids=torch.tensor(self.ids, dtype=torch.int32),
            positions=positions.to(torch.int32),
            next_position=torch.tensor([next_position], dtype=torch.int32),
            grids=torch.tensor([g for _, g, _ in self.media], dtype=torch.int32).reshape(-1, 3),
            # Multiples of 1/64 below 2: exact in bfloat16, at half the size.
            patches=torch.cat([p for _, _, p in self.media] or [torch.zeros(0, 1176)]).to(torch.bfloat16),
        )
        return out


def build(seed, *parts):
    """parts: an int = that many random text tokens; (kind, (t, h, w)) = a media item between its vision tokens."""
    rng = np.random.default_rng(seed)
    ids, media = [], []
    for part in parts:
        if isinstance(part, int):
            ids += rng.integers(0, TEXT_IDS, part).tolist()
            continue
        kind, (t, h, w) = part
        values = rng.integers(-127, 128, (t * h * w, 1176)).astype(np.float32) / 64
        media.append((kind, (t, h, w), torch.from_numpy(values)))
        pad = IMAGE if kind == "image" else VIDEO
        ids += [VISION_START] + [pad] * (t * h * w // 4) + [VISION_END]
    return Case(ids, media)
