"""Writes what TRL's own GRPOTrainer computes for given numbers: losses, gradients, metrics, advantages, sampler ratios.

    pip install torch==2.13.0 transformers==5.18.0 trl==1.13.0
    python test/parity/make_trl_golden.py
    npx biome check --write test/parity/fixtures/trl
TRL's methods run as they are, with a stand-in for `self` (trl_stand_in.py), on a CPU in float64 on inputs that float32 holds exactly;
NaN is null. The files of test/parity/fixtures/trl:

- loss-grid, of GRPOTrainer._compute_loss: combinations of options on small batches: loss, dlogps, dentropies (with an entropy
  bonus), metrics
- advantages, of GRPOTrainer._generate_and_score_completions: tables of rewards, null where one does not apply: advantages, metrics
- sampler-ratio, of the same: the four modes of the sampler correction, four pairs of bounds, with and without masked completions:
  ratios, metrics

Ragged arrays hold the completions' tokens one after the other, `lengths` says how many each has, `mask` is 0 for a completion that is
masked as a whole. A case of the grid names its batch, and its `options` are laid over the file's `defaults`; `old_logps` and
`sampling_logps` say whether the batch's are given, `sampler_ratio` which of its two ratios is. One case is one slice of
gradient_accumulation_steps, so its loss is divided as a slice's is.
"""

import itertools
import random

import torch
from trl_stand_in import REWARD_NAMES, loss_of, number, padded, score, write

SEED = 20250401
LOSS_TYPES = ["grpo", "dr_grpo", "dapo", "bnpo", "cispo", "sapo", "luspo", "vespo"]
CLIPPED = ["grpo", "dr_grpo", "dapo", "bnpo", "luspo"]
LEVELS = ["token", "sequence"]

# What a case has where it says nothing else: TRL 1.13's defaults, but for the loss type and the lengths.
DEFAULTS = {
    "loss_type": "grpo", "importance_sampling_level": "token", "beta": 0, "use_bias_correction_kl": True,
    "epsilon_low": 0.2, "epsilon_high": 0.2, "delta": None, "sapo_temperature_pos": 1, "sapo_temperature_neg": 1.05,
    "vespo_k_pos": 2, "vespo_lambda_pos": 3, "vespo_k_neg": 3, "vespo_lambda_neg": 2, "top_entropy_quantile": 1,
    "off_policy_mask_threshold": None, "entropy_coef": 0, "max_completion_length": 32,
    "gradient_accumulation_steps": 1, "steps_per_generation": 1,
    # Whether the batch's old_logps and sampling_logps are given, and which of its sampler ratios (token or sequence).
    "old_logps": True, "sampling_logps": False, "sampler_ratio": None,
}  # fmt: skip


def steps(rng, low, high):
    """A multiple of 1/256, which float32 holds exactly."""
    return rng.randint(round(low * 256), round(high * 256)) / 256


def make_batch(lengths, advantages, masked=(), spread=0.5):
    """Random log-probabilities; those of the other policies lie within `spread` of the trained one's."""
    rng = random.Random(f"{SEED} {lengths}")
    count = sum(lengths)
    logps = [steps(rng, -3, -0.02) for _ in range(count)]

    def near(width):
        return [logp + steps(rng, -width, width) for logp in logps]

    return {
        "lengths": lengths,
        "mask": [int(row not in masked) for row in range(len(lengths))],
        "advantages": advantages,
        "logps": logps,
        "old_logps": near(spread),
        "ref_logps": near(spread),
        "sampling_logps": near(spread),
        "entropies": [steps(rng, 0, 3) for _ in range(count)],
        "token_sampler_ratios": [rng.choice([0, 3, steps(rng, 0.1, 3), steps(rng, 0.5, 1.5)]) for _ in range(count)],
        "sequence_sampler_ratios": [[0, 3, 0.5, 1.25][row % 4] for row in range(len(lengths))],
    }


def golden_batch():
    """The three completions of which the unit tests hold explicit numbers."""
    batch = make_batch([4, 3, 2], [1, -0.5, -0.8])
    given = {
        "logps": [-0.5, -1.2, -0.1, -2.0, -0.3, -0.9, -1.5, -2.2, -0.4],
        "old_logps": [-0.6, -1.0, -0.1, -2.6, -0.2, -1.3, -1.45, -1.9, -0.75],
        "ref_logps": [-0.7, -1.1, -0.3, -1.8, -0.3, -1.0, -1.2, -2.0, -0.5],
        "entropies": [0.9, 1.4, 0.2, 1.8, 0.6, 1.1, 1.6, 1.7, 0.7],
        "advantages": batch["advantages"],
    }
    return batch | {name: torch.tensor(values).double().tolist() for name, values in given.items()}


