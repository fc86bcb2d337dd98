"""Writes what TRL's own DPOTrainer and SFTTrainer do to a tiny Qwen2-VL in two optimizer steps: gradients, updates and metrics.

Needs what make_trl_step_golden.py needs, and the checkpoint and images that it wrote.
    python test/parity/make_trl_answers_step_golden.py [--only CASE ...]
    npx biome check --write test/parity/fixtures/trl-dpo test/parity/fixtures/trl-sft
Rows come in order; the rest is TRL as it is. <case>.safetensors and steps.json have the names of fixtures/trl-step; the reference
parts from the policy in the second step.
"""

import argparse
import json
import tempfile

import torch
import trl
from datasets import Dataset, Features, Image, List, Value
from make_trl_step_golden import BASE, FOLDER, QUESTIONS, Recorder
from PIL import Image as Pillow
from tiny_models import ROOT, SEED, write
from torch.utils.data import SequentialSampler
from transformers import AutoProcessor, Qwen2VLForConditionalGeneration

# Chosen and rejected answers to QUESTIONS, of many lengths; SFT learns the chosen ones.
CHOSEN = ["3", "it is red, not blue", "the left one", "0.5"]
REJECTED = ["about 12 chairs", "blue", "second or 3rd", "2 m"]

# As for GRPO: the norm is held so low that rounding errors stay below Adam's epsilon.
COMMON = dict(
    learning_rate=1e-3, lr_scheduler_type="constant", per_device_train_batch_size=4, gradient_accumulation_steps=1,
    max_steps=2, max_grad_norm=1e-3, logging_steps=1,
)  # fmt: skip
HALVES = dict(per_device_train_batch_size=2, gradient_accumulation_steps=2)
CASES = {
    "dpo": dict(beta=0.5),
    "dpo_mixed": dict(
        loss_type=["aot_unpaired", "ipo", "sft"], loss_weights=[1.0, 0.5, 0.25], ld_alpha=0.5, label_smoothing=0.1, **HALVES
    ),
    "dpo_weighted": dict(
        loss_type=["robust"], use_weighting=True, f_divergence_type="js_divergence", label_smoothing=0.2, beta=1.0,
        sync_ref_model=True, ref_model_sync_steps=1, ref_model_mixup_alpha=0.25, **HALVES,
    ),
    "sft": dict(**HALVES),
    "sft_whole": dict(completion_only_loss=False, weight_decay=0.1),
    "sft_dft": dict(loss_type="dft", max_length=93),
}  # fmt: skip
# Steps and kinds of tensors that a fixture holds: the reference parts from the policy in the second step only.
KEPT = {"dpo": ("1.delta", "2.grad", "2.delta"), "sft": ("1.grad", "1.delta"), "sft_dft": ("1.delta",)}


def conversation(role, text):
    return [{"role": role, "content": text}]


def dataset(columns):
    """Rows in TRL's conversational form, the image in a column of its own."""
    rows = [
        {"prompt": conversation("user", question), "image": Pillow.open(FOLDER / "images" / f"{i}.png")}
        | {name: conversation("assistant", answers[i]) for name, answers in columns.items()}
        for i, question in enumerate(QUESTIONS)
    ]
    message = {"role": Value("string"), "content": Value("string")}
    return Dataset.from_list(rows, features=Features(prompt=List(message), image=Image(), **{name: List(message) for name in columns}))


class InOrder:
    def _get_train_sampler(self, dataset=None):
        return SequentialSampler(self.train_dataset)


class DPOTrainer(InOrder, trl.DPOTrainer):
    pass


class SFTTrainer(InOrder, trl.SFTTrainer):
    pass


def run(name, changes, processor):
    """Two optimizer steps of TRL. Gives what the fixture says about the case."""
    kind = name.split("_")[0]
    wanted = COMMON | changes
    torch.manual_seed(SEED)
    model = Qwen2VLForConditionalGeneration.from_pretrained(BASE, dtype=torch.float32)
    config, trainer_class = (trl.DPOConfig, DPOTrainer) if kind == "dpo" else (trl.SFTConfig, SFTTrainer)
    columns = {"chosen": CHOSEN, "rejected": REJECTED} if kind == "dpo" else {"completion": CHOSEN}
    with tempfile.TemporaryDirectory() as output:
        args = config(
            output_dir=output, use_cpu=True, bf16=False, gradient_checkpointing=False, report_to="none", save_strategy="no",
            disable_tqdm=True, **wanted,
        )  # fmt: skip
        trainer = trainer_class(model=model, args=args, processing_class=processor, train_dataset=dataset(columns))
    assert {p.dtype for p in trainer.model.parameters()} == {torch.float32}
    recorder = Recorder()
    recorder.watch(trainer)
    trainer.train()
    kept = {key: value for key, value in recorder.tensors.items() if key.startswith(KEPT.get(name, KEPT[kind]))}
    write(ROOT / f"trl-{kind}" / f"{name}.safetensors", kept, trl=trl.__version__)
    return {"args": wanted, "metrics": trainer.state.log_history[: wanted["max_steps"]]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", default=list(CASES))
    only = parser.parse_args().only
    torch.set_num_threads(1)
    processor = AutoProcessor.from_pretrained(BASE)
    for kind in ("dpo", "sft"):
        file = ROOT / f"trl-{kind}" / "steps.json"
        known = json.loads(file.read_text())["cases"] if file.exists() else {}
        names = [name for name in CASES if name.split("_")[0] == kind]
        cases = {name: run(name, CASES[name], processor) if name in only else known.get(name) for name in names}
        rows = [dict(question=q, chosen=c, rejected=r) for q, c, r in zip(QUESTIONS, CHOSEN, REJECTED, strict=True)]
        file.write_text(json.dumps({"trl": trl.__version__, "rows": rows, "cases": cases}, indent=2) + "\n")


if __name__ == "__main__":
    main()
