// The optimizer's kernels against the CPU's AdamW: weights, moments and masters after several clipped steps.
#include "kernel_test.h"
#include "optim/adamw.h"

namespace {

using namespace kernel_test;

constexpr double kLr = 1e-3, kMaxNorm = 1.0;
constexpr int kSteps = 3;
const vsgrpo::AdamWOptions kOptions{0.9, 0.999, 1e-8, 0.1};

// A parameter and its state as the kernels see them.
struct State {
  at::Tensor weight, low, grad, m, v;

  State(const at::Tensor& start, at::ScalarType moments)
      : weight(guarded(start)),
        low(guarded(at::zeros(start.sizes(), at::kShort))),
        grad(guarded(start.sizes(), at::kFloat)),
        m(guarded(at::zeros(start.sizes(), moments))),
        v(guarded(at::zeros(start.sizes(), moments))) {}
};

// {norm, factor} of all gradients.
at::Tensor clip(std::vector<State>& states, double max_norm) {
  int64_t count = 0;
  for (const State& s : states) count += vsgrpo_squared_norm_sums(s.grad.numel());
  const at::Tensor sums = guarded({count}, at::kDouble), out = guarded({2}, at::kDouble);
  double* at = sums.mutable_data_ptr<double>();
  for (const State& s : states) {
    const vsgrpo_squared_norm_args args{sizeof(args), s.grad.numel(), s.grad.const_data_ptr<float>(), at};
    run(vsgrpo_squared_norm(&args, nullptr));
    at += vsgrpo_squared_norm_sums(s.grad.numel());
  }
  const vsgrpo_clip_args args{sizeof(args), count, sums.const_data_ptr<double>(), max_norm, out.mutable_data_ptr<double>()};
  run(vsgrpo_clip(&args, nullptr));
  return out;
}

void update(State& s, const at::Tensor& clip, int step) {
  vsgrpo_adamw_args args{};
  args.struct_size = sizeof(args), args.weight_type = type_of(s.weight), args.moment_type = type_of(s.m), args.count = s.weight.numel();
  args.weight = s.weight.data_ptr(), args.low = s.low.mutable_data_ptr<int16_t>(), args.grad = s.grad.mutable_data_ptr<float>();
  args.m = s.m.data_ptr(), args.v = s.v.data_ptr(), args.clip = clip.const_data_ptr<double>();
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

// The CPU's state after the same steps, by name.
std::map<std::string, at::Tensor> reference(const std::vector<at::Tensor>& start, const std::vector<std::vector<at::Tensor>>& grads,
                                            at::ScalarType moments, std::vector<double>& norms) {
  std::vector<vsgrpo::Parameter> parameters;
  std::vector<std::pair<std::string, vsgrpo::Parameter*>> named;
  for (const at::Tensor& value : start) parameters.push_back({value.clone(), at::zeros(value.sizes())});
  for (size_t i = 0; i < parameters.size(); ++i) named.emplace_back(kNames[i], &parameters[i]);
  vsgrpo::AdamWOptions options = kOptions;
  options.moments = moments;
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
  for (const std::string& name : file.names()) out[name] = file.view(name).clone();
  for (size_t i = 0; i < parameters.size(); ++i) out[kNames[i] + ".weight"] = parameters[i].value;
  return out;
}

at::Tensor master(const at::Tensor& weight, const at::Tensor& low) {
  if (weight.scalar_type() == at::kFloat) return weight;
  return ((weight.view(at::kShort).to(at::kInt) * 65536) + low.to(at::kInt)).view(at::kFloat);
}

}  // namespace

TEST_CASE("the AdamW kernels give the CPU optimizer's norms, weights, masters and moments") {
  const Report report;
  at::manual_seed(13);
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    for (const auto moments : {at::kFloat, at::kBFloat16}) {
      const std::vector<at::Tensor> start = starts(dtype);
      std::vector<std::vector<at::Tensor>> grads(kSteps);
      for (auto& step : grads) step = starts(at::kFloat);
      std::vector<double> norms;
      const auto expected = reference(start, grads, moments, norms);
      std::vector<State> states;
      const auto results = in_every_order([&] {
        states.clear();
        for (const at::Tensor& value : start) states.emplace_back(value, moments);
        std::vector<at::Tensor> out;
        for (int step = 0; step < kSteps; ++step) {
          for (size_t i = 0; i < states.size(); ++i) states[i].grad.copy_(grads[static_cast<size_t>(step)][i]);
          const at::Tensor factor = clip(states, kMaxNorm);
          for (State& s : states) update(s, factor, step + 1);
          out.push_back(factor);
        }
        for (const State& s : states) out.insert(out.end(), {s.weight, s.low, s.m, s.v, s.grad});
        return out;
      });
      for (size_t step = 0; step < kSteps; ++step) check_near("gradient norm", results[step][0], at::scalar_tensor(norms[step], at::kDouble), 0, 1e-12);
      for (size_t i = 0; i < states.size(); ++i) {
        const State& s = states[i];
        const auto state = [&](const char* part) { return expected.at(kNames[i] + part); };
        const at::Tensor low = dtype == at::kFloat ? s.low : state(".low");
        // A last bit of the sums decides some of the moments' random roundings; a step is at most about 1e-3.
        const double flipped = moments == at::kFloat ? 1e-7 : 1e-3 / 256;
        check_near(name_of("master", dtype), master(s.weight, s.low), master(state(".weight"), low), flipped, 6e-7);
        check_near(name_of("m", moments), s.m, state(".m"), 1e-9, moments == at::kFloat ? 1e-6 : 1.0 / 128);
        check_near(name_of("v", moments), s.v, state(".v"), 1e-12, moments == at::kFloat ? 1e-6 : 1.0 / 128);
        CHECK_EQ(s.grad.abs().max().item<float>(), 0.0f);
      }
    }
  }
}

TEST_CASE("a gradient that is not finite leaves weights and moments alone and is cleared") {
  at::manual_seed(14);
  std::vector<State> states{{at::randn({5, 5}), at::kFloat}};
  const at::Tensor before = states[0].weight.clone();
  states[0].grad.fill_(1.0f);
  states[0].grad[2][2] = std::numeric_limits<float>::infinity();
  const at::Tensor factor = clip(states, 0);
  CHECK(std::isinf(factor[0].item<double>()) && std::isnan(factor[1].item<double>()));
  update(states[0], factor, 1);
  CHECK(states[0].weight.equal(before));
  CHECK_EQ(states[0].m.abs().max().item<float>() + states[0].grad.abs().max().item<float>(), 0.0f);
}

TEST_CASE("without a limit, and below it, gradients keep their size") {
  std::vector<State> states{{at::zeros({4}), at::kFloat}};
  states[0].grad.fill_(0.25f);
  for (const double limit : {0.0, 0.6}) CHECK_EQ(clip(states, limit)[1].item<double>(), 1.0);
  CHECK_LE(std::abs(clip(states, 0.25)[1].item<double>() - 0.5), 1e-5);
}
