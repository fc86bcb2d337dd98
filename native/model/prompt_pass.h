// The prompts' part of a training pass, run when their completions are sampled: generation reads its keys and values, and
// the pass that learns from the completions goes on from it, so that a step encodes every prompt once.
#pragma once
#include "model/batch.h"
#include "model/decoder.h"

namespace vsgrpo {

struct PromptPass {
  Batch prompts;
  at::Tensor rows;    // int64 [P] of the prompts' last tokens
  at::Tensor hidden;  // [P, H] before the final norm, with its graph
  PromptKeyValues cache;  // with its graph

  // Whether `batch` is these prompts with more segments behind them, and asks for no rows of theirs but the last.
  bool leads(const Batch& batch, const at::Tensor& target_rows) const;

  // How the wanted rows are put together: those behind the prompts, and where each target's row comes in
  // [prompts' last rows, rows behind].
  struct Selection {
    at::Tensor rows, places;
  };
  Selection select(const at::Tensor& target_rows) const;
};

}  // namespace vsgrpo