def with_ratios(batch, ratios):
    """The batch with old log-probabilities that make these the log ratios."""
    return batch | {"old_logps": [logp - ratio for logp, ratio in zip(batch["logps"], ratios, strict=True)]}


def far_batch():
    """Log ratios up to 25, on both sides and for both signs of the advantage: every clamp and cap acts."""
    ratios = [-2.5, -1, 0.25, 1, 2.5, 25] * 2 + [3, 3, 4, 0.5] + [-9, -9, -4, 0.5] + [-25, 10, 10] + [25, -10, -10]
    return with_ratios(make_batch([6, 6, 4, 4, 3, 3], [1.25, -1.25, 0.5, -0.5, 2, -2], spread=2), ratios)


BATCHES = {
    "golden": golden_batch(),
    "ragged": make_batch([3, 7, 1, 5, 2], [1.5, -0.25, -1, 0.75, -1.125]),
    "masked": make_batch([4, 6, 3, 5, 1], [0.5, 1.5, -1, -0.75, 0.25], masked=(1, 4)),
    # Every completion in the loss has a clipped token, the masked one would have none.
    "cut": with_ratios(
        make_batch([3, 2, 2, 1], [-1, -0.5, -0.75, -1.5], masked=(1,)), [-0.5, 0, -1, 0, 0, -0.5, 0.25, -2]
    ),
    "flat": make_batch([3, 4, 2, 4], [0, 0, 0, 0]),
    "equal": make_batch([2, 5, 3, 1], [-0.5, -0.5, -0.5, -0.5]),
    "far": far_batch(),
    "long": make_batch([24, 31, 20, 22], [1.25, -0.5, -1.375, 0.625], spread=0.25),
    "single": make_batch([1, 1, 1, 1, 1, 1], [1, -1, 0.5, -0.5, 0, 1.5]),
    # 51 tokens: quantiles 0.6 and 0.3 fall on a token, and float32 puts them a rounding error beside it.
    "quantile": make_batch([27, 24], [0.75, -0.75]),
}


