// The optimizer's kernel against the CPU's AdamW: weights, moments and masters after several clipped steps.
#include "kernel_test.h"
#include "optim/adamw.h"

namespace {

using namespace kernel_test;

constexpr double kLr = 1e-3, kMaxNorm = 1.0;
constexpr int kSteps = 3;
const vsgrpo::AdamWOptions kOptions{0.9, 0.999, 1e-8, 0.1};

// One of the moments as the kernel sees it.
struct KernelMoment {
  at::Tensor values, absmax, map_values, map_cells;

  KernelMoment(const at::Tensor& weight, at::ScalarType type, const vsgrpo::DynamicMap& map) {
    const auto zeros = vsgrpo::Moment::zeros_like(weight, type);
    values = guarded(zeros.values);
    if (!zeros.absmax.defined()) return;
    const vsgrpo::DeviceMap there = map.on(at::kCPU);
    absmax = guarded(zeros.absmax), map_values = guarded(there.values), map_cells = guarded(there.cells);
  }

  bool coded() const { return absmax.defined(); }
  vsgrpo_adamw_codes codes() const {
    if (!coded()) return {};
    return {map_values.const_data_ptr<float>(), reinterpret_cast<const uint32_t*>(map_cells.const_data_ptr<int32_t>()),
            absmax.mutable_data_ptr<float>()};
  }
};

// A parameter and its state as the kernel sees them.
struct State {
  at::Tensor weight, low, grad;
  KernelMoment m, v;

  State(const at::Tensor& start, at::ScalarType moments, at::ScalarType gradients = at::kFloat)
      : weight(guarded(start)),
        low(guarded(at::zeros(start.sizes(), at::kShort))),
        grad(guarded(start.sizes(), gradients)),
        m(start, moments, vsgrpo::DynamicMap::with_sign()),
        v(start, moments, vsgrpo::DynamicMap::without_sign()) {}
};

// {norm, factor} as the kernel of gradient_norm.cu leaves them.
at::Tensor clip_for(double norm) { return guarded(at::tensor({norm, std::min(1.0, kMaxNorm / (norm + 1e-6))}, at::kDouble)); }

void update(State& s, const at::Tensor& clip, int step) {
  vsgrpo_adamw_args args{};
  args.struct_size = sizeof(args), args.weight_type = type_of(s.weight), args.grad_type = type_of(s.grad), args.count = s.weight.numel();
  args.weight = s.weight.data_ptr(), args.low = s.low.mutable_data_ptr<int16_t>(), args.grad = s.grad.data_ptr();
  args.moment_type = s.m.coded() ? static_cast<int32_t>(VSGRPO_CODED) : type_of(s.m.values);
  args.m = s.m.values.data_ptr(), args.v = s.v.values.data_ptr(), args.m_codes = s.m.codes(), args.v_codes = s.v.codes();
  args.clip = clip.const_data_ptr<double>();
  args.gain1 = 0.1f, args.beta2 = 0.999f, args.gain2 = 0.001f, args.epsilon = 1e-8f;
  args.step = static_cast<float>(kLr / (1 - std::pow(kOptions.beta1, step))), args.root = static_cast<float>(std::sqrt(1 - std::pow(kOptions.beta2, step)));
  args.keep = s.weight.dim() > 1 ? static_cast<float>(1 - kLr * kOptions.weight_decay) : 1.0f;
  args.random = static_cast<uint32_t>(step) * 0x9e3779b9u;
  run(vsgrpo_adamw(&args, nullptr));
}

const std::vector<std::string> kNames = {"matrix", "vector", "row"};

std::vector<at::Tensor> starts(at::ScalarType dtype) {
  return {at::randn({300, 301}).to(dtype), at::randn({7}).to(dtype), at::randn({1, 2}).to(dtype)};
}

// How a case keeps its numbers.
struct Types {
  at::ScalarType weights, moments, gradients;
};

using Gradients = std::vector<std::vector<at::Tensor>>;  // of every step and parameter

Gradients gradients_for(const std::vector<at::Tensor>& start, at::ScalarType type) {
  Gradients grads(kSteps);
  for (auto& step : grads) {
    for (const at::Tensor& value : start) step.push_back(at::randn(value.sizes()).to(type));
  }
  return grads;
}

// The CPU's state after the same steps, by name.
std::map<std::string, at::Tensor> reference(const std::vector<at::Tensor>& start, const Gradients& grads, const Types& types,
                                            std::vector<double>& norms) {
  std::vector<vsgrpo::Parameter> parameters;
  std::vector<std::pair<std::string, vsgrpo::Parameter*>> named;
  for (const at::Tensor& value : start) parameters.push_back({value.clone(), at::zeros(value.sizes(), types.gradients)});
  for (size_t i = 0; i < parameters.size(); ++i) named.emplace_back(kNames[i], &parameters[i]);
  vsgrpo::AdamWOptions options = kOptions;
  options.moments = types.moments, options.gradients = types.gradients;
  vsgrpo::AdamW optimizer(named, options);
  for (const auto& step : grads) {
    for (size_t i = 0; i < parameters.size(); ++i) parameters[i].grad.copy_(step[i]);
    norms.push_back(optimizer.step(kLr, kMaxNorm));
  }
  const golden::TemporaryFolder folder;
  const std::string path = folder.path() + "/state.safetensors";
  optimizer.save(path);
  const vsgrpo::SafetensorsFile file(path);
  std::map<std::string, at::Tensor> out;
  for (const std::string& name : file.names()) out[name] = file.read(name);
  for (size_t i = 0; i < parameters.size(); ++i) out[kNames[i] + ".weight"] = parameters[i].value;
  return out;
}

at::Tensor master(const at::Tensor& weight, const at::Tensor& low) {
  if (weight.scalar_type() == at::kFloat) return weight;
  return ((weight.view(at::kShort).to(at::kInt) * 65536) + low.to(at::kInt)).view(at::kFloat);
}

// The kernel's states after the same steps, the same in every order of threads.
std::vector<State> stepped(const std::vector<at::Tensor>& start, const Gradients& grads, const Types& types, const std::vector<double>& norms) {
  std::vector<State> states;
  in_every_order([&] {
    states.clear();
    for (const at::Tensor& value : start) states.emplace_back(value, types.moments, types.gradients);
    for (int step = 0; step < kSteps; ++step) {
      const at::Tensor clip = clip_for(norms[static_cast<size_t>(step)]);
      for (size_t i = 0; i < states.size(); ++i) {
        states[i].grad.copy_(grads[static_cast<size_t>(step)][i]);
        update(states[i], clip, step + 1);
      }
    }
    std::vector<at::Tensor> out;
    for (const State& s : states) out.insert(out.end(), {s.weight, s.low, s.m.values, s.v.values, s.grad});
    return out;
  });
  return states;
}

void check_moment(const std::string& name, const KernelMoment& moment, const std::map<std::string, at::Tensor>& expected, const std::string& key,
                  double absolute) {
  const at::Tensor values = expected.at(key);
  REQUIRE(moment.coded() == (values.scalar_type() == at::kByte));
  if (!moment.coded()) {
    check_near(name_of(name, values.scalar_type()), moment.values, values, absolute, values.scalar_type() == at::kFloat ? 1e-6 : 1.0 / 128);
    return;
  }
  // A last bit may move a number over the border between two codes, and then to the next.
  check_near(name + " codes", moment.values.to(at::kInt), values.to(at::kInt), 1);
  check_near(name + " codes that differ", moment.values.ne(values).to(at::kFloat).mean(), at::zeros({}), 1e-4);
  check_near(name + " absmax", moment.absmax, expected.at(key + "_absmax"), 0, 1e-6);
}

void check_states(const std::vector<State>& states, const std::map<std::string, at::Tensor>& expected, const Types& types) {
  for (size_t i = 0; i < states.size(); ++i) {
    const State& s = states[i];
    const at::Tensor low = types.weights == at::kFloat ? s.low : expected.at(kNames[i] + ".low");
    // A last bit of the sums decides some of the moments' roundings, in any of the steps; one is at most about kLr long.
    const double flipped = types.moments == at::kFloat ? 1e-7 : kSteps * kLr / (types.moments == at::kBFloat16 ? 256 : 16);
    check_near(name_of("master", types.weights), master(s.weight, s.low), master(expected.at(kNames[i] + ".weight"), low), flipped, 6e-7);
    check_moment("m", s.m, expected, kNames[i] + ".m", 1e-9);
    check_moment("v", s.v, expected, kNames[i] + ".v", 1e-12);
    CHECK_EQ(s.grad.abs().max().item<float>(), 0.0f);
  }
}

}  // namespace

