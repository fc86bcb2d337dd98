"""Writes what TRL's own DPOTrainer and SFTTrainer compute for given logits: losses, gradients, metrics.

    pip install torch==2.13.0 transformers==5.18.0 trl==1.13.0
    python test/parity/make_trl_dpo_golden.py
    npx biome check --write test/parity/fixtures/trl-dpo test/parity/fixtures/trl-sft
`DPOTrainer._compute_loss`, `compute_ref_log_probs`, `SFTTrainer.compute_loss`, `_chunked_cross_entropy_loss`, `dft_loss` and the
collators are TRL's, unmodified, with a stand-in for `self` and for the models, on logits over seven tokens; slopes by
log-probabilities come from the slopes by logits. Everything is float64, but for the alpha-divergence, which TRL computes in float32
only. The cases are in losses.json of either folder: 15 loss types, 4 divergences, LD-DPO, WPO, combinations, precomputed or not; nll,
chunked_nll and dft over answers alone or all tokens, and a slice of an accumulation.

TRL cannot differentiate `hinge` with `use_weighting` (it multiplies in place), nor compute `sft` with it: the first is checked by
differences, the second is refused. TRL sorts the pairs of each slice (`per_device_train_batch_size`) for `aot` and `aot_unpaired`, and
so does vsgrpo: these two depend on how a batch is cut into slices, though never on micro-batches.
"""

import itertools
import json
import random
from types import SimpleNamespace

import torch
from transformers.loss.loss_utils import ForCausalLMLoss
from trl import DPOTrainer, SFTTrainer
from trl.trainer.dpo_trainer import DataCollatorForPreference
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling, _chunked_cross_entropy_loss, dft_loss
from trl_stand_in import FIXTURES, VERSIONS, StandIn

SEED = 20250402
VOCABULARY = 7
# What a case has where it says nothing else: TRL 1.13's defaults.
DEFAULTS = {
    "loss_type": ["sigmoid"], "loss_weights": None, "beta": 0.1, "label_smoothing": 0.0, "f_divergence_type": "reverse_kl",
    "f_alpha_divergence_coef": 0.5, "ld_alpha": None, "use_weighting": False, "discopop_tau": 0.05,
    "precompute_ref_log_probs": False,
}  # fmt: skip
LOSSES = ["sigmoid", "hinge", "ipo", "exo_pair", "nca_pair", "robust", "bco_pair", "sppo_hard", "aot", "aot_unpaired",
          "apo_zero", "apo_down", "discopop", "sft", "sigmoid_norm"]  # fmt: skip
DIVERGENT = ["sigmoid", "sigmoid_norm", "hinge", "ipo", "exo_pair", "robust", "discopop", "sft"]
SORTING = ["aot", "aot_unpaired"]
# TRL refuses weights with the sorting losses; with the last two its backward fails (it multiplies them in place).
UNWEIGHTED = [*SORTING, "hinge", "sft"]
DIVERGENCES = [
    {"f_divergence_type": "forward_kl"},
    {"f_divergence_type": "js_divergence"},
    {"f_divergence_type": "alpha_divergence"},
    {"f_divergence_type": "alpha_divergence", "f_alpha_divergence_coef": 1.5},
    {"f_divergence_type": "alpha_divergence", "f_alpha_divergence_coef": 1.0},
]


def make_batch(lengths, width, drift):
    """(prompt, chosen, rejected) tokens of each pair; logits within `width`, the reference's within `drift` of them."""
    rng = random.Random(f"{SEED} {lengths} {width} {drift}")

    def ids(count):
        return [rng.randrange(VOCABULARY) for _ in range(count)]

    examples = [dict(zip(("prompt_ids", "chosen_ids", "rejected_ids"), map(ids, row), strict=True)) for row in lengths]
    inputs = DataCollatorForPreference(pad_token_id=0)(examples)
    shape = (*inputs["input_ids"].shape, VOCABULARY)
    generator = torch.Generator().manual_seed(rng.randrange(2**31))
    logits = (torch.rand(shape, generator=generator, dtype=torch.float64) - 0.5) * 2 * width
    moved = (torch.rand(shape, generator=generator, dtype=torch.float64) - 0.5) * 2 * drift
    return {"inputs": inputs, "logits": logits, "ref_logits": logits + moved}


