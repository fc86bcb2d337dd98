// The sampler kernel against the CPU's sampler: the same tokens and log-probabilities for the same seeds under every rule, and
// the state that a decoding step leaves behind.
#include "kernel_test.h"
#include "ops/sample_token.h"

namespace {

using namespace kernel_test;
using vsgrpo::SamplingOptions;

const std::vector<int32_t> kForbidden = {3, 40};

// The device's state of some rows.
struct Rows {
  at::Tensor seeds, steps, stopped, tokens, logps, seen;

  Rows(int64_t count, int64_t vocab, uint64_t seed)
      : seeds(guarded(at::arange(count, at::kLong) * 7919 + static_cast<int64_t>(seed))),
        steps(guarded(at::arange(count, at::kInt) % 5)),
        stopped(guarded(at::zeros({count}, at::kByte))),
        tokens(guarded({count}, at::kInt)),
        logps(guarded({count}, at::kFloat)),
        seen(guarded(at::zeros({count, (vocab + 31) / 32}, at::kInt))) {}
};

void set_seen(Rows& rows, int64_t row, int32_t id) {
  rows.seen.mutable_data_ptr<int>()[row * rows.seen.size(1) + id / 32] |= static_cast<int>(1u << (id % 32));
}

vsgrpo_sample_args arguments(const at::Tensor& logits, const SamplingOptions& o, Rows& rows) {
  vsgrpo_sample_args args{};
  args.struct_size = sizeof(args), args.logits_type = type_of(logits), args.rows = rows.tokens.size(0), args.vocab = logits.size(1);
  args.rows_per_logits = args.rows / logits.size(0), args.temperature = o.temperature, args.top_k = o.top_k, args.top_p = o.top_p;
  args.min_p = o.min_p, args.repetition_penalty = o.repetition_penalty, args.logits = logits.data_ptr();
  for (const int32_t id : kForbidden) args.forbidden[args.forbidden_count++] = id;
  args.seeds = reinterpret_cast<const uint64_t*>(rows.seeds.const_data_ptr<int64_t>());
  args.steps = rows.steps.mutable_data_ptr<int>(), args.stopped = rows.stopped.mutable_data_ptr<uint8_t>();
  args.tokens = rows.tokens.mutable_data_ptr<int>(), args.logps = rows.logps.mutable_data_ptr<float>();
  if (o.repetition_penalty != 1.0f) args.seen = reinterpret_cast<uint32_t*>(rows.seen.data_ptr());
  return args;
}

// What the CPU draws for the row, by the engine's steps (native/generate/generate.cpp).
vsgrpo::Drawn expected_draw(const at::Tensor& logits, const SamplingOptions& o, const std::vector<int32_t>& seen, uint64_t seed, uint64_t step) {
  const at::Tensor row = logits.to(at::kFloat).contiguous();
  std::vector<float> scratch(row.const_data_ptr<float>(), row.const_data_ptr<float>() + row.numel());
  if (o.temperature > 0) {
    for (const int32_t id : kForbidden) scratch[static_cast<size_t>(id)] = -std::numeric_limits<float>::infinity();
  }
  return vsgrpo::sample_token(scratch, o, seen, vsgrpo::uniform(seed, step));
}

// Draws once for `count` rows that share a logits row each two, and compares all of it.
void compare(const std::string& name, const at::Tensor& logits, const SamplingOptions& o, uint64_t seed, bool every_order = true) {
  const int64_t count = 2 * logits.size(0), vocab = logits.size(1);
  const std::vector<int32_t> seen = {1, 17, static_cast<int32_t>(vocab) / 2, static_cast<int32_t>(vocab) - 1};
  const auto draw = [&] {
    Rows rows(count, vocab, seed);
    for (int64_t i = 0; i < count; ++i) {
      for (const int32_t id : seen) set_seen(rows, i, id);
    }
    const vsgrpo_sample_args args = arguments(logits, o, rows);
    run(vsgrpo_sample(&args, nullptr));
    return std::vector{rows.tokens, rows.logps, rows.steps, rows.stopped};
  };
  const auto out = every_order ? in_every_order(draw) : draw();
  // Of the whole vocabulary, placeholders among it.
  const at::Tensor whole = o.is_plain() ? at::log_softmax(logits.to(at::kDouble) / o.temperature, 1) : at::Tensor();
  for (int64_t i = 0; i < count; ++i) {
    const int64_t token = out[0][i].item<int64_t>(), step = i % 5;
    const auto stream = static_cast<uint64_t>(i * 7919) + seed;
    const vsgrpo::Drawn expected = expected_draw(logits[i / 2], o, seen, stream, static_cast<uint64_t>(step));
    CHECK_MESSAGE(token == expected.token, name << ": row " << i << " of seed " << seed << " drew " << token << ", the CPU " << expected.token);
    check_near("logp of the sampled token", out[1][i], whole.defined() ? whole[i / 2][token] : at::scalar_tensor(expected.logp, at::kDouble), 3e-6, 1e-6);
    CHECK_EQ(out[2][i].item<int64_t>(), step + 1);
    CHECK_EQ(out[3][i].item<int>(), 0);
  }
}

SamplingOptions options(float temperature, int64_t top_k, float top_p, float min_p, float penalty) {
  return {temperature, top_k, top_p, min_p, penalty};
}

}  // namespace

