#include "optim/adamw.h"

#include "core/check.h"
#include "core/safetensors.h"
#include "ops/rows.h"

#include <numeric>

namespace vsgrpo {
namespace {

// Sums of fixed pieces, added in order: the same on any number of threads.
double squared_norm(const at::Tensor& grad) {
  constexpr int64_t piece = 1 << 16;
  const float* g = grad.const_data_ptr<float>();
  std::vector<double> sums(static_cast<size_t>((grad.numel() + piece - 1) / piece));
  at::parallel_for(0, static_cast<int64_t>(sums.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      double sum = 0;
      const int64_t last = std::min(grad.numel(), (i + 1) * piece);
#pragma omp simd reduction(+ : sum)
      for (int64_t j = i * piece; j < last; ++j) sum += static_cast<double>(g[j]) * g[j];
      sums[static_cast<size_t>(i)] = sum;
    }
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

struct StepSizes {
  float beta1, beta2, step, root, epsilon, clip, keep;
};

// m, v, master, weight and grad in one pass. `weight` is the master itself, or what it rounds to.
template <typename T>
void update_range(const StepSizes s, int64_t count, float* __restrict master, T* __restrict weight, float* __restrict g, float* __restrict m,
                  float* __restrict v) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const float grad = g[i] * s.clip;
    m[i] += (1.0f - s.beta1) * (grad - m[i]);
    v[i] = s.beta2 * v[i] + (1.0f - s.beta2) * grad * grad;
    const float w = master[i] * s.keep - s.step * m[i] / (std::sqrt(v[i]) / s.root + s.epsilon);
    master[i] = w;
    if constexpr (!std::is_same_v<T, float>) weight[i] = T(w);
    g[i] = 0.0f;
  }
}

}  // namespace

AdamW::AdamW(std::vector<std::pair<std::string, Parameter*>> parameters, const AdamWOptions& options, std::shared_ptr<void> owner)
    : options_(options), owner_(std::move(owner)) {
  at::NoGradGuard no_grad;
  for (auto& [name, parameter] : parameters) {
    const bool is_float = parameter->value.scalar_type() == at::kFloat;
    states_.push_back({name, parameter, is_float ? parameter->value : parameter->value.to(at::kFloat),
                       at::zeros(parameter->value.sizes(), at::kFloat), at::zeros(parameter->value.sizes(), at::kFloat)});
  }
}

double AdamW::step(double lr, double max_norm) {
  at::NoGradGuard no_grad;
  double sum = 0;
  for (const State& state : states_) sum += squared_norm(state.parameter->grad);
  const double norm = std::sqrt(sum);
  if (!std::isfinite(norm)) {
    for (const State& state : states_) state.parameter->grad.zero_();
  }
  VS_CHECK(std::isfinite(norm), "NUMERICS", "[optimizer] the gradient norm is ", norm, ": lower the learning rate");
  const double scale = max_norm > 0 ? std::min(1.0, max_norm / (norm + 1e-6)) : 1.0;
  ++steps_;
  for (State& state : states_) update(state, lr, scale);
  return norm;
}

void AdamW::update(State& state, double lr, double scale) {
  const double correction1 = 1.0 - std::pow(options_.beta1, steps_), correction2 = 1.0 - std::pow(options_.beta2, steps_);
  const StepSizes sizes{static_cast<float>(options_.beta1),
                        static_cast<float>(options_.beta2),
                        static_cast<float>(lr / correction1),
                        static_cast<float>(std::sqrt(correction2)),
                        static_cast<float>(options_.epsilon),
                        static_cast<float>(scale),
                        static_cast<float>(state.master.dim() > 1 ? 1.0 - lr * options_.weight_decay : 1.0)};
  float *w = state.master.mutable_data_ptr<float>(), *g = state.parameter->grad.mutable_data_ptr<float>();
  float *m = state.m.mutable_data_ptr<float>(), *v = state.v.mutable_data_ptr<float>();
  dispatch_float(state.parameter->value, [&]<typename T>() {
    T* weight = state.parameter->value.mutable_data_ptr<T>();
    at::parallel_for(0, state.master.numel(), 16384, [&](int64_t i, int64_t end) {
      update_range(sizes, end - i, w + i, weight + i, g + i, m + i, v + i);
    });
  });
}

void AdamW::save(const std::string& path) const {
  NamedTensors tensors{{"steps", at::scalar_tensor(steps_, at::kLong)}};
  for (const State& state : states_) {
    tensors.emplace_back(state.name + ".m", state.m);
    tensors.emplace_back(state.name + ".v", state.v);
    if (!state.master.is_same(state.parameter->value)) tensors.emplace_back(state.name + ".master", state.master);
  }
  write_safetensors(path, tensors);
}

void AdamW::load(const std::string& path) {
  at::NoGradGuard no_grad;
  const SafetensorsFile file(path);
  VS_CHECK(file.has("steps"), "BAD_CHECKPOINT", "[", path, "] is not an optimizer state: it has no steps");
  // All is checked before anything is copied: a refused file changes nothing.
  std::vector<std::pair<at::Tensor, at::Tensor>> copies;
  const auto restore = [&](const at::Tensor& to, const std::string& name) {
    VS_CHECK(file.has(name), "BAD_CHECKPOINT", "[", path, "] has no ", name, ": it belongs to another model or another LoRA set-up");
    const at::Tensor stored = file.view(name);
    VS_CHECK(stored.sizes() == to.sizes() && stored.scalar_type() == at::kFloat, "BAD_CHECKPOINT", "[", path, "] ", name,
             " has another shape or type than the model");
    copies.emplace_back(to, stored);
  };
  for (const State& state : states_) {
    restore(state.m, state.name + ".m");
    restore(state.v, state.name + ".v");
    if (!state.master.is_same(state.parameter->value)) restore(state.master, state.name + ".master");
  }
  for (auto& [to, stored] : copies) to.copy_(stored);
  for (State& state : states_) {
    if (!state.master.is_same(state.parameter->value)) state.parameter->value.copy_(state.master);
  }
  steps_ = file.view("steps").item<int64_t>();
}

}  // namespace vsgrpo
