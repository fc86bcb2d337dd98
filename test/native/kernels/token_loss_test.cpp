// The fused loss kernel against the CPU's head (token_logps, grpo_loss) and, for large vocabularies, against float64.
#include "kernel_test.h"
#include "ops/grpo_loss.h"

namespace {

using namespace kernel_test;
using vsgrpo::GrpoOptions;

struct Problem {
  at::Tensor logits, targets;
  double temperature = 1;
};

Problem problem(int64_t rows, int64_t vocab, at::ScalarType dtype, double temperature) {
  return {random({rows, vocab}, dtype, 3), guarded(at::randint(vocab, {rows}, at::kInt)), temperature};
}

struct Loss {
  at::Tensor dlogps, dentropy;  // given per token …
  vsgrpo::GrpoInputs grpo;      // … or the objective
};

Loss given(int64_t rows, bool with_entropy) { return {random({rows}), with_entropy ? random({rows}) : at::Tensor(), {}}; }

Loss objective(int64_t rows, const GrpoOptions& options) {
  vsgrpo::GrpoInputs in;
  in.options = options;
  in.offsets = {0, rows};
  in.weights = guarded((at::rand({rows}) > 0.2).to(at::kFloat) / static_cast<double>(rows));
  in.advantages = random({rows});
  in.old_logps = random({rows}) - 6;
  in.ref_logps = random({rows}) - 6;
  in.policy_mask = guarded((at::rand({rows}) > 0.3).to(at::kFloat));
  in.sampler_ratios = guarded(at::rand({rows}) + 0.5);
  in.entropy_bonus = random({rows}, at::kFloat, 0.01);
  for (auto* tensor : {&in.old_logps, &in.ref_logps}) *tensor = guarded(**tensor);
  return {{}, {}, in};
}

const float* pointer(const std::optional<at::Tensor>& tensor) { return tensor && tensor->defined() ? tensor->const_data_ptr<float>() : nullptr; }

void set_loss(vsgrpo_token_loss_args& args, const Loss& loss) {
  args.dlogps = pointer(loss.dlogps), args.dentropy = pointer(loss.dentropy);
  if (args.dlogps) return;
  const vsgrpo::GrpoInputs& in = loss.grpo;
  args.tokens = {pointer(in.weights),     pointer(in.advantages),     pointer(in.old_logps),    pointer(in.ref_logps),
                 pointer(in.policy_mask), pointer(in.sampler_ratios), pointer(in.entropy_bonus)};
  const GrpoOptions& o = in.options;
  args.options = {static_cast<int>(o.surrogate), static_cast<int>(o.kl), o.bias_correction_kl, o.epsilon_low,           o.epsilon_high,
                  o.delta,                       o.beta,                 o.sapo_temperature_pos, o.sapo_temperature_neg};
}

// {logps, entropy, correct, gradient}; `gradient` may be the logits themselves.
std::vector<at::Tensor> kernel(const Problem& p, const Loss* loss, const at::Tensor& gradient) {
  const int64_t rows = p.logits.size(0);
  const std::vector<at::Tensor> out = {guarded({rows}, at::kFloat), guarded({rows}, at::kFloat), guarded({rows}, at::kByte)};
  vsgrpo_token_loss_args args{};
  args.struct_size = sizeof(args), args.logits_type = type_of(p.logits), args.rows = rows, args.vocab = p.logits.size(1);
  args.temperature = static_cast<float>(p.temperature), args.logits = p.logits.data_ptr(), args.targets = p.targets.const_data_ptr<int>();
  args.logps = out[0].mutable_data_ptr<float>(), args.entropy = out[1].mutable_data_ptr<float>();
  args.correct = out[2].mutable_data_ptr<uint8_t>();
  if (loss) args.gradient = gradient.data_ptr(), args.gradient_type = type_of(gradient), set_loss(args, *loss);
  run(vsgrpo_token_loss(&args, nullptr));
  return {out[0], out[1], out[2], gradient};
}

vsgrpo::TokenLoss callback(const Loss& loss, int64_t rows) {
  if (!loss.dlogps.defined()) return vsgrpo::grpo_loss(loss.grpo, rows);
  return [loss](int64_t k, float, float) {
    return vsgrpo::TokenGradient{pointer(loss.dlogps)[k], loss.dentropy.defined() ? pointer(loss.dentropy)[k] : 0.0f};
  };
}

// The CPU's head with the unit matrix as weight: its hidden states are the logits, and so are their gradients.
void compare_with_head(const std::string& name, const Problem& p, const Loss& loss) {
  const int64_t vocab = p.logits.size(1), rows = p.logits.size(0);
  const auto dtype = p.logits.scalar_type();
  vsgrpo::Parameter unit{at::eye(vocab).to(dtype), {}};
  at::Tensor expected;
  const vsgrpo::TokenStats stats =
      vsgrpo::token_logps_backward(p.logits.clone(), unit, p.targets, p.temperature, callback(loss, rows), expected);
  const auto out = in_every_order([&] { return kernel(p, &loss, guarded({rows, vocab}, dtype)); });
  check_near(name_of(name + " logps", dtype), out[0], stats.logps, 3e-6, 1e-6);
  check_near(name_of(name + " entropy", dtype), out[1], stats.entropy, 3e-6, 1e-6);
  CHECK(out[2].equal(stats.correct));
  check_near(name_of(name + " gradient", dtype), out[3], expected, 2e-6, rounding(dtype));
  const Problem in_place{guarded(p.logits), p.targets, p.temperature};
  CHECK(kernel(in_place, &loss, in_place.logits)[3].equal(out[3]));
  const auto alone = kernel(p, nullptr, {});
  CHECK(alone[0].equal(out[0]) && alone[1].equal(out[1]));
}

}  // namespace