TEST_CASE("the sampler kernel draws the CPU's tokens under every rule and all together") {
  const Report report;
  at::manual_seed(7);
  const std::vector<std::pair<std::string, SamplingOptions>> rules = {
      {"greedy", options(0, 0, 1, 0, 1)},         {"greedy with penalty", options(0, 0, 1, 0, 1.3f)},
      {"plain", options(1, 0, 1, 0, 1)},          {"temperature", options(0.6f, 0, 1, 0, 1)},
      {"top-k", options(1, 20, 1, 0, 1)},         {"top-k 1", options(1, 1, 1, 0, 1)},
      {"top-p", options(1, 0, 0.8f, 0, 1)},       {"small top-p", options(1, 0, 0.001f, 0, 1)},
      {"min-p", options(1, 0, 1, 0.1f, 1)},       {"penalty", options(1, 0, 1, 0, 1.2f)},
      {"everything", options(0.9f, 50, 0.9f, 0.05f, 1.1f)}, {"top-k of all", options(1.5f, 1 << 20, 0.95f, 0, 1)}};
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    for (const int64_t vocab : {1000, 1003}) {
      for (const auto& [name, rule] : rules) {
        const at::Tensor logits = random({2, vocab}, dtype, 2);
        for (const uint64_t seed : {11, 12, 13}) compare(name, logits, rule, seed, /*every_order=*/seed == 11);
      }
    }
  }
}

TEST_CASE("the sampler kernel agrees on a vocabulary of more pieces than threads walk at once") {
  const Report report;
  at::manual_seed(8);
  const at::Tensor logits = random({2, 270'000}, at::kBFloat16);
  compare("plain", logits, options(1, 0, 1, 0, 1), 21);
  compare("top-p", logits, options(1, 0, 0.9f, 0, 1), 22);
}

TEST_CASE("of equal logits at the edge of top-p the last ones stay, as on the CPU") {
  // Ten equal shares; 0.25 keeps three of them.
  const at::Tensor logits = guarded(at::cat({at::full({1, 30}, -20.0f), at::zeros({1, 10}), at::full({1, 24}, -20.0f)}, 1));
  for (uint64_t seed = 0; seed < 8; ++seed) compare("ties", logits, options(1, 0, 0.25f, 0, 1), 100 + seed);
}

TEST_CASE("the sampler kernel ends rows at an end token, leaves ended ones alone and marks what was drawn") {
  const at::Tensor logits = guarded(at::zeros({1, 64}));
  logits[0][9] = 50.0f;
  Rows rows(3, 64, 1);
  rows.stopped[1] = 1, rows.tokens[1] = 77;
  vsgrpo_sample_args args = arguments(logits, options(1, 0, 1, 0, 1.0001f), rows);
  args.eos[0] = 5, args.eos[1] = 9, args.eos_count = 2;
  run(vsgrpo_sample(&args, nullptr));
  CHECK(rows.tokens.equal(golden::int_tensor({9, 77, 9})));
  CHECK(rows.stopped.equal(at::tensor({1, 1, 1}, at::kByte)));
  CHECK(rows.steps.equal(golden::int_tensor({1, 1, 3})));
  CHECK_EQ(rows.seen[0][0].item<int>(), 1 << 9);
  CHECK_EQ(rows.seen[1][0].item<int>(), 0);
}

TEST_CASE("rows without a finite logit get token 0 without a log-probability, and end") {
  const float infinity = std::numeric_limits<float>::infinity();
  const at::Tensor logits = random({4, 64});
  logits[0][7] = std::numeric_limits<float>::quiet_NaN();
  logits[1][7] = infinity;
  logits[2].fill_(-infinity);
  for (const SamplingOptions& rules : {options(1, 5, 0.9f, 0, 1), options(1, 0, 1, 0, 1), options(0, 0, 1, 0, 1)}) {
    Rows rows(4, 64, 1);
    const vsgrpo_sample_args args = arguments(logits, rules, rows);
    run(vsgrpo_sample(&args, nullptr));
    CHECK(rows.tokens.narrow(0, 0, 3).equal(golden::int_tensor({0, 0, 0})));
    CHECK(rows.logps.isnan().to(at::kInt).equal(golden::int_tensor({1, 1, 1, 0})));
    CHECK(rows.stopped.equal(at::tensor({1, 1, 1, 0}, at::kByte)));
  }
}

TEST_CASE("a token that is never drawn counts in the log-probabilities, however likely, and most pieces may be impossible") {
  const Report report;
  at::manual_seed(9);
  for (const float likely : {20.0f, 120.0f}) {
    const at::Tensor logits = random({2, 3000});
    logits.select(1, kForbidden[0]).fill_(likely);
    logits.narrow(1, 600, 2000).fill_(-std::numeric_limits<float>::infinity());
    for (uint64_t seed = 0; seed < 6; ++seed) compare("plain, likely placeholder", logits, options(0.8f, 0, 1, 0, 1), 300 + seed, seed == 0);
  }
}
