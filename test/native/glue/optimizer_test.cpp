// AdamW on the GPU against the CPU engine's: several steps, every type of weight, moment and gradient, state files, bad gradients.
#include "glue/compare.h"
#include "glue/test_gpu.h"
#include "golden.h"
#include "optim/adamw.h"

namespace {

using gpu_test::Results;

struct Training {
  std::vector<vsgrpo::Parameter> parameters;
  std::unique_ptr<vsgrpo::AdamW> optimizer;
  std::vector<double> norms;

  Training(at::Device device, at::ScalarType dtype, at::ScalarType moments, at::ScalarType gradients = at::kFloat) {
    at::manual_seed(31);
    // The first is large enough for codes, and its last block is not whole.
    for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{{151, 29}, {64}, {5, 7}}) {
      parameters.push_back({at::randn(shape).to(dtype).to(device), {}});
      parameters.back().make_trainable();
    }
    std::vector<std::pair<std::string, vsgrpo::Parameter*>> named;
    for (size_t i = 0; i < parameters.size(); ++i) named.emplace_back(std::string(i + 1, 'p'), &parameters[i]);
    optimizer = std::make_unique<vsgrpo::AdamW>(named, vsgrpo::AdamWOptions{0.9, 0.999, 1e-8, 0.1, moments, gradients});
  }

  void step(int number, double max_norm) {
    at::manual_seed(100 + static_cast<uint64_t>(number));
    for (vsgrpo::Parameter& p : parameters) p.grad.copy_(at::randn(p.grad.sizes()));
    norms.push_back(optimizer->step(1e-2, max_norm));
  }

  Results results() const {
    Results all{at::tensor(norms)};
    for (const vsgrpo::Parameter& p : parameters) all.push_back(p.value.cpu()), all.push_back(p.grad.cpu());
    return all;
  }
};

}  // namespace

TEST_CASE("gpu: AdamW with every type of weights, moments and gradients, clipped and not") {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    for (const at::ScalarType moments : {at::kFloat, at::kBFloat16, at::kByte}) {
      for (const double max_norm : {0.0, 1.0}) {
        const at::ScalarType gradients = max_norm > 0 ? at::kFloat : at::kBFloat16;
        Training cpu(at::kCPU, dtype, moments, gradients);
        for (int i = 0; i < 4; ++i) cpu.step(i, max_norm);
        const TestGpu gpu;
        Training device(gpu.device(), dtype, moments, gradients);
        for (int i = 0; i < 4; ++i) device.step(i, max_norm);
        // Moments that round the other way where a sum differs in its last bit move a weight by little: a step is 1e-2.
        const double rounding = dtype == at::kBFloat16 ? 1.0 / 128 : moments == at::kFloat ? 1e-6 : 1e-4;
        gpu_test::check_all("AdamW", device.results(), cpu.results(), rounding);
      }
    }
  }
}

TEST_CASE("gpu: an optimizer saved on the device goes on from its file") {
  for (const at::ScalarType moments : {at::kBFloat16, at::kByte}) {
    const golden::TemporaryFolder folder;
    const std::string path = folder.path() + "/optimizer.safetensors";
    const TestGpu gpu;
    Training first(gpu.device(), at::kBFloat16, moments);
    first.step(0, 1.0);
    first.optimizer->save(path);
    Training again(gpu.device(), at::kBFloat16, moments);
    again.optimizer->load(path);
    first.step(1, 1.0), again.step(1, 1.0);
    for (size_t i = 0; i < first.parameters.size(); ++i) CHECK(first.parameters[i].value.equal(again.parameters[i].value));
  }
}

TEST_CASE("gpu: gradients that are not finite leave the weights and the step count as they were") {
  const TestGpu gpu;
  Training bad(gpu.device(), at::kFloat, at::kFloat), good(gpu.device(), at::kFloat, at::kFloat);
  bad.parameters[1].grad.fill_(INFINITY);
  CHECK_THROWS_WITH(bad.optimizer->step(1e-2, 1.0), "lower the learning rate");
  for (const vsgrpo::Parameter& p : bad.parameters) CHECK_EQ(p.grad.abs().sum().item<double>(), 0.0);
  bad.step(0, 1.0), good.step(0, 1.0);
  gpu_test::check_all("after a refused step", bad.results(), good.results(), 0);
}
