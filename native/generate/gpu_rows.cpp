#include "generate/gpu_rows.h"

#include <algorithm>

#include "core/gpu.h"
#include "core/rounding.h"
#include "generate/prompts.h"

namespace vsgrpo {
namespace {

constexpr int64_t kBits = 32;

int64_t words(int64_t vocab) { return divided_up(vocab, kBits); }

// The bits of each sequence's prompt: int32 [P * G + 1, words].
at::Tensor seen_prompts(const Batch& prompts, const GenerateOptions& options, int64_t vocab) {
  const auto count = static_cast<int64_t>(options.leaves.size()), width = words(vocab);
  at::Tensor bits = at::zeros({count + 1, width}, at::kInt);
  for (int64_t p = 0; p < count; ++p) {
    auto* row = reinterpret_cast<uint32_t*>(bits.mutable_data_ptr<int32_t>() + p * width);
    for (const int32_t id : prompt_ids(prompts, options.leaves[static_cast<size_t>(p)])) row[id / kBits] |= 1u << (id % kBits);
  }
  return at::cat({bits.narrow(0, 0, count).repeat_interleave(options.num_generations, 0), bits.narrow(0, count, 1)});
}

at::Tensor bases(const GenerateOptions& options) {
  std::vector<int32_t> base;
  for (const int64_t next : options.next_positions) base.insert(base.end(), static_cast<size_t>(options.num_generations), static_cast<int32_t>(next - 1));
  base.push_back(0);
  return at::tensor(base, at::kInt);
}

at::Tensor seed_bits(const std::vector<uint64_t>& seeds) {
  std::vector<int64_t> bits(seeds.begin(), seeds.end());
  bits.push_back(0);
  return at::tensor(bits, at::kLong);
}

void set_ids(int32_t (&places)[VSGRPO_SAMPLE_IDS], int32_t& count, const std::vector<int32_t>& ids) {
  std::copy(ids.begin(), ids.end(), places);
  count = static_cast<int32_t>(ids.size());
}

}  // namespace

GpuRows GpuRows::empty(int64_t rows, int64_t vocab, bool seen, at::Device device) {
  const auto array = [&](at::IntArrayRef shape, at::ScalarType type) { return at::zeros(shape, at::TensorOptions(type).device(device)); };
  return {array({2 * rows}, at::kInt), array({rows}, at::kLong), array({rows}, at::kInt), array({rows}, at::kByte), array({rows}, at::kInt),
          seen ? array({rows, words(vocab)}, at::kInt) : at::Tensor()};
}

GpuRows GpuRows::first(int64_t rows) const {
  const auto part = [&](const at::Tensor& t) { return t.defined() ? t.narrow(0, 0, rows) : t; };
  return {drawn.narrow(0, 0, 2 * rows), part(seeds), part(steps), part(stopped), part(base), part(seen)};
}

void GpuRows::take(const GpuRows& self, const GpuRows& others, const at::Tensor& index) {
  const auto gather = [&](at::Tensor target, const at::Tensor& own, const at::Tensor& other) {
    if (target.defined()) target.copy_(at::cat({own, other}).index_select(0, index));
  };
  gather(tokens(), self.tokens(), others.tokens());
  gather(seeds, self.seeds, others.seeds);
  gather(steps, self.steps, others.steps);
  gather(stopped, self.stopped, others.stopped);
  gather(base, self.base, others.base);
  gather(seen, self.seen, others.seen);
}

void sample_rows(const GpuRows& rows, const at::Tensor& logits, int64_t rows_per_logits, const SampleRules& rules) {
  vsgrpo_sample_args args{};
  args.logits_type = kernel_type(logits);
  args.rows = rows.count(), args.vocab = logits.size(1), args.rows_per_logits = rows_per_logits;
  args.temperature = rules.sampling.temperature, args.repetition_penalty = rules.sampling.repetition_penalty;
  args.top_k = rules.sampling.top_k, args.top_p = rules.sampling.top_p, args.min_p = rules.sampling.min_p;
  set_ids(args.forbidden, args.forbidden_count, rules.forbidden);
  set_ids(args.eos, args.eos_count, rules.eos);
  args.logits = logits.const_data_ptr();
  args.seeds = reinterpret_cast<const uint64_t*>(rows.seeds.const_data_ptr<int64_t>());
  args.steps = rows.steps.mutable_data_ptr<int32_t>();
  args.seen = rows.seen.defined() ? reinterpret_cast<uint32_t*>(rows.seen.mutable_data_ptr<int32_t>()) : nullptr;
  args.stopped = rows.stopped.mutable_data_ptr<uint8_t>();
  args.tokens = rows.tokens().mutable_data_ptr<int32_t>();
  args.logps = rows.logps().mutable_data_ptr<float>();
  gpu().launch(args);
}

GpuRows first_rows(const Batch& prompts, const GenerateOptions& options, int64_t vocab, at::Device device) {
  const bool penalty = options.sampling.repetition_penalty != 1.0f;
  GpuRows rows = GpuRows::empty(static_cast<int64_t>(options.seeds.size()) + 1, vocab, /*seen=*/false, device);
  rows.seeds = upload(seed_bits(options.seeds), device);
  rows.base = upload(bases(options), device);
  if (penalty) rows.seen = upload(seen_prompts(prompts, options, vocab), device);
  rows.stopped.narrow(0, rows.count() - 1, 1).fill_(1);
  return rows;
}

}  // namespace vsgrpo
