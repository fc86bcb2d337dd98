"""Optimizer steps of TRL's GRPOTrainer: the trainer as it is, with clocks around its own methods."""

import json
import time
from collections import defaultdict
from pathlib import Path

from datasets import Dataset, Image, List
from transformers import TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from device import is_gpu, wait

# <|endoftext|>, <|im_end|>: no completion ends early. <|image_pad|>, <|video_pad|>: the model refuses them without media.
SUPPRESSED = [151643, 151645, 151655, 151656]


def reward(completions, **columns):
    """Text in, number out; cheap, and different within a group."""
    return [(len(completion[0]["content"]) % 8) / 8 for completion in completions]


class Clocks(TrainerCallback):
    """Seconds of every step and of its phases. A step lasts from the end of the one before to its own end."""

    def __init__(self, job):
        self.job = job
        self.ends, self.phases, self.running = [], [], defaultdict(float)

    def on_step_end(self, args, state, control, **others):
        wait(self.job)
        self.ends.append(time.perf_counter())
        self.phases.append(dict(self.running))
        self.running.clear()

    def around(self, owner, name, phase_of):
        call = getattr(owner, name)

        def timed(*positional, **named):
            begin = time.perf_counter()
            try:
                return call(*positional, **named)
            finally:
                self.add(phase_of(*positional, **named), time.perf_counter() - begin)

        setattr(owner, name, timed)

    def around_steps_of(self, optimizer):
        """By hooks: learning-rate schedules replace the method itself."""
        begun = []
        optimizer.register_step_pre_hook(lambda *_: begun.append(time.perf_counter()))
        optimizer.register_step_post_hook(lambda *_: self.add("optimizer", time.perf_counter() - begun.pop()))

    def add(self, phase, seconds):
        self.running[phase] += seconds

    def steps(self):
        """[(seconds, by phase)] without the first step, whose beginning is not known."""
        for before, end, phases in zip(self.ends, self.ends[1:], self.phases[1:]):
            phases.pop("policy", 0)
            preparing = phases.pop("preparing", 0)
            phases["backward"] = phases.pop("training_step", 0) - preparing
            phases["rest"] = end - before - sum(phases.values())
            yield end - before, phases


def dataset_of(rows):
    examples = []
    for row in map(json.loads, Path(rows).read_text().splitlines()):
        parts = row["messages"][0]["content"]
        text = "".join(part["text"] for part in parts if part["type"] == "text")
        images = [part["image"] for part in parts if part["type"] == "image"]
        examples.append({"prompt": [{"role": "user", "content": text}], "images": images})
    return Dataset.from_list(examples).cast_column("images", List(Image()))


def config_of(job):
    group, new_tokens = job["group"], job["newTokens"]
    return GRPOConfig(
        output_dir=job["scratch"],
        use_cpu=not is_gpu(job),
        bf16=job["autocast"],
        model_init_kwargs={"dtype": job.get("dtype", "bfloat16")},
        gradient_checkpointing=job["checkpointing"],
        per_device_train_batch_size=group,
        # A prompt's completions at a time: the groups of a whole step would not fit together.
        gradient_accumulation_steps=job.get("prompts", 1),
        num_generations=group,
        max_completion_length=new_tokens,
        temperature=1.0,
        top_k=0,
        top_p=1.0,
        generation_kwargs={"suppress_tokens": SUPPRESSED},
        beta=0.04,
        learning_rate=1e-6,
        max_steps=job["warmup"] + job["steps"],
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=job["seed"],
    )


def adapters_of(job):
    """LoRA on the language model's linear layers, as ours; the vision tower is then frozen."""
    if not job.get("lora"):
        return None
    from peft import LoraConfig

    rank = job["lora"]["r"]
    layers = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    return LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=layers, task_type="CAUSAL_LM")


def run(job):
    clocks = Clocks(job)
    trainer = GRPOTrainer(
        model=job["checkpoint"],
        reward_funcs=reward,
        args=config_of(job),
        train_dataset=dataset_of(job["rows"]),
        callbacks=[clocks],
        peft_config=adapters_of(job),
    )
    # With adapters the reference is the policy without them, and its pass counts as rest.
    reference = trainer.ref_model
    clocks.around(trainer, "_prepare_inputs", lambda *_: "preparing")
    clocks.around(trainer, "training_step", lambda *_, **__: "training_step")
    clocks.around(trainer, "_generate", lambda *_, **__: "generation")
    clocks.around(trainer, "_calculate_rewards", lambda *_, **__: "rewards")
    # The policy's own log-probabilities are part of training_step.
    scored = lambda model, *_, **__: "logps" if model is reference else "policy"  # noqa: E731
    clocks.around(trainer, "_get_per_token_logps_and_entropies", scored)
    trainer.create_optimizer()
    clocks.around_steps_of(trainer.optimizer)
    trainer.train()
    log = [entry for entry in trainer.state.log_history if "completions/min_length" in entry]
    check(log, job)
    dtypes = {str(p.dtype) for p in trainer.model.parameters()}
    timed = list(clocks.steps())[-job["steps"] :]
    return {
        "seconds": [seconds for seconds, _ in timed],
        "phases": [phases for _, phases in timed],
        "log": {name: log[-1].get(name) for name in ("loss", "grad_norm", "kl", "entropy", "reward_std")},
        "dtypes": sorted(dtypes),
        "promptTokens": prompt_tokens(log, job),
    }


def check(log, job):
    """Every completion has exactly the stated number of tokens."""
    for entry in log:
        lengths = entry["completions/min_length"], entry["completions/max_length"]
        if lengths != (job["newTokens"], job["newTokens"]):
            raise RuntimeError(f"expected completions of {job['newTokens']} tokens, got {lengths}")


def prompt_tokens(log, job):
    """TRL counts prompts and completions together."""
    return log[0]["num_tokens"] / job["group"] / job.get("prompts", 1) - job["newTokens"]
