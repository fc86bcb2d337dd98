"""Just enough of a trainer to call methods of TRL's `GRPOTrainer`, unmodified, on numbers of our own.

The methods are borrowed from the class and called with one of these as `self`: no model, no processes, no data.
"""

import collections
import json
import math
from pathlib import Path
from types import SimpleNamespace

import torch
import transformers
import trl
from trl import GRPOTrainer

FIXTURES = Path(__file__).resolve().parent / "fixtures" / "trl"
VERSIONS = {"trl": trl.__version__, "torch": torch.__version__.split("+")[0], "transformers": transformers.__version__}
REWARD_NAMES = ["first", "second", "third"]


class OneProcess:
    """The accelerator of a run on one process: there is nobody to gather from."""

    num_processes, process_index, sync_gradients, device = 1, 0, True, torch.device("cpu")

    def gather(self, tensor):
        return tensor

    def gather_for_metrics(self, tensor):
        return tensor

    def reduce(self, tensor, reduction):
        return tensor

    def pad_across_processes(self, tensor, dim, pad_index):
        return tensor


class StandIn:
    """`self` of a training step. Fields given by keyword override the ones of a plain run."""

    get_off_policy_mask = staticmethod(GRPOTrainer.get_off_policy_mask)
    get_gamma_weights = staticmethod(GRPOTrainer.get_gamma_weights)
    get_high_entropy_mask = GRPOTrainer.get_high_entropy_mask

    def __init__(self, **fields):
        self.accelerator = OneProcess()
        self.model = SimpleNamespace(training=True, is_gradient_checkpointing=False)
        self.aux_loss_enabled = self.use_adaptive_entropy = self.use_vllm = False
        self._metrics = {"train": collections.defaultdict(list)}
        self.__dict__.update(fields)

    def metrics(self):
        """What was logged, one number per name; null for NaN, which TRL leaves out of its averages."""
        logged = self._metrics["train"]
        assert all(len(values) == 1 for values in logged.values())
        return {name: number(values[0]) for name, values in sorted(logged.items())}


def loss_of(options, tensors):
    """Calls `_compute_loss` on padded [B, T] tensors; gives the loss and the metrics, with gradients on the tensors."""
    args = SimpleNamespace(
        delta=options["delta"], use_bias_correction_kl=options["use_bias_correction_kl"],
        sapo_temperature_pos=options["sapo_temperature_pos"], sapo_temperature_neg=options["sapo_temperature_neg"],
        vespo_k_pos=options["vespo_k_pos"], vespo_lambda_pos=options["vespo_lambda_pos"],
        vespo_k_neg=options["vespo_k_neg"], vespo_lambda_neg=options["vespo_lambda_neg"],
        steps_per_generation=options["steps_per_generation"],
    )  # fmt: skip
    same = ("loss_type", "importance_sampling_level", "beta", "epsilon_low", "epsilon_high", "top_entropy_quantile",
            "off_policy_mask_threshold", "entropy_coef", "max_completion_length")  # fmt: skip
    trainer = StandIn(
        args=args,
        use_vllm=options["sampler_ratio"] is not None,
        vllm_importance_sampling_correction=True,
        _entropy_bonus_enabled=options["entropy_coef"] != 0,
        current_gradient_accumulation_steps=options["gradient_accumulation_steps"],
        _get_per_token_logps_and_entropies=lambda *args, **more: (tensors["logps"], tensors["entropies"], None),
        **{name: options[name] for name in same},
    )
    mask = tensors["mask"]
    inputs = {
        "prompt_ids": torch.ones(len(mask), 1, dtype=torch.long),
        "prompt_mask": torch.ones(len(mask), 1, dtype=torch.long),
        "completion_ids": torch.ones_like(mask),
        "completion_mask": mask,
        "advantages": tensors["advantages"],
        "num_items_in_batch": torch.tensor(options["num_items_in_batch"]),
    }
    if options["old_logps"]:
        inputs["old_per_token_logps"] = tensors["old_logps"]
    if options["beta"] != 0:
        inputs["ref_per_token_logps"] = tensors["ref_logps"]
    if options["sampling_logps"]:
        inputs["sampling_per_token_logps"] = tensors["sampling_logps"]
    if options["sampler_ratio"]:
        inputs["importance_sampling_ratio"] = tensors[f"{options['sampler_ratio']}_sampler_ratios"]
    loss = GRPOTrainer._compute_loss(trainer, None, inputs)
    loss.backward()
    return loss, trainer.metrics()


def score(lengths, rewards, sampled=None, **fields):
    """Calls `_generate_and_score_completions` on completions of these lengths whose rewards, [B][J], are known.

    `sampled`: log-probabilities that the sampler and the trainer gave, ragged, and which completions end. Gives the
    method's output and the metrics.
    """
    eos, pad, token = 1, 0, 2
    ends = sampled["ends"] if sampled else [True] * len(lengths)
    completions = [[token] * (n - 1) + [eos if end else token] for n, end in zip(lengths, ends, strict=True)]
    sampling_logps = sampled["sampling_logps"] if sampled else None
    texts = [""] * len(lengths)
    generated = ([[token]] * len(lengths), completions, None, texts, sampling_logps, {}, None, None)
    names = REWARD_NAMES[: len(rewards[0])]
    trainer = StandIn(
        environment_factories=None, environments=None, tools=None, pad_to_multiple_of=None, beta=0.0, num_iterations=1,
        _tokenizer=SimpleNamespace(pad_token_id=pad, eos_token_id=eos), log_multimodal=False, _is_vlm=False,
        processing_class=SimpleNamespace(batch_decode=lambda ids, skip_special_tokens: texts),
        args=SimpleNamespace(per_device_train_batch_size=len(lengths), gradient_checkpointing_kwargs=None,
                             steps_per_generation=1, gradient_accumulation_steps=1),
        reward_funcs=names, reward_func_names=names,
        _generate=lambda prompts: generated,
        _calculate_rewards=lambda *args: torch.tensor(rewards, dtype=torch.float64),
        _get_per_token_logps_and_entropies=lambda *args, **more: (padded(sampled["old_logps"]), None, None),
        _logs=collections.defaultdict(lambda: collections.defaultdict(list), {
            name: [] for name in ("prompt", "completion", "advantages")
        }),
        _pending_extra_logs={}, _pending_metrics={}, **fields,
    )  # fmt: skip
    output = GRPOTrainer._generate_and_score_completions(trainer, [{"prompt": "?"}] * len(lengths))
    return output, trainer.metrics()


def padded(rows, value=0.0):
    """Ragged rows as [B, T] in float64."""
    tensors = [torch.tensor(row, dtype=torch.float64) for row in rows]
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True, padding_value=value)


def number(value):
    """Twelve significant digits; JSON has no NaN."""
    return None if math.isnan(value) else float(f"{value:.12g}")


def write(name, content):
    FIXTURES.mkdir(parents=True, exist_ok=True)
    (FIXTURES / name).write_text(json.dumps({"versions": VERSIONS, **content}, allow_nan=False) + "\n")
