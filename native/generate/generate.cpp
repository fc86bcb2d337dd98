#include "generate/generate.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/buckets.h"
#include "core/check.h"
#include "core/gpu.h"
#include "core/parallel.h"
#include "generate/gpu_generate.h"
#include "generate/prompts.h"
#include "ops/attention.h"
#include "ops/bf16_dot.h"
#include "ops/bf16_gemm.h"
#include "ops/float_dot.h"
#include "ops/matmul.h"
#include "ops/rows.h"

namespace vsgrpo {
namespace {

class Generation {
 public:
  Generation(Qwen2VL& model, const Batch& prompts, const GenerateOptions& options)
      : model_(model), prompts_(prompts), options_(options), forbidden_(forbidden_ids(model.config())), completions_(options.seeds.size()) {
    for (const int64_t leaf : options.leaves) prompt_ids_.push_back(prompt_ids(prompts, leaf));
  }

  std::vector<Completion> run(const std::atomic<int>* abort) {
    const auto check_abort = [&] { VS_CHECK(!abort || abort->load() == 0, "ABORTED", "[generate] stopped on request"); };
    check_abort();
    const EncodedPrompts encoded = encode_prompts(model_, prompts_, options_);
    std::vector<KvCache> layers;
    for (size_t i = 0; i < encoded.cache.k.size(); ++i) layers.emplace_back(encoded.cache.k[i], encoded.cache.v[i], rows(), options_.max_new_tokens);
    std::vector<int64_t> active(static_cast<size_t>(rows()));
    for (size_t i = 0; i < active.size(); ++i) active[i] = static_cast<int64_t>(i);
    sample(logits(encoded.hidden), active, /*one logits row per*/ options_.num_generations);
    for (int64_t step = 0; step + 1 < options_.max_new_tokens; ++step) {
      active.erase(std::remove_if(active.begin(), active.end(), [&](int64_t r) { return completion(r).stopped; }), active.end());
      if (active.empty()) break;
      check_abort();
      sample(logits(decode(active, step, layers)), active, 1);
    }
    return std::move(completions_);
  }

 private:
  int64_t rows() const { return static_cast<int64_t>(completions_.size()); }
  // Rows that a decoding step computes: a few are multiplied as they are, others in buckets.
  int64_t padded_rows(int64_t count) const {
    const bool short_type = model_.options().dtype == at::kBFloat16 && bf16::available();
    return count <= (short_type ? bf16::kDotRows : kFloatDotRows) ? count : bucket_rows(count, 8);
  }
  Completion& completion(int64_t row) { return completions_[static_cast<size_t>(row)]; }
  int64_t prompt_of(int64_t row) const { return row / options_.num_generations; }

  // [R, V] of R rows and padding; valid until the next call.
  at::Tensor logits(const at::Tensor& unpadded) {
    const int64_t rows = unpadded.size(0), padded = padded_rows(rows);
    const at::Tensor hidden = at::constant_pad_nd(unpadded, {0, 0, 0, padded - rows}), &head = model_.decoder().head().value;
    if (!logits_.defined() || logits_.size(0) < padded) logits_ = at::empty({padded, head.size(0)}, head.options());
    at::Tensor out = logits_.narrow(0, 0, padded);
    matmul_nt_into(out, model_.decoder().final_norm(hidden), head);
    return out;
  }

  // The last token of every active row through the decoder: [A, H], and padding.
  at::Tensor decode(const std::vector<int64_t>& active, int64_t step, std::vector<KvCache>& layers) {
    Decoder& decoder = model_.decoder();
    std::vector<int64_t> ids, positions;
    std::vector<DecodeRow> decoding;
    for (const int64_t row : active) {
      decoding.push_back({row, options_.leaves[static_cast<size_t>(prompt_of(row))]});
      ids.push_back(completion(row).ids.back());
      positions.push_back(options_.next_positions[static_cast<size_t>(prompt_of(row))] + step);
    }
    const auto padded = static_cast<size_t>(padded_rows(static_cast<int64_t>(active.size())));
    ids.resize(padded);
    positions.resize(padded);
    const RopeTable rope = decoder.rope(at::tensor(positions).unsqueeze(0).expand({3, -1}));
    at::Tensor x = decoder.embed(at::tensor(ids), {});
    for (size_t layer = 0; layer < decoder.layers.size(); ++layer) {
      const Qkv qkv = decoder.layers[layer].project(x, rope, /*adapter=*/true);
      layers[layer].append(active, step, qkv.k, qkv.v);
      x = decoder.layers[layer].finish(x, decode_attention(qkv.q, prompts_.forest, layers[layer], decoding, step + 1), /*adapter=*/true);
    }
    return x;
  }

