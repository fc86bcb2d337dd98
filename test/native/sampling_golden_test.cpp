// The sampler against transformers' logits processors: under every rule it draws what they leave, at the log-probability that
// they leave it.
#include "golden.h"
#include "ops/sample_token.h"

namespace {

constexpr int kDraws = 4000;  // evenly over the distribution: a token of a share of 1 / kDraws is drawn once

vsgrpo::SamplingOptions rule_of(const at::Tensor& rule) {
  vsgrpo::SamplingOptions o;
  o.temperature = rule[0].item<float>(), o.top_k = rule[1].item<int64_t>(), o.top_p = rule[2].item<float>();
  o.min_p = rule[3].item<float>(), o.repetition_penalty = rule[4].item<float>();
  return o;
}

std::vector<float> row_of(const at::Tensor& logits, int64_t row) {
  const float* values = logits.const_data_ptr<float>() + row * logits.size(1);
  return {values, values + logits.size(1)};
}

}  // namespace

TEST_CASE("under every rule the sampler draws the tokens that transformers leaves, at their log-probabilities") {
  const golden::Case c("", "sampling");
  const at::Tensor logits = c["logits"], seen = c["seen"];
  for (const std::string& tensor : c.names()) {
    const size_t end = tensor.find(".rule");
    if (end == std::string::npos) continue;
    const std::string name = tensor.substr(0, end);
    const vsgrpo::SamplingOptions options = rule_of(c[tensor]);
    const at::Tensor logps = c[name + ".logps"];
    double worst = 0;
    for (int64_t row = 0; row < logits.size(0); ++row) {
      const int* ids = seen.const_data_ptr<int>() + row * seen.size(1);
      at::Tensor counts = at::zeros({logits.size(1)}, at::kDouble);
      for (int i = 0; i < kDraws; ++i) {
        std::vector<float> scratch = row_of(logits, row);
        const vsgrpo::Drawn drawn = vsgrpo::sample_token(scratch, options, {ids, ids + seen.size(1)}, (i + 0.5) / kDraws);
        counts[drawn.token] += 1.0 / kDraws;
        worst = std::max<double>(worst, std::abs(drawn.logp - logps[row][drawn.token].item<float>()));
      }
      const at::Tensor expected = options.temperature == 0 ? at::one_hot(logps[row].argmax(), logits.size(1)).to(at::kDouble) : logps[row].to(at::kDouble).exp();
      golden::check_close(name + ": shares", counts, expected, 1.01 / kDraws);
    }
    CHECK_MESSAGE(worst <= 1e-5, name << ": log-probabilities differ by " << worst);
    MESSAGE(name << ": log-probabilities within " << worst);
  }
}
