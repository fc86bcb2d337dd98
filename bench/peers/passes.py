"""Parts of a step with transformers alone: generation, forward and backward, and the loss on given hidden states."""

import json
import time
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoProcessor, Qwen2VLForConditionalGeneration
from trl.trainer.utils import selective_log_softmax

from device import device_of, wait


def load(job):
    dtype = getattr(torch, job.get("dtype", "bfloat16"))
    model = Qwen2VLForConditionalGeneration.from_pretrained(job["checkpoint"], dtype=dtype).to(device_of(job))
    if job.get("checkpointing"):
        model.gradient_checkpointing_enable()
    return model


def inputs_of(job):
    """The prompts of the first rows, one unless the job says more, as the model takes them. They are equally long."""
    processor = AutoProcessor.from_pretrained(job["checkpoint"])
    lines = Path(job["rows"]).read_text().splitlines()[: job.get("prompts", 1)]
    texts, images = [], []
    for row in map(json.loads, lines):
        parts = row["messages"][0]["content"]
        images += [Image.open(part["image"]).convert("RGB") for part in parts if part["type"] == "image"]
        texts.append(processor.apply_chat_template(row["messages"], tokenize=False, add_generation_prompt=True))
    return processor(text=texts, images=images, return_tensors="pt").to(device_of(job))


def timed(job, call):
    """Seconds of each repeat after the warm-up."""
    seconds = []
    for index in range(job["warmup"] + job["steps"]):
        wait(job)
        begin = time.perf_counter()
        call()
        wait(job)
        if index >= job["warmup"]:
            seconds.append(time.perf_counter() - begin)
    return seconds


def generate(job):
    model, inputs = load(job).eval(), inputs_of(job)
    # Without end tokens nothing stops early, and no step asks whether it should.
    model.generation_config.eos_token_id = None
    torch.manual_seed(job["seed"])
    settings = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "num_return_sequences": job["group"]}
    lengths = []

    @torch.no_grad()
    def once():
        out = model.generate(**inputs, max_new_tokens=job["newTokens"], **settings)
        lengths.append((out.shape[0], out.shape[1] - inputs["input_ids"].shape[1]))

    seconds = timed(job, once)
    rows = job["group"] * job.get("prompts", 1)
    if set(lengths) != {(rows, job["newTokens"])}:
        raise RuntimeError(f"expected {rows} completions of {job['newTokens']} tokens, got {set(lengths)}")
    return {"seconds": seconds, "promptTokens": inputs["input_ids"].shape[1]}


def forward_backward(job):
    """Log-probabilities of the completions and the gradient of their weighted sum, every completion with its own prompt."""
    model, inputs = load(job).train(), inputs_of(job)
    group, count = job["group"], job["newTokens"]
    generator = torch.Generator().manual_seed(job["seed"])
    completions = torch.randint(0, 151643, (group, count), generator=generator)
    weights = torch.randn(group, count, generator=generator) / (group * count)
    completions, weights = completions.to(device_of(job)), weights.to(device_of(job))
    batch = batch_of(inputs, completions)

    def once():
        logits = model(**batch, logits_to_keep=count + 1, use_cache=False).logits[:, :-1]
        logps = selective_log_softmax(logits, completions)
        (-(weights * logps).sum()).backward()

    return {"seconds": timed(job, once), "promptTokens": inputs["input_ids"].shape[1]}


def batch_of(inputs, completions):
    """Every completion behind its own copy of the prompt."""
    group, count = completions.shape
    ids = torch.cat([inputs["input_ids"].repeat(group, 1), completions], 1)
    kinds = inputs["mm_token_type_ids"].repeat(group, 1)
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "mm_token_type_ids": torch.cat([kinds, kinds.new_zeros(group, count)], 1),
        "pixel_values": inputs["pixel_values"].repeat(group, 1),
        "image_grid_thw": inputs["image_grid_thw"].repeat(group, 1),
    }


def random_ids(job, *shape):
    """The numbers that ours draws (mulberry32): the same ids on both sides."""
    mask, state, count = 0xFFFFFFFF, job["seed"], 1
    for size in shape:
        count *= size
    ids = []
    for _ in range(count):
        state = (state + 0x6D2B79F5) & mask
        mixed = ((state ^ (state >> 15)) * (state | 1)) & mask
        mixed ^= (mixed + (((mixed ^ (mixed >> 7)) * (mixed | 61)) & mask)) & mask
        ids.append(int(151643 * ((mixed ^ (mixed >> 14)) / 2**32)))
    return torch.tensor(ids).view(*shape)


@torch.no_grad()
def score(job):
    """Log-probabilities of a group's random completions."""
    model, inputs = load(job).eval(), inputs_of({**job, "prompts": 1})
    completions = random_ids(job, job["group"], job["newTokens"]).to(device_of(job))
    begin = time.perf_counter()
    logits = model(**batch_of(inputs, completions), logits_to_keep=job["newTokens"] + 1, use_cache=False).logits
    logps = selective_log_softmax(logits[:, :-1].float(), completions)
    return {"seconds": [time.perf_counter() - begin], "logps": logps.flatten().tolist()}


def training(job):
    """Forward and backward pass over texts of random tokens; the vision tower takes no part."""
    model = load(job).train()
    ids = random_ids(job, job["sequences"], job["length"]).to(device_of(job))
    return {"seconds": timed(job, lambda: model(input_ids=ids, labels=ids, use_cache=False).loss.backward())}


def loss(job):
    """The head, log-probabilities, clipped surrogate with the k3 penalty, and gradients of hidden states and head."""
    generator = torch.Generator().manual_seed(job["seed"])
    tokens, vocabulary, width = job["tokens"], job["vocabulary"], job["hidden"]
    hidden = torch.randn(1, tokens, width, generator=generator).bfloat16().requires_grad_()
    head = (0.02 * torch.randn(vocabulary, width, generator=generator)).bfloat16().requires_grad_()
    ids = torch.randint(0, vocabulary, (1, tokens), generator=generator)
    advantages = torch.randn(1, tokens, generator=generator)
    noise = 0.1 * torch.randn(2, 1, tokens, generator=generator)

    def once():
        logps = selective_log_softmax(hidden @ head.T, ids).float()
        old, reference = logps.detach() + noise[0], logps.detach() + noise[1]
        ratio = (logps - old).exp()
        surrogate = torch.minimum(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages)
        distance = reference - logps
        penalty = distance.exp() - distance - 1
        (0.04 * penalty - surrogate).mean().backward()
        hidden.grad = head.grad = None

    return {"seconds": timed(job, once)}
