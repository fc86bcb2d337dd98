// Training that goes on from the prompts' pass of generation, against passes of its own.
#include "generate/generate.h"
#include "golden.h"
#include "model/forward.h"

namespace {

using golden::Case;

// The first segment of a group: its prompt.
vsgrpo::Batch prompt_of(const vsgrpo::Batch& group) {
  const int64_t rows = group.forest.length(0);
  return {vsgrpo::Forest::roots({rows}), group.ids.narrow(0, 0, rows).clone(), group.positions.narrow(1, 0, rows).contiguous(), group.patches,
          group.grids};
}

void generate_keeping(vsgrpo::Qwen2VL& model, const vsgrpo::Batch& prompt, const Case& c) {
  vsgrpo::GenerateOptions options;
  options.leaves = {0};
  options.next_positions = {c["next_position"].item<int>()};
  options.seeds = {1, 2};
  options.num_generations = 2;
  options.max_new_tokens = 3;
  options.keep_prompts = true;
  vsgrpo::generate(model, prompt, options, nullptr);
}

}  // namespace

TEST_CASE("a training pass that goes on from generation's prompts gives transformers' log-probabilities and gradients") {
  const auto model = golden::load("tiny-a", /*trainable=*/true);
  const Case c("tiny-a", "group");
  const auto group = golden::group_of(c);
  generate_keeping(*model, prompt_of(group.batch), c);
  const auto kept = model->take_prompts(group.batch, group.targets.rows);
  CHECK(kept != nullptr);
  model->keep(kept);
  golden::zero_gradients(*model);
  const auto result = vsgrpo::Forward(model, group.batch, group.targets, {true, true, 1.0}).backward(vsgrpo::ExternalLoss{c["weights"], {}});
  CHECK(model->take_prompts(group.batch, group.targets.rows) == nullptr);
  golden::check_close("logps", result.stats.logps, c["logps"], 1e-4);
  golden::check_gradients(c, model->weights(), 1e-4);
}

TEST_CASE("kept prompts serve no other batch, and none after a change of the weights") {
  const auto model = golden::load("tiny-a", /*trainable=*/true);
  const Case c("tiny-a", "group");
  const auto group = golden::group_of(c);
  const auto serves = [&](const vsgrpo::Batch& batch, const at::Tensor& rows) {
    generate_keeping(*model, prompt_of(group.batch), c);
    return model->take_prompts(batch, rows) != nullptr;
  };
  CHECK(serves(group.batch, group.targets.rows));
  for (const auto& change : std::vector<std::function<void(vsgrpo::Batch&)>>{
           [](vsgrpo::Batch& b) { b.ids[2] += 1; },
           [](vsgrpo::Batch& b) { b.positions[1][3] += 1; },
           [](vsgrpo::Batch& b) { b.patches[0][0] += 1; },
           [](vsgrpo::Batch& b) { b.forest.offsets[1] -= 1; },
       }) {
    vsgrpo::Batch other = group.batch;
    other.ids = other.ids.clone(), other.positions = other.positions.clone(), other.patches = other.patches.clone();
    change(other);
    CHECK_FALSE(serves(other, group.targets.rows));
  }
  CHECK_FALSE(serves(group.batch, at::zeros({1}, at::kLong)));
  generate_keeping(*model, prompt_of(group.batch), c);
  model->mix(*model, 0.5);
  CHECK(model->take_prompts(group.batch, group.targets.rows) == nullptr);
}
