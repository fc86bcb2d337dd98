// The forward pass against Hugging Face transformers 4.57.6: hidden states, logits, log-probabilities and entropies.
#include "golden.h"
#include "ops/token_logps.h"

namespace {

using golden::Case;

constexpr double kLogits = 1e-4;  // a fifth of what the project promises

at::Tensor final_hidden(vsgrpo::Qwen2VL& model, const vsgrpo::Batch& batch) {
  at::NoGradGuard no_grad;
  return model.decoder().final_norm(model.hidden(batch, {}));
}

at::Tensor logits_of(vsgrpo::Qwen2VL& model, const at::Tensor& hidden) { return at::mm(hidden, model.decoder().head().value.t()); }

void check_case(vsgrpo::Qwen2VL& model, const Case& c) {
  const at::Tensor hidden = final_hidden(model, golden::batch_of(c));
  golden::check_close(c.name() + " hidden", hidden, c["hidden"], kLogits);
  golden::check_close(c.name() + " logits", logits_of(model, hidden), c["logits"], kLogits);
  const vsgrpo::Targets targets = golden::targets_of(c);
  const at::Tensor rows = hidden.index_select(0, targets.rows);
  for (const auto& [temperature, suffix] : {std::pair{1.0, ""}, std::pair{0.7, "_t07"}}) {
    const vsgrpo::TokenStats stats = vsgrpo::token_logps(rows, model.decoder().head(), targets.ids, temperature);
    golden::check_close(c.name() + " logps" + suffix, stats.logps, c[std::string("logps") + suffix], 1e-4);
    golden::check_close(c.name() + " entropy" + suffix, stats.entropy, c[std::string("entropy") + suffix], 1e-4);
    const at::Tensor best = c["logits"].index_select(0, targets.rows).argmax(1).eq(targets.ids).to(at::kByte);
    CHECK_MESSAGE(stats.correct.equal(best), c.name() << ": `correct` marks other tokens than the most likely ones");
  }
}

}  // namespace

TEST_CASE("text, images, videos and mixtures give transformers' logits (head width 16, tied head)") {
  const auto model = golden::load("tiny-a");
  for (const char* name : {"text", "image", "two_images", "video", "long_video", "mixed"}) check_case(*model, Case("tiny-a", name));
}

TEST_CASE("text, images, videos and mixtures give transformers' logits (head width 32, own head)") {
  const auto model = golden::load("tiny-b");
  for (const char* name : {"text", "image", "video", "mixed"}) check_case(*model, Case("tiny-b", name));
}

TEST_CASE("several prompts packed into one batch give what each gives alone") {
  const auto model = golden::load("tiny-a");
  std::vector<at::Tensor> ids, positions, patches, logits;
  std::vector<int64_t> lengths;
  vsgrpo::Batch packed;
  for (const char* name : {"mixed", "text", "image", "long_video"}) {
    const Case c("tiny-a", name);
    const vsgrpo::Batch one = golden::batch_of(c);
    ids.push_back(one.ids), positions.push_back(one.positions), patches.push_back(one.patches), logits.push_back(c["logits"]);
    lengths.push_back(one.ids.size(0));
    packed.grids.insert(packed.grids.end(), one.grids.begin(), one.grids.end());
  }
  packed.ids = at::cat(ids), packed.positions = at::cat(positions, 1).contiguous(), packed.patches = at::cat(patches);
  packed.forest = vsgrpo::Forest::roots(lengths);
  golden::check_close("packed logits", logits_of(*model, final_hidden(*model, packed)), at::cat(logits), kLogits);
}

TEST_CASE("a prompt cut into a chain of segments gives what it gives as one") {
  const auto model = golden::load("tiny-b");
  const Case c("tiny-b", "mixed");
  vsgrpo::Batch batch = golden::batch_of(c);
  const int64_t rows = batch.ids.size(0);
  // Cuts inside a video as well as in text, an empty segment between them.
  batch.forest = {{0, 3, 12, 12, rows}, {-1, 0, 1, 2}};
  golden::check_close("chained logits", logits_of(*model, final_hidden(*model, batch)), c["logits"], kLogits);
}

TEST_CASE("a prompt shared by its completions gives the log-probabilities of separate sequences") {
  const auto model = golden::load("tiny-a");
  const Case c("tiny-a", "group");
  for (const auto& [what, group] : {std::pair{"shared", golden::group_of(c)}, std::pair{"separate", golden::separate_group_of(c)}}) {
    const at::Tensor rows = final_hidden(*model, group.batch).index_select(0, group.targets.rows);
    const vsgrpo::TokenStats stats = vsgrpo::token_logps(rows, model->decoder().head(), group.targets.ids, 1.0);
    golden::check_close(std::string(what) + " logps", stats.logps, c["logps"], 1e-5 * 10);
    golden::check_close(std::string(what) + " entropy", stats.entropy, c["entropy"], 1e-4);
  }
}

TEST_CASE("in bfloat16 the logits are as near to float32 as transformers' own") {
  const auto model = golden::load("tiny-b", false, at::kBFloat16);
  const Case c("tiny-b", "bf16");
  const at::Tensor logits = logits_of(*model, final_hidden(*model, golden::batch_of(Case("tiny-b", "image")))).to(at::kFloat);
  const at::Tensor exact = c["logits_rounded_weights"], theirs = c.floats("logits_bf16");
  const double ours = golden::relative(logits, exact), reference = golden::relative(theirs, exact);
  MESSAGE("bf16 against fp32 on the same weights: ours " << ours << ", transformers' " << reference << ", between the two "
                                                        << golden::relative(logits, theirs));
  CHECK_LE(ours, 1.1 * reference);
  const at::Tensor full = c["logits"];
  MESSAGE("bf16 against fp32 on unrounded weights: ours " << golden::relative(logits, full) << ", transformers' "
                                                         << golden::relative(theirs, full));
  CHECK_LE(golden::relative(logits, full), 1.1 * golden::relative(theirs, full));
}

TEST_CASE("batches that cannot be are refused with the number that is wrong") {
  const auto model = golden::load("tiny-a");
  const Case c("tiny-a", "image");
  const auto refused = [&](const std::function<void(vsgrpo::Batch&)>& spoil, const char* says) {
    vsgrpo::Batch batch = golden::batch_of(c);
    spoil(batch);
    CHECK_THROWS_WITH(model->hidden(batch, {}), says);
  };
  refused([](auto& b) { b.ids[0] = 163; }, "163");
  refused([](auto& b) { b.ids[0] = -1; }, "-1");
  refused([](auto& b) { b.ids[0] = 155; }, "7 image and video tokens");
  refused([](auto& b) { b.positions = b.positions.narrow(1, 0, 4).contiguous(); }, "positions");
  refused([](auto& b) { b.patches = at::zeros({24, 1175}); }, "1176");
  refused([](auto& b) { b.grids[0] = {1, 3, 8}; }, "even");
  refused([](auto& b) { b.grids[0] = {1, 4, 4}; }, "16");
  refused([](auto& b) { b.forest.parents[0] = 0; }, "parent");
  refused([](auto& b) { b.forest.offsets[1] += 1; }, "offsets");
}