TEST_CASE("the AdamW kernel gives the CPU optimizer's weights, masters and moments") {
  const Report report;
  at::manual_seed(13);
  for (const auto weights : {at::kFloat, at::kBFloat16}) {
    for (const auto moments : {at::kFloat, at::kBFloat16, at::kByte}) {
      for (const auto gradients : {at::kFloat, at::kBFloat16}) {
        const Types types{weights, moments, gradients};
        const std::vector<at::Tensor> start = starts(weights);
        const Gradients grads = gradients_for(start, gradients);
        std::vector<double> norms;
        const auto expected = reference(start, grads, types, norms);
        check_states(stepped(start, grads, types, norms), expected, types);
      }
    }
  }
}

TEST_CASE("the AdamW kernel leaves weights and moments alone where the norm is not finite, and clears the gradient") {
  at::manual_seed(14);
  const at::Tensor clip = guarded(at::tensor({INFINITY, NAN}, at::kDouble));
  for (const auto moments : {at::kFloat, at::kByte}) {
    State state(at::randn({70, 70}), moments);
    const at::Tensor before = state.weight.clone(), m = state.m.values.clone();
    state.grad.fill_(1.0f);
    update(state, clip, 1);
    CHECK(state.weight.equal(before) && state.m.values.equal(m));
    CHECK_EQ(state.grad.abs().max().item<float>(), 0.0f);
  }
}

TEST_CASE("the AdamW kernel codes blocks without gradient as zeros") {
  State state(at::ones({20, 256}), at::kByte);
  state.grad.zero_();
  update(state, clip_for(1), 1);
  CHECK(state.m.values.eq(127).all().item<bool>());
  CHECK_EQ(state.m.absmax.abs().max().item<float>() + state.v.absmax.abs().max().item<float>(), 0.0f);
}
