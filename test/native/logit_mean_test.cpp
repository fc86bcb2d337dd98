// The mean of a token's logits: against transformers' logits, and where the weight is read in several pieces.
#include "golden.h"
#include "model/forward.h"
#include "ops/logit_mean.h"

namespace {

using golden::Case;

vsgrpo::TokenStats stats_of(const std::shared_ptr<vsgrpo::Qwen2VL>& model, const Case& c, double temperature, bool asked) {
  vsgrpo::ForwardOptions options;
  options.temperature = temperature;
  options.logit_mean = asked;
  return vsgrpo::Forward(model, golden::batch_of(c), golden::targets_of(c), options).logps();
}

}  // namespace

TEST_CASE("mean logits are the means of transformers' logits, whatever the temperature") {
  const auto model = golden::load("tiny-a");
  for (const char* name : {"text", "image", "video", "mixed"}) {
    const Case c("tiny-a", name);
    const at::Tensor expected = c["logits"].index_select(0, golden::targets_of(c).rows).mean(1);
    for (const double temperature : {1.0, 0.7}) {
      golden::check_close(std::string(name) + " mean logits", stats_of(model, c, temperature, true).logit_mean, expected, 2e-5);
    }
  }
}

TEST_CASE("a pass that is not asked for mean logits has none") {
  const auto model = golden::load("tiny-a");
  CHECK(!stats_of(model, Case("tiny-a", "text"), 1, false).logit_mean.defined());
}

TEST_CASE("mean logits of a large vocabulary are those of float64, for bfloat16 weights too") {
  const at::Tensor hidden = at::linspace(-1, 1, 3 * 24).view({3, 24});
  const at::Tensor weight = at::linspace(-2, 3, 10'007 * 24).sin().view({10'007, 24});
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor h = hidden.to(dtype), w = weight.to(dtype);
    const at::Tensor exact = at::mm(h.to(at::kDouble), w.to(at::kDouble).t()).mean(1);
    golden::check_close("mean logits", vsgrpo::logit_mean(h, w), exact.to(at::kFloat), 1e-6);
  }
}