TEST_CASE("the loss kernel gives the CPU head's statistics and gradients for every token loss") {
  const Report report;
  at::manual_seed(5);
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    // 328 fills whole 16-byte pieces of both types, 333 none: the rows after the first are unaligned.
    for (const int64_t vocab : {328, 333}) {
      const Problem p = problem(6, vocab, dtype, 0.7);
      compare_with_head("given", p, given(6, true));
      compare_with_head("sft", p, given(6, false));
      for (const auto surrogate : {vsgrpo::Surrogate::kClip, vsgrpo::Surrogate::kCispo, vsgrpo::Surrogate::kSapo}) {
        for (const auto kl : {vsgrpo::KlEstimator::kK1, vsgrpo::KlEstimator::kK2, vsgrpo::KlEstimator::kK3}) {
          GrpoOptions options;
          options.surrogate = surrogate, options.kl = kl, options.beta = 0.04, options.delta = 1.5;
          options.bias_correction_kl = kl == vsgrpo::KlEstimator::kK3;
          compare_with_head("grpo", p, objective(6, options));
        }
      }
    }
  }
}

TEST_CASE("the loss kernel agrees with float64 on a vocabulary that threads read in several turns") {
  const Report report;
  at::manual_seed(6);
  constexpr int64_t kRows = 2, kVocab = 40'008;
  for (const auto& [from, to] : {std::pair{at::kFloat, at::kFloat}, {at::kBFloat16, at::kBFloat16}, {at::kFloat, at::kBFloat16}}) {
    const Problem p = problem(kRows, kVocab, from, 1.3);
    const Loss loss = given(kRows, true);
    const auto out = in_every_order([&, to = to] { return kernel(p, &loss, guarded({kRows, kVocab}, to)); });
    const at::Tensor z = (p.logits.to(at::kDouble) / p.temperature).set_requires_grad(true);
    const at::Tensor logp = at::log_softmax(z, 1), entropy = -(logp.exp() * logp).sum(1);
    const at::Tensor chosen = logp.gather(1, p.targets.to(at::kLong).unsqueeze(1)).squeeze(1);
    ((chosen * loss.dlogps).sum() + (entropy * loss.dentropy).sum()).backward();
    check_near(name_of("large logps", from), out[0], chosen.detach(), 3e-6, 1e-6);
    check_near(name_of("large entropy", from), out[1], entropy.detach(), 3e-6, 1e-6);
    check_near(name_of("large gradient", to), out[3], z.grad() / p.temperature, 2e-7, rounding(to));
  }
}

TEST_CASE("the most likely token counts as correct, whatever the temperature") {
  at::manual_seed(7);
  for (const double temperature : {0.7, 0.9, 1.0, 1.3}) {
    Problem p = problem(64, 64, at::kFloat, temperature);
    p.targets = guarded(p.logits.argmax(1).to(at::kInt));
    CHECK_EQ(kernel(p, nullptr, {})[2].sum().item<int64_t>(), 64);
    p.targets = guarded(p.logits.argmin(1).to(at::kInt));
    CHECK_EQ(kernel(p, nullptr, {})[2].sum().item<int64_t>(), 0);
  }
}

TEST_CASE("a target that is no token gives NaN and leaves the other rows alone") {
  Problem p = problem(3, 64, at::kFloat, 1);
  p.targets[1] = 64;
  const auto out = kernel(p, nullptr, {});
  CHECK(out[0].isnan().to(at::kInt).equal(golden::int_tensor({0, 1, 0})));
}
