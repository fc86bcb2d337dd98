"""Writes the golden numbers of the native engine from Hugging Face transformers on tiny random Qwen2-VL models.

    pip install torch==2.13.0 transformers==4.57.6 numpy      # transformers wants huggingface-hub below 1.0
    python test/parity/make_model_golden.py [--only CASE ...]
Fixtures land in test/parity/fixtures/tiny-{a,b} and adamw.safetensors, computed on a CPU (attn_implementation="eager"). Running it
again writes the same bytes on the same machine; another processor may change the last digits.

The models (tiny_models.py) have weights N(0, 0.2), norm weights around 1, published tensor names and a flat config.json: a default
initialisation would give logits near zero and no biases, and hide mistakes.

Every case is one safetensors file with one unpadded sequence. T tokens, P patches, M media items, K targets, V vocabulary, H hidden:

- input_ids [T], positions [3, T], next_position [1]: int32; positions as transformers 4.57 counts them
- patches [P, 1176], grids [M, 3]: in the order of the placeholders; patches as bfloat16, which holds them exactly
- hidden [T, H], logits [T, V]: after the final norm; of every token
- target_rows, target_ids [K]: the second half of the tokens: token target_ids[k] is predicted from row target_rows[k]
- logps, entropy [K]; logps_t07, entropy_t07: at temperature 1; at 0.7
- loss [1], grad.<parameter>: mean negative log-probability at temperature 1 and its gradients (a tied head's are in the embedding's)

The files:

- text, image, two_images, video, long_video, mixed: the tensors above; `mixed` has all gradients, `image` and `video` some;
  `long_video` has more frames than rows and columns. tiny-a/image also has the output of every block (vision.*, text.layer.*)
- group: a video prompt and four completions (completion_ids, completion_offsets), each by a forward of its own; gradients of
  sum weights * logps
- grpo: the group's tokens with old_logps, ref_logps, advantages, weights (mask / normaliser), beta 0.04, epsilon 0.2: loss, dlogps,
  some gradients; _bias: with the KL multiplied by the ratio; _no_old: ratio 1
- greedy: 12 tokens of generate(do_sample=False) after each of the cases' prompts, with their log-probabilities; fewer where the next
  one is a placeholder of an image or video, which vsgrpo never gives
- lora, adapter/: an adapter of rank 4, alpha 8 on all linear layers, in PEFT's layout (names as PEFT writes them over
  transformers >= 4.52); logits and gradients for the image case's inputs
- bf16: logits of the image case in bfloat16, in float32, and in float32 on weights rounded to bfloat16
- adamw: three steps of torch.optim.AdamW (lr 1e-3, weight decay 0.1 on matrices) after clipping to norm 1
"""

import argparse
import json
import sys

import numpy as np
import torch
import transformers
from tiny_models import CONFIGS, IMAGE, ROOT, TEXT_IDS, VIDEO, build, load, make_model, old_name, write

CASES = {
    "text": build(1, 24),
    "image": build(2, 5, ("image", (1, 4, 6)), 13),
    "two_images": build(3, 3, ("image", (1, 4, 6)), 4, ("image", (1, 6, 2)), 9),
    "video": build(4, 4, ("video", (2, 4, 6)), 14),
    "long_video": build(5, 3, ("video", (4, 2, 4)), 10),
    "mixed": build(6, 2, ("image", (1, 4, 4)), 3, ("video", (3, 2, 6)), 2, ("image", (1, 2, 4)), 12),
}
WANTED = {"tiny-a": list(CASES), "tiny-b": ["text", "image", "video", "mixed"]}
# Which gradients are kept, by the start of their names; the mixed cases have them all.
WITH_GRADIENTS = {
    ("tiny-a", "mixed"): ("",),
    ("tiny-b", "mixed"): ("",),
    ("tiny-a", "image"): ("model.", "visual.blocks.0."),
    ("tiny-a", "video"): ("visual.blocks.", "visual.merger.", "model.layers.0.self_attn."),
}


