// Generation on a GPU: steps follow each other without the host waiting for one; it looks at what was drawn a few steps
// later, and then changes the batch.
#pragma once
#include "generate/generate.h"

namespace vsgrpo {

// generate() on a GPU, after its checks. Sequences do not depend on the batches that they were in, up to the rounding of
// matrix products of another number of rows.
std::vector<Completion> generate_on_gpu(Qwen2VL& model, const Batch& prompts, const GenerateOptions& options, const std::atomic<int>* abort);

}  // namespace vsgrpo