BATCHES = {
    "ragged": make_batch([(3, 4, 2), (5, 1, 6), (1, 7, 7), (2, 3, 5)], 2, 0.75),
    "near": make_batch([(2, 5, 5), (4, 2, 8), (3, 6, 1)], 1.5, 0.05),
    "far": make_batch([(1, 9, 12), (2, 11, 3), (6, 8, 8), (3, 2, 10), (2, 12, 7)], 4, 1.5),
    "single": make_batch([(2, 1, 1)], 2, 1),
    "equal": make_batch([(3, 3, 4), (2, 6, 2)], 2, 0),
}


def dpo_cases():
    """(batch, options that are not the default)."""
    for loss, name in itertools.product(LOSSES, BATCHES):
        smoothing = {"label_smoothing": 1e-3} if loss == "exo_pair" else {}
        kind = {"loss_type": [loss], **smoothing}
        yield name, kind
        if name in ("ragged", "far"):
            yield name, kind | {"beta": 0.5, "ld_alpha": 0.25}
            if loss in ("exo_pair", "robust", *SORTING):
                yield name, kind | {"label_smoothing": 0.2, "beta": 0.3}
            if loss in DIVERGENT and loss != "sft":
                for divergence in DIVERGENCES:
                    yield name, kind | divergence
            if loss not in UNWEIGHTED:
                yield name, kind | {"use_weighting": True}
    for name, precomputed in itertools.product(("ragged", "near"), (False, True)):
        shared = {"precompute_ref_log_probs": precomputed}
        yield name, shared | {"ld_alpha": 0.0}
        yield name, shared | {"ld_alpha": 1.0}
        yield name, shared | {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.2]}
        yield name, shared | {"loss_type": ["sigmoid", "bco_pair", "sft"], "loss_weights": [0.8, 0.2, 1.0]}
        yield name, shared | {"loss_type": ["aot", "ipo"], "label_smoothing": 0.1}
        yield name, shared | {"loss_type": ["ipo", "apo_zero"], "use_weighting": True, "loss_weights": [0.5, 2.0]}
    for tau in (0.5, 2):
        yield "far", {"loss_type": ["discopop"], "discopop_tau": tau}
    for beta in (0.01, 1.0):
        for loss in ("ipo", "sppo_hard", "hinge"):
            yield "near", {"loss_type": [loss], "beta": beta}


def number(value):
    """Nine significant digits: more than float32 holds."""
    return float(f"{value:.9g}")


class Model(torch.nn.Module):
    """A model that knows its logits."""

    def __init__(self, logits):
        super().__init__()
        self.answer = logits

    def forward(self, **_):
        return SimpleNamespace(logits=self.answer)


def reference_logps(batch, options):
    trainer = StandIn(ld_alpha=options["ld_alpha"], ref_model=object(), args=SimpleNamespace(gradient_checkpointing_kwargs=None))
    return DPOTrainer.compute_ref_log_probs(trainer, Model(batch["ref_logits"]), batch["inputs"])


def run_dpo_case(batch, options):
    kind = torch.float32 if options["f_divergence_type"] == "alpha_divergence" else torch.float64
    batch = batch | {name: batch[name].to(kind) for name in ("logits", "ref_logits")}
    logits = batch["logits"].clone().requires_grad_()
    inputs = dict(batch["inputs"])
    if options["precompute_ref_log_probs"]:
        inputs["ref_chosen_logps"], inputs["ref_rejected_logps"] = reference_logps(batch, options)
    weights = options["loss_weights"] or [1.0] * len(options["loss_type"])
    same = ("beta", "label_smoothing", "f_divergence_type", "f_alpha_divergence_coef", "ld_alpha", "use_weighting")
    trainer = StandIn(
        loss_types=options["loss_type"], loss_weights=weights, precompute_ref_logps=options["precompute_ref_log_probs"],
        ref_model=Model(batch["ref_logits"]),
        args=SimpleNamespace(discopop_tau=options["discopop_tau"], gradient_checkpointing_kwargs=None),
        _total_train_tokens=0, _tp_size=1, **{name: options[name] for name in same},
    )  # fmt: skip
    loss = DPOTrainer._compute_loss(trainer, Model(logits), inputs, False)
    loss.backward()
    slopes = slopes_by_logp(logits, inputs["input_ids"], inputs["completion_mask"])
    metrics = {name: number(value) for name, value in trainer.metrics().items()}
    return {"loss": number(loss.item()), "dlogps": slopes, "metrics": metrics}


