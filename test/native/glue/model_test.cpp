// The whole model on the GPU against the CPU engine: log-probabilities, the gradient of every parameter, LoRA, activation
// checkpointing, prompts that ran before, files.
#include <fstream>
#include <iterator>

#include "glue/compare.h"
#include "glue/test_gpu.h"
#include "golden.h"
#include "model/forward.h"

namespace {

using golden::Case;
using gpu_test::Results;

struct Setup {
  at::ScalarType dtype = at::kFloat;
  bool lora = false, gradient_checkpointing = false, freeze_vision = false;
  std::string folder = golden::model_dir("tiny-a");
  at::ScalarType gradients = at::kFloat;

  std::shared_ptr<vsgrpo::Qwen2VL> load(at::Device device) const {
    vsgrpo::ModelOptions options;
    options.dtype = dtype;
    options.device = device;
    options.trainable = true;
    options.freeze_vision = freeze_vision;
    if (lora) {
      options.lora = vsgrpo::LoraConfig{4, 8.0, {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}, 7};
      options.adapter_dir = golden::model_dir("tiny-a") + "/adapter";
    }
    const auto model = vsgrpo::Qwen2VL::load(folder, options);
    for (const auto& [name, parameter] : model->trainable()) parameter->make_trainable(gradients);
    return model;
  }
};

// Log-probabilities, entropies, the loss and the gradient of every trainable parameter.
Results train(const std::shared_ptr<vsgrpo::Qwen2VL>& model, const Setup& setup, const golden::Group& group, const vsgrpo::Loss& loss) {
  vsgrpo::Forward forward(model, group.batch, group.targets,
                          {/*grad=*/true, /*adapter=*/true, 0.9, setup.gradient_checkpointing, /*logit_mean=*/true});
  const auto result = forward.backward(loss);
  Results all{result.stats.logps, result.stats.entropy, result.stats.logit_mean, at::scalar_tensor(result.loss, at::kDouble)};
  for (const auto& [name, parameter] : model->trainable()) all.push_back(parameter->grad.cpu().clone());
  return all;
}

vsgrpo::GrpoInputs grpo(const golden::Group& group, bool sequence_level = false) {
  at::manual_seed(21);
  const int64_t count = group.targets.ids.size(0);
  vsgrpo::GrpoInputs in;
  in.weights = at::full({count}, 1.0f / static_cast<float>(count));
  in.advantages = at::randn({count});
  in.old_logps = at::randn({count}) * 0.1 - 5;
  in.ref_logps = at::randn({count}) * 0.1 - 5;
  in.offsets = {0, count / 2, count};
  in.options.beta = 0.04;
  in.options.sequence_level = sequence_level;
  return in;
}

// float32: each result within `tolerance` of the CPU's, relative to its norm. bfloat16: no farther from the CPU's float32
// than the CPU's own bfloat16, half as far again on average.
void check_setup(const std::string& name, Setup setup, const golden::Group& group, const vsgrpo::Loss& loss, double tolerance = 2e-5,
                 double most = 1.5) {
  const auto on_cpu = [&](at::ScalarType dtype) {
    Setup own = setup;
    own.dtype = dtype;
    return train(own.load(at::kCPU), own, group, loss);
  };
  const Results exact = on_cpu(at::kFloat), expected = setup.dtype == at::kFloat ? exact : on_cpu(setup.dtype);
  const TestGpu gpu;
  const auto model = setup.load(gpu.device());
  const Results actual = train(model, setup, group, loss);
  REQUIRE(actual.size() == exact.size());
  double worst = 0, sum = 0, cpu_sum = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    const double difference = gpu_test::relative(actual[i], exact[i]), cpu = gpu_test::relative(expected[i], exact[i]);
    worst = std::max(worst, difference), sum += difference, cpu_sum += cpu;
    CHECK_MESSAGE(difference <= (setup.dtype == at::kFloat ? tolerance : 2 * cpu + 1e-2), name << ", result " << i << ": relative " << difference << ", the CPU's own " << cpu);
  }
  const auto mean = [&](double total) { return total / static_cast<double>(exact.size()); };
  CHECK(mean(sum) <= (setup.dtype == at::kFloat ? tolerance : most * mean(cpu_sum)));
  MESSAGE(name << (setup.dtype == at::kFloat ? ", float32: " : ", bfloat16: ") << exact.size() << " results, mean relative difference " << mean(sum)
               << " (the CPU's in the same type " << mean(cpu_sum) << "), worst " << worst);
}

