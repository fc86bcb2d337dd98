// Batched sampling: every prompt is encoded once, its keys and values are read by all of its completions, and a row leaves
// the batch as soon as it ends.
#pragma once
#include <atomic>

#include "model/qwen2_vl.h"
#include "ops/sample_token.h"

namespace vsgrpo {

struct GenerateOptions {
  std::vector<int64_t> leaves;          // [P] segment that ends each prompt
  std::vector<int64_t> next_positions;  // [P] position of the first new token
  std::vector<uint64_t> seeds;          // [P * G]
  std::vector<int32_t> eos_ids;
  int64_t num_generations = 1;
  int64_t max_new_tokens = 1;
  SamplingOptions sampling;
  bool keep_prompts = false;  // see Qwen2VL::keep
  // On a GPU only. Neither changes what is sampled.
  int64_t most_rows = 256;  // completions that are worked on at a time; the others wait for their places
  int64_t poll_every = 8;   // tokens of each between two looks at which have ended
};

struct Completion {
  std::vector<int32_t> ids;   // with the end token
  std::vector<float> logps;   // under the distribution that each token was drawn from (Drawn)
  bool stopped = false;
};

// Row p * G + g. Throws Error("ABORTED") soon after `abort` becomes non-zero.
std::vector<Completion> generate(Qwen2VL& model, const Batch& prompts, const GenerateOptions& options, const std::atomic<int>* abort);

}  // namespace vsgrpo
