// The state of sequences on a GPU, and the sampling of their next tokens. The same arrays hold the rows of a decoding batch,
// whose addresses recorded steps know, and the sequences that wait for a row.
#pragma once
#include "generate/generate.h"

namespace vsgrpo {

// [R] each. `drawn` and `steps` are one step's result: what was drawn last, and how many tokens there are by now.
struct GpuRows {
  at::Tensor drawn;    // int32 [2 R]: tokens, then the bits of their log-probabilities
  at::Tensor seeds;    // int64: bits of the uint64
  at::Tensor steps;    // int32; a row without a sequence has none
  at::Tensor stopped;  // uint8; the sampler leaves these alone
  at::Tensor base;     // int32: token i, counted from 1, has the position base + i
  at::Tensor seen;     // int32 [R, ceil(vocab / 32)], a bit for each id; undefined without a repetition penalty

  // For `rows` of them, nothing of it set.
  static GpuRows empty(int64_t rows, int64_t vocab, bool seen, at::Device device);

  int64_t count() const { return seeds.size(0); }
  // The first `rows` of them. `drawn` becomes [2 rows] from the same address.
  GpuRows first(int64_t rows) const;
  at::Tensor tokens() const { return drawn.narrow(0, 0, count()); }
  at::Tensor logps() const { return drawn.narrow(0, count(), count()).view(at::kFloat); }
  // Row i becomes row index[i] of these and, counted on behind them, of `others`. index int32.
  void take(const GpuRows& self, const GpuRows& others, const at::Tensor& index);
};

// How tokens are chosen; part of every recorded step.
struct SampleRules {
  SamplingOptions sampling;
  std::vector<int32_t> forbidden, eos;  // at most VSGRPO_SAMPLE_IDS each

  bool operator==(const SampleRules&) const = default;
};

// Draws the next token of every row that has not stopped. logits [R / rows_per_logits, vocab].
void sample_rows(const GpuRows& rows, const at::Tensor& logits, int64_t rows_per_logits, const SampleRules& rules);

// Every sequence of a call before its first token, and behind them one that never gets any: padding.
GpuRows first_rows(const Batch& prompts, const GenerateOptions& options, int64_t vocab, at::Device device);

}  // namespace vsgrpo