def at_targets(values, ids):
    """[B, T, V] values of the predicted tokens, [B, T - 1]."""
    return values[:, :-1].gather(-1, ids[:, 1:].unsqueeze(-1)).squeeze(-1)


def slopes_by_logp(logits, ids, mask):
    """The loss's derivative by each target's log-probability: a slope by logits is that times (one-hot - p)."""
    p = logits.detach().softmax(-1)
    one_hot = torch.zeros_like(p).scatter(-1, ids[:, 1:].unsqueeze(-1), 1.0)
    direction = (one_hot - p)[:, :-1]
    grad = logits.grad[:, :-1]
    over = (grad * direction).sum(-1), direction.square().sum(-1)
    if logits.dtype == torch.float32:  # the tokens of an answer share a slope: together they tell it more precisely
        inside = mask[:, 1:]
        over = [(part * inside).sum(-1, keepdim=True).expand_as(part) for part in over]
    slopes = over[0] / over[1]
    slopes = slopes * mask[:, 1:]
    gap = (slopes.unsqueeze(-1) * direction - grad).abs().max() / grad.abs().max().clamp(min=1e-30)
    assert gap < 1e-5, f"the loss depends on more than log-probabilities: {gap}"
    return ragged(slopes, mask)


def ragged(values, mask):
    """What stands at completion tokens, in pairs: chosen, rejected, chosen, …"""
    rows = [row[inside].tolist() for row, inside in zip(values, mask[:, 1:].bool(), strict=True)]
    half = len(rows) // 2
    return [number(value) for pair in zip(rows[:half], rows[half:], strict=True) for row in pair for value in row]


def describe(batch):
    """A batch as the tests read it."""
    ids, mask = batch["inputs"]["input_ids"], batch["inputs"]["completion_mask"]
    half = len(ids) // 2
    counts = mask.sum(1).tolist()
    target = lambda logits: ragged(at_targets(logits.log_softmax(-1), ids), mask)  # noqa: E731
    logits = batch["logits"]
    p = logits.softmax(-1)
    entropy = -(p * p.log()).sum(-1)[:, :-1]
    correct = (logits[:, :-1].argmax(-1) == ids[:, 1:]).long()
    return {
        "lengths": [length for pair in zip(counts[:half], counts[half:], strict=True) for length in pair],
        "prompt_lengths": (batch["inputs"]["attention_mask"].sum(1) - mask.sum(1))[:half].tolist(),
        "logps": target(logits),
        "half_temperature_logps": target(2 * logits),
        "ref_logps": target(batch["ref_logits"]),
        "entropies": ragged(entropy, mask),
        "correct": ragged(correct, mask),
    }


def make_dpo():
    cases, seen = [], set()
    for name, changes in dpo_cases():
        label = json.dumps([name, changes], sort_keys=True)
        if label in seen:
            continue
        seen.add(label)
        cases.append({"batch": name, "options": changes, **run_dpo_case(BATCHES[name], DEFAULTS | changes)})
    batches = {name: describe(batch) for name, batch in BATCHES.items()}
    write("trl-dpo", "losses.json", {"defaults": DEFAULTS, "batches": batches, "cases": cases})
    return len(cases)


def make_sft_batch(lengths, width):
    """Rows of (prompt, completion) tokens as TRL's dataset preparation leaves them, with their logits."""
    rng = random.Random(f"{SEED} sft {lengths}")
    rows = [{"input_ids": [rng.randrange(VOCABULARY) for _ in range(p + c)], "prompt": p} for p, c in lengths]
    generator = torch.Generator().manual_seed(rng.randrange(2**31))
    longest = max(p + c for p, c in lengths)
    return rows, (torch.rand(len(rows), longest, VOCABULARY, generator=generator, dtype=torch.float64) - 0.5) * 2 * width


SFT_BATCHES = {
    "ragged": make_sft_batch([(3, 4), (1, 7), (5, 1), (2, 2)], 2),
    "sharp": make_sft_batch([(2, 9), (4, 3)], 5),
    "single": make_sft_batch([(1, 1)], 2),
}


