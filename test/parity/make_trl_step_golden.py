"""Writes what TRL's own GRPOTrainer does to a tiny Qwen2-VL in two optimizer steps: gradients, updates and metrics.

    pip install torch==2.13.0 torchvision transformers==5.18.0 trl==1.13.0 pillow numpy
    python test/parity/make_trl_step_golden.py [--only CASE ...]
    npx biome check --write test/parity/fixtures/trl-step
Float32 on a CPU, full fine-tuning, AdamW at learning rate 1e-3, four prompts with an image each, groups of four. The files of
test/parity/fixtures/trl-step:

- base/: the checkpoint with its processor's files: hidden 32, two layers, two vision blocks, patches of 8 x 8, weights N(0, 0.2)
- images/: one image per prompt, two of them of sizes that are resized
- steps.json: per prompt the question, TRL's token ids, the completions' token ids, what each of two rewards gives (null: does not
  apply); per case TRL's arguments and the two rows that it logged
- <case>.safetensors: <step>.grad.<tensor> before clipping, <step>.delta.<tensor> the update, under the published names

What is not TRL's own: `_generate_single_turn` hands out the completions, and in `dapo_halves` and `bnpo_sliced` (`UNSHUFFLED`) the
completions stay in order, where TRL deals those of a generation batch to its slices at random; in all other cases the slices do not
matter. Three choices keep the comparison well conditioned, as Adam's first step takes hardly more than the sign of a gradient, and a
gradient that is nothing but rounding errors has none: a rope base of 100, so that the rotation acts on all of the few dimensions; wide
weights; and gradients clipped to norm 1e-3 (except in `grpo_sliced`, which is not clipped), where Adam's epsilon outweighs rounding.

With accumulation, kl, entropy and the clip ratios are not compared: TRL averages its slices' averages, vsgrpo averages over tokens.
"""

import argparse
import json
import shutil
import tempfile

import numpy as np
import torch
import trl
from datasets import Dataset, Features, Image, List, Value
from PIL import Image as Pillow
from tiny_models import ROOT, SEED, flat_config, old_name, write
from transformers import AutoProcessor, Qwen2VLConfig, Qwen2VLForConditionalGeneration, TrainerCallback
from trl.trainer import grpo_trainer

FOLDER = ROOT / "trl-step"
BASE = FOLDER / "base"
DEMO = ROOT.parents[2] / "examples" / "demo" / "base"
PATCH = 8
SHAPE = dict(hidden=32, heads=4, kv=1, intermediate=24, section=[1, 1, 2], tied=True, vision=8, vision_heads=2)

# Bytes that the prompts need, as byte-level tokenizers spell them; no merges.
ALPHABET = [*"abcdefghijklmnopqrstuvwxyz0123456789Y.,?", "\u0120", "\u010a"]

QUESTIONS = ["how many chairs?", "is it red, or is it blue?", "which one is taller?", "how far, in m?"]
SIZES = [(32, 48), (37, 30), (64, 32), (21, 53)]  # height, width; two of them are resized
# Answers as text; "$" is the end token. Those without it were cut off: the run allows MAX_LENGTH tokens.
MAX_LENGTH = 9
ANSWERS = [
    ["3$", "4 chairs$", "there are", "12$"],
    ["red$", "it is blu", "blue, not", "?$"],
    ["the left ", "$", "second$", "both$"],
    ["0.5$", "2 m$", "about 3$", "far$"],
]
# None: the reward does not apply. The second group's `right` rewards are all equal, the third has one reward alone.
RIGHT = [[1, 0, 0.25, 0], [1, 1, 1, 1], [0, 0.5, 1, None], [0.125, 1, 0, 0.75]]
BRIEF = [[0.5, 0, 1, 0.25], [0, 0, 0, 0], [None, None, None, None], [1, 0.5, None, 0.25]]
WEIGHTS = [1.0, 0.5]

