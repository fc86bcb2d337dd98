// What the tests of generation share: prompts of the fixtures in one batch, and options for them.
#pragma once
#include "generate/generate.h"
#include "golden.h"

namespace generation {

using golden::Case;

inline vsgrpo::GenerateOptions options_for(const std::vector<Case>& prompts, int64_t generations, int64_t tokens, float temperature) {
  vsgrpo::GenerateOptions o;
  for (size_t p = 0; p < prompts.size(); ++p) {
    o.leaves.push_back(static_cast<int64_t>(p));
    o.next_positions.push_back(prompts[p]["next_position"].item<int>());
    for (int64_t g = 0; g < generations; ++g) o.seeds.push_back(1000 * p + static_cast<uint64_t>(g));
  }
  o.num_generations = generations;
  o.max_new_tokens = tokens;
  o.sampling.temperature = temperature;
  return o;
}

// Every prompt as a root segment.
inline vsgrpo::Batch pack(const std::vector<Case>& prompts) {
  std::vector<at::Tensor> ids, positions, patches;
  std::vector<int64_t> lengths;
  vsgrpo::Batch packed;
  for (const Case& c : prompts) {
    const vsgrpo::Batch one = golden::batch_of(c);
    ids.push_back(one.ids), positions.push_back(one.positions), patches.push_back(one.patches);
    lengths.push_back(one.ids.size(0));
    packed.grids.insert(packed.grids.end(), one.grids.begin(), one.grids.end());
  }
  packed.ids = at::cat(ids), packed.positions = at::cat(positions, 1).contiguous(), packed.patches = at::cat(patches);
  packed.forest = vsgrpo::Forest::roots(lengths);
  return packed;
}

// A prompt and a completion of it below, with the completion's tokens as targets.
struct Answered {
  vsgrpo::Batch batch;
  vsgrpo::Targets targets;
};

inline Answered answered(const vsgrpo::Batch& prompt, int next_position, const std::vector<int32_t>& completion) {
  const int64_t rows = prompt.ids.size(0), tokens = static_cast<int64_t>(completion.size());
  const at::Tensor ids = at::tensor(completion, at::kInt), tail = at::arange(next_position, next_position + tokens - 1, at::kInt);
  vsgrpo::Batch full = prompt;
  full.ids = at::cat({prompt.ids, ids.narrow(0, 0, tokens - 1)});
  full.positions = at::cat({prompt.positions, at::stack({tail, tail, tail})}, 1).contiguous();
  full.forest = {{0, rows, rows + tokens - 1}, {-1, 0}};
  return {full, {at::arange(rows - 1, rows + tokens - 1), ids}};
}

inline std::vector<Case> cases(const std::string& model, const std::vector<const char*>& names) {
  std::vector<Case> found;
  found.reserve(names.size());
  for (const char* name : names) found.emplace_back(model, name);
  return found;
}

}  // namespace generation
