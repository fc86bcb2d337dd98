// Generation against transformers' greedy decoding, and the sampler's rules on fixed logits.
#include <atomic>
#include <numeric>

#include "generation.h"
#include "model/forward.h"

namespace {

using namespace generation;

void check_greedy(const std::string& name, const std::vector<const char*>& prompt_names) {
  const auto model = golden::load(name);
  const Case expected(name, "greedy");
  const std::vector<Case> prompts = cases(name, prompt_names);
  const auto completions = vsgrpo::generate(*model, pack(prompts), options_for(prompts, 2, 12, 0.0f), nullptr);
  REQUIRE(completions.size() == 2 * prompts.size());
  for (size_t row = 0; row < completions.size(); ++row) {
    const std::string prompt = prompt_names[row / 2];
    const at::Tensor ids = expected[prompt + ".ids"], logps = expected[prompt + ".logps"];
    const auto count = ids.size(0);  // fewer than 12 where transformers goes on with a placeholder of media
    CHECK_EQ(completions[row].ids.size(), 12u);
    const at::Tensor tokens = at::tensor(completions[row].ids, at::kInt).narrow(0, 0, count);
    CHECK_MESSAGE(tokens.equal(ids), name << " " << prompt << ": other tokens than transformers'");
    CHECK_FALSE(completions[row].stopped);
    const at::Tensor found = at::tensor(completions[row].logps).narrow(0, 0, count);
    if (row % 2 == 0) golden::check_close(name + " greedy logps " + prompt, found, logps, 1e-4);
  }
}

std::vector<float> logits_of(std::initializer_list<float> values) { return values; }

// How often each token comes out of 20 000 draws.
std::vector<double> frequencies(const std::vector<float>& logits, const vsgrpo::SamplingOptions& options) {
  std::vector<double> count(logits.size());
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    std::vector<float> scratch = logits;
    count[static_cast<size_t>(vsgrpo::sample_token(scratch, options, {}, vsgrpo::uniform(5, static_cast<uint64_t>(i))).token)] += 1.0 / kDraws;
  }
  return count;
}

void check_kept(const std::vector<float>& logits, const vsgrpo::SamplingOptions& options, const std::vector<double>& expected) {
  const std::vector<double> found = frequencies(logits, options);
  for (size_t j = 0; j < found.size(); ++j) {
    CHECK_MESSAGE(expected[j] == 0 ? found[j] == 0 : std::abs(found[j] - expected[j]) < 0.015,
                  "token " << j << ": frequency " << found[j] << ", expected " << expected[j]);
  }
}

}  // namespace

TEST_CASE("greedy decoding gives transformers' tokens, several prompts in one batch (tied head)") {
  check_greedy("tiny-a", {"text", "image", "video", "long_video", "mixed"});
}

TEST_CASE("greedy decoding gives transformers' tokens, several prompts in one batch (own head)") {
  check_greedy("tiny-b", {"mixed", "video", "image", "text"});
}

TEST_CASE("a sampled sequence does not depend on what else is in the batch") {
  const auto model = golden::load("tiny-a");
  const std::vector<Case> both = cases("tiny-a", {"text", "video"});
  const auto together = vsgrpo::generate(*model, pack(both), options_for(both, 3, 8, 1.0f), nullptr);
  const std::vector<Case> second = cases("tiny-a", {"video"});
  vsgrpo::GenerateOptions alone = options_for(second, 1, 8, 1.0f);
  alone.seeds = {1002};  // the third completion of the second prompt above
  const auto single = vsgrpo::generate(*model, pack(second), alone, nullptr);
  CHECK(single[0].ids == together[5].ids);
  CHECK(together[3].ids != together[4].ids);
}

