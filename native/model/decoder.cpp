#include "model/decoder.h"

#include <algorithm>

#include "core/buckets.h"
#include "ops/activation.h"
#include "ops/attention.h"
#include "ops/gradient_checkpointing.h"
#include "ops/norm.h"
#include "ops/select_rows.h"

namespace vsgrpo {
namespace {

// Least number of the last layer's rows: a pass over prompts wants one row of each.
constexpr int64_t kFewRows = 16;

}  // namespace

DecoderLayer::DecoderLayer(const ModelConfig& c, const at::TensorOptions& kind) : config_(c) {
  const int64_t qkv_width = (c.heads + 2 * c.kv_heads) * c.head_dim;
  input_norm_ = empty_parameter({c.hidden}, kind);
  post_norm_ = empty_parameter({c.hidden}, kind);
  qkv_ = empty_linear(qkv_width, c.hidden, true, kind);
  o_ = empty_linear(c.hidden, c.heads * c.head_dim, false, kind);
  gate_up_ = empty_linear(2 * c.intermediate, c.hidden, false, kind);
  down_ = empty_linear(c.hidden, c.intermediate, false, kind);
}

Qkv DecoderLayer::project(const at::Tensor& x, const RopeTable& rope, bool adapter) {
  return split_and_rotate(qkv_.forward(rms_norm(x, input_norm_, config_.rms_eps), adapter), rope, config_.heads, config_.kv_heads);
}

at::Tensor DecoderLayer::finish(const at::Tensor& x, const at::Tensor& attention, bool adapter) {
  const at::Tensor h = x + o_.forward(attention, adapter);
  return h + down_.forward(swiglu(gate_up_.forward(rms_norm(h, post_norm_, config_.rms_eps), adapter)), adapter);
}

at::Tensor DecoderLayer::forward(const at::Tensor& x, const RopeTable& rope, const std::shared_ptr<const AttentionPlan>& plan,
                                 const PassOptions& pass, size_t index, const at::Tensor& rows) {
  Qkv qkv = project(x, rope, pass.adapter);
  if (pass.cache) {
    pass.cache->k.push_back(qkv.k);
    pass.cache->v.push_back(qkv.v);
  }
  if (pass.prefix) {
    qkv.k = at::cat({pass.prefix->k[index].narrow(0, 0, pass.prefix_rows), qkv.k});
    qkv.v = at::cat({pass.prefix->v[index].narrow(0, 0, pass.prefix_rows), qkv.v});
  }
  const at::Tensor attention = forest_attention(qkv.q, qkv.k, qkv.v, plan);
  if (!rows.defined()) return finish(x, attention, pass.adapter);
  return finish(select_rows(x, rows), select_rows(attention, rows), pass.adapter);
}

std::vector<DecoderLayer::Part> DecoderLayer::parts() {
  const int64_t q = config_.heads * config_.head_dim, kv = config_.kv_heads * config_.head_dim, i = config_.intermediate;
  return {{"self_attn.q_proj", &qkv_, 0, q},       {"self_attn.k_proj", &qkv_, q, kv},
          {"self_attn.v_proj", &qkv_, q + kv, kv}, {"self_attn.o_proj", &o_, 0, config_.hidden},
          {"mlp.gate_proj", &gate_up_, 0, i},      {"mlp.up_proj", &gate_up_, i, i},
          {"mlp.down_proj", &down_, 0, config_.hidden}};
}

void DecoderLayer::collect(const std::string& prefix, NamedWeights& weights) {
  weights.push_back({prefix + "input_layernorm.weight", &input_norm_, 0, {config_.hidden}});
  weights.push_back({prefix + "post_attention_layernorm.weight", &post_norm_, 0, {config_.hidden}});
  for (const Part& part : parts()) {
    const std::string name = prefix + part.name;
    weights.push_back({name + ".weight", &part.layer->weight, part.offset, {part.size, part.layer->weight.value.size(1)}});
    if (part.layer->bias) weights.push_back({name + ".bias", &*part.layer->bias, part.offset, {part.size}});
  }
}

void DecoderLayer::add_adapters(const std::string& prefix, const std::vector<std::string>& modules, double scale,
                                const std::function<Adapter(const std::string&, int64_t, int64_t, int64_t)>& make) {
  for (const Part& part : parts()) {
    const std::string name = part.name, module = name.substr(name.find('.') + 1);
    if (std::find(modules.begin(), modules.end(), module) == modules.end()) continue;
    part.layer->adapters.push_back(make(prefix + name, part.offset, part.size, part.layer->weight.value.size(1)));
    part.layer->adapter_scale = scale;
  }
}

void DecoderLayer::visit_adapters(std::vector<Adapter> LinearLayer::* which, const std::function<void(Adapter&)>& visit) {
  for (LinearLayer* layer : linears()) {
    for (Adapter& adapter : layer->*which) visit(adapter);
  }
}

void DecoderLayer::drop_reference_adapters() {
  for (LinearLayer* layer : linears()) layer->reference_adapters.clear();
}

void DecoderLayer::add_reference_adapters() {
  drop_reference_adapters();
  for (LinearLayer* layer : linears()) {
    for (const Adapter& own : layer->adapters) {
      layer->reference_adapters.push_back({own.name, own.offset, own.size, {at::empty_like(own.a.value), {}}, {at::empty_like(own.b.value), {}}});
    }
  }
}

Decoder::Decoder(const ModelConfig& c, const at::TensorOptions& kind) : config_(c) {
  embed_tokens = empty_parameter({c.vocab, c.hidden}, kind);
  if (!c.tied) lm_head = empty_parameter({c.vocab, c.hidden}, kind);
  norm = empty_parameter({c.hidden}, kind);
  for (int64_t i = 0; i < c.layers; ++i) layers.emplace_back(c, kind);
}

RopeTable Decoder::rope(const at::Tensor& positions) const {
  return mrope_table(upload(positions, device()), config_.head_dim, config_.rope_theta, config_.mrope_section, embed_tokens.value.scalar_type());
}

at::Tensor Decoder::forward(at::Tensor x, const RopeTable& rope, const Forest& forest, const PassOptions& pass) {
  // Padded with row 0: nothing reads what it gives.
  const int64_t count = pass.rows.defined() ? pass.rows.size(0) : x.size(0);
  at::Tensor rows;
  if (pass.rows.defined()) {
    rows = upload(at::constant_pad_nd(pass.rows, {0, padded_rows(count, embed_tokens.value, kFewRows) - count}), device());
  }
  const auto plan = plan_attention(forest, pass.prefix ? pass.prefix_rows : 0, /*causal=*/true, device());
  for (size_t i = 0; i < layers.size(); ++i) {
    const at::Tensor wanted = i + 1 == layers.size() ? rows : at::Tensor();
    const auto run = [&layer = layers[i], rope, plan, pass, i, wanted](const at::Tensor& h) {
      return layer.forward(h, rope, plan, pass, i, wanted);
    };
    x = pass.gradient_checkpointing ? recomputed(x, run) : run(x);
  }
  return x.narrow(0, 0, count);
}

at::Tensor Decoder::final_norm(const at::Tensor& x) { return rms_norm(x, norm, config_.rms_eps); }

void Decoder::collect(NamedWeights& weights) {
  weights.push_back({"model.embed_tokens.weight", &embed_tokens, 0, {config_.vocab, config_.hidden}});
  for (size_t i = 0; i < layers.size(); ++i) layers[i].collect("model.layers." + std::to_string(i) + ".", weights);
  weights.push_back({"model.norm.weight", &norm, 0, {config_.hidden}});
  if (!config_.tied) weights.push_back({"lm_head.weight", &lm_head, 0, {config_.vocab, config_.hidden}});
}

}  // namespace vsgrpo
