#include "model/qwen2_vl.h"

#include "core/buckets.h"
#include "core/check.h"
#include "model/weights.h"
#include "ops/pixel_values.h"
#include "ops/select_rows.h"

namespace vsgrpo {
namespace {

std::string layer_prefix(size_t i) { return "model.layers." + std::to_string(i) + "."; }

// PEFT wraps the in-memory module path of transformers >= 4.52.
std::string peft_name(const std::string& module, const char* which) {
  return "base_model.model.model.language_model." + module.substr(std::string("model.").size()) + ".lora_" + which + ".weight";
}

void collect(Adapter& adapter, NamedWeights& weights) {
  weights.push_back({peft_name(adapter.name, "A"), &adapter.a, 0, adapter.a.value.sizes().vec()});
  weights.push_back({peft_name(adapter.name, "B"), &adapter.b, 0, adapter.b.value.sizes().vec()});
}

at::TensorOptions kind_of(const ModelOptions& options) { return at::TensorOptions(options.dtype).device(options.device); }

int64_t total_patches(const std::vector<Grid>& grids) {
  int64_t rows = 0;
  for (const Grid& grid : grids) rows += patches_of(grid);
  return rows;
}

// Of the media with these grids.
at::Tensor normalised_patches(const Batch& batch, const std::vector<Grid>& grids, const at::TensorOptions& kind) {
  const at::Tensor patches = batch.patches.view({total_patches(grids), -1});
  if (!batch.byte_values.defined()) return patches;
  std::vector<int64_t> rows;
  for (const Grid& grid : grids) rows.push_back(patches_of(grid));
  return pixel_values(patches, batch.byte_values, rows, kind);
}

}  // namespace

Qwen2VL::Qwen2VL(const ModelConfig& config, const ModelOptions& options)
    : config_(config), options_(options), vision_(config.vision, config.hidden, kind_of(options)), decoder_(config, kind_of(options)) {}

std::shared_ptr<Qwen2VL> Qwen2VL::load(const std::string& dir, const ModelOptions& options) {
  at::NoGradGuard no_grad;
  const ModelConfig config = ModelConfig::read(dir + "/config.json");
  std::shared_ptr<Qwen2VL> model(new Qwen2VL(config, options));
  load_weights(dir, "model.safetensors", model->weights(), config.tied);
  if (options.lora) {
    model->add_lora(*options.lora);
    if (!options.adapter_dir.empty()) load_weights(options.adapter_dir, "adapter_model.safetensors", model->adapter_weights(), false);
  }
  if (options.trainable) model->make_trainable();
  return model;
}

void Qwen2VL::validate(const Batch& b) const {
  const int64_t n = b.ids.size(0);
  b.forest.validate(n);
  VS_CHECK(b.positions.numel() == 3 * n, "BAD_SHAPE", "[batch] positions: expected 3 x ", n, " values, got ", b.positions.numel());
  VS_CHECK(b.slots.empty() || b.slots.size() == b.grids.size(), "BAD_SHAPE", "[batch] slots: expected one for each of ", b.grids.size(), " media items, got ",
           b.slots.size());
  VS_CHECK(b.slots.empty() || !learns_vision(), "BAD_ARGUMENT", "[batch] slots: features are kept only where the vision tower is frozen");
  if (n > 0) {
    const int64_t low = b.ids.min().item<int64_t>(), high = b.ids.max().item<int64_t>();
    VS_CHECK(low >= 0 && high < config_.vocab, "BAD_SHAPE", "[batch] token ids must lie in [0, ", config_.vocab, "), got ",
             low < 0 ? low : high);
  }
  for (const auto& [t, h, w] : b.grids) {
    VS_CHECK(t > 0 && h > 0 && w > 0 && h % config_.vision.merge_size == 0 && w % config_.vision.merge_size == 0, "BAD_SHAPE",
             "[batch] a media grid must be positive with even height and width, got (", t, ", ", h, ", ", w, ")");
  }
  const std::vector<Grid> grids = features_.missing(b);
  const int64_t rows = total_patches(grids), values = config_.vision.patch_values();
  VS_CHECK(b.patches.numel() == rows * values, "BAD_SHAPE", "[batch] patches: expected ", rows, " x ", values, " values, got ", b.patches.numel());
  VS_CHECK(!b.byte_values.defined() || b.byte_values.numel() == static_cast<int64_t>(grids.size()) * 768, "BAD_SHAPE",
           "[batch] byteValues: expected 3 x 256 for each of ", grids.size(), " media items, got ", b.byte_values.numel());
}

// Of all media, in the order of their placeholders.
at::Tensor Qwen2VL::media_features(const Batch& batch, const PassOptions& pass, const at::Tensor& anchor) {
  const bool train = pass.grad && learns_vision();
  at::AutoGradMode mode(train);
  const std::vector<Grid> grids = features_.missing(batch);
  at::Tensor computed;
  if (!grids.empty()) {
    const at::Tensor patches = normalised_patches(batch, grids, kind_of(options_));
    computed = vision_.forward(patches, grids, train ? anchor : at::Tensor(), train && pass.gradient_checkpointing);
  }
  return features_.complete(batch, computed, config_.vision.merge_unit());
}

at::Tensor Qwen2VL::hidden(const Batch& batch, const PassOptions& pass) {
  validate(batch);
  at::AutoGradMode mode(pass.grad);
  const at::Tensor anchor = pass.grad ? gradient_anchor() : at::Tensor();
  const int64_t padding = padded_rows(batch.ids.size(0), decoder_.embed_tokens.value) - batch.ids.size(0);
  at::Tensor x = decoder_.embed(at::constant_pad_nd(batch.ids.to(at::kLong), {0, padding}), anchor);
  const at::Tensor is_media = batch.ids.eq(config_.image_token).logical_or_(batch.ids.eq(config_.video_token));
  const at::Tensor media_rows = is_media.nonzero().squeeze(1);
  const int64_t placeholders = media_rows.size(0), features = total_patches(batch.grids) / config_.vision.merge_unit();
  VS_CHECK(placeholders == features, "BAD_SHAPE", "[batch] ", placeholders, " image and video tokens, but the media give ", features);
  if (placeholders > 0) x = x.index_copy(0, upload(media_rows, decoder_.device()), media_features(batch, pass, anchor));
  const at::Tensor hidden = decoder_.forward(x, decoder_.rope(at::constant_pad_nd(batch.positions, {0, padding})), batch.forest, pass);
  return pass.rows.defined() ? hidden : hidden.narrow(0, 0, batch.ids.size(0));
}

std::shared_ptr<const PromptPass> Qwen2VL::take_prompts(const Batch& batch, const at::Tensor& target_rows) {
  const auto kept = std::move(kept_);
  kept_.reset();
  return kept && kept->leads(batch, target_rows) ? kept : nullptr;
}

at::Tensor Qwen2VL::hidden_after(const PromptPass& prompts, const Batch& batch, const at::Tensor& target_rows, PassOptions pass) {
  validate(batch);
  at::AutoGradMode mode(pass.grad);
  const int64_t first = prompts.prompts.ids.size(0), count = batch.ids.size(0) - first, padding = padded_rows(count, decoder_.embed_tokens.value) - count;
  const auto behind = [&](const at::Tensor& t) { return at::constant_pad_nd(t.narrow(-1, first, count), {0, padding}); };
  const auto [rows, places] = prompts.select(target_rows);
  pass.rows = rows;
  pass.prefix = &prompts.cache;
  pass.prefix_rows = first;
  const at::Tensor x = decoder_.embed(behind(batch.ids).to(at::kLong), gradient_anchor());
  const at::Tensor hidden = decoder_.forward(x, decoder_.rope(behind(batch.positions)), batch.forest, pass);
  return select_rows(at::cat({prompts.hidden, hidden}), upload(places, decoder_.device()));
}

void Qwen2VL::add_lora(const LoraConfig& lora) {
  VS_CHECK(lora.r > 0, "BAD_ARGUMENT", "[lora] r must be positive, got ", lora.r);
  auto generator = at::make_generator<at::CPUGeneratorImpl>(lora.seed);
  int64_t added = 0;
  for (size_t i = 0; i < decoder_.layers.size(); ++i) {
    decoder_.layers[i].add_adapters(
        layer_prefix(i), lora.target_modules, lora.scale(),
        [&](const std::string& name, int64_t offset, int64_t size, int64_t in) {
          ++added;
          // Kaiming uniform with a = sqrt(5), as PEFT: U(-1/sqrt(in), 1/sqrt(in)).
          const double bound = 1.0 / std::sqrt(static_cast<double>(in));
          const at::Tensor a = at::empty({lora.r, in}, at::kFloat).uniform_(-bound, bound, generator);
          return Adapter{name, offset, size, {a.to(kind_of(options_)), {}}, {at::zeros({size, lora.r}, kind_of(options_)), {}}};
        });
  }
  VS_CHECK(added > 0, "BAD_ARGUMENT", "[lora] targetModules names no linear layer of the language model");
}

void Qwen2VL::make_trainable() {
  if (options_.lora) {
    for (DecoderLayer& layer : decoder_.layers) {
      layer.visit_adapters([](Adapter& adapter) {
        adapter.a.make_trainable();
        adapter.b.make_trainable();
      });
    }
    return;
  }
  for (NamedWeight& weight : weights()) {
    const bool vision = weight.name.rfind("visual.", 0) == 0;
    if (!weight.parameter->trainable() && !(vision && options_.freeze_vision)) weight.parameter->make_trainable();
  }
}

NamedWeights Qwen2VL::weights() {
  NamedWeights weights;
  decoder_.collect(weights);
  vision_.collect(weights);
  return weights;
}

NamedWeights Qwen2VL::adapter_weights() {
  NamedWeights weights;
  for (DecoderLayer& layer : decoder_.layers) layer.visit_adapters([&](Adapter& adapter) { collect(adapter, weights); });
  return weights;
}

NamedWeights Qwen2VL::reference_adapter_weights() {
  NamedWeights weights;
  for (DecoderLayer& layer : decoder_.layers) layer.visit_reference_adapters([&](Adapter& adapter) { collect(adapter, weights); });
  return weights;
}

void Qwen2VL::load_reference_adapter(const std::string& dir) {
  VS_CHECK(options_.lora, "BAD_ARGUMENT", "[loadReferenceAdapter] expected a model with lora");
  for (DecoderLayer& layer : decoder_.layers) layer.add_reference_adapters();
  try {
    load_weights(dir, "adapter_model.safetensors", reference_adapter_weights(), false);
  } catch (...) {
    for (DecoderLayer& layer : decoder_.layers) layer.drop_reference_adapters();
    throw;
  }
}

std::vector<std::pair<std::string, Parameter*>> Qwen2VL::trainable() {
  std::vector<std::pair<std::string, Parameter*>> found;
  for (const NamedWeights& group : {weights(), adapter_weights()}) {
    for (const NamedWeight& weight : group) {
      if (weight.offset == 0 && weight.parameter->trainable()) found.emplace_back(weight.name, weight.parameter);
    }
  }
  return found;
}

int64_t Qwen2VL::parameter_count() {
  int64_t count = 0;
  for (const NamedWeight& weight : weights()) count += weight.view().numel();
  return count;
}

void Qwen2VL::mix(Qwen2VL& other, double alpha) {
  at::NoGradGuard no_grad;
  forget_prompts();
  features_.clear();
  const NamedWeights own = weights(), theirs = other.weights();
  VS_CHECK(own.size() == theirs.size(), "BAD_SHAPE", "[mix] the models have ", own.size(), " and ", theirs.size(), " weights");
  for (size_t i = 0; i < own.size(); ++i) {
    const at::Tensor value = own[i].view(), target = theirs[i].view();
    VS_CHECK(value.sizes() == target.sizes(), "BAD_SHAPE", "[mix] ", own[i].name, " has another shape in the other model");
    value.mul_(1 - alpha).add_(target.to(value.device()), alpha);
  }
}

void Qwen2VL::save_weights(const std::string& dir) { write_weights(dir + "/model.safetensors", weights()); }

void Qwen2VL::save_merged(const std::string& dir) {
  at::NoGradGuard no_grad;
  std::map<std::string, const Adapter*> adapters;  // by the weight that they add to
  for (DecoderLayer& layer : decoder_.layers) {
    layer.visit_adapters([&](const Adapter& adapter) { adapters.emplace(adapter.name + ".weight", &adapter); });
  }
  write_weights(dir + "/model.safetensors", weights(), [&](const std::string& name, const at::Tensor& weight) {
    const auto own = adapters.find(name);
    return own == adapters.end() ? weight : weight.clone().add_(own->second->delta(options_.lora->scale()));
  });
}

void Qwen2VL::save_adapter(const std::string& dir) { write_weights(dir + "/adapter_model.safetensors", adapter_weights()); }

}  // namespace vsgrpo