golden::Group whole(const Case& c) { return {golden::batch_of(c), golden::targets_of(c)}; }

vsgrpo::SftLoss mean_nll(const golden::Group& group) {
  const int64_t count = group.targets.ids.size(0);
  return {at::full({count}, 1.0f / static_cast<float>(count))};
}

// tiny-a with a head that is not its embedding.
void write_with_own_head(const std::string& folder) {
  std::ifstream from(golden::model_dir("tiny-a") + "/config.json");
  std::string config((std::istreambuf_iterator<char>(from)), {});
  const std::string tied = "\"tie_word_embeddings\": true";
  REQUIRE(config.find(tied) != std::string::npos);
  std::ofstream(folder + "/config.json") << config.replace(config.find(tied), tied.size(), "\"tie_word_embeddings\": false");
  const auto model = golden::load("tiny-a");
  vsgrpo::NamedTensors tensors;
  for (const vsgrpo::NamedWeight& weight : model->weights()) tensors.emplace_back(weight.name, weight.view());
  tensors.emplace_back("lm_head.weight", model->decoder().head().value.flip(0).contiguous());
  vsgrpo::write_safetensors(folder + "/model.safetensors", tensors);
}

}  // namespace

TEST_CASE("gpu: log-probabilities and all gradients of images, a video and a mixture") {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    for (const char* name : {"image", "video", "mixed"}) {
      const golden::Group group = whole(Case("tiny-a", name));
      check_setup(name, {dtype}, group, mean_nll(group));
    }
  }
}

TEST_CASE("gpu: a model with a head of its own") {
  const golden::TemporaryFolder folder;
  write_with_own_head(folder.path());
  const golden::Group group = whole(Case("tiny-a", "mixed"));
  Setup setup;
  setup.folder = folder.path();
  check_setup("own head", setup, group, mean_nll(group));
}

TEST_CASE("gpu: a head width that no kernel takes is refused with the reason") {
  const golden::Group group = whole(Case("tiny-b", "mixed"));
  const TestGpu gpu;
  Setup setup;
  setup.folder = golden::model_dir("tiny-b");
  const auto model = setup.load(gpu.device());
  CHECK_THROWS_WITH(train(model, setup, group, mean_nll(group)), "head_dim: expected a multiple of 8, got 12");
}

TEST_CASE("gpu: GRPO over a shared prompt, per token and per sequence") {
  const golden::Group group = golden::group_of(Case("tiny-a", "group"));
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    check_setup("GRPO", {dtype}, group, grpo(group));
    // Two factors, one of each sequence, scale all gradients: their rounding does not average out, as that of many tokens does.
    check_setup("sequence-level GRPO", {dtype}, group, grpo(group, true), 2e-5, /*most=*/2);
  }
}

TEST_CASE("gpu: a shared prompt and separate ones give transformers' gradients") {
  const Case c("tiny-a", "group");
  const TestGpu gpu;
  const auto model = Setup{}.load(gpu.device());
  for (const auto& group : {golden::group_of(c), golden::separate_group_of(c)}) {
    golden::zero_gradients(*model);
    const auto result = vsgrpo::Forward(model, group.batch, group.targets, {true, true, 1.0}).backward(vsgrpo::ExternalLoss{c["weights"], {}});
    golden::check_close("logps", result.stats.logps, c["logps"], 1e-4);
    vsgrpo::NamedWeights weights = model->weights();
    std::vector<vsgrpo::Parameter> on_cpu(weights.size());
    for (size_t i = 0; i < weights.size(); ++i) {
      on_cpu[i] = {weights[i].parameter->value.cpu(), weights[i].parameter->grad.cpu()};
      weights[i].parameter = &on_cpu[i];
    }
    golden::check_gradients(c, weights, 1e-4);
  }
}

