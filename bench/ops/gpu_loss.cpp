// The fused head and GRPO loss on a GPU against its three matrix products alone, and what it takes of the GPU's memory beyond
// inputs, weights and gradient buffers. Prints one line of JSON; needs a GPU.
//   vsgrpo_gpu_loss [tokens] [vocabulary] [hidden] [repeats]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "ops/grpo_loss.h"

extern "C" vsgrpo::Gpu* vsgrpo_gpu();

namespace {

using vsgrpo::gpu;

struct Problem {
  at::Tensor hidden, targets;
  vsgrpo::Parameter head;
  vsgrpo::DeviceTokenLoss loss;
};

Problem make_problem(int64_t tokens, int64_t vocab, int64_t width) {
  at::manual_seed(0);
  const auto half = at::TensorOptions(at::kBFloat16).device(at::kCUDA);
  const auto noise = [&] { return at::full({tokens}, -12.0f) + at::randn({tokens}) * 0.1; };
  vsgrpo::GrpoInputs inputs;
  inputs.weights = at::full({tokens}, 1.0f / static_cast<float>(tokens));
  inputs.advantages = at::randn({tokens});
  inputs.offsets = {0, tokens};
  inputs.options.beta = 0.04;
  inputs.ref_logps = noise();
  inputs.old_logps = noise();
  Problem p{at::randn({tokens, width}, half), at::randint(vocab, {tokens}, at::kInt), {(at::randn({vocab, width}, half) * 0.02), {}}, {}};
  p.head.make_trainable();
  p.loss = vsgrpo::grpo_loss_on(inputs, tokens, at::Device(at::kCUDA, 0));
  return p;
}

void fused(Problem& p) {
  at::Tensor d_hidden;
  vsgrpo::token_logps_backward(p.hidden, p.head, p.targets, 1.0, p.loss, d_hidden);
}

// The same products over chunks of rows as large, and nothing between them.
void products(Problem& p, int64_t rows) {
  for (int64_t first = 0; first < p.hidden.size(0); first += rows) {
    const at::Tensor part = p.hidden.narrow(0, first, std::min(rows, p.hidden.size(0) - first));
    const at::Tensor logits = at::mm(part, p.head.value.t());
    const at::Tensor d_hidden = at::mm(logits, p.head.value);
    gpu().add_matmul_tn(p.head.grad, logits, part);
  }
}

template <typename Pass>
double median_seconds(int64_t repeats, const Pass& pass) {
  std::vector<double> seconds;
  for (int64_t i = 0; i <= repeats; ++i) {
    gpu().synchronize();
    const auto begin = std::chrono::steady_clock::now();
    pass();
    gpu().synchronize();
    if (i > 0) seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());  // the first one warms up
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

int64_t argument(int argc, char** argv, int index, int64_t fallback) { return argc > index ? std::atoll(argv[index]) : fallback; }

void run(int argc, char** argv) {
  const int64_t tokens = argument(argc, argv, 1, 8192), vocab = argument(argc, argv, 2, 151936);
  const int64_t width = argument(argc, argv, 3, 1536), repeats = argument(argc, argv, 4, 10);
  at::NoGradGuard no_grad;
  vsgrpo::set_gpu(vsgrpo_gpu());
  Problem p = make_problem(tokens, vocab, width);
  fused(p);  // workspaces of the matrix products are there to stay
  gpu().synchronize();
  const int64_t before = gpu().memory().allocated;
  gpu().reset_peak();
  fused(p);
  gpu().synchronize();
  const int64_t extra = gpu().memory().peak - before;
  const double whole = median_seconds(repeats, [&] { fused(p); }), bare = median_seconds(repeats, [&] { products(p, 2048); });
  std::printf("{\"tokens\": %ld, \"vocabulary\": %ld, \"hidden\": %ld, \"seconds\": %.6f, \"productSeconds\": %.6f, \"ratio\": %.4f, \"extraBytes\": %ld}\n",
              tokens, vocab, width, whole, bare, whole / bare, extra);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
  return 0;
}