def config_name(model):
    return model.name_or_path.rstrip("/").split("/")[-1]


def log_probs(logits, rows, ids, temperature=1.0):
    logp = torch.log_softmax(logits[rows].float() / temperature, -1)
    entropy = -(logp.exp() * logp).sum(-1)
    return logp.gather(1, ids[:, None])[:, 0], entropy


def gradients(model, starts=("",)):
    """Parameters' gradients by their published names; the tied head's is part of the embedding's."""
    named = {old_name(k): p.grad for k, p in model.named_parameters()}
    return {f"grad.{k}": g for k, g in named.items() if k.startswith(tuple(starts))}


def record_layers(model, out):
    """Hooks that store what each block gives, by short names."""
    points = {"vision.patch_embed": model.model.visual.patch_embed, "vision.merger": model.model.visual.merger}
    points |= {f"vision.block.{i}": b for i, b in enumerate(model.model.visual.blocks)}
    points |= {f"text.layer.{i}": b for i, b in enumerate(model.model.language_model.layers)}

    def keep(name):
        def hook(module, args, result):
            value = result[0] if isinstance(result, tuple) else result
            out[name] = value[0] if value.dim() == 3 else value

        return hook

    return [m.register_forward_hook(keep(name)) for name, m in points.items()]


def forward_case(model, name, case):
    """Logits, final hidden states, and for the second half of the tokens log-probs, entropy, mean NLL and its gradients."""
    config = config_name(model)
    out = case.tensors(model)
    hooks = record_layers(model, out) if name == "image" else []
    model.zero_grad(set_to_none=True)
    result = model(**case.inputs(), output_hidden_states=True)
    for hook in hooks:
        hook.remove()
    total = len(case.ids)
    targets = torch.arange(total // 2, total)
    rows, ids = targets - 1, torch.tensor(case.ids)[targets]
    logps, entropy = log_probs(result.logits[0], rows, ids)
    loss = -logps.mean()
    if kept := WITH_GRADIENTS.get((config, name)):
        loss.backward()
        out |= gradients(model, kept)
    out |= dict(
        logits=result.logits[0], hidden=result.hidden_states[-1][0], loss=loss.reshape(1), logps=logps, entropy=entropy,
        logps_t07=log_probs(result.logits[0], rows, ids, 0.7)[0],
        entropy_t07=log_probs(result.logits[0], rows, ids, 0.7)[1],
        target_rows=rows.to(torch.int32), target_ids=ids.to(torch.int32),
    )
    write(ROOT / config / f"{name}.safetensors", out, loss=loss.item())


GROUP_PROMPT = build(7, 3, ("video", (2, 4, 4)), 6)
GROUP_LENGTHS = [6, 1, 3, 4]


def group_inputs():
    rng = np.random.default_rng(8)
    completions = [rng.integers(0, TEXT_IDS, n).tolist() for n in GROUP_LENGTHS]
    weights = torch.from_numpy(rng.uniform(-1, 1, sum(GROUP_LENGTHS)).astype(np.float32))
    return completions, weights


def group_logps(model, completions):
    """Each completion by a forward of its own over prompt + completion: what a shared prefix must reproduce."""
    prompt = GROUP_PROMPT.ids
    _, next_position = GROUP_PROMPT.positions(model)
    out = []
    for completion in completions:
        ids = prompt + completion
        positions, _ = GROUP_PROMPT.positions(model, ids)
        expected = torch.arange(next_position, next_position + len(completion)).expand(3, -1)
        assert torch.equal(positions[:, len(prompt):], expected), "completion positions do not continue the prompt's"
        assert torch.equal(positions[:, : len(prompt)], GROUP_PROMPT.positions(model)[0])
        rows = torch.arange(len(prompt) - 1, len(ids) - 1)
        logits = model(**GROUP_PROMPT.inputs(ids)).logits[0]
        out.append(log_probs(logits, rows, torch.tensor(completion)))
    return torch.cat([l for l, _ in out]), torch.cat([e for _, e in out])


def group_tensors(model, completions):
    offsets = np.concatenate([[0], np.cumsum([len(c) for c in completions])])
    return GROUP_PROMPT.tensors(model) | dict(
        completion_ids=torch.tensor(sum(completions, []), dtype=torch.int32),
        completion_offsets=torch.tensor(offsets, dtype=torch.int32),
    )


def group_case(model):
    completions, weights = group_inputs()
    out = group_tensors(model, completions)
    model.zero_grad(set_to_none=True)
    logps, entropy = group_logps(model, completions)
    objective = (weights * logps).sum()
    objective.backward()
    out |= dict(weights=weights, logps=logps, entropy=entropy, objective=objective.reshape(1))
    out |= gradients(model, ("model.", "visual.blocks.", "visual.merger."))
    write(ROOT / "tiny-a" / "group.safetensors", out, objective=objective.item())


def grpo_loss(logps, old, ref, advantages, weights, beta, epsilon, bias_correction):
    """TRL 1.13's clipped objective with the k3 estimate of the divergence; weights = mask / normaliser."""
    ratio = torch.exp(logps - old)
    clipped = ratio.clamp(1 - epsilon, 1 + epsilon)
    objective = -torch.min(ratio * advantages, clipped * advantages)
    distance = ref - logps
    kl = torch.exp(distance) - distance - 1
    if bias_correction:
        kl = kl * ratio
    return (weights * (objective + beta * kl)).sum()


# Gradients of a few tensors are enough here: the group case has them all for an arbitrary d loss / d logp.
GRPO_GRADIENTS = ["model.embed_tokens.weight", "model.layers.0.self_attn.k_proj.bias", "model.layers.1.mlp.up_proj.weight",
                  "model.norm.weight", "visual.blocks.0.attn.qkv.bias", "visual.merger.mlp.2.weight"]


def grpo_case(model):
    completions, _ = group_inputs()
    lengths = torch.tensor(GROUP_LENGTHS)
    rng = torch.Generator().manual_seed(12)
    out = {}  # the inputs are the group case's
    model.zero_grad(set_to_none=True)
    logps, _ = group_logps(model, completions)
    noise = lambda scale: torch.randn(logps.shape, generator=rng) * scale
    old, ref = logps.detach() + noise(0.5), logps.detach() + noise(0.3)
    advantages = torch.repeat_interleave(torch.tensor([1.2, -0.7, 0.4, -0.9]), lengths)
    # loss_type grpo: mean over completions of the mean over tokens.
    weights = torch.repeat_interleave(1.0 / (lengths * len(lengths)), lengths)
    beta, epsilon = 0.04, 0.2
    for tag, args in {"": (old, False), "_bias": (old, True), "_no_old": (None, False)}.items():
        leaf = logps.detach().clone().requires_grad_()
        loss = grpo_loss(leaf, leaf.detach() if args[0] is None else args[0], ref, advantages, weights, beta, epsilon, args[1])
        loss.backward()
        out |= {f"loss{tag}": loss.reshape(1), f"dlogps{tag}": leaf.grad}
    grpo_loss(logps, old, ref, advantages, weights, beta, epsilon, False).backward()
    out |= gradients(model, GRPO_GRADIENTS)
    ratio = torch.exp(logps.detach() - old)
    clipped = ((ratio < 1 - epsilon) & (advantages < 0)) | ((ratio > 1 + epsilon) & (advantages > 0))
    assert 0 < clipped.sum() < len(clipped), "the case must clip some tokens and leave others"
    out |= dict(logps=logps, old_logps=old, ref_logps=ref, advantages=advantages, weights=weights,
                clipped=clipped.to(torch.int32))
    write(ROOT / "tiny-a" / "grpo.safetensors", out, beta=beta, epsilon=epsilon, loss=out["loss"].item())


# The prompts are these cases' inputs.
GREEDY = ["text", "image", "video", "long_video", "mixed"]


def greedy_case(model):
    """Up to 12 greedy tokens by HF's own generate, with cache, and the log-probs of its per-step logits."""
    prompts = {name: CASES[name] for name in GREEDY if name in WANTED[config_name(model)]}
    out, margins = {}, []
    for name, case in prompts.items():
        result = model.generate(
            **case.inputs(), max_new_tokens=12, do_sample=False, output_logits=True, return_dict_in_generate=True
        )
        ids = result.sequences[0, len(case.ids):]
        logits = torch.stack(result.logits, 1)[0].float()
        top = logits.topk(2, -1).values
        margins.append((top[:, 0] - top[:, 1]).min().item())
        assert len(ids) == 12
        # Placeholders of media are never sampled here, but transformers does: keep what comes before the first one.
        media = ((ids == IMAGE) | (ids == VIDEO)).nonzero()
        kept = int(media[0]) if len(media) else len(ids)
        assert kept >= 4, name
        logps, _ = log_probs(logits[:kept], torch.arange(kept), ids[:kept])
        out |= {f"{name}.ids": ids[:kept].to(torch.int32), f"{name}.logps": logps}
        # The same tokens by one forward without cache: transformers agrees with itself.
        full = model(**case.inputs(case.ids + ids.tolist())).logits[0, len(case.ids) - 1:-1]
        assert (full - logits).abs().max() < 1e-3, name
    write(ROOT / config_name(model) / "greedy.safetensors", out, smallest_margin=min(margins))
    print(f"    smallest margin between the two best logits: {min(margins):.4f}")


def bf16_case():
    case = CASES["image"]
    low, full = load("tiny-b", torch.bfloat16), load("tiny-b", torch.float32)
    with torch.no_grad():
        a, b = low(**case.inputs()).logits[0], full(**case.inputs()).logits[0]
        # fp32 arithmetic on the weights as bfloat16 rounds them: separates rounding of weights from that of arithmetic.
        for p in full.parameters():
            p.copy_(p.to(torch.bfloat16))
        c = full(**case.inputs()).logits[0]
    err = ((a.float() - b).norm() / b.norm()).item()
    err_rounded = ((a.float() - c).norm() / c.norm()).item()
    out = dict(logits=b, logits_bf16=a.to(torch.bfloat16), logits_rounded_weights=c)
    write(ROOT / "tiny-b" / "bf16.safetensors", out, error=err, error_rounded_weights=err_rounded)
    print(f"    transformers' own bf16 error: {err:.2e} against fp32, {err_rounded:.2e} against fp32 on rounded weights")


def adamw_case():
    """Three steps of torch.optim.AdamW with clipping by the global norm; only matrices decay."""
    rng = torch.Generator().manual_seed(10)
    shapes = {"matrix": (5, 7), "bias": (7,), "second": (3, 4), "norm": (4,)}
    params = {k: torch.nn.Parameter(torch.randn(s, generator=rng)) for k, s in shapes.items()}
    out = {f"start.{k}": p.detach().clone() for k, p in params.items()}
    groups = [dict(params=[p for p in params.values() if p.dim() > 1], weight_decay=0.1),
              dict(params=[p for p in params.values() if p.dim() == 1], weight_decay=0.0)]
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
    # The first norm is above the limit, the second below it, so that both branches of the clipping are taken.
    for step, scale in enumerate([1.0, 0.02, 3.0]):
        for key, p in params.items():
            p.grad = torch.randn(p.shape, generator=rng) * scale
            out[f"grad.{step}.{key}"] = p.grad.clone()
        out[f"norm.{step}"] = torch.nn.utils.clip_grad_norm_(list(params.values()), 1.0).reshape(1)
        optimizer.step()
        out |= {f"after.{step}.{k}": p.detach().clone() for k, p in params.items()}
    write(ROOT / "adamw.safetensors", out, lr=1e-3, betas="0.9,0.999", eps=1e-8, weight_decay=0.1, max_grad_norm=1.0)


class LoraLinear(torch.nn.Module):
    """y = W x + b + scale B A x, as PEFT defines it."""

    def __init__(self, base, rank, scale, generator):
        super().__init__()
        self.base, self.scale = base, scale
        self.lora_A = torch.nn.Parameter(torch.randn(rank, base.in_features, generator=generator) * 0.2)
        self.lora_B = torch.nn.Parameter(torch.randn(base.out_features, rank, generator=generator) * 0.2)

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.lora_A.T) @ self.lora_B.T