# The norm is held so low that rounding errors stay below Adam's epsilon: its first step takes little but the gradient's sign.
COMMON = dict(
    num_generations=4, max_completion_length=MAX_LENGTH, learning_rate=1e-3, lr_scheduler_type="constant", beta=0.04,
    per_device_train_batch_size=16, gradient_accumulation_steps=1, num_iterations=2, max_steps=2, shuffle_dataset=False,
    use_bias_correction_kl=True, max_grad_norm=1e-3, logging_steps=1,
)  # fmt: skip
SLICED = dict(per_device_train_batch_size=4, gradient_accumulation_steps=4)
CASES = {
    # Two generation batches; between them the reference moves towards the policy.
    "dapo": dict(loss_type="dapo", num_iterations=1, sync_ref_model=True, ref_model_sync_steps=1, ref_model_mixup_alpha=0.6),
    "dapo_sliced": dict(loss_type="dapo", weight_decay=0.1, **SLICED),
    # Two optimizer steps on one generation batch, half of it each.
    "dapo_halves": dict(
        loss_type="dapo", per_device_train_batch_size=4, gradient_accumulation_steps=2, steps_per_generation=4, num_iterations=1
    ),
    "grpo": dict(loss_type="grpo", use_bias_correction_kl=False, mask_truncated_completions=True, temperature=0.7),
    "grpo_sliced": dict(loss_type="grpo", max_grad_norm=10.0, **SLICED),
    "grpo_sequence": dict(loss_type="grpo", importance_sampling_level="sequence", epsilon=0.02, epsilon_high=0.04),
    "bnpo_sliced": dict(loss_type="bnpo", scale_rewards="batch", **SLICED),
    "dr_grpo": dict(loss_type="dr_grpo", scale_rewards="none", epsilon=0.01, delta=1.02),
    "cispo": dict(loss_type="cispo", epsilon_high=1.02, top_entropy_quantile=0.7),
    "sapo": dict(loss_type="sapo", multi_objective_aggregation="normalize_then_sum", entropy_coef=0.05),
    "luspo": dict(loss_type="luspo", importance_sampling_level="sequence"),
    "vespo": dict(loss_type="vespo", off_policy_mask_threshold=0.15),
}
# Where it matters which completions share a slice. TRL deals them at random; here they stay in order, group by group.
UNSHUFFLED = ["dapo_halves", "bnpo_sliced"]


def write_tokenizer():
    """The demo's tokenizer files with the alphabet above for a vocabulary. Gives the special tokens' ids by spelling."""
    tokenizer = json.loads((DEMO / "tokenizer.json").read_text())
    specials = tokenizer["added_tokens"]
    for i, token in enumerate(specials):
        token["id"] = len(ALPHABET) + i
    tokenizer["model"] |= {"vocab": {token: i for i, token in enumerate(ALPHABET)}, "merges": []}
    config = json.loads((DEMO / "tokenizer_config.json").read_text())
    config["added_tokens_decoder"] = {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in specials}
    (BASE / "chat_template.jinja").write_text(config.pop("chat_template"))  # where transformers' processors look for it
    preprocessor = json.loads((DEMO / "preprocessor_config.json").read_text())
    preprocessor |= {"patch_size": PATCH, "min_pixels": (2 * PATCH) ** 2, "max_pixels": 64 * 64}
    ids = {t["content"].strip("<|>"): t["id"] for t in specials}
    generation = {"bos_token_id": ids["endoftext"], "pad_token_id": ids["endoftext"], "eos_token_id": [ids["im_end"], ids["endoftext"]]}
    for name, value in {
        "tokenizer": tokenizer,
        "tokenizer_config": config,
        "preprocessor_config": preprocessor,
        "generation_config": generation,
    }.items():
        (BASE / f"{name}.json").write_text(json.dumps(value, indent=2) + "\n")
    return ids


