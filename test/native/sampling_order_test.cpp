// The order of the sampler's rules, where it shows: transformers' warpers divide by the temperature before they cut.
#include "check.h"
#include "ops/sample_token.h"

TEST_CASE("the temperature comes before top-p and min-p") {
  // Shares 0.5, 0.3, 0.15, 0.05; at temperature 2 they are 0.38, 0.29, 0.21, 0.12, and three of them are needed for 0.7.
  const std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.15f), std::log(0.05f)};
  const auto kept = [&](float top_p, float min_p) {
    vsgrpo::SamplingOptions o;
    o.temperature = 2.0f, o.top_p = top_p, o.min_p = min_p;
    std::vector<float> left = logits;
    // The largest u draws the last token that is left.
    return vsgrpo::sample_token(left, o, {}, 0.999999).token + 1;
  };
  CHECK_EQ(kept(0.7f, 0.0f), 3);
  CHECK_EQ(kept(1.0f, 0.4f), 3);
  CHECK_EQ(kept(1.0f, 0.0f), 4);
}
