"""What transformers 5.18.0's logits processors leave of random logits, for test/native/sampling_golden_test.cpp.

    pip install torch==2.13.0 transformers==5.18.0 safetensors numpy
    python test/parity/make_sampling_golden.py

The log-probabilities are what vLLM calls processed_logprobs, which TRL corrects its importance sampling by.
"""
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from transformers import (
    LogitsProcessorList,
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

FILE = Path(__file__).parent / "fixtures" / "sampling.safetensors"
ROWS, VOCABULARY = 3, 97
# temperature (0: greedy), top-k, top-p, min-p, repetition penalty
RULES = {
    "plain": (1, 0, 1, 0, 1),
    "temperature": (0.6, 0, 1, 0, 1),
    "top_k": (1, 5, 1, 0, 1),
    "top_p": (1.5, 0, 0.7, 0, 1),
    "min_p": (0.9, 0, 1, 0.1, 1),
    "penalty": (1, 0, 1, 0, 1.3),
    "all": (0.8, 20, 0.9, 0.02, 1.1),
    "greedy": (0, 0, 1, 0, 1),
    "greedy_penalty": (0, 0, 1, 0, 1.3),
}


def processors(temperature, top_k, top_p, min_p, penalty):
    """In the order of `GenerationMixin._get_logits_processor`; greedy decoding has no warpers."""
    chain = LogitsProcessorList()
    if penalty != 1:
        chain.append(RepetitionPenaltyLogitsProcessor(float(penalty)))
    if temperature not in (0, 1):
        chain.append(TemperatureLogitsWarper(float(temperature)))
    if top_k > 0:
        chain.append(TopKLogitsWarper(top_k))
    if top_p < 1:
        chain.append(TopPLogitsWarper(top_p))
    if min_p > 0:
        chain.append(MinPLogitsWarper(min_p))
    return chain


def main():
    rng = torch.Generator().manual_seed(5)
    logits = 2 * torch.randn((ROWS, VOCABULARY), generator=rng)
    seen = torch.randint(VOCABULARY, (ROWS, 12), generator=rng)
    out = {"logits": logits, "seen": seen.int()}
    for name, rule in RULES.items():
        scores = processors(*rule)(seen, logits.clone())
        out[f"{name}.rule"] = torch.tensor(rule, dtype=torch.float32)
        out[f"{name}.logps"] = torch.log_softmax(scores.double(), dim=1).float()
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    save_file(out, FILE, metadata=versions)
    FILE.chmod(0o644)
    print(f"{FILE.name}: {len(out)} tensors, {FILE.stat().st_size / 1024:.0f} KiB, {versions}")


if __name__ == "__main__":
    main()
