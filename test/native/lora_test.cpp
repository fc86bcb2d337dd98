// LoRA adapters against transformers + PEFT's definition: forward, gradients of A and B, files, merging, switching off.
#include "golden.h"
#include "model/forward.h"

namespace {

using golden::Case;

vsgrpo::ModelOptions adapter_options(const std::string& adapter_dir) {
  vsgrpo::ModelOptions options;
  options.trainable = true;
  options.freeze_vision = true;
  options.lora = vsgrpo::LoraConfig{4, 8.0, {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}, 7};
  options.adapter_dir = adapter_dir;
  return options;
}

std::shared_ptr<vsgrpo::Qwen2VL> with_adapter() {
  return vsgrpo::Qwen2VL::load(golden::model_dir("tiny-a"), adapter_options(golden::model_dir("tiny-a") + "/adapter"));
}

at::Tensor logits_of(vsgrpo::Qwen2VL& model, const vsgrpo::Batch& batch, bool adapter) {
  at::NoGradGuard no_grad;
  return at::mm(model.decoder().final_norm(model.hidden(batch, {adapter})), model.decoder().head().value.t());
}

}  // namespace

TEST_CASE("an adapter file in PEFT's layout gives PEFT's logits, and none of it when switched off") {
  const auto model = with_adapter();
  const Case image("tiny-a", "image");
  golden::check_close("adapter on", logits_of(*model, golden::batch_of(image), true), Case("tiny-a", "lora")["logits"], 1e-4);
  golden::check_close("adapter off", logits_of(*model, golden::batch_of(image), false), image["logits"], 1e-4);
}

TEST_CASE("gradients of A and B are transformers', and nothing else is trainable") {
  const auto model = with_adapter();
  const Case c("tiny-a", "lora");
  CHECK_EQ(model->trainable().size(), 28u);
  const vsgrpo::Targets targets = golden::targets_of(c);
  const int64_t count = targets.ids.size(0);
  vsgrpo::Forward forward(model, golden::batch_of(Case("tiny-a", "image")), targets, {/*grad=*/true});
  forward.backward(vsgrpo::SftLoss{at::full({count}, 1.0f / static_cast<float>(count))});
  vsgrpo::NamedWeights weights = model->adapter_weights();
  for (vsgrpo::NamedWeight& weight : weights) {
    // base_model.model.model.language_model.layers… -> model.layers…
    weight.name.erase(0, std::string("base_model.model.model.language_model.").size());
    weight.name = "model." + weight.name;
  }
  golden::check_gradients(c, weights, 1e-4);
}

TEST_CASE("a fresh adapter changes nothing, and its A depends on the seed alone") {
  const auto model = vsgrpo::Qwen2VL::load(golden::model_dir("tiny-a"), adapter_options(""));
  const auto again = vsgrpo::Qwen2VL::load(golden::model_dir("tiny-a"), adapter_options(""));
  const Case image("tiny-a", "image");
  golden::check_close("fresh adapter", logits_of(*model, golden::batch_of(image), true), image["logits"], 1e-4);
  const vsgrpo::NamedWeights a = model->adapter_weights(), b = again->adapter_weights();
  for (size_t i = 0; i < a.size(); ++i) CHECK_MESSAGE(a[i].view().equal(b[i].view()), a[i].name);
  CHECK(a[0].view().abs().max().item<double>() > 0);
}

TEST_CASE("a forward with the adapter off is the reference policy") {
  const auto model = with_adapter();
  const Case image("tiny-a", "image");
  const vsgrpo::Targets targets = golden::targets_of(image);
  vsgrpo::Forward reference(model, golden::batch_of(image), targets, {/*grad=*/false, /*adapter=*/false});
  golden::check_close("reference logps", reference.logps().logps, image["logps"], 1e-4);
}

TEST_CASE("a reference has the adapters that were loaded for it, whatever becomes of the policy's") {
  const auto model = with_adapter();
  const Case image("tiny-a", "image");
  model->load_reference_adapter(golden::model_dir("tiny-a") + "/adapter");
  at::NoGradGuard no_grad;
  for (const vsgrpo::NamedWeight& weight : model->adapter_weights()) weight.view().mul_(1.5);
  golden::check_close("the reference", logits_of(*model, golden::batch_of(image), false), Case("tiny-a", "lora")["logits"], 1e-4);
  CHECK_GT((logits_of(*model, golden::batch_of(image), true) - Case("tiny-a", "lora")["logits"]).abs().max().item<double>(), 1e-2);
  CHECK_THROWS(model->load_reference_adapter(golden::model_dir("tiny-a")));
  golden::check_close("after one that is missing", logits_of(*model, golden::batch_of(image), false), image["logits"], 1e-4);
}

TEST_CASE("a saved adapter is read back bit for bit under PEFT's names") {
  const golden::TemporaryFolder folder;
  with_adapter()->save_adapter(folder.path());
  const vsgrpo::SafetensorsFile written(folder.path() + "/adapter_model.safetensors"),
      original(golden::model_dir("tiny-a") + "/adapter/adapter_model.safetensors");
  CHECK(written.names() == original.names());
  for (const std::string& name : original.names()) CHECK_MESSAGE(written.read(name).equal(original.read(name)), name);
}

TEST_CASE("merged weights give the adapter's logits without it, and merging writes to none of the model's") {
  const golden::TemporaryFolder folder;
  const auto model = with_adapter();
  const Case image("tiny-a", "image");
  const auto writes = [&] {
    std::vector<int64_t> counts;
    for (const vsgrpo::NamedWeight& weight : model->weights()) counts.push_back(weight.parameter->value._version());
    return counts;
  };
  const auto before = writes();
  model->save_merged(folder.path());
  CHECK(writes() == before);
  std::filesystem::copy_file(golden::model_dir("tiny-a") + "/config.json", folder.path() + "/config.json");
  const auto merged = vsgrpo::Qwen2VL::load(folder.path(), {});
  golden::check_close("merged", logits_of(*merged, golden::batch_of(image), true), Case("tiny-a", "lora")["logits"], 1e-4);
  golden::check_close("after merging, adapter off", logits_of(*model, golden::batch_of(image), false), image["logits"], 1e-4);
}

TEST_CASE("target modules that name nothing, and a rank of zero, are refused") {
  vsgrpo::ModelOptions options = adapter_options("");
  options.lora->target_modules = {"c_attn"};
  CHECK_THROWS_WITH(vsgrpo::Qwen2VL::load(golden::model_dir("tiny-a"), options), "targetModules");
  options = adapter_options("");
  options.lora->r = 0;
  CHECK_THROWS_WITH(vsgrpo::Qwen2VL::load(golden::model_dir("tiny-a"), options), "r must be positive");
}