TEST_CASE("gpu: LoRA, a frozen vision tower and checkpointed layers") {
  const golden::Group image = whole(Case("tiny-a", "image")), group = golden::group_of(Case("tiny-a", "group"));
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    for (const bool gradient_checkpointing : {false, true}) {
      check_setup("LoRA", {dtype, /*lora=*/true, gradient_checkpointing, /*freeze_vision=*/true}, image, mean_nll(image));
      check_setup("LoRA, GRPO", {dtype, true, gradient_checkpointing, true}, group, grpo(group));
    }
    check_setup("checkpointed", {dtype, false, true}, image, mean_nll(image));
  }
}

TEST_CASE("gpu: gradients kept in bfloat16, of all weights and of adapters") {
  const golden::Group image = whole(Case("tiny-a", "image")), group = golden::group_of(Case("tiny-a", "group"));
  Setup setup{at::kBFloat16};
  setup.gradients = at::kBFloat16;
  check_setup("all weights", setup, image, mean_nll(image));
  setup.lora = setup.freeze_vision = true;
  check_setup("LoRA, GRPO", setup, group, grpo(group));
}

TEST_CASE("gpu: the reference policy is the model without its adapters") {
  const golden::Group group = whole(Case("tiny-a", "image"));
  Setup setup;
  setup.lora = setup.freeze_vision = true;
  const TestGpu gpu;
  const auto model = setup.load(gpu.device());
  vsgrpo::Forward reference(model, group.batch, group.targets, {/*grad=*/false, /*adapter=*/false});
  golden::check_close("reference logps", reference.logps().logps, Case("tiny-a", "image")["logps"], 1e-4);
}

TEST_CASE("gpu: training goes on from prompts whose pass ran before") {
  const Case c("tiny-a", "group");
  const golden::Group group = golden::group_of(c);
  const TestGpu gpu;
  const auto model = Setup{}.load(gpu.device());
  const int64_t rows = group.batch.forest.length(0);
  const auto kept = std::make_shared<vsgrpo::PromptPass>();
  kept->prompts = {vsgrpo::Forest::roots({rows}), group.batch.ids.narrow(0, 0, rows), group.batch.positions.narrow(1, 0, rows).contiguous(),
                   group.batch.patches, group.batch.grids};
  kept->rows = at::tensor(std::vector<int64_t>{rows - 1});
  vsgrpo::PassOptions pass;
  pass.grad = true;
  pass.rows = kept->rows;
  pass.cache = &kept->cache;
  kept->hidden = model->hidden(kept->prompts, pass);
  const auto train_now = [&] {
    golden::zero_gradients(*model);
    return train(model, {}, group, vsgrpo::ExternalLoss{c["weights"], {}});
  };
  CHECK(kept->leads(group.batch, group.targets.rows));
  model->keep(kept);
  const Results going_on = train_now();
  CHECK(model->take_prompts(group.batch, group.targets.rows) == nullptr);
  gpu_test::check_all("going on from prompts", going_on, train_now(), 1e-5);
}

TEST_CASE("gpu: a model saved from the device is the file it came from") {
  const golden::TemporaryFolder folder;
  const TestGpu gpu;
  Setup setup;
  setup.lora = setup.freeze_vision = true;
  const auto model = setup.load(gpu.device());
  model->save_weights(folder.path());
  model->save_adapter(folder.path());
  const vsgrpo::SafetensorsFile written(folder.path() + "/adapter_model.safetensors"),
      original(golden::model_dir("tiny-a") + "/adapter/adapter_model.safetensors");
  for (const std::string& name : original.names()) CHECK_MESSAGE(written.read(name).equal(original.read(name)), name);
  const auto cpu = setup.load(at::kCPU);
  const vsgrpo::SafetensorsFile weights(folder.path() + "/model.safetensors");
  for (const vsgrpo::NamedWeight& weight : cpu->weights()) CHECK_MESSAGE(weights.read(weight.name).equal(weight.view()), weight.name);
}
