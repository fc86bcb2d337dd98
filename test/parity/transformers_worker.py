"""What compare_transformers.py asks of one Python with transformers: make checkpoints and adapters, and tell their numbers.

    python transformers_worker.py JOBS.json      # [{"do": "make" | "adapter" | "reference" | "versions", …}, …]
Every job that answers writes JSON to its "out".
"""

import json
import logging
import os
import re
import shutil
import sys
import warnings
from pathlib import Path

import torch
from torch import library as torch_operators

# A CUDA build of torchvision imports on a CPU-only torch once these two operators have a schema.
operators = torch_operators.Library("torchvision", "FRAGMENT")
for name in ("nms", "qnms"):
    try:
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    except RuntimeError:
        pass

import numpy as np  # noqa: E402
import transformers  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from transformers import AutoProcessor, Qwen2VLConfig, Qwen2VLForConditionalGeneration  # noqa: E402

MAJOR = int(transformers.__version__.split(".")[0])
BASE = Path(__file__).resolve().parents[2] / "examples" / "demo" / "base"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))


# ---- checkpoints

def flat_config(spec):
    """config.json as published, with the demo's special tokens."""
    demo = json.loads((BASE / "config.json").read_text())
    vision = {**demo["vision_config"], "hidden_size": spec["hidden"], "depth": spec["visionDepth"], "embed_dim": spec["vision"],
              "num_heads": spec["visionHeads"], "mlp_ratio": spec["mlpRatio"]}
    return {**demo, "hidden_size": spec["hidden"], "num_hidden_layers": spec["layers"], "num_attention_heads": spec["heads"],
            "num_key_value_heads": spec["kv"], "intermediate_size": spec["intermediate"], "vocab_size": spec["vocab"],
            "tie_word_embeddings": spec["tied"], "rope_theta": spec["theta"], "max_position_embeddings": 32768,
            "rope_scaling": {"type": "mrope", "mrope_section": spec["sections"]}, "vision_config": vision, "torch_dtype": spec["dtype"]}


