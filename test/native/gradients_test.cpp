// The backward pass against transformers' autograd: every parameter's gradient under its published name.
#include "golden.h"
#include "model/forward.h"

namespace {

using golden::Case;

constexpr double kGradients = 1e-4;

vsgrpo::Forward::Result backward(const std::shared_ptr<vsgrpo::Qwen2VL>& model, const vsgrpo::Batch& batch,
                                 const vsgrpo::Targets& targets, const vsgrpo::Loss& loss, double temperature = 1.0) {
  return vsgrpo::Forward(model, batch, targets, {/*grad=*/true, /*adapter=*/true, temperature}).backward(loss);
}

// Weights that make the supervised loss the mean over the targets.
vsgrpo::SftLoss mean_nll(const vsgrpo::Targets& targets) {
  const int64_t count = targets.ids.size(0);
  return {at::full({count}, 1.0f / static_cast<float>(count))};
}

void check_mean_nll(const std::shared_ptr<vsgrpo::Qwen2VL>& model, const Case& c) {
  golden::zero_gradients(*model);
  const vsgrpo::Targets targets = golden::targets_of(c);
  const double loss = backward(model, golden::batch_of(c), targets, mean_nll(targets)).loss;
  CHECK_MESSAGE(std::abs(loss - c.scalar("loss")) < 2e-5, c.name() << " loss " << loss << ", expected " << c.scalar("loss"));
  golden::check_gradients(c, model->weights(), kGradients);
}

}  // namespace

TEST_CASE("gradients of the mean loss are transformers' (image, video and mixture, tied head)") {
  const auto model = golden::load("tiny-a", /*trainable=*/true);
  for (const char* name : {"image", "video", "mixed"}) check_mean_nll(model, Case("tiny-a", name));
}

TEST_CASE("checkpointed layers give the same gradients from fewer kept activations") {
  for (const bool lora : {false, true}) {
    vsgrpo::ModelOptions options;
    options.trainable = true;
    if (lora) options.lora = vsgrpo::LoraConfig{4, 8.0, {"q_proj", "v_proj", "down_proj"}, 7};
    const auto model = vsgrpo::Qwen2VL::load(golden::model_dir("tiny-a"), options);
    const Case c("tiny-a", "mixed");
    const vsgrpo::Targets targets = golden::targets_of(c);
    const auto gradients = [&](bool gradient_checkpointing) {
      golden::zero_gradients(*model);
      vsgrpo::Forward(model, golden::batch_of(c), targets, {true, true, 1.0, gradient_checkpointing}).backward(mean_nll(targets));
      std::vector<at::Tensor> all;
      for (const auto& [name, parameter] : model->trainable()) all.push_back(parameter->grad.clone());
      return all;
    };
    const auto kept = gradients(false), again = gradients(true);
    for (size_t i = 0; i < kept.size(); ++i) CHECK(kept[i].equal(again[i]));
  }
}

TEST_CASE("gradients of the mean loss are transformers' (own head)") {
  const auto model = golden::load("tiny-b", /*trainable=*/true);
  check_mean_nll(model, Case("tiny-b", "mixed"));
}

TEST_CASE("a shared prompt collects the gradients of all its completions") {
  const auto model = golden::load("tiny-a", /*trainable=*/true);
  const Case c("tiny-a", "group");
  for (const auto& [what, group] : {std::pair{"shared", golden::group_of(c)}, std::pair{"separate", golden::separate_group_of(c)}}) {
    golden::zero_gradients(*model);
    const auto result = backward(model, group.batch, group.targets, vsgrpo::ExternalLoss{c["weights"], {}});
    golden::check_close(std::string(what) + " logps", result.stats.logps, c["logps"], 1e-4);
    golden::check_gradients(c, model->weights(), kGradients);
  }
}

TEST_CASE("gradients add up over batches") {
  const auto model = golden::load("tiny-a", /*trainable=*/true);
  const Case c("tiny-a", "mixed");
  const vsgrpo::Targets targets = golden::targets_of(c);
  const int64_t count = targets.ids.size(0), half = count / 2;
  const at::Tensor weights = mean_nll(targets).weights;
  const auto part = [&](int64_t from, int64_t n) {
    backward(model, golden::batch_of(c), {targets.rows.narrow(0, from, n), targets.ids.narrow(0, from, n)},
             vsgrpo::SftLoss{weights.narrow(0, from, n)});
  };
  part(0, half);
  part(half, count - half);
  golden::check_gradients(c, model->weights(), kGradients);
}

TEST_CASE("a frozen vision tower gets no gradients and leaves the language model's as they were") {
  vsgrpo::ModelOptions options;
  options.trainable = options.freeze_vision = true;
  const auto model = vsgrpo::Qwen2VL::load(golden::model_dir("tiny-a"), options);
  const Case c("tiny-a", "mixed");
  const vsgrpo::Targets targets = golden::targets_of(c);
  backward(model, golden::batch_of(c), targets, mean_nll(targets));
  for (const vsgrpo::NamedWeight& weight : model->weights()) {
    const bool vision = weight.name.rfind("visual.", 0) == 0;
    CHECK_MESSAGE(weight.parameter->trainable() == !vision, weight.name);
    if (vision) continue;
    const at::Tensor expected = c["grad." + weight.name];
    const double difference =
        golden::relative(weight.parameter->grad.narrow(0, weight.offset, weight.shape[0]).view(expected.sizes()), expected);
    CHECK_MESSAGE(difference <= kGradients, weight.name << " is off by " << difference);
  }
}

