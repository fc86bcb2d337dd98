#include "addon/convert.h"
#include "addon/errors.h"
#include "addon/wraps.h"
#include "core/check.h"

namespace vsgrpo {
namespace {

// What the model keeps of prompts was computed with the weights that are about to change.
void forget_prompts(const std::weak_ptr<Qwen2VL>& model) {
  if (const auto changed = model.lock()) changed->forget_prompts();
}

}  // namespace

Napi::Function OptimizerWrap::define(Napi::Env env) {
  return DefineClass(env, "Optimizer",
                     {StaticMethod<&OptimizerWrap::create>("create"), InstanceMethod<&OptimizerWrap::step>("step"), InstanceMethod<&OptimizerWrap::save>("save"),
                      InstanceMethod<&OptimizerWrap::load>("load"), InstanceMethod<&OptimizerWrap::dispose>("dispose")});
}

OptimizerWrap::OptimizerWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<OptimizerWrap>(info), engine_(Engine::of(info.Env())) {
  optimizer_ = std::make_shared<std::shared_ptr<AdamW>>(engine_.made<AdamW>(info, "[Optimizer] use Optimizer.create(model, options)"));
  memory_.report(info.Env(), (*optimizer_)->bytes());
  ++engine_.handles.optimizers;
}

// On the engine thread: it gives the parameters new gradients, which a pass may be adding to.
Napi::Value OptimizerWrap::create(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Napi::Object js_model = object_argument(info, 0, "Optimizer: model");
    const auto options = to_adamw_options(object_argument(info, 1, "Optimizer: options"));
    ModelWrap& wrap = ModelWrap::of(js_model, "Optimizer");
    const auto model = wrap.use();
    Engine& engine = Engine::of(info.Env());
    auto owner = std::make_shared<Napi::ObjectReference>(Napi::Persistent(js_model));
    return engine.run<std::shared_ptr<AdamW>>(
        info.Env(),
        [=] {
          auto parameters = model->trainable();
          VS_CHECK(!parameters.empty(), "NO_GRADIENT", "[Optimizer] the model has no trainable parameters: load it with trainable: true");
          return std::make_shared<AdamW>(std::move(parameters), options, model);
        },
        [&engine, &wrap, owner, weak = std::weak_ptr(model)](Napi::Env, std::shared_ptr<AdamW>& optimizer) -> Napi::Value {
          if (wrap.is_disposed()) engine.retire(std::exchange(optimizer, nullptr));
          VS_CHECK(optimizer, "DISPOSED", "[Optimizer] the model was disposed of before it was made");
          const Napi::Object out = engine.make(engine.optimizer_class, optimizer);
          OptimizerWrap* made = OptimizerWrap::Unwrap(out);
          made->model_ = weak;
          wrap.optimizers.add(made->optimizer_);
          engine.optimizers.add(optimizer);
          return out;
        });
  });
}

OptimizerWrap::~OptimizerWrap() { engine_.drop(*optimizer_, engine_.handles.optimizers); }

std::shared_ptr<AdamW> OptimizerWrap::use() const {
  VS_CHECK(*optimizer_, "DISPOSED", "[Optimizer] used after dispose(), of itself or of its model");
  return *optimizer_;
}

Napi::Value OptimizerWrap::step(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto optimizer = use();
    const Napi::Object options = object_argument(info, 0, "step: options");
    const double lr = number(options, "lr"), max_norm = number(options, "maxGradNorm");
    return engine_.run<double>(
        info.Env(),
        [=, model = model_] {
          forget_prompts(model);
          return optimizer->step(lr, max_norm);
        },
        [](Napi::Env env, double& norm) -> Napi::Value {
          Napi::Object out = Napi::Object::New(env);
          out.Set("gradNorm", norm);
          return out;
        });
  });
}

Napi::Value OptimizerWrap::save(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto optimizer = use();
    const std::string file = text_argument(info, 0, "save: file");
    return engine_.run(info.Env(), [=] { optimizer->save(file); });
  });
}

Napi::Value OptimizerWrap::load(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto optimizer = use();
    const std::string file = text_argument(info, 0, "load: file");
    return engine_.run(info.Env(), [=, model = model_] {
      forget_prompts(model);
      optimizer->load(file);
    });
  });
}

void OptimizerWrap::dispose(const Napi::CallbackInfo&) { engine_.drop(*optimizer_, engine_.handles.optimizers); }

}  // namespace vsgrpo
