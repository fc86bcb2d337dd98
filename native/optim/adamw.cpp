#include "optim/adamw.h"

#include "core/check.h"
#include "core/safetensors.h"
#include "ops/rows.h"

#include <bit>
#include <numeric>

namespace vsgrpo {
namespace {

// Sums of fixed pieces, added in order: the same on any number of threads.
double squared_norm(const at::Tensor& grad) {
  constexpr int64_t piece = 1 << 16;
  const float* g = grad.const_data_ptr<float>();
  std::vector<double> sums(static_cast<size_t>((grad.numel() + piece - 1) / piece));
  parallel_for(0, static_cast<int64_t>(sums.size()), 1, [&](int64_t begin, int64_t end) {
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
  uint32_t random;  // of this step
};

// A float32 weight: its own master.
struct WholeWeight {
  float* values;
  float load(int64_t i) const { return values[i]; }
  void store(int64_t i, float x) const { values[i] = x; }
};

// A bfloat16 weight and the rest of its master.
struct SplitWeight {
  uint16_t* high;
  int16_t* low;
  float load(int64_t i) const { return std::bit_cast<float>((static_cast<uint32_t>(high[i]) << 16) + static_cast<uint32_t>(static_cast<int32_t>(low[i]))); }
  void store(int64_t i, float x) const {
    const uint32_t bits = std::bit_cast<uint32_t>(x), rounded = (bits + 0x8000u) >> 16;
    high[i] = static_cast<uint16_t>(rounded);
    low[i] = static_cast<int16_t>(bits - (rounded << 16));
  }
};

struct WholeMoment {
  float* values;
  float load(int64_t i) const { return values[i]; }
  void store(int64_t i, float x, uint32_t) const { values[i] = x; }
};

struct RoundedMoment {
  uint16_t* values;
  float load(int64_t i) const { return std::bit_cast<float>(static_cast<uint32_t>(values[i]) << 16); }
  // Up with the probability of what is cut off.
  void store(int64_t i, float x, uint32_t random) const {
    values[i] = static_cast<uint16_t>((std::bit_cast<uint32_t>(x) + (random & 0xffffu)) >> 16);
  }
};

// 32 random bits of a place (murmur's finalizer).
inline uint32_t random_bits(uint32_t step, int64_t i) {
  uint32_t z = static_cast<uint32_t>(i) + step;
  z = (z ^ (z >> 16)) * 0x85ebca6bu;
  z = (z ^ (z >> 13)) * 0xc2b2ae35u;
  return z ^ (z >> 16);
}

// Weight, gradient and moments of [first, last) in one pass.
template <typename Weight, typename Moment>
void update_range(const StepSizes s, int64_t first, int64_t last, const Weight weight, float* __restrict g, const Moment first_moment,
                  const Moment second_moment) {
#pragma omp simd
  for (int64_t i = first; i < last; ++i) {
    const float grad = g[i] * s.clip;
    const float m0 = first_moment.load(i), m = m0 + (1.0f - s.beta1) * (grad - m0);
    const float v = s.beta2 * second_moment.load(i) + (1.0f - s.beta2) * grad * grad;
    weight.store(i, weight.load(i) * s.keep - s.step * m / (std::sqrt(v) / s.root + s.epsilon));
    const uint32_t random = random_bits(s.random, i);
    first_moment.store(i, m, random);
    second_moment.store(i, v, random >> 16);
    g[i] = 0.0f;
  }
}

// Runs body(moment of m, moment of v) for the type that they are kept in.
template <typename Body>
void with_moments(at::Tensor& m, at::Tensor& v, const Body& body) {
  if (m.scalar_type() == at::kFloat) return body(WholeMoment{m.mutable_data_ptr<float>()}, WholeMoment{v.mutable_data_ptr<float>()});
  const auto bits = [](at::Tensor& t) { return RoundedMoment{reinterpret_cast<uint16_t*>(t.mutable_data_ptr<at::BFloat16>())}; };
  body(bits(m), bits(v));
}

template <typename Body>
void with_weight(Parameter& parameter, at::Tensor& low, const Body& body) {
  if (!low.defined()) return body(WholeWeight{parameter.value.mutable_data_ptr<float>()});
  body(SplitWeight{reinterpret_cast<uint16_t*>(parameter.value.mutable_data_ptr<at::BFloat16>()), low.mutable_data_ptr<int16_t>()});
}

}  // namespace

AdamW::AdamW(std::vector<std::pair<std::string, Parameter*>> parameters, const AdamWOptions& options, std::shared_ptr<void> owner)
    : options_(options), owner_(std::move(owner)) {
  at::NoGradGuard no_grad;
  for (auto& [name, parameter] : parameters) {
    const auto sizes = parameter->value.sizes();
    const bool split = parameter->value.scalar_type() != at::kFloat;
    states_.push_back({name, parameter, split ? at::zeros(sizes, at::kShort) : at::Tensor(), at::zeros(sizes, options.moments),
                       at::zeros(sizes, options.moments)});
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
                        static_cast<float>(state.parameter->value.dim() > 1 ? 1.0 - lr * options_.weight_decay : 1.0),
                        static_cast<uint32_t>(steps_) * 0x9e3779b9u};
  float* g = state.parameter->grad.mutable_data_ptr<float>();
  with_weight(*state.parameter, state.low, [&](const auto weight) {
    with_moments(state.m, state.v, [&](const auto m, const auto v) {
      parallel_for(0, state.m.numel(), 16384, [&](int64_t i, int64_t end) { update_range(sizes, i, end, weight, g, m, v); });
    });
  });
}

std::vector<std::pair<std::string, at::Tensor>> AdamW::stored(const State& state) const {
  std::vector<std::pair<std::string, at::Tensor>> tensors{{state.name + ".m", state.m}, {state.name + ".v", state.v}};
  if (state.low.defined()) {
    tensors.emplace_back(state.name + ".weight", state.parameter->value);
    tensors.emplace_back(state.name + ".low", state.low);
  }
  return tensors;
}

void AdamW::save(const std::string& path) const {
  NamedTensors tensors{{"steps", at::scalar_tensor(steps_, at::kLong)}};
  for (const State& state : states_) {
    for (auto& named : stored(state)) tensors.push_back(std::move(named));
  }
  write_safetensors(path, tensors);
}

void AdamW::load(const std::string& path) {
  at::NoGradGuard no_grad;
  const SafetensorsFile file(path);
  VS_CHECK(file.has("steps"), "BAD_CHECKPOINT", "[", path, "] is not an optimizer state: it has no steps");
  // All is checked before anything is copied: a refused file changes nothing.
  std::vector<std::pair<at::Tensor, at::Tensor>> copies;
  for (const State& state : states_) {
    for (const auto& [name, to] : stored(state)) {
      VS_CHECK(file.has(name), "BAD_CHECKPOINT", "[", path, "] has no ", name, ": it belongs to another model or another LoRA set-up");
      const at::Tensor from = file.view(name);
      VS_CHECK(from.sizes() == to.sizes(), "BAD_CHECKPOINT", "[", path, "] ", name, " has another shape than in the model");
      VS_CHECK(from.scalar_type() == to.scalar_type(), "BAD_CHECKPOINT", "[", path, "] ", name, " is kept as ", from.scalar_type(), ", not as ",
               to.scalar_type(), ": dtype and optimStateDtype must be those of the run that saved it");
      copies.emplace_back(to, from);
    }
  }
  for (auto& [to, from] : copies) to.copy_(from);
  steps_ = file.view("steps").item<int64_t>();
}

}  // namespace vsgrpo
