#include "optim/adamw.h"

#include "core/check.h"
#include "core/gpu.h"
#include "core/safetensors.h"

namespace vsgrpo {

AdamW::AdamW(std::vector<std::pair<std::string, Parameter*>> parameters, const AdamWOptions& options, std::shared_ptr<void> owner)
    : options_(options), owner_(std::move(owner)) {
  at::NoGradGuard no_grad;
  for (auto& [name, parameter] : parameters) {
    const at::Tensor& weight = parameter->value;
    if (parameter->grad.scalar_type() != options.gradients) parameter->make_trainable(options.gradients);
    const bool split = weight.scalar_type() != at::kFloat;
    states_.push_back({name, parameter, split ? at::zeros_like(weight, at::kShort) : at::Tensor(), Moment::zeros_like(weight, options.moments),
                       Moment::zeros_like(weight, options.moments)});
  }
  if (states_.empty() || options.moments != at::kByte) return;
  const at::Tensor& weight = states_.front().parameter->value;
  if (on_gpu(weight)) m_map_ = DynamicMap::with_sign().on(weight.device()), v_map_ = DynamicMap::without_sign().on(weight.device());
}

double AdamW::step(double lr, double max_norm) {
  at::NoGradGuard no_grad;
  if (!states_.empty() && on_gpu(states_.front().parameter->value)) return step_on_gpu(lr, max_norm);
  double sum = 0;
  for (const State& state : states_) sum += squared_norm(state.parameter->grad);
  const double norm = std::sqrt(sum);
  if (!std::isfinite(norm)) {
    for (const State& state : states_) state.parameter->grad.zero_();
  }
  VS_CHECK(std::isfinite(norm), "NUMERICS", "[optimizer] the gradient norm is ", norm, ": lower the learning rate");
  const double scale = max_norm > 0 ? std::min(1.0, max_norm / (norm + 1e-6)) : 1.0;
  ++steps_;
  for (State& state : states_) update_parameter(sizes_for(state, lr, scale), *state.parameter, state.low, state.m, state.v);
  return norm;
}

StepSizes AdamW::sizes_for(const State& state, double lr, double scale) const {
  const double correction1 = 1.0 - std::pow(options_.beta1, steps_), correction2 = 1.0 - std::pow(options_.beta2, steps_);
  // 1 - beta before it is rounded, as torch has it: from the rounded 0.999 it would be 1.3e-5 off.
  return {static_cast<float>(1.0 - options_.beta1),
          static_cast<float>(options_.beta2),
          static_cast<float>(1.0 - options_.beta2),
          static_cast<float>(lr / correction1),
          static_cast<float>(std::sqrt(correction2)),
          static_cast<float>(options_.epsilon),
          static_cast<float>(scale),
          static_cast<float>(state.parameter->value.dim() > 1 ? 1.0 - lr * options_.weight_decay : 1.0),
          static_cast<uint32_t>(steps_) * 0x9e3779b9u};
}

std::vector<std::pair<std::string, at::Tensor>> AdamW::stored(const State& state) const {
  std::vector<std::pair<std::string, at::Tensor>> tensors{{state.name + ".m", state.m.values}, {state.name + ".v", state.v.values}};
  if (state.m.absmax.defined()) {
    tensors.emplace_back(state.name + ".m_absmax", state.m.absmax);
    tensors.emplace_back(state.name + ".v_absmax", state.v.absmax);
  }
  if (state.low.defined()) {
    tensors.emplace_back(state.name + ".weight", state.parameter->value);
    tensors.emplace_back(state.name + ".low", state.low);
  }
  return tensors;
}

int64_t AdamW::bytes() const {
  int64_t bytes = 0;
  for (const State& state : states_) {
    for (const at::Tensor& held : {state.low, state.m.values, state.m.absmax, state.v.values, state.v.absmax}) {
      if (held.defined()) bytes += static_cast<int64_t>(held.nbytes());
    }
  }
  return bytes;
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
  // All is checked before anything is read: a refused file changes nothing.
  std::vector<std::pair<std::string, at::Tensor>> wanted;
  for (const State& state : states_) {
    for (const auto& [name, to] : stored(state)) {
      VS_CHECK(file.has(name), "BAD_CHECKPOINT", "[", path, "] has no ", name, ": it belongs to another model or another LoRA set-up");
      VS_CHECK(file.shape(name) == to.sizes(), "BAD_CHECKPOINT", "[", path, "] ", name, " has another shape than in the model");
      VS_CHECK(file.dtype(name) == to.scalar_type(), "BAD_CHECKPOINT", "[", path, "] ", name, " is kept as ", file.dtype(name), ", not as ",
               to.scalar_type(), ": dtype and optimStateDtype must be those of the run that saved it");
      wanted.emplace_back(name, to);
    }
  }
  for (const auto& [name, to] : wanted) file.read_into(name, to);
  steps_ = file.read("steps").item<int64_t>();
}

}  // namespace vsgrpo