TEST_CASE("the entropy's gradient is what finite differences of the entropy give") {
  at::manual_seed(3);
  const int64_t k = 3, width = 5, vocab = 11;
  const at::Tensor hidden = at::randn({k, width}), ids = golden::int_tensor({4, 0, 10});
  vsgrpo::Parameter weight{at::randn({vocab, width}), {}};
  weight.make_trainable();
  const double temperature = 0.7;
  const std::vector<vsgrpo::TokenGradient> g = {{0.5f, -0.3f}, {-1.0f, 0.8f}, {0.0f, 1.0f}};
  at::Tensor d_hidden;
  const auto loss = [&](int64_t i, float, float) { return g[static_cast<size_t>(i)]; };
  vsgrpo::token_logps_backward(hidden, weight, ids, temperature, loss, d_hidden);
  const auto objective = [&](const at::Tensor& h) {
    const at::Tensor logp = at::log_softmax(at::mm(h, weight.value.to(at::kDouble).t()) / temperature, 1);
    const at::Tensor entropy = -(logp.exp() * logp).sum(1);
    double sum = 0;
    for (int64_t i = 0; i < k; ++i) {
      sum += g[static_cast<size_t>(i)].dlogp * logp[i][ids[i].item<int64_t>()].item<double>() +
             g[static_cast<size_t>(i)].dentropy * entropy[i].item<double>();
    }
    return sum;
  };
  at::Tensor expected = at::empty({k, width}, at::kDouble);
  for (int64_t i = 0; i < k * width; ++i) {
    at::Tensor up = hidden.to(at::kDouble), down = up.clone();
    up.view(-1)[i] += 1e-5;
    down.view(-1)[i] -= 1e-5;
    expected.view(-1)[i] = (objective(up) - objective(down)) / 2e-5;
  }
  golden::check_close("d (logp + entropy) / d hidden", d_hidden, expected, 1e-5);
}

TEST_CASE("a forward pass is used up by its backward, and without gradients there is none") {
  const auto model = golden::load("tiny-a", /*trainable=*/true);
  const Case c("tiny-a", "text");
  const vsgrpo::Targets targets = golden::targets_of(c);
  vsgrpo::Forward forward(model, golden::batch_of(c), targets, {/*grad=*/true, /*adapter=*/true, 0.7});
  golden::check_close("logps before backward", forward.logps().logps, c["logps_t07"], 1e-4);
  CHECK_THROWS_WITH(vsgrpo::Forward(forward).backward(vsgrpo::SftLoss{at::ones({2})}), "weights");
  golden::check_close("logps of backward", forward.backward(mean_nll(targets)).stats.logps, c["logps_t07"], 1e-4);
  golden::check_close("logps after backward", forward.logps().logps, c["logps_t07"], 1e-4);
  CHECK_THROWS_WITH(forward.backward(mean_nll(targets)), "backward was called before");
  vsgrpo::Forward no_grad(model, golden::batch_of(c), targets, {});
  CHECK_THROWS_WITH(no_grad.backward(mean_nll(targets)), "grad false");
  CHECK_THROWS_WITH(vsgrpo::Forward(golden::load("tiny-a"), golden::batch_of(c), targets, {/*grad=*/true}), "trainable: false");
}

TEST_CASE("the gradients of a forward at another temperature are those of finite differences") {
  const auto model = golden::load("tiny-a", /*trainable=*/true);
  const Case c("tiny-a", "group");
  const golden::Group group = golden::group_of(c);
  const vsgrpo::SftLoss loss = mean_nll(group.targets);
  golden::zero_gradients(*model);
  backward(model, group.batch, group.targets, loss, 0.7);
  at::manual_seed(4);
  for (const char* name : {"model.embed_tokens.weight", "model.norm.weight", "visual.patch_embed.proj.weight"}) {
    for (const vsgrpo::NamedWeight& weight : model->weights()) {
      if (weight.name != name) continue;
      const at::Tensor value = weight.parameter->value, start = value.clone(), gradient = weight.parameter->grad.clone();
      // Along the gradient itself, the direction in which the loss is largest against rounding.
      const at::Tensor direction = gradient / gradient.norm();
      const auto loss_at = [&](double step) {
        value.copy_(start + direction * step);
        const at::Tensor logps = vsgrpo::Forward(model, group.batch, group.targets, {false, true, 0.7}).logps().logps;
        value.copy_(start);
        return -logps.to(at::kDouble).mean().item<double>();
      };
      const double slope = (loss_at(2e-3) - loss_at(-2e-3)) / 4e-3, expected = gradient.norm().item<double>();
      CHECK_MESSAGE(std::abs(slope - expected) < 5e-3 * expected, name << ": slope " << slope << ", gradient " << expected);
    }
  }
}