LORA_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def lora_case():
    model, rank, alpha = load("tiny-a", torch.float32), 4, 8
    generator = torch.Generator().manual_seed(11)
    adapters = {}
    for i, layer in enumerate(model.model.language_model.layers):
        for block in ("self_attn", "mlp"):
            for target in LORA_TARGETS:
                module = getattr(layer, block)
                if hasattr(module, target):
                    lora = LoraLinear(getattr(module, target), rank, alpha / rank, generator)
                    setattr(module, target, lora)
                    adapters[f"layers.{i}.{block}.{target}"] = lora
    directory = ROOT / "tiny-a" / "adapter"
    directory.mkdir(exist_ok=True)
    named = {f"base_model.model.model.language_model.{k}.lora_{x}.weight": getattr(l, f"lora_{x}")
             for k, l in adapters.items() for x in "AB"}
    write(directory / "adapter_model.safetensors", named, format="pt")
    (directory / "adapter_config.json").write_text(json.dumps({
        "alpha_pattern": {}, "base_model_name_or_path": None, "bias": "none", "fan_in_fan_out": False,
        "inference_mode": True, "init_lora_weights": True, "lora_alpha": alpha, "lora_dropout": 0.0,
        "modules_to_save": None, "peft_type": "LORA", "r": rank, "rank_pattern": {},
        "target_modules": r"^model\.language_model\..*\.(" + "|".join(LORA_TARGETS) + ")$",
        "task_type": "CAUSAL_LM", "use_rslora": False, "use_dora": False,
    }, indent=2) + "\n")
    case, out = CASES["image"], {}
    for p in model.parameters():
        p.requires_grad_(False)
    for l in adapters.values():
        l.lora_A.requires_grad_(True), l.lora_B.requires_grad_(True)
    logits = model(**case.inputs()).logits[0]
    total = len(case.ids)
    targets = torch.arange(total // 2, total)
    ids = torch.tensor(case.ids)[targets]
    logps, _ = log_probs(logits, targets - 1, ids)
    loss = -logps.mean()
    loss.backward()
    out |= {f"grad.model.{k}.lora_{x}.weight": getattr(l, f"lora_{x}").grad for k, l in adapters.items() for x in "AB"}
    out |= dict(logits=logits, loss=loss.reshape(1), logps=logps, target_rows=(targets - 1).to(torch.int32),
                target_ids=ids.to(torch.int32))
    write(ROOT / "tiny-a" / "lora.safetensors", out, r=rank, alpha=alpha, loss=loss.item())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", help="case names; all by default")
    only = parser.parse_args().only
    wanted = lambda name: not only or name in only
    assert transformers.__version__ == "4.57.6", transformers.__version__
    torch.set_num_threads(1)
    transformers.utils.logging.set_verbosity_error()
    for config in CONFIGS:
        print(config)
        model = make_model(config)
        for name in WANTED[config]:
            if wanted(name):
                forward_case(model, name, CASES[name])
        if wanted("greedy"):
            greedy_case(model)
        if config == "tiny-a":
            for name, make in {"group": group_case, "grpo": grpo_case}.items():
                if wanted(name):
                    make(model)
    for name, make in {"lora": lora_case, "bf16": bf16_case, "adamw": adamw_case}.items():
        if wanted(name):
            make()
    size = sum(f.stat().st_size for part in ("tiny-*/**/*.safetensors", "adamw.safetensors") for f in ROOT.glob(part))
    print(f"all safetensors fixtures: {size / 2**20:.2f} MiB")


if __name__ == "__main__":
    sys.exit(main())