def loss_cases():
    """(batch, options that are not the default). Pairs of options that meet in a formula meet here."""
    for loss, level in itertools.product(LOSS_TYPES, LEVELS):
        kind = {"loss_type": loss, "importance_sampling_level": level}
        high = {"epsilon_high": 2.0 if loss == "cispo" else 0.28}
        for kl in ({}, {"beta": 0.04, "use_bias_correction_kl": False}, {"beta": 0.04}):
            yield "ragged", kind | kl
            yield "golden", kind | kl | high | {"max_completion_length": 8}
            yield "ragged", kind | kl | {"old_logps": False}
        for name in ("masked", "cut", "flat", "equal", "far", "long", "single"):
            yield name, kind | {"beta": 0.04} | high
        # TRL refuses vespo with ratios of whole sequences.
        for ratio in ("token",) if loss == "vespo" else ("token", "sequence"):
            sampler = {"sampler_ratio": ratio, "sampling_logps": True}
            yield "masked", kind | high | sampler
            yield "far", kind | {"beta": 0.04} | sampler
        yield "masked", kind | high | {
            "beta": 0.04, "top_entropy_quantile": 0.5, "off_policy_mask_threshold": 0.0625, "entropy_coef": 0.01,
            "sampler_ratio": "token", "sampling_logps": True, "gradient_accumulation_steps": 4,
            "steps_per_generation": 4, "delta": 1.25,
        }  # fmt: skip

    for loss, level, delta, high in itertools.product(CLIPPED, LEVELS, (1.125, 4), (0.2, 0.28)):
        yield "far", {"loss_type": loss, "importance_sampling_level": level, "delta": delta, "epsilon_high": high}
    for level, delta in itertools.product(LEVELS, (None, 1.125)):
        # A bias-corrected KL takes the ratio that delta has not touched.
        yield "far", {"importance_sampling_level": level, "delta": delta, "beta": 0.04, "epsilon_low": 0.1}
    for loss in ("grpo", "dapo"):
        narrow = {"epsilon_low": 3e-4, "epsilon_high": 4e-4}
        yield "ragged", narrow | {"loss_type": loss, "importance_sampling_level": "sequence"}
    for cap, level in itertools.product((0.5, 2, 5), LEVELS):
        yield "far", {"loss_type": "cispo", "epsilon_high": cap, "importance_sampling_level": level}
    for positive, negative in ((0.5, 2), (3, 0.25)):
        for name in ("far", "flat", "ragged"):
            yield name, {"loss_type": "sapo", "sapo_temperature_pos": positive, "sapo_temperature_neg": negative}
    shape = {"vespo_k_pos": 1, "vespo_lambda_pos": 0.5, "vespo_k_neg": 0.5, "vespo_lambda_neg": 0}
    for name in ("far", "ragged", "flat"):
        yield name, shape | {"loss_type": "vespo"}

    for loss, quantile in itertools.product(LOSS_TYPES, (0.5, 0.2)):
        yield "masked", {"loss_type": loss, "top_entropy_quantile": quantile, "beta": 0.04}
        yield "ragged", {"loss_type": loss, "top_entropy_quantile": quantile, "importance_sampling_level": "sequence"}
    for name, quantile in itertools.product(BATCHES, (0.8, 0.5, 0.2, 0.1)):
        yield name, {"top_entropy_quantile": quantile}
    for quantile in (0.4, 0.7):
        yield "quantile", {"top_entropy_quantile": quantile}
    for loss, threshold in itertools.product(LOSS_TYPES, (0, 0.125)):
        policy = {"loss_type": loss, "off_policy_mask_threshold": threshold}
        yield "ragged", policy
        yield "masked", policy | {"sampling_logps": True, "beta": 0.04}
        yield "equal", policy | {"old_logps": False, "importance_sampling_level": "sequence"}
    for loss, quantile, slices in itertools.product(LOSS_TYPES, (1, 0.2), (1, 4)):
        bonus = {"loss_type": loss, "entropy_coef": 0.01, "top_entropy_quantile": quantile}
        yield "masked", bonus | {"gradient_accumulation_steps": slices, "steps_per_generation": slices}
    for loss, (slices, generation) in itertools.product(LOSS_TYPES, ((4, 4), (1, 4), (4, 1), (2, 4))):
        yield "ragged", {"loss_type": loss, "gradient_accumulation_steps": slices, "steps_per_generation": generation}


def split(values, lengths):
    """A ragged list, by completion."""
    return [row.tolist() for row in torch.tensor(values, dtype=torch.float64).split(lengths)]


def run_loss_case(batch, options):
    lengths = batch["lengths"]

    def ragged(name):
        return padded(split(batch[name], lengths))

    tensors = {name: ragged(name) for name in ("logps", "old_logps", "ref_logps", "sampling_logps", "entropies")}
    tokens = padded([[1] * length for length in lengths])
    tensors["mask"] = (tokens * torch.tensor(batch["mask"]).unsqueeze(1)).long()
    # A masked completion and the padding have the ratio 1: TRL masks the difference before it takes the exponential.
    inside = tensors["mask"].bool()
    tensors["token_sampler_ratios"] = torch.where(inside, ragged("token_sampler_ratios"), 1.0)
    whole = torch.tensor(batch["sequence_sampler_ratios"], dtype=torch.float64).unsqueeze(1)
    tensors["sequence_sampler_ratios"] = torch.where(inside.any(1, keepdim=True), whole, 1.0)
    tensors["advantages"] = torch.tensor(batch["advantages"], dtype=torch.float64)
    for name in ("logps", "entropies"):
        tensors[name].requires_grad_()
    loss, metrics = loss_of(options, tensors)

    def gradient(name):
        grad = tensors[name].grad
        return [number(value) for value in grad[tokens.bool()].tolist()]

    dentropies = {"dentropies": gradient("entropies")} if options["entropy_coef"] else {}
    return {"loss": number(loss.item()), "dlogps": gradient("logps"), **dentropies, "metrics": metrics}


def make_losses():
    cases, seen = [], set()
    for name, changes in loss_cases():
        batch = BATCHES[name]
        valid = sum(length * kept for length, kept in zip(batch["lengths"], batch["mask"], strict=True))
        options = DEFAULTS | changes
        # The other slices of the generation batch have some tokens more than this one.
        changes["num_items_in_batch"] = options["steps_per_generation"] * (valid + 3) - 3
        label = " ".join([name, *(f"{key}={value}" for key, value in sorted(changes.items()))])
        if label in seen:
            continue
        seen.add(label)
        result = run_loss_case(batch, options | changes)
        cases.append({"batch": name, "options": changes, **result})
    write("loss-grid.json", {"defaults": DEFAULTS, "batches": BATCHES, "cases": cases})
    return len(cases)


