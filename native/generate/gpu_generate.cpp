#include "generate/gpu_generate.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/gpu.h"
#include "core/memory_error.h"
#include "generate/gpu_batch.h"
#include "generate/prompts.h"
#include "ops/matmul.h"

namespace vsgrpo {
namespace {

// Drawn tokens on their way to the host.
struct Pending {
  std::vector<int64_t> sequences;  // of each row
  std::unique_ptr<GpuCopy> drawn;  // int32 [steps, 2, rows], each step as in GpuRows::drawn
};

class GpuGeneration {
 public:
  GpuGeneration(Qwen2VL& model, const Batch& prompts, const GenerateOptions& options, GpuBatch& batch)
      : model_(model),
        prompts_(prompts),
        options_(options),
        batch_(batch),
        rules_{options.sampling, forbidden_ids(model.config()), options.eos_ids},
        schedule_(static_cast<int64_t>(options.seeds.size()), options.max_new_tokens - 1, options.most_rows),
        completions_(options.seeds.size()) {}

  std::vector<Completion> run(const std::atomic<int>* abort) {
    const auto check_abort = [&] { VS_CHECK(!abort || abort->load() == 0, "ABORTED", "[generate] stopped on request"); };
    check_abort();
    Pending pending = start();
    for (bool more = true; more;) {
      check_abort();
      if (schedule_.refit()) load();
      const int64_t steps = schedule_.steps(options_.poll_every);
      more = steps > 0;
      // The device has its next steps before the host takes in what the last ones gave.
      Pending next = more ? launch(steps) : Pending{};
      take(pending);
      pending = std::move(next);
    }
    return std::move(completions_);
  }

 private:
  int64_t count() const { return static_cast<int64_t>(completions_.size()); }

  // Every prompt encoded, and the first token of every sequence.
  Pending start() {
    const EncodedPrompts encoded = encode_prompts(model_, prompts_, options_);
    Decoder& decoder = model_.decoder();
    waiting_ = first_rows(prompts_, options_, model_.config().vocab, decoder.device());
    // The row for padding has stopped, and reads no logits.
    sample_rows(waiting_, matmul_nt(decoder.final_norm(encoded.hidden), decoder.head().value), options_.num_generations, rules_);
    if (options_.max_new_tokens > 1) {
      const int64_t most = decoding_bucket(std::min(count(), options_.most_rows));
      batch_.begin({most, prompts_.forest.rows(), options_.max_new_tokens, waiting_.seen.defined()}, rules_);
      batch_.set_prompts(encoded.cache);
    }
    Pending first{{}, gpu().copy_to_host(waiting_.drawn.view({1, 2, waiting_.count()}))};
    for (int64_t i = 0; i < count(); ++i) first.sequences.push_back(i);
    return first;
  }

  void load() {
    std::vector<int64_t> leaves;
    for (const DecodingRow& row : schedule_.rows()) leaves.push_back(options_.leaves[static_cast<size_t>(row.sequence / options_.num_generations)]);
    const ModelConfig& config = model_.config();
    batch_.load(schedule_, plan_decode(prompts_.forest, leaves, config.heads / config.kv_heads), waiting_);
  }

  Pending launch(int64_t steps) {
    const at::Tensor drawn = at::empty({steps, 2 * batch_.rows()}, waiting_.drawn.options());
    for (int64_t i = 0; i < steps; ++i) {
      batch_.step();
      drawn[i].copy_(batch_.drawn());
    }
    schedule_.ran(steps);
    Pending pending{{}, gpu().copy_to_host(drawn.view({steps, 2, batch_.rows()}))};
    for (const DecodingRow& row : schedule_.rows()) pending.sequences.push_back(row.sequence);
    return pending;
  }

  void take(const Pending& pending) {
    const at::Tensor& drawn = pending.drawn->wait();
    const int64_t rows = drawn.size(2);
    const auto* tokens = drawn.const_data_ptr<int32_t>();
    for (int64_t step = 0; step < drawn.size(0); ++step, tokens += 2 * rows) {
      for (size_t i = 0; i < pending.sequences.size(); ++i) {
        add(pending.sequences[i], tokens[i], std::bit_cast<float>(tokens[rows + static_cast<int64_t>(i)]));
      }
    }
  }

  // A row goes on past the end of its sequence until the host has seen it; that counts for nothing.
  void add(int64_t sequence, int32_t token, float logp) {
    Completion& c = completions_[static_cast<size_t>(sequence)];
    if (c.stopped || static_cast<int64_t>(c.ids.size()) == options_.max_new_tokens) return;
    VS_CHECK(!std::isnan(logp), "NUMERICS", "[sample_token] completion ", sequence, ": no logit is finite: the weights have diverged");
    c.ids.push_back(token);
    c.logps.push_back(logp);
    c.stopped = std::find(options_.eos_ids.begin(), options_.eos_ids.end(), token) != options_.eos_ids.end();
    if (c.stopped) schedule_.stop(sequence);
  }

  Qwen2VL& model_;
  const Batch& prompts_;
  const GenerateOptions& options_;
  GpuBatch& batch_;
  SampleRules rules_;
  Schedule schedule_;
  GpuRows waiting_;  // every sequence after its first token
  std::vector<Completion> completions_;
};

void validate(const GenerateOptions& o) {
  VS_CHECK(o.most_rows > 0 && o.poll_every > 0, "BAD_ARGUMENT", "[generate] mostRows and pollEvery must be positive");
  VS_CHECK(o.eos_ids.size() <= VSGRPO_SAMPLE_IDS, "BAD_ARGUMENT", "[generate] a GPU takes ", VSGRPO_SAMPLE_IDS, " end tokens at most, got ",
           o.eos_ids.size());
}

}  // namespace

std::vector<Completion> generate_on_gpu(Qwen2VL& model, const Batch& prompts, const GenerateOptions& options, const std::atomic<int>* abort) {
  validate(options);
  std::shared_ptr<GpuBatch>& batch = model.gpu_batch();
  try {
    if (!batch) batch = std::make_shared<GpuBatch>(model);
    return GpuGeneration(model, prompts, options, *batch).run(abort);
  } catch (const c10::Error& e) {
    if (!is_out_of_memory(e)) throw;
    batch.reset();
    gpu().release_cached();
    fail("OUT_OF_MEMORY", "[generate] the GPU's memory does not hold ", options.seeds.size(), " completions of up to ", options.max_new_tokens,
         " tokens behind ", prompts.forest.rows(), " prompt tokens: lower maxCompletionLength, numGenerations or the number of prompts in one call (",
         e.what_without_backtrace(), ")");
  }
}

}  // namespace vsgrpo