def write_base():
    """A random checkpoint in the published layout, with its processor's files."""
    BASE.mkdir(parents=True, exist_ok=True)
    ids = write_tokenizer()
    config = flat_config(SHAPE)
    config |= {"vocab_size": len(ALPHABET) + len(ids), "bos_token_id": ids["endoftext"], "eos_token_id": ids["im_end"]}
    config |= {f"{name}_token_id": ids[name] for name in ("vision_start", "vision_end")}
    config |= {"vision_token_id": ids["vision_pad"], "image_token_id": ids["image_pad"], "video_token_id": ids["video_pad"]}
    # The published 1e6 turns half of these few dimensions hardly at all. A key bias that is not turned has no gradient but
    # rounding errors, of which Adam's first step takes the sign.
    config["rope_theta"] = 100.0
    config["vision_config"] |= {"patch_size": PATCH, "spatial_patch_size": PATCH, "mlp_ratio": 2}
    (BASE / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    model = Qwen2VLForConditionalGeneration(Qwen2VLConfig.from_pretrained(BASE))
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for key, p in sorted(model.named_parameters()):
            # Wide, as in tiny_models: default weights give flat logits, and hide mistakes.
            p.copy_(torch.randn(p.shape, generator=generator) * 0.2 + float(p.dim() == 1 and key.endswith("weight")))
    write(BASE / "model.safetensors", {old_name(k): p for k, p in model.named_parameters()}, format="pt")


def write_images():
    rng = np.random.default_rng(SEED)
    (FOLDER / "images").mkdir(exist_ok=True)
    for i, size in enumerate(SIZES):
        Pillow.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(FOLDER / "images" / f"{i}.png")


def answer_ids(processor, text):
    ids = processor.tokenizer(text.removesuffix("$"), add_special_tokens=False)["input_ids"] if text != "$" else []
    return ids + [processor.tokenizer.eos_token_id] * text.endswith("$")


def right(completion_ids, right, **_):
    return [row[i % 4] for i, row in enumerate(right)]


def brief(completion_ids, brief, **_):
    return [row[i % 4] for i, row in enumerate(brief)]


def dataset():
    rows = [
        {"prompt": [{"role": "user", "content": question}], "image": Pillow.open(FOLDER / "images" / f"{i}.png"), "right": r, "brief": b}
        for i, (question, r, b) in enumerate(zip(QUESTIONS, RIGHT, BRIEF, strict=True))
    ]
    message = {"role": Value("string"), "content": Value("string")}
    numbers = List(Value("float64"))
    return Dataset.from_list(rows, features=Features(prompt=List(message), image=Image(), right=numbers, brief=numbers))


class Trainer(trl.GRPOTrainer):
    """TRL's trainer, which is handed its completions."""

    def _generate_single_turn(self, prompt_ids, images, multimodal_fields, has_tool_images=False):
        self.seen_prompts = [list(map(int, ids)) for ids in prompt_ids[:: self.num_generations]]
        assert len(prompt_ids) == sum(map(len, self.completions))
        return [ids for group in self.completions for ids in group], None


class Recorder(TrainerCallback):
    """Gradients before clipping, and what every step adds to the weights, under the published names."""

    def __init__(self):
        self.tensors = {}

    def watch(self, trainer):
        clip = trainer.accelerator.clip_grad_norm_

        def record_and_clip(*args, **kwargs):
            self.keep(trainer, "grad", {name: p.grad for name, p in trainer.model.named_parameters()})
            self.before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
            return clip(*args, **kwargs)

        trainer.accelerator.clip_grad_norm_ = record_and_clip
        self.trainer = trainer
        trainer.add_callback(self)

    def keep(self, trainer, kind, values):
        step = trainer.state.global_step + 1
        self.tensors |= {f"{step}.{kind}.{old_name(name)}": value.detach().clone().float() for name, value in values.items()}

    def on_optimizer_step(self, args, state, control, **_):
        self.keep(self.trainer, "delta", {n: p - self.before[n] for n, p in self.trainer.model.named_parameters()})


def run(name, changes, processor, completions):
    """Two optimizer steps of TRL. Gives what the fixture says about the case."""
    wanted = COMMON | changes
    torch.manual_seed(SEED)
    model = Qwen2VLForConditionalGeneration.from_pretrained(BASE, dtype=torch.float32)
    with tempfile.TemporaryDirectory() as output:
        args = trl.GRPOConfig(
            output_dir=output, use_cpu=True, bf16=False, gradient_checkpointing=False, report_to="none", save_strategy="no",
            disable_tqdm=True, reward_weights=WEIGHTS, **wanted,
        )  # fmt: skip
        trainer = Trainer(
            model=model, args=args, processing_class=processor, reward_funcs=[right, brief], train_dataset=dataset()
        )
    trainer.completions = completions
    assert {p.dtype for m in (trainer.model, trainer.ref_model) for p in m.parameters()} == {torch.float32}
    recorder = Recorder()
    recorder.watch(trainer)
    shuffle = grpo_trainer.shuffle_sequence_dict
    try:
        if name in UNSHUFFLED:
            grpo_trainer.shuffle_sequence_dict = lambda batch: batch
        trainer.train()
    finally:
        grpo_trainer.shuffle_sequence_dict = shuffle
    write(FOLDER / f"{name}.safetensors", recorder.tensors, trl=trl.__version__)
    metrics = [{k: v for k, v in row.items() if "step_time" not in k} for row in trainer.state.log_history[: wanted["max_steps"]]]
    return {"args": wanted, "metrics": metrics}, trainer.seen_prompts


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", default=list(CASES))
    only = parser.parse_args().only
    torch.set_num_threads(1)
    write_base()
    write_images()
    processor = AutoProcessor.from_pretrained(BASE)
    completions = [[answer_ids(processor, text) for text in group] for group in ANSWERS]
    assert all(0 < len(ids) <= MAX_LENGTH for group in completions for ids in group)
    steps = FOLDER / "steps.json"
    known = json.loads(steps.read_text())["cases"] if steps.exists() else {}
    cases = {}
    for name in CASES:
        cases[name] = known.get(name)
        if name in only:
            cases[name], prompt_ids = run(name, CASES[name], processor, completions)
    rows = [
        dict(question=q, prompt_ids=p, completion_ids=c, right=r, brief=b)
        for q, p, c, r, b in zip(QUESTIONS, prompt_ids, completions, RIGHT, BRIEF, strict=True)
    ]
    golden = {"trl": trl.__version__, "reward_weights": WEIGHTS, "rows": rows, "cases": cases}
    steps.write_text(json.dumps(golden, indent=2) + "\n")


if __name__ == "__main__":
    main()