def reward_tables():
    """(name, completions per prompt, rewards [J][B]); None = the reward does not apply."""
    rng = random.Random(SEED)
    yield "one reward", 4, [[1, 0, 0.5, 0.25, 1, 1, 1, 1]]
    yield "pairs", 2, [[1, 0, 0.5, 0.5, 0, 0.75], [0, 2, 1, -1, 3, 3]]
    yield "three rewards", 8, [[steps(rng, 0, 1) for _ in range(16)] for _ in range(3)]
    yield "equal", 4, [[0.5] * 8, [1] * 8]
    yield "two where one is silent", 4, [[1, 0, None, 0.5, None, None, 1, 0], [None, None, 2, 1, 0, None, 1, 0.25]]
    yield "unscorable completions", 2, [[1, None, 0, 0.5, None, None, 1, 0.25], [0.5, None, 1, 0, None, None, 0, 1]]
    yield "a reward that never applies", 4, [[1, 0, 0.5, 0, 0.25, 0, 0, 1], [None] * 8, [0, 1, 1, 0, 2, 2, None, 2]]
    yield "a reward that applies once", 2, [[None, 1, None, None], [0, 1, 1, 0.5]]
    yield "nothing scorable", 2, [[None, None, None, None]]


def make_advantages():
    cases = []
    modes = [("sum_then_normalize", scale) for scale in ("group", "batch", "none")] + [("normalize_then_sum", "group")]
    for (name, size, table), (aggregation, scale) in itertools.product(reward_tables(), modes):
        for weights in ([1] * len(table), [0.5, 2, 0][: len(table)]):
            rows = [[float("nan") if value is None else value for value in row] for row in zip(*table, strict=True)]
            fields = dict(num_generations=size, multi_objective_aggregation=aggregation, scale_rewards=scale)
            output, metrics = score(
                [2] * len(rows), rows, mask_truncated_completions=False,
                reward_weights=torch.tensor(weights, dtype=torch.float64), **fields,
            )  # fmt: skip
            advantages = [number(value) for value in output["advantages"].tolist()]
            case = {"name": name, **fields, "reward_weights": weights, "rewards": table}
            cases.append(case | {"advantages": advantages, "metrics": metrics})
    write("advantages.json", {"reward_names": REWARD_NAMES, "cases": cases})
    return len(cases)


def make_sampler_ratios():
    """Batch of five; the last two completions are cut off, so they are masked where `masked` is set."""
    lengths = [4, 1, 6, 3, 2]
    batch = make_batch(lengths, [0] * 5, spread=1)
    ends = [True, True, True, False, False]
    rows = {name: split(batch[name], lengths) for name in ("old_logps", "sampling_logps")}
    cases = []
    bounds = ((None, 3), (None, 1.25), (0.5, 2), (0.75, None))
    modes = [f"{level}_{way}" for level in LEVELS for way in ("truncate", "mask")]
    for mode, (low, high), masked in itertools.product(modes, bounds, (False, True)):
        output, metrics = score(
            lengths, [[0.0]] * 5, {"ends": ends, **rows}, num_generations=5, scale_rewards="group",
            multi_objective_aggregation="sum_then_normalize", reward_weights=torch.ones(1),
            mask_truncated_completions=masked, use_vllm=True, vllm_importance_sampling_correction=True, vllm_importance_sampling_mode=mode,
            vllm_importance_sampling_clip_min=low, vllm_importance_sampling_clip_max=high,
        )  # fmt: skip
        ratios = output["importance_sampling_ratio"].expand(-1, max(lengths))
        flat = [number(value) for row, length in zip(ratios.tolist(), lengths, strict=True) for value in row[:length]]
        kept = {name: value for name, value in metrics.items() if name.startswith("sampling/")}
        case = {"mode": mode, "clip_min": low, "clip_max": high, "mask": [int(end or not masked) for end in ends]}
        cases.append(case | {"ratios": flat, "metrics": kept})
    inputs = {"lengths": lengths, "old_logps": batch["old_logps"], "sampling_logps": batch["sampling_logps"]}
    write("sampler-ratio.json", {"batch": inputs, "cases": cases})
    return len(cases)


if __name__ == "__main__":
    print(f"{make_losses()} losses, {make_advantages()} advantages, {make_sampler_ratios()} sampler ratios")
