// The head with its losses on the GPU against the CPU engine's: statistics, gradients of the hidden states and the weight.
#include "glue/compare.h"
#include "glue/test_gpu.h"
#include "ops/grpo_loss.h"
#include "ops/logits_memory.h"

namespace {

using gpu_test::Results;

constexpr int64_t kTokens = 41, kWidth = 24, kVocab = 163;
constexpr double kTemperature = 0.8;

struct Head {
  at::Tensor hidden, ids;
  vsgrpo::Parameter weight;

  Head(at::ScalarType dtype, at::Device device) {
    at::manual_seed(11);
    hidden = (at::randn({kTokens, kWidth}) * 2).to(dtype).to(device);
    weight = {(at::randn({kVocab, kWidth}) * 0.5).to(dtype).to(device), {}};
    ids = at::randint(0, kVocab, {kTokens}, at::kInt);
    weight.make_trainable();
  }
};

template <typename Loss>
Results run(at::ScalarType dtype, at::Device device, const Loss& loss) {
  Head head(dtype, device);
  at::Tensor d_hidden;
  const vsgrpo::TokenStats stats = vsgrpo::token_logps_backward(head.hidden, head.weight, head.ids, kTemperature, loss, d_hidden).cpu();
  return {stats.logps, stats.entropy, stats.correct, d_hidden.cpu(), head.weight.grad.cpu()};
}

vsgrpo::GrpoInputs inputs(bool everything) {
  at::manual_seed(12);
  vsgrpo::GrpoInputs in;
  in.weights = at::rand({kTokens}) / static_cast<double>(kTokens);
  in.weights[3] = 0;
  in.advantages = at::randn({kTokens});
  in.offsets = {0, 7, 20, kTokens};
  if (!everything) return in;
  in.old_logps = at::randn({kTokens}) - 5;
  in.ref_logps = at::randn({kTokens}) - 5;
  in.policy_mask = at::randint(0, 2, {kTokens}).to(at::kFloat);
  in.sampler_ratios = at::rand({kTokens}) + 0.5;
  in.entropy_bonus = at::rand({kTokens}) * 1e-2;
  in.options.beta = 0.04;
  return in;
}

void check_grpo(const std::string& name, const vsgrpo::GrpoInputs& in) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const Results expected = run(dtype, at::kCPU, vsgrpo::grpo_loss(in, kTokens));
    const TestGpu gpu;
    gpu_test::check_all(name, run(dtype, gpu.device(), vsgrpo::grpo_loss_on(in, kTokens, gpu.device())), expected,
                        dtype == at::kFloat ? 1e-5 : 1.0 / 32);
  }
}

}  // namespace

TEST_CASE("gpu: the loss by its gradients per token, with and without the entropy's") {
  at::manual_seed(13);
  const at::Tensor dlogps = at::randn({kTokens}), dentropy = at::randn({kTokens});
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    for (const bool with_entropy : {false, true}) {
      const Results expected = run(dtype, at::kCPU, vsgrpo::TokenLoss([&](int64_t k, float, float) {
        return vsgrpo::TokenGradient{dlogps.const_data_ptr<float>()[k], with_entropy ? dentropy.const_data_ptr<float>()[k] : 0.0f};
      }));
      const TestGpu gpu;
      vsgrpo::DeviceTokenLoss loss;
      loss.dlogps = dlogps.to(gpu.device());
      if (with_entropy) loss.dentropy = dentropy.to(gpu.device());
      gpu_test::check_all("head", run(dtype, gpu.device(), loss), expected, dtype == at::kFloat ? 1e-5 : 1.0 / 32);
    }
  }
}

TEST_CASE("gpu: the GRPO family, every surrogate and every KL estimate") {
  check_grpo("grpo", inputs(false));
  check_grpo("grpo with everything", inputs(true));
  for (const auto surrogate : {vsgrpo::Surrogate::kCispo, vsgrpo::Surrogate::kSapo}) {
    vsgrpo::GrpoInputs in = inputs(true);
    in.options.surrogate = surrogate;
    in.options.epsilon_low = 0.1, in.options.epsilon_high = 0.3;
    check_grpo("surrogate " + std::to_string(static_cast<int>(surrogate)), in);
  }
  for (const auto kl : {vsgrpo::KlEstimator::kK1, vsgrpo::KlEstimator::kK2}) {
    vsgrpo::GrpoInputs in = inputs(true);
    in.options.kl = kl;
    in.options.bias_correction_kl = false;
    in.options.delta = 1.4;
    check_grpo("kl " + std::to_string(static_cast<int>(kl)), in);
  }
}

TEST_CASE("gpu: logits that do not fit at once give the same, chunk by chunk") {
  const vsgrpo::GrpoInputs in = inputs(true);
  const Results whole = run(at::kFloat, at::kCPU, vsgrpo::grpo_loss(in, kTokens));
  const TestGpu gpu;
  vsgrpo::limit_logits(1);
  const Results chunks = run(at::kFloat, gpu.device(), vsgrpo::grpo_loss_on(in, kTokens, gpu.device()));
  vsgrpo::limit_logits(0);
  gpu_test::check_all("three chunks", chunks, whole, 1e-5);
}

TEST_CASE("gpu: log-probabilities alone, and targets that are none") {
  const auto stats_of = [](Head& head) {
    const vsgrpo::TokenStats stats = vsgrpo::token_logps(head.hidden, head.weight, head.ids, kTemperature).cpu();
    return Results{stats.logps, stats.entropy, stats.correct};
  };
  Head cpu(at::kFloat, at::kCPU);
  const Results expected = stats_of(cpu);
  const TestGpu gpu;
  Head head(at::kFloat, gpu.device());
  gpu_test::check_all("log-probabilities", stats_of(head), expected, 1e-5);
  head.ids[2] = static_cast<int>(kVocab);
  CHECK_THROWS_WITH(stats_of(head), "target ids must lie in");
}
