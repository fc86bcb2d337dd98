"""Parts of a step with transformers alone: generation, forward and backward, and the loss on given hidden states."""

import json
import time
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoProcessor, Qwen2VLForConditionalGeneration
from trl.trainer.utils import selective_log_softmax


def load(job):
    model = Qwen2VLForConditionalGeneration.from_pretrained(job["checkpoint"], dtype=torch.bfloat16)
    if job.get("checkpointing"):
        model.gradient_checkpointing_enable()
    return model


def inputs_of(job):
    """The first row's prompt as the model takes it."""
    processor = AutoProcessor.from_pretrained(job["checkpoint"])
    row = json.loads(Path(job["rows"]).read_text().splitlines()[0])
    parts = row["messages"][0]["content"]
    images = [Image.open(part["image"]).convert("RGB") for part in parts if part["type"] == "image"]
    text = processor.apply_chat_template(row["messages"], tokenize=False, add_generation_prompt=True)
    return processor(text=[text], images=images, return_tensors="pt")


def timed(job, call):
    """Seconds of each repeat after the warm-up."""
    seconds = []
    for index in range(job["warmup"] + job["steps"]):
        begin = time.perf_counter()
        call()
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
    if set(lengths) != {(job["group"], job["newTokens"])}:
        raise RuntimeError(f"expected {job['group']} completions of {job['newTokens']} tokens, got {set(lengths)}")
    return {"seconds": seconds, "promptTokens": inputs["input_ids"].shape[1]}


def forward_backward(job):
    """Log-probabilities of the completions and the gradient of their weighted sum, every completion with its own prompt."""
    model, inputs = load(job).train(), inputs_of(job)
    group, count = job["group"], job["newTokens"]
    generator = torch.Generator().manual_seed(job["seed"])
    completions = torch.randint(0, 151643, (group, count), generator=generator)
    weights = torch.randn(group, count, generator=generator) / (group * count)
    ids = torch.cat([inputs["input_ids"].repeat(group, 1), completions], 1)
    kinds = inputs["mm_token_type_ids"].repeat(group, 1)
    batch = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "mm_token_type_ids": torch.cat([kinds, kinds.new_zeros(group, count)], 1),
        "pixel_values": inputs["pixel_values"].repeat(group, 1),
        "image_grid_thw": inputs["image_grid_thw"].repeat(group, 1),
    }

    def once():
        logits = model(**batch, logits_to_keep=count + 1, use_cache=False).logits[:, :-1]
        logps = selective_log_softmax(logits, completions)
        (-(weights * logps).sum()).backward()

    return {"seconds": timed(job, once), "promptTokens": inputs["input_ids"].shape[1]}


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