def sft_forward(loss_type, logits):
    """A model with TRL's loss on it: `chunked_nll` runs TRL's own function on hidden states that are the logits."""

    class Output(dict):
        __getattr__ = dict.get

    def forward(input_ids=None, labels=None, num_items_in_batch=None, **_):
        if loss_type == "chunked_nll":
            loss, correct, entropy, valid = _chunked_cross_entropy_loss(
                logits, torch.eye(VOCABULARY, dtype=logits.dtype), 4, labels=labels, num_items_in_batch=num_items_in_batch
            )
            return Output(loss=loss, num_correct_tokens=correct, entropy_sum=entropy, num_valid_tokens=valid)
        output = Output(logits=logits)
        if labels is not None:
            output["loss"] = ForCausalLMLoss(logits, labels, VOCABULARY, num_items_in_batch=num_items_in_batch)
        return output

    return forward


class StandInSFT(StandIn, SFTTrainer):
    """`compute_loss` calls its parent's: the stand-in must be one of the family."""

    def __init__(self, **fields):
        StandIn.__init__(self, **fields)


def run_sft_case(rows, logits, options):
    """One slice of an accumulation: `num_items_in_batch` counts the targets of all of it."""
    logits = logits.clone().requires_grad_()
    masked = [row["prompt"] if options["completion_only_loss"] else 0 for row in rows]
    labels = [[-100] * count + row["input_ids"][count:] for row, count in zip(rows, masked, strict=True)]
    inputs = DataCollatorForLanguageModeling(pad_token_id=0)([
        {"input_ids": row["input_ids"], "labels": label} for row, label in zip(rows, labels, strict=True)
    ])
    targets = inputs["labels"][:, 1:] != -100
    count = int(targets.sum()) + options["other_targets"]

    forward = sft_forward(options["loss_type"], logits)
    trainer = StandInSFT(
        args=SimpleNamespace(
            loss_type=options["loss_type"], use_liger_kernel=False, past_index=-1, average_tokens_across_devices=False, n_gpu=1
        ),
        compute_loss_func=dft_loss if options["loss_type"] == "dft" else None, model_accepts_loss_kwargs=True, label_smoother=None,
        num_virtual_tokens=0, _total_train_tokens=0, _tp_size=1, model=SimpleNamespace(training=True, forward=forward),
    )  # fmt: skip
    ids = inputs["input_ids"]
    loss = SFTTrainer.compute_loss(trainer, forward, dict(inputs), num_items_in_batch=torch.tensor(count))
    loss.backward()
    p = logits.detach().softmax(-1)
    slopes = (at_targets(logits.grad, ids) / (1 - at_targets(p, ids)))[targets]
    metrics = {name: number(value) for name, value in trainer.metrics().items()}
    return {"loss": number(loss.item()), "dlogps": [number(value) for value in slopes.tolist()], "metrics": metrics}


def describe_sft(rows, logits):
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(row["input_ids"]) for row in rows], batch_first=True)
    inside = torch.nn.utils.rnn.pad_sequence([torch.ones(len(row["input_ids"])) for row in rows], batch_first=True)[:, 1:].bool()
    p = logits.softmax(-1)
    values = {
        "logps": at_targets(p.log(), ids),
        "entropies": -(p * p.log()).sum(-1)[:, :-1],
        "correct": (logits[:, :-1].argmax(-1) == ids[:, 1:]).long(),
    }
    flat = {name: [number(v) for v in value[inside].tolist()] for name, value in values.items()}
    return {"prompt_lengths": [row["prompt"] for row in rows], "lengths": [len(row["input_ids"]) for row in rows], **flat}


def make_sft():
    cases = []
    for name, loss, only, others in itertools.product(SFT_BATCHES, ("chunked_nll", "nll", "dft"), (True, False), (0, 11)):
        options = {"loss_type": loss, "completion_only_loss": only, "other_targets": others}
        cases.append({"batch": name, "options": options, **run_sft_case(*SFT_BATCHES[name], options)})
    batches = {name: describe_sft(*batch) for name, batch in SFT_BATCHES.items()}
    write("trl-sft", "losses.json", {"batches": batches, "cases": cases})
    return len(cases)


def write(folder, name, content):
    path = FIXTURES.parent / folder
    path.mkdir(parents=True, exist_ok=True)
    (path / name).write_text(json.dumps({"versions": VERSIONS, **content}, allow_nan=False) + "\n")


if __name__ == "__main__":
    print(f"{make_dpo()} DPO losses, {make_sft()} SFT losses")
