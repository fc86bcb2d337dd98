// The language model without its head: embeddings in, hidden states out, over packed rows.
#pragma once
#include "core/gpu.h"
#include "model/config.h"
#include "model/layers.h"
#include "ops/attention_plan.h"
#include "ops/rope.h"

namespace vsgrpo {

// Keys and values of every layer, [N, KV, D] each: what a prompt leaves behind for its completions.
struct PromptKeyValues {
  std::vector<at::Tensor> k, v;
};

// How a pass over packed rows is run.
struct PassOptions {
  bool adapter = true;
  bool grad = false;
  bool gradient_checkpointing = false;     // layers keep only their inputs for the backward pass
  at::Tensor rows = {};                    // int64, on the CPU: only these come out; defined = the last layer computes no others after its attention
  PromptKeyValues* cache = nullptr;        // filled
  const PromptKeyValues* prefix = nullptr;  // the first `prefix_rows` rows of the forest were run before: x holds the others
  int64_t prefix_rows = 0;
};

// The residual stream of a decoding step: sum + delta. The next norm adds them, and keeps the sum.
struct Residual {
  at::Tensor sum, delta;  // [R, H]; delta may be undefined
};

class DecoderLayer {
 public:
  DecoderLayer(const ModelConfig& config, const at::TensorOptions& kind);

  // The two halves of a layer, around the attention: shared by training and decoding.
  Qkv project(const at::Tensor& x, const RopeTable& rope, bool adapter);
  at::Tensor finish(const at::Tensor& x, const at::Tensor& attention, bool adapter);
  // A whole layer, number `index`; with `rows`, only these come out.
  at::Tensor forward(const at::Tensor& x, const RopeTable& rope, const std::shared_ptr<const AttentionPlan>& plan, const PassOptions& pass,
                     size_t index, const at::Tensor& rows);

  // A whole layer for the newest token of every row, on a GPU and without gradients. `attend` makes [R, heads * D] of the
  // projection [R, (heads + 2 kv_heads) * D].
  void decode(Residual& x, const std::function<at::Tensor(const at::Tensor&)>& attend);

  void collect(const std::string& prefix, NamedWeights& weights);
  // The linear layers with Hugging Face's names of the parts of their fused output.
  void add_adapters(const std::string& prefix, const std::vector<std::string>& modules, double scale,
                    const std::function<Adapter(const std::string&, int64_t offset, int64_t size, int64_t in)>& make);
  void visit_adapters(const std::function<void(Adapter&)>& visit) { visit_adapters(&LinearLayer::adapters, visit); }
  void visit_reference_adapters(const std::function<void(Adapter&)>& visit) { visit_adapters(&LinearLayer::reference_adapters, visit); }
  // Makes them of the adapters' shapes, uninitialised.
  void add_reference_adapters();
  void drop_reference_adapters();

 private:
  struct Part {
    const char* name;
    LinearLayer* layer;
    int64_t offset, size;
  };
  std::vector<Part> parts();
  std::array<LinearLayer*, 4> linears() { return {&qkv_, &o_, &gate_up_, &down_}; }
  void visit_adapters(std::vector<Adapter> LinearLayer::* which, const std::function<void(Adapter&)>& visit);

  ModelConfig config_;
  Parameter input_norm_, post_norm_;
  LinearLayer qkv_, o_, gate_up_, down_;
};

class Decoder {
 public:
  Decoder(const ModelConfig& config, const at::TensorOptions& kind);

  // ids int64 or int32 [N], on the CPU or the model's device.
  at::Tensor embed(const at::Tensor& ids, const at::Tensor& anchor) { return embedding(upload(ids, device()), embed_tokens, anchor); }
  // positions int32 [3, N], on the CPU or the model's device.
  RopeTable rope(const at::Tensor& positions) const;
  at::Device device() const { return embed_tokens.value.device(); }
  // x [N, H] -> hidden states before the final norm: [N, H], or those of `pass.rows`.
  at::Tensor forward(at::Tensor x, const RopeTable& rope, const Forest& forest, const PassOptions& pass);
  at::Tensor final_norm(const at::Tensor& x);
  at::Tensor final_norm(Residual& x);
  Parameter& head() { return config_.tied ? embed_tokens : lm_head; }

  void collect(NamedWeights& weights);

  Parameter embed_tokens, lm_head, norm;
  std::vector<DecoderLayer> layers;

 private:
  ModelConfig config_;
};

}  // namespace vsgrpo