TEST_CASE("log-probabilities reported by the sampler are those of a forward pass over its tokens") {
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    const auto model = golden::load("tiny-a", false, dtype);
    const Case c("tiny-a", "video");
    const vsgrpo::Batch prompt = golden::batch_of(c);
    const auto sampled = vsgrpo::generate(*model, prompt, options_for(cases("tiny-a", {"video"}), 1, 10, 0.8f), nullptr)[0];
    const auto [full, targets] = generation::answered(prompt, c["next_position"].item<int>(), sampled.ids);
    const auto stats = vsgrpo::Forward(model, full, targets, {false, true, 0.8}).logps();
    golden::check_close(std::string("sampler against forward, ") + at::toString(dtype), at::tensor(sampled.logps), stats.logps,
                        dtype == at::kFloat ? 2e-5 : 0.15);
  }
}

TEST_CASE("generation ends at any of the end tokens, which stays in the completion") {
  const auto model = golden::load("tiny-a");
  const std::vector<Case> prompts = cases("tiny-a", {"text", "image"});
  const at::Tensor free = Case("tiny-a", "greedy")["text.ids"];
  const int end = free[3].item<int>();
  int64_t first = 0;
  while (free[first].item<int>() != end) ++first;
  vsgrpo::GenerateOptions options = options_for(prompts, 1, 12, 0.0f);
  options.eos_ids = {162, end};
  const auto completions = vsgrpo::generate(*model, pack(prompts), options, nullptr);
  CHECK_EQ(static_cast<int64_t>(completions[0].ids.size()), first + 1);
  CHECK_EQ(completions[0].ids.back(), end);
  CHECK(completions[0].stopped);
  CHECK_EQ(completions[0].logps.size(), completions[0].ids.size());
  const bool other_ends = (Case("tiny-a", "greedy")["image.ids"] == end).any().item<bool>();
  CHECK_EQ(completions[1].stopped, other_ends);
}

TEST_CASE("two questions about one video, as children of it, are answered as if each had its own") {
  const auto model = golden::load("tiny-a");
  const Case c("tiny-a", "video");
  const vsgrpo::Batch prompt = golden::batch_of(c);
  const int64_t rows = prompt.ids.size(0), shared = rows - 8;
  // The second question is the first with its tokens in reverse order.
  vsgrpo::Batch forest = prompt;
  const at::Tensor tail = prompt.ids.narrow(0, shared, 8);
  forest.ids = at::cat({prompt.ids, tail.flip(0)});
  forest.positions = at::cat({prompt.positions, prompt.positions.narrow(1, shared, 8)}, 1).contiguous();
  forest.forest = {{0, shared, rows, rows + 8}, {-1, 0, 0}};
  vsgrpo::GenerateOptions options = options_for(cases("tiny-a", {"video", "video"}), 1, 8, 0.0f);
  options.leaves = {2, 1};
  const auto answers = vsgrpo::generate(*model, forest, options, nullptr);
  vsgrpo::Batch second = prompt;
  second.ids = at::cat({prompt.ids.narrow(0, 0, shared), tail.flip(0)});
  const auto alone = vsgrpo::generate(*model, second, options_for(cases("tiny-a", {"video"}), 1, 8, 0.0f), nullptr);
  CHECK(answers[0].ids == alone[0].ids);
  CHECK(at::tensor(answers[1].ids, at::kInt).equal(Case("tiny-a", "greedy")["video.ids"].narrow(0, 0, 8)));
  CHECK(answers[0].ids != answers[1].ids);
}

TEST_CASE("placeholders of images and videos are never sampled") {
  const auto model = golden::load("tiny-a");
  const std::vector<Case> prompts = cases("tiny-a", {"text"});
  int64_t tokens = 0;
  for (const auto& completion : vsgrpo::generate(*model, pack(prompts), options_for(prompts, 64, 20, 1.5f), nullptr)) {
    for (const int32_t id : completion.ids) CHECK(id != model->config().image_token && id != model->config().video_token);
    tokens += static_cast<int64_t>(completion.ids.size());
  }
  CHECK_EQ(tokens, 64 * 20);  // 16 of them would be placeholders if all tokens were equally likely
}

