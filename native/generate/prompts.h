// The prompts' part of generation, on either device: encoded once, whatever is sampled from them.
#pragma once
#include "generate/generate.h"

namespace vsgrpo {

struct EncodedPrompts {
  at::Tensor hidden;  // [P, H] of each prompt's last token, before the final norm
  PromptKeyValues cache;  // of all rows and padding; no gradients
};

// With options.keep_prompts the pass is also kept for training, see Qwen2VL::keep.
EncodedPrompts encode_prompts(Qwen2VL& model, const Batch& prompts, const GenerateOptions& options);

// The tokens of a leaf and of all segments above it.
std::vector<int32_t> prompt_ids(const Batch& prompts, int64_t leaf);

// A sampled placeholder of media would ask the training pass for an image that does not exist.
std::vector<int32_t> forbidden_ids(const ModelConfig& config);

}  // namespace vsgrpo