def fill(model, seed):
    """Wide enough that mistakes show, narrow enough that no softmax saturates."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for key, p in sorted(model.named_parameters()):
            spread = 0.2 if p.dim() == 1 or "embed_tokens" in key or "lm_head" in key else 1.4 / (p[0].numel() ** 0.5)
            p.copy_(torch.randn(p.shape, generator=generator) * spread)
            if re.search(r"norm\d?\.weight$|layernorm\.weight$|ln_q\.weight$", key):
                p.add_(1.0)


def processor_of(base, limits):
    processor = AutoProcessor.from_pretrained(base)
    processor.chat_template = processor.chat_template or processor.tokenizer.chat_template
    for part in (processor.image_processor, processor.video_processor):
        if limits:
            sizes = {"shortest_edge": limits[0], "longest_edge": limits[1]}
            part.size = sizes if MAJOR == 4 else type(part.size)(**sizes)
        if limits and MAJOR == 4:
            part.min_pixels, part.max_pixels = limits
    return processor


def make(job):
    spec, out = job["spec"], Path(job["dir"])
    shutil.rmtree(out, ignore_errors=True)
    flat = flat_config(spec)
    model = Qwen2VLForConditionalGeneration(Qwen2VLConfig(**{k: v for k, v in flat.items() if k != "torch_dtype"}))
    fill(model, spec["seed"])
    model = model.to(DTYPES[spec["dtype"]])
    if spec["layout"] == "published":
        shutil.copytree(BASE, out)
        (out / "config.json").write_text(json.dumps(flat, indent=2))
        if spec.get("names") == "in memory":
            skip = {"lm_head.weight"} if spec["tied"] else set()
            save_file({k: v.contiguous() for k, v in model.state_dict().items() if k not in skip}, out / "model.safetensors")
            return
        (out / "model.safetensors").unlink()
        config = (out / "config.json").read_text()
        model.save_pretrained(out)
        (out / "config.json").write_text(config)
        return
    generation = json.loads((BASE / "generation_config.json").read_text())
    model.generation_config = transformers.GenerationConfig(**generation)
    model.save_pretrained(out, **({"max_shard_size": spec["shard"]} if spec.get("shard") else {}))
    processor_of(BASE, spec.get("limits")).save_pretrained(out)


def adapter(job):
    import peft

    model = Qwen2VLForConditionalGeneration.from_pretrained(job["dir"], dtype=torch.float32)
    linears = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = peft.get_peft_model(model, peft.LoraConfig(r=3, lora_alpha=5, target_modules=linears))
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for key, p in sorted(model.named_parameters()):
            if "lora_" in key:
                p.copy_(torch.randn(p.shape, generator=generator) * 0.1)
    model.save_pretrained(job["out"])


# ---- numbers

def inputs_of(processor, row, folder):
    images, videos = [], []
    for message in row["messages"]:
        for part in message["content"] if isinstance(message["content"], list) else []:
            if part["type"] == "image":
                images.append(Image.open(folder / part["image"]).convert("RGB"))
            elif part["type"] == "video":
                frames = np.stack([np.asarray(Image.open(folder / f).convert("RGB")) for f in part["video"]])
                videos.append(torch.from_numpy(frames).permute(0, 3, 1, 2))
    text = processor.apply_chat_template(row["messages"], tokenize=False, add_generation_prompt=True)
    return processor(text=[text], images=images or None, videos=videos or None, return_tensors="pt")


def load(job, dtype):
    """The model and what transformers and PEFT say about keys that did not fit."""
    kind = {"dtype": dtype, "attn_implementation": "eager", "output_loading_info": True}
    model, info = Qwen2VLForConditionalGeneration.from_pretrained(job["dir"], **kind)
    keys = {name: sorted(map(str, info.get(name) or [])) for name in ("missing_keys", "unexpected_keys", "mismatched_keys")}
    if job.get("adapter"):
        import peft

        model = peft.PeftModel.from_pretrained(model, job["adapter"])
        result = peft.set_peft_model_state_dict(model, peft.load_peft_weights(job["adapter"]))
        keys["missing_keys"] += [k for k in result.missing_keys if "lora_" in k]
        keys["unexpected_keys"] += list(result.unexpected_keys)
    return model.eval(), keys


@torch.no_grad()
def score(model, inputs, completion):
    """Log-probability of every token of the completion after the prompt."""
    ids = torch.cat([inputs["input_ids"], torch.tensor([completion])], 1)
    given = {**inputs, "input_ids": ids, "attention_mask": torch.ones_like(ids)}
    if "mm_token_type_ids" in given:
        kinds = given["mm_token_type_ids"]
        given["mm_token_type_ids"] = torch.cat([kinds, kinds.new_zeros(1, len(completion))], 1)
    logits = model(**given).logits[0].float()
    rows = logits[inputs["input_ids"].shape[1] - 1 : -1]
    return rows.log_softmax(-1).gather(1, torch.tensor(completion)[:, None])[:, 0].tolist()


@torch.no_grad()
def greedy(model, inputs, count, penalty):
    """Tokens, log-probabilities, and by how much each one beats the second best."""
    out = model.generate(**inputs, do_sample=False, max_new_tokens=count, repetition_penalty=penalty, return_dict_in_generate=True,
                         output_logits=True, output_scores=True, temperature=None, top_p=None, top_k=None)
    ids = out.sequences[0, inputs["input_ids"].shape[1] :].tolist()
    logits = torch.stack(out.logits)[:, 0].float()
    best = torch.stack(out.scores)[:, 0].float().topk(2, -1).values
    logps = logits.log_softmax(-1)[torch.arange(len(ids)), torch.tensor(ids)]
    return {"ids": ids, "logps": logps.tolist(), "margins": (best[:, 0] - best[:, 1]).tolist()}


def reference(job):
    processor = processor_of(job["dir"], None)
    folder = Path(job["rows"]).parent
    rows = [json.loads(line) for line in Path(job["rows"]).read_text().splitlines()]
    prepared = [inputs_of(processor, row, folder) for row in rows]
    completions = [processor.tokenizer(row["completion"], add_special_tokens=False)["input_ids"] for row in rows]
    model, keys = load(job, torch.float32)
    answers = [{"promptTokens": p["input_ids"].shape[1], "completionIds": c, "logps": score(model, p, c)}
               for p, c in zip(prepared, completions)]
    for answer, given in zip(answers, prepared):
        if job.get("greedy"):
            answer["greedy"] = [greedy(model, given, job["greedy"], penalty) for penalty in job["penalties"]]
    if job.get("bfloat16"):
        half, _ = load(job, torch.bfloat16)
        for answer, given, completion in zip(answers, prepared, completions):
            answer["bfloat16"] = score(half, given, completion)
    Path(job["out"]).write_text(json.dumps({"keys": keys, "rows": answers}))


def versions(job):
    import peft
    import PIL
    import tokenizers
    import torchvision

    found = {m.__name__: m.__version__ for m in (transformers, torch, torchvision, tokenizers, PIL, peft)}
    Path(job["out"]).write_text(json.dumps(found))


def media(job):
    """PNG files by formula: steep, wrapping, different in every axis and channel, with a smooth part."""
    folder = Path(job["dir"])
    folder.mkdir(parents=True, exist_ok=True)
    for name, height, width, seed in job["files"]:
        r, c, k = np.indices((height, width, 3))
        wave = 90 * np.sin((r + 3 * seed) / (5 + k)) + 60 * np.cos(c / (9 - 2 * k) + seed)
        pixels = np.where((r // 9 + c // 7 + seed) % 3 == 0, (r * 5 + c * 11 + k * 67 + seed * 23) % 256, wave % 256)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / name)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    for each in json.loads(Path(sys.argv[1]).read_text()):
        {"make": make, "adapter": adapter, "reference": reference, "versions": versions, "media": media}[each["do"]](each)