  // Row i of the active ones reads logits row i / rows_per_logits.
  void sample(const at::Tensor& logits, const std::vector<int64_t>& active, int64_t rows_per_logits) {
    const int64_t vocab = logits.size(1);
    dispatch_float(logits, [&]<typename T>() {
      const T* data = logits.const_data_ptr<T>();
      parallel_for(0, static_cast<int64_t>(active.size()), 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) sample_row(data + i / rows_per_logits * vocab, vocab, active[static_cast<size_t>(i)]);
      });
    });
  }

  template <typename T>
  void sample_row(const T* logits, int64_t vocab, int64_t row) {
    thread_local std::vector<float> scratch;
    scratch.resize(static_cast<size_t>(vocab));
    Completion& c = completion(row);
    const double u = uniform(options_.seeds[static_cast<size_t>(row)], c.ids.size());
    const Drawn drawn = options_.sampling.is_plain() ? draw_plain(logits, vocab, u, scratch) : draw_chosen(logits, vocab, row, u, scratch);
    c.ids.push_back(static_cast<int32_t>(drawn.token));
    c.logps.push_back(drawn.logp);
    c.stopped = std::find(options_.eos_ids.begin(), options_.eos_ids.end(), drawn.token) != options_.eos_ids.end();
  }

  // From the whole distribution. The placeholders, which are never drawn, count in the log-probability as in the trainer's.
  template <typename T>
  Drawn draw_plain(const T* logits, int64_t vocab, double u, std::vector<float>& scratch) const {
    const float inverse_t = 1.0f / options_.sampling.temperature;
    for (int64_t j = 0; j < vocab; ++j) scratch[static_cast<size_t>(j)] = static_cast<float>(logits[j]) * inverse_t;
    std::array<float, 2> left_out = {-INFINITY, -INFINITY};
    for (size_t i = 0; i < forbidden_.size(); ++i) std::swap(left_out[i], scratch[static_cast<size_t>(forbidden_[i])]);
    Drawn drawn = draw_token(scratch, u);
    drawn.logp -= std::log1p(std::exp(left_out[0] - drawn.lse) + std::exp(left_out[1] - drawn.lse));
    return drawn;
  }

  // By the rules of sample_token. Greedy answers stay transformers', placeholders and all.
  template <typename T>
  Drawn draw_chosen(const T* logits, int64_t vocab, int64_t row, double u, std::vector<float>& scratch) const {
    const SamplingOptions& sampling = options_.sampling;
    std::vector<int32_t> seen;
    if (sampling.repetition_penalty != 1.0f) {
      const std::vector<int32_t>& ids = completions_[static_cast<size_t>(row)].ids;
      seen = prompt_ids_[static_cast<size_t>(prompt_of(row))];
      seen.insert(seen.end(), ids.begin(), ids.end());
    }
    for (int64_t j = 0; j < vocab; ++j) scratch[static_cast<size_t>(j)] = static_cast<float>(logits[j]);
    if (sampling.temperature > 0) {
      for (const int32_t id : forbidden_) scratch[static_cast<size_t>(id)] = -INFINITY;
    }
    return sample_token(scratch, sampling, seen, u);
  }

  Qwen2VL& model_;
  const Batch& prompts_;
  const GenerateOptions& options_;
  std::vector<int32_t> forbidden_;  // two at most
  std::vector<std::vector<int32_t>> prompt_ids_;
  std::vector<Completion> completions_;
  at::Tensor logits_;
};

void validate(const Batch& prompts, const GenerateOptions& o) {
  const auto count = static_cast<int64_t>(o.leaves.size());
  VS_CHECK(o.num_generations > 0 && o.max_new_tokens > 0, "BAD_ARGUMENT", "[generate] numGenerations and maxNewTokens must be positive");
  VS_CHECK(static_cast<int64_t>(o.next_positions.size()) == count, "BAD_SHAPE", "[generate] expected ", count, " nextPositions, got ",
           o.next_positions.size());
  VS_CHECK(static_cast<int64_t>(o.seeds.size()) == count * o.num_generations, "BAD_SHAPE", "[generate] expected ",
           count * o.num_generations, " seeds, got ", o.seeds.size());
  for (const int64_t leaf : o.leaves) {
    VS_CHECK(leaf >= 0 && leaf < prompts.forest.segments() && prompts.forest.length(leaf) > 0, "BAD_SHAPE",
             "[generate] leaf ", leaf, " is not a segment with tokens");
  }
}

}  // namespace

std::vector<Completion> generate(Qwen2VL& model, const Batch& prompts, const GenerateOptions& options, const std::atomic<int>* abort) {
  at::NoGradGuard no_grad;
  prompts.forest.validate(prompts.ids.size(0));
  validate(prompts, options);
  VS_CHECK(!options.keep_prompts || model.options().trainable, "NO_GRADIENT", "[generate] keepPrompts needs a model loaded with trainable: true");
  model.forget_prompts();
  if (on_gpu(model.decoder().head().value)) return generate_on_gpu(model, prompts, options, abort);
  return Generation(model, prompts, options).run(abort);
}

}  // namespace vsgrpo