TEST_CASE("an abort flag stops generation, and impossible options are refused") {
  const auto model = golden::load("tiny-a");
  const std::vector<Case> prompts = cases("tiny-a", {"text"});
  const std::atomic<int> abort{1};
  CHECK_THROWS_WITH(vsgrpo::generate(*model, pack(prompts), options_for(prompts, 1, 4, 1.0f), &abort), "stopped on request");
  vsgrpo::GenerateOptions wrong = options_for(prompts, 1, 4, 1.0f);
  wrong.leaves = {1};
  CHECK_THROWS_WITH(vsgrpo::generate(*model, pack(prompts), wrong, nullptr), "leaf 1");
  wrong = options_for(prompts, 2, 4, 1.0f);
  wrong.seeds.pop_back();
  CHECK_THROWS_WITH(vsgrpo::generate(*model, pack(prompts), wrong, nullptr), "2 seeds");
  CHECK_THROWS_WITH(vsgrpo::generate(*model, pack(prompts), options_for(prompts, 1, 0, 1.0f), nullptr), "maxNewTokens");
}

TEST_CASE("sampled frequencies follow the softmax at the temperature") {
  const std::vector<float> logits = logits_of({0.0f, std::log(2.0f), std::log(5.0f)});
  vsgrpo::SamplingOptions o;
  check_kept(logits, o, {0.125, 0.25, 0.625});
  o.temperature = 0.5f;
  check_kept(logits, o, {1.0 / 30, 4.0 / 30, 25.0 / 30});
}

TEST_CASE("top-k keeps ties with the k-th logit, as transformers does") {
  vsgrpo::SamplingOptions o;
  o.top_k = 2;
  check_kept(logits_of({std::log(2.0f), 0.0f, 0.0f, -1.0f}), o, {0.5, 0.25, 0.25, 0.0});
  o.top_k = 100;
  check_kept(logits_of({0.0f, 0.0f}), o, {0.5, 0.5});
}

TEST_CASE("top-p keeps the smallest set that reaches p, min-p all above its share of the best") {
  const std::vector<float> logits = logits_of({std::log(0.5f), std::log(0.3f), std::log(0.15f), std::log(0.05f)});
  vsgrpo::SamplingOptions o;
  o.top_p = 0.7f;
  check_kept(logits, o, {0.625, 0.375, 0.0, 0.0});
  o.top_p = 0.01f;
  check_kept(logits, o, {1.0, 0.0, 0.0, 0.0});
  o.top_p = 1.0f, o.min_p = 0.25f;
  check_kept(logits, o, {0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0.0});
}

TEST_CASE("the repetition penalty divides positive and multiplies negative logits, once per token") {
  vsgrpo::SamplingOptions o;
  o.repetition_penalty = 2.0f;
  o.temperature = 0.0f;
  std::vector<float> logits = {3.0f, 2.0f, -1.0f};
  const int64_t token = vsgrpo::sample_token(logits, o, {0, 0, 2}, 0.5).token;
  CHECK_EQ(token, 1);
  CHECK_EQ(logits[0], 1.5f);
  CHECK_EQ(logits[2], -2.0f);
}

TEST_CASE("logits without a finite maximum are refused instead of sampled") {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN(), kInf = std::numeric_limits<float>::infinity();
  for (const std::vector<float>& logits : {std::vector<float>{kNan, 1.0f}, {1.0f, kNan}, {-kInf, -kInf}, {0.0f, kInf}}) {
    std::vector<float> scratch = logits;
    CHECK_THROWS_WITH(vsgrpo::sample_token(scratch, {}, {}, 0.5), "diverged");
  }
}

TEST_CASE("uniform numbers are spread evenly over steps and over neighbouring seeds") {
  for (const bool over_seeds : {false, true}) {
    std::vector<int> bins(10);
    double product = 0, before = 0.5;
    for (uint64_t i = 0; i < 10000; ++i) {
      const double u = over_seeds ? vsgrpo::uniform(i, 0) : vsgrpo::uniform(0, i);
      CHECK(u >= 0.0 && u < 1.0);
      ++bins[static_cast<size_t>(u * 10)];
      product += (u - 0.5) * (before - 0.5) / 10000;
      before = u;
    }
    for (const int bin : bins) CHECK_LT(std::abs(bin - 1000), 130);
    CHECK_LT(std::abs(product), 0.004);  // 1/12 for equal neighbours
  }
}
