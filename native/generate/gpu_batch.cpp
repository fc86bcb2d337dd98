#include "generate/gpu_batch.h"

#include <algorithm>
#include <cstring>

#include "core/buckets.h"
#include "core/rounding.h"
#include "ops/matmul.h"
#include "ops/rope.h"

namespace vsgrpo {
namespace {

constexpr int64_t kPromptStep = 1024, kOwnStep = 64, kItemStep = 64, kPartStep = 4;  // in which buffers grow
constexpr size_t kMostRules = 4;  // a training run has two: its own, and those of its evaluations
constexpr int64_t kItemWords = sizeof(vsgrpo_decode_item) / sizeof(int32_t);

at::Tensor words_of(const std::vector<int32_t>& values) { return at::tensor(values, at::kInt); }

}  // namespace

GpuBatch::GpuBatch(Qwen2VL& model) : model_(model) {
  const ModelConfig& config = model.config();
  frequencies_ = upload(inverse_frequencies(config.head_dim, config.rope_theta), model.decoder().device());
}

void GpuBatch::begin(const Sizes& sizes, const SampleRules& rules) {
  const Sizes wanted{std::max(sizes.rows, sizes_.rows), std::max(bucket_rows(sizes.prompt_tokens, kPromptStep), sizes_.prompt_tokens),
                     std::max(rounded_up(sizes.own_tokens, kOwnStep), sizes_.own_tokens), sizes.seen};
  if (!(wanted == sizes_)) allocate(wanted);
  follow(rules);
  rows_ = 0;
}

void GpuBatch::follow(const SampleRules& rules) {
  const auto known = std::find_if(recorded_.begin(), recorded_.end(), [&](const Recordings& r) { return r.rules == rules; });
  if (known != recorded_.end()) return recorded_.splice(recorded_.begin(), recorded_, known);
  recorded_.push_front({rules, {}});
  if (recorded_.size() > kMostRules) recorded_.pop_back();
}

void GpuBatch::allocate(const Sizes& sizes) {
  recorded_.clear();
  // The old buffers go first: both at once may not fit.
  layers_.clear();
  state_ = {};
  sizes_ = {};
  const ModelConfig& config = model_.config();
  Decoder& decoder = model_.decoder();
  const at::TensorOptions kind = decoder.embed_tokens.value.options(), words = kind.dtype(at::kInt);
  const std::vector<int64_t> prompt{sizes.prompt_tokens, config.kv_heads, config.head_dim};
  const std::vector<int64_t> own{sizes.rows, sizes.own_tokens, config.kv_heads, config.head_dim};
  for (size_t i = 0; i < decoder.layers.size(); ++i) {
    layers_.push_back({at::empty(prompt, kind), at::empty(prompt, kind), at::empty(own, kind), at::empty(own, kind)});
  }
  state_ = GpuRows::empty(sizes.rows, config.vocab, sizes.seen, decoder.device());
  slots_ = at::zeros({sizes.rows}, words);
  prompt_parts_ = at::zeros({sizes.rows}, words);
  bases_ = at::zeros({3 * sizes.rows}, words);
  items_ = at::zeros({0, kItemWords}, words);
  sizes_ = sizes;
}

void GpuBatch::set_prompts(const PromptKeyValues& prompts) {
  for (size_t i = 0; i < layers_.size(); ++i) {
    const int64_t tokens = std::min(prompts.k[i].size(0), sizes_.prompt_tokens);  // behind them is padding
    layers_[i].prompt_k.narrow(0, 0, tokens).copy_(prompts.k[i].narrow(0, 0, tokens));
    layers_[i].prompt_v.narrow(0, 0, tokens).copy_(prompts.v[i].narrow(0, 0, tokens));
  }
}

void GpuBatch::load(const Schedule& schedule, const DecodePlan& plan, const GpuRows& waiting) {
  std::vector<int32_t> index;
  for (const DecodingRow& row : schedule.rows()) {
    index.push_back(static_cast<int32_t>(row.from >= 0 ? row.from : sizes_.rows + row.sequence));
  }
  index.resize(static_cast<size_t>(schedule.bucket()), static_cast<int32_t>(sizes_.rows + waiting.count() - 1));
  rows_ = schedule.bucket();
  current().take(state_.first(sizes_.rows), waiting, upload(words_of(index), state_.seeds.device()));
  bases().copy_(current().base.expand({3, rows_}));
  place_plan(schedule, plan);
}

void GpuBatch::place_plan(const Schedule& schedule, const DecodePlan& plan) {
  std::vector<int32_t> slots, parts = plan.prompt_parts;
  for (const DecodingRow& row : schedule.rows()) slots.push_back(row.slot);
  slots.resize(static_cast<size_t>(rows_));
  parts.resize(static_cast<size_t>(rows_));
  const auto device = state_.seeds.device();
  slots_.narrow(0, 0, rows_).copy_(upload(words_of(slots), device), /*non_blocking=*/true);
  prompt_parts_.narrow(0, 0, rows_).copy_(upload(words_of(parts), device), /*non_blocking=*/true);
  const int64_t places = std::max(items_.size(0), rounded_up(static_cast<int64_t>(plan.items.size()), kItemStep));
  const int64_t most_parts = std::max(most_parts_, rounded_up(plan.most_parts, kPartStep));
  if (places != items_.size(0) || most_parts != most_parts_) {
    for (Recordings& recordings : recorded_) recordings.by_rows.clear();
    items_ = at::empty({places, kItemWords}, slots_.options());
    most_parts_ = most_parts;
  }
  at::Tensor items = at::zeros({places, kItemWords}, at::kInt);  // places that are left have no rows
  std::memcpy(items.mutable_data_ptr(), plan.items.data(), plan.items.size() * sizeof(vsgrpo_decode_item));
  items_.copy_(upload(items, device), /*non_blocking=*/true);
}

void GpuBatch::step() {
  Recordings& present = recorded_.front();
  Recorded& recorded = present.by_rows[rows_];
  if (!recorded.ran) {
    recorded.ran = true;
    return compute(present.rules);
  }
  if (!recorded.graph) recorded.graph = gpu().capture([this, rules = present.rules] { compute(rules); });
  recorded.graph->replay();
}

void GpuBatch::compute(const SampleRules& rules) {
  Decoder& decoder = model_.decoder();
  const ModelConfig& config = model_.config();
  const GpuRows rows = current();
  const bool rounds = model_.options().dtype != at::kFloat;
  const auto [cos, sin] = gpu().mrope_table(bases(), rows.steps, frequencies_, config.mrope_section, rounds);
  const RopeTable rope{cos, sin, rounds};
  Residual x{decoder.embed(rows.tokens(), {}), {}};
  for (size_t i = 0; i < layers_.size(); ++i) {
    decoder.layers[i].decode(x, [&](const at::Tensor& qkv) { return attend(qkv, rope, layers_[i]); });
  }
  sample_rows(rows, matmul_nt(decoder.final_norm(x), decoder.head().value), 1, rules);
}

int64_t GpuBatch::bytes() const {
  int64_t bytes = 0;
  const auto add = [&](const at::Tensor& held) { bytes += held.defined() ? static_cast<int64_t>(held.nbytes()) : 0; };
  for (const Layer& layer : layers_) add(layer.prompt_k), add(layer.prompt_v), add(layer.own_k), add(layer.own_v);
  for (const at::Tensor& held : {state_.drawn, state_.seeds, state_.steps, state_.stopped, state_.base, state_.seen}) add(held);
  for (const at::Tensor& held : {slots_, prompt_parts_, items_, bases_}) add(held);
  return bytes;
}

int64_t GpuBatch::recordings() const {
  int64_t count = 0;
  for (const Recordings& recordings : recorded_) {
    for (const auto& [rows, recorded] : recordings.by_rows) count += recorded.graph != nullptr;
  }
  return count;
}

at::Tensor GpuBatch::rotate(const at::Tensor& qkv, const RopeTable& rope, const Layer& layer) {
  const ModelConfig& config = model_.config();
  at::Tensor q = at::empty({rows_, config.heads, config.head_dim}, qkv.options());
  vsgrpo_mrope_args args{};
  args.type = kernel_type(qkv), args.round_products = rope.round_products;
  args.rows = rows_, args.heads = config.heads, args.kv_heads = config.kv_heads, args.head_dim = config.head_dim;
  args.qkv = qkv.const_data_ptr(), args.cos = rope.cos.const_data_ptr<float>(), args.sin = rope.sin.const_data_ptr<float>();
  args.q = q.mutable_data_ptr(), args.k = layer.own_k.mutable_data_ptr(), args.v = layer.own_v.mutable_data_ptr();
  args.lengths = state_.steps.const_data_ptr<int32_t>(), args.slots = slots_.const_data_ptr<int32_t>();
  args.capacity = sizes_.own_tokens, args.slot_count = sizes_.rows;
  gpu().launch(args);
  return q;
}

at::Tensor GpuBatch::attend(const at::Tensor& qkv, const RopeTable& rope, const Layer& layer) {
  const at::Tensor q = rotate(qkv, rope, layer);
  at::Tensor out = at::empty({rows_, q.size(1) * q.size(2)}, q.options());
  vsgrpo_decode_attention_args args{};
  args.type = kernel_type(q);
  args.rows = rows_, args.heads = q.size(1), args.kv_heads = layer.own_k.size(2), args.head_dim = q.size(2);
  args.items = items_.size(0), args.max_prompt_parts = most_parts_, args.capacity = sizes_.own_tokens;
  args.q = q.const_data_ptr(), args.prompt_k = layer.prompt_k.const_data_ptr(), args.prompt_v = layer.prompt_v.const_data_ptr();
  args.own_k = layer.own_k.const_data_ptr(), args.own_v = layer.own_v.const_data_ptr();
  args.prompt_items = static_cast<const vsgrpo_decode_item*>(items_.const_data_ptr());
  args.prompt_parts = prompt_parts_.const_data_ptr<int32_t>();
  args.lengths = state_.steps.const_data_ptr<int32_t>(), args.slots = slots_.const_data_ptr<int32_t>();
  args.out = out.mutable_data_ptr();
  const at::Tensor workspace = at::empty({gpu().decode_attention_workspace(args)}, q.options().dtype(at::kFloat));
  args.workspace = workspace.mutable_data_ptr<float>();
  gpu().launch(args);
  return out;
}

}  // namespace vsgrpo
