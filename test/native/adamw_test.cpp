// AdamW against torch.optim.AdamW with clip_grad_norm_: three steps, saved state, bf16 weights and moments.
#include "optimizer.h"

namespace {

using golden::Case;
using optimizer::file_in;
using optimizer::Parameters;

const std::vector<std::string> kNames = {"matrix", "bias", "second", "norm"};
const vsgrpo::AdamWOptions kOptions{0.9, 0.999, 1e-8, 0.1};

}  // namespace

TEST_CASE("three steps with clipping give torch's parameters and norms, and clear the gradients") {
  const Case c("", "adamw");
  Parameters parameters(c, kNames);
  vsgrpo::AdamW optimizer(parameters.named(), kOptions);
  for (int step = 0; step < 3; ++step) {
    parameters.set_gradients(step);
    const double norm = optimizer.step(1e-3, 1.0);
    CHECK_LE(std::abs(norm - c.scalar("norm." + std::to_string(step))), 1e-5 * norm);
    for (size_t i = 0; i < kNames.size(); ++i) {
      const std::string key = "after." + std::to_string(step) + "." + kNames[i];
      golden::check_close(key, parameters[i].value, c[key], 2e-7 * 3);
      CHECK_EQ(parameters[i].grad.abs().sum().item<double>(), 0.0);
    }
  }
}

TEST_CASE("an optimizer restored from its file goes on bit for bit") {
  const Case c("", "adamw");
  for (const auto& [weights, moments] : {std::pair{at::kFloat, at::kFloat}, {at::kBFloat16, at::kFloat}, {at::kBFloat16, at::kBFloat16}}) {
    vsgrpo::AdamWOptions options = kOptions;
    options.moments = moments;
    optimizer::check_resumes(c, kNames, weights, options);
  }
}

TEST_CASE("bf16 weights follow fp32 masters: steps too small for bf16 add up") {
  vsgrpo::Parameter parameter{at::ones({8}).to(at::kBFloat16), {}};
  parameter.make_trainable();
  vsgrpo::AdamW optimizer({{"w", &parameter}}, {});
  for (int step = 0; step < 100; ++step) {
    parameter.grad.fill_(1.0f);
    optimizer.step(1e-4, 0.0);
  }
  // 100 steps of 1e-4 each; one step alone is far below bf16's spacing of 0.004 under 1.
  CHECK_LE(std::abs(parameter.value.to(at::kFloat)[0].item<double>() - 0.99), 0.003);
}

TEST_CASE("a bf16 weight and its low bits are the fp32 master: the same weights as a float32 run, rounded") {
  const Case c("", "adamw");
  Parameters whole(c, kNames), half(c, kNames, at::kBFloat16);
  for (size_t i = 0; i < kNames.size(); ++i) whole[i].value.copy_(half[i].value);
  vsgrpo::AdamW first(whole.named(), kOptions), second(half.named(), kOptions);
  for (int step = 0; step < 3; ++step) {
    for (Parameters* parameters : {&whole, &half}) parameters->set_gradients(step);
    first.step(1e-3, 1.0);
    second.step(1e-3, 1.0);
    for (size_t i = 0; i < kNames.size(); ++i) CHECK_MESSAGE(half[i].value.equal(whole[i].value.to(at::kBFloat16)), kNames[i]);
  }
}

TEST_CASE("bfloat16 moments follow float32 ones on average, and the second moment does not freeze") {
  constexpr int64_t count = 20000;
  vsgrpo::Parameter parameter{at::zeros({count}), {}};
  parameter.make_trainable();
  vsgrpo::AdamWOptions options;
  options.moments = at::kBFloat16;
  vsgrpo::AdamW optimizer({{"w", &parameter}}, options);
  const auto run = [&](int steps, float gradient) {
    for (int step = 0; step < steps; ++step) {
      parameter.grad.fill_(gradient);
      optimizer.step(1e-4, 0.0);
    }
  };
  run(300, 1.0f);
  run(300, 0.1f);
  // The same in fp32.
  double m = 0, v = 0, w = 0;
  for (int step = 1; step <= 600; ++step) {
    const double g = step <= 300 ? 1.0 : 0.1;
    m += 0.1 * (g - m);
    v += 0.001 * (g * g - v);
    w -= 1e-4 * m / (1 - std::pow(0.9, step)) / (std::sqrt(v / (1 - std::pow(0.999, step))) + 1e-8);
  }
  CHECK_LE(std::abs(parameter.value.mean().item<double>() / w - 1), 2e-3);
  CHECK_LE(parameter.value.std().item<double>() / std::abs(w), 0.02);
}

TEST_CASE("gradients that are not finite are refused and change nothing") {
  const Case c("", "adamw");
  Parameters parameters(c, kNames);
  vsgrpo::AdamW optimizer(parameters.named(), kOptions);
  parameters.set_gradients(0);
  parameters[1].grad[0] = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH(optimizer.step(1e-3, 1.0), "gradient norm");
  for (size_t i = 0; i < kNames.size(); ++i) CHECK(parameters[i].value.equal(c["start." + kNames[i]]));
}

TEST_CASE("state of another model is refused by name, and leaves the optimizer as it was") {
  const Case c("", "adamw");
  const golden::TemporaryFolder folder;
  const std::string path = file_in(folder);
  Parameters parameters(c, kNames);
  vsgrpo::AdamW optimizer(parameters.named(), kOptions);
  vsgrpo::AdamW({{"matrix", &parameters[0]}}, kOptions).save(path);
  CHECK_THROWS_WITH(optimizer.load(path), "bias");
  auto swapped = parameters.named();
  swapped[0].second = &parameters[1];
  vsgrpo::AdamW(swapped, kOptions).save(path);
  CHECK_THROWS_WITH(optimizer.load(path), "matrix");
  CHECK_THROWS_WITH(optimizer.load(golden::model_dir("tiny-a") + "/model.safetensors"), "not an optimizer state");
}
