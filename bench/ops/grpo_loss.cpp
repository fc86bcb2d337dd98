// The fused head and GRPO loss against the same thing written in libtorch's own operations: time and memory beyond inputs,
// weights and gradient buffers, in one process. Prints one line of JSON.
//   vsgrpo_bench grpo-loss [tokens] [vocabulary] [hidden] [repeats]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "ops/grpo_loss.h"

namespace {

struct Problem {
  at::Tensor hidden, targets;
  vsgrpo::Parameter head;
  vsgrpo::GrpoInputs inputs;
};

Problem make_problem(int64_t tokens, int64_t vocab, int64_t width) {
  at::manual_seed(0);
  Problem p{at::randn({tokens, width}).to(at::kBFloat16), at::randint(vocab, {tokens}, at::kInt), {(at::randn({vocab, width}) * 0.02).to(at::kBFloat16), {}}, {}};
  p.head.make_trainable();
  p.inputs.weights = at::full({tokens}, 1.0f / static_cast<float>(tokens));
  p.inputs.advantages = at::randn({tokens});
  p.inputs.offsets = {0, tokens};
  p.inputs.options.beta = 0.04;
  p.inputs.ref_logps = at::full({tokens}, -12.0f) + at::randn({tokens}) * 0.1;
  p.inputs.old_logps = at::full({tokens}, -12.0f) + at::randn({tokens}) * 0.1;
  return p;
}

// Gives d loss / d hidden; the head's gradient is added to p.head.grad.
at::Tensor fused(Problem& p) {
  at::NoGradGuard no_grad;
  at::Tensor d_hidden;
  vsgrpo::token_logps_backward(p.hidden, p.head, p.targets, 1.0, vsgrpo::grpo_loss(p.inputs, p.hidden.size(0)), d_hidden);
  return d_hidden;
}

// The same by autograd over [T, V] logits, as a trainer without a fused loss computes it.
at::Tensor unfused(Problem& p) {
  const at::Tensor hidden = p.hidden.detach().requires_grad_(), head = p.head.value.detach().requires_grad_();
  const at::Tensor all = at::log_softmax(at::matmul(hidden, head.t()).to(at::kFloat), -1);
  const at::Tensor logps = all.gather(1, p.targets.to(at::kLong).unsqueeze(1)).squeeze(1);
  const at::Tensor entropy = -(all.exp() * all).sum(-1).detach();
  const at::Tensor ratio = (logps - *p.inputs.old_logps).exp(), a = p.inputs.advantages;
  const at::Tensor policy = -at::minimum(ratio * a, ratio.clamp(0.8, 1.2) * a), d = *p.inputs.ref_logps - logps;
  const at::Tensor loss = (p.inputs.weights * (policy + 0.04 * (d.exp() - d - 1) * ratio)).sum();
  loss.backward();
  p.head.grad.add_(head.grad());
  return hidden.grad();
}

double megabytes_peak() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::atof(line.c_str() + 6) / 1024;
  }
  return 0;
}

struct Run {
  std::vector<double> seconds;
  double megabytes = 0;
  at::Tensor d_hidden;
};

// Times one call and notes how far the process's memory rose above what it was.
void measure(Problem& p, at::Tensor (*pass)(Problem&), Run& run) {
  std::ofstream("/proc/self/clear_refs") << "5";  // resets the peak
  const double before = megabytes_peak();
  const auto begin = std::chrono::steady_clock::now();
  run.d_hidden = pass(p);
  run.seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  run.megabytes = std::max(run.megabytes, megabytes_peak() - before);
}

std::string json(const Run& run) {
  std::ostringstream out;
  out << "{\"seconds\": [";
  for (size_t i = 0; i < run.seconds.size(); ++i) out << (i ? ", " : "") << run.seconds[i];
  out << "], \"peakBytes\": " << static_cast<int64_t>(run.megabytes * 1048576) << "}";
  return out.str();
}

int64_t argument(int argc, char** argv, int index, int64_t fallback) { return argc > index ? std::atoll(argv[index]) : fallback; }

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || std::string(argv[1]) != "grpo-loss") {
    std::fprintf(stderr, "usage: vsgrpo_bench grpo-loss [tokens] [vocabulary] [hidden] [repeats]\n");
    return 2;
  }
  const int64_t tokens = argument(argc, argv, 2, 4096), vocab = argument(argc, argv, 3, 151936);
  const int64_t width = argument(argc, argv, 4, 1536), repeats = argument(argc, argv, 5, 3);
  Problem problem = make_problem(tokens, vocab, width);
  Run ours, theirs;
  for (int64_t i = 0; i < repeats; ++i) {
    measure(problem, fused, ours);
    const at::Tensor gradient = problem.head.grad.clone();
    problem.head.grad.zero_();
    measure(problem, unfused, theirs);
    if (i == 0) std::fprintf(stderr, "head gradients differ by %.2e of their norm\n", ((gradient - problem.head.grad).norm() / gradient.norm()).item<double>());
    problem.head.grad.zero_();
  }
  const at::Tensor ours32 = ours.d_hidden.to(at::kFloat), theirs32 = theirs.d_hidden.to(at::kFloat);
  std::fprintf(stderr, "hidden gradients differ by %.2e of their norm\n", ((ours32 - theirs32).norm() / theirs32.norm()).item<double>());
  std::printf("{\"tokens\": %ld, \"vocabulary\": %ld, \"hidden\": %ld, \"dtype\": \"bfloat16\", \"fused\": %s, \"unfused\": %s}\n", tokens, vocab,
              width, json(ours).c_str(), json(theirs).c_str());
  return 0;
}
