// The fused GRPO objective against TRL 1.13's formula evaluated in torch, per token and through the model.
#include "golden.h"
#include "model/forward.h"

namespace {

using golden::Case;

vsgrpo::GrpoInputs inputs_of(const Case& c, bool with_old) {
  vsgrpo::GrpoInputs in;
  in.weights = c["weights"];
  in.advantages = c["advantages"];
  if (with_old) in.old_logps = c["old_logps"];
  in.ref_logps = c["ref_logps"];
  in.offsets = {0, c["weights"].numel()};
  in.options.beta = 0.04;
  in.options.bias_correction_kl = false;
  return in;
}

vsgrpo::GrpoValue value_at(const vsgrpo::GrpoInputs& in, const at::Tensor& logps) {
  return vsgrpo::grpo_value(in, {logps, at::zeros_like(logps), at::zeros_like(logps, at::kByte)});
}

at::Tensor gradients_at(const vsgrpo::GrpoInputs& in, const at::Tensor& logps) {
  const vsgrpo::TokenLoss loss = vsgrpo::grpo_loss(in, logps.numel());
  at::Tensor out = at::empty_like(logps);
  for (int64_t k = 0; k < logps.numel(); ++k) out[k] = loss(k, logps[k].item<float>(), 0.0f).dlogp;
  return out;
}

}  // namespace

TEST_CASE("value and gradient of the clipped objective with KL are TRL's") {
  const Case c("tiny-a", "grpo");
  const at::Tensor clipped = c["clipped"];
  REQUIRE(clipped.sum().item<int>() > 0);
  for (const bool with_old : {true, false}) {
    const std::string tag = with_old ? "" : "_no_old";
    const vsgrpo::GrpoInputs in = inputs_of(c, with_old);
    const double value = value_at(in, c["logps"]).loss;
    MESSAGE("loss" << tag << " " << value << ", expected " << c.scalar("loss" + tag));
    CHECK_LE(std::abs(value - c.scalar("loss" + tag)), 1e-6);
    golden::check_close("dlogps" + tag, gradients_at(in, c["logps"]), c["dlogps" + tag], 1e-6);
  }
}

TEST_CASE("the gradient is the slope of the value, on both sides of both clips") {
  vsgrpo::GrpoInputs in;
  in.weights = at::ones({1});
  in.options.epsilon_low = 0.1, in.options.epsilon_high = 0.3, in.options.beta = 0.05;
  in.offsets = {0, 1};
  in.old_logps = at::full({1}, -1.0f);
  in.ref_logps = at::full({1}, -1.4f);
  for (const float advantage : {1.5f, -1.5f, 0.0f}) {
    in.advantages = at::full({1}, advantage);
    for (const float shift : {-0.5f, -0.05f, 0.05f, 0.2f, 0.5f}) {
      const double h = 1e-3;
      const auto value = [&](double at) { return value_at(in, at::full({1}, static_cast<float>(at))).loss; };
      const double slope = (value(-1.0 + shift + h) - value(-1.0 + shift - h)) / (2 * h);
      const double gradient = gradients_at(in, at::full({1}, -1.0f + shift)).item<double>();
      CHECK_MESSAGE(std::abs(slope - gradient) < 2e-3, "advantage " << advantage << ", log ratio " << shift << ": slope " << slope
                                                                  << ", gradient " << gradient);
    }
  }
}

TEST_CASE("the loss through the model gives the gradients of the formula's autograd") {
  const auto model = golden::load("tiny-a", /*trainable=*/true);
  const Case c("tiny-a", "grpo");
  const golden::Group group = golden::group_of(Case("tiny-a", "group"));
  const vsgrpo::GrpoInputs in = inputs_of(c, true);
  vsgrpo::Forward forward(model, group.batch, group.targets, {/*grad=*/true});
  const vsgrpo::Forward::Result result = forward.backward(in);
  golden::check_close("logps", result.stats.logps, c["logps"], 1e-4);
  CHECK_LE(std::abs(result.loss - c.scalar("loss")), 1e-5);
  golden::check_gradients(c, model->weights(), 1e-4);
}

TEST_CASE("arrays of the wrong length and a missing reference are refused by name") {
  const Case c("tiny-a", "grpo");
  vsgrpo::GrpoInputs in = inputs_of(c, true);
  CHECK_THROWS_WITH(vsgrpo::grpo_loss(in, 3), "weights");
  in.old_logps = at::zeros({2});
  CHECK_THROWS_WITH(vsgrpo::grpo_loss(in, c["logps"].numel()), "oldLogps");
  in = inputs_of(c, true);
  in.ref_logps.reset();
  CHECK_THROWS_WITH(vsgrpo::grpo_loss(in, c["logps"].numel()), "refLogps");
}

TEST_CASE("a token of weight 0 has neither loss nor gradient, whatever its log-probabilities") {
  vsgrpo::GrpoInputs in;
  in.weights = golden::int_tensor({0, 1}).to(at::kFloat);
  in.advantages = at::ones({2});
  in.old_logps = at::tensor({-1e30f, -1.0f});
  in.ref_logps = at::tensor({1e30f, -1.0f});
  in.options.beta = 0.04;
  in.offsets = {0, 2};
  const at::Tensor logps = at::tensor({-2.0f, -1.0f});
  CHECK_LE(std::abs(value_at(in, logps).loss + 1.0), 1e-6);
  CHECK_EQ(gradients_at(in, logps)[0].item<float>(), 0.0f);
}
