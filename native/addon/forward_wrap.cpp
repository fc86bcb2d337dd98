#include "addon/convert.h"
#include "addon/errors.h"
#include "addon/wraps.h"
#include "core/check.h"

namespace vsgrpo {

Napi::Function ForwardWrap::define(Napi::Env env) {
  return DefineClass(env, "Forward",
                     {InstanceMethod<&ForwardWrap::logps>("logps"), InstanceMethod<&ForwardWrap::backward>("backward"),
                      InstanceMethod<&ForwardWrap::dispose>("dispose")});
}

ForwardWrap::ForwardWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ForwardWrap>(info), engine_(Engine::of(info.Env())) {
  forward_ = std::make_shared<std::shared_ptr<Forward>>(engine_.made<Forward>(info, "[Forward] use model.forward(batch, targets, options)"));
  ++engine_.handles.forwards;
}

ForwardWrap::~ForwardWrap() { engine_.drop(*forward_, engine_.handles.forwards); }

std::shared_ptr<Forward> ForwardWrap::use() const {
  VS_CHECK(*forward_, "DISPOSED", "[Forward] used after dispose(), of itself or of its model");
  return *forward_;
}

Napi::Value ForwardWrap::logps(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto forward = use();
    return engine_.run<TokenStats>(
        info.Env(), [=] { return forward->logps(); },
        [](Napi::Env env, TokenStats& stats) -> Napi::Value { return js_stats(env, stats); });
  });
}

Napi::Value ForwardWrap::backward(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto forward = use();
    const Loss loss = to_loss(object_argument(info, 0, "backward: args"));
    return engine_.run<Forward::Result>(
        info.Env(), [=] { return forward->backward(loss); },
        [](Napi::Env env, Forward::Result& result) -> Napi::Value {
          Napi::Object out = js_stats(env, result.stats);
          out.Set("loss", result.loss);
          return out;
        });
  });
}

void ForwardWrap::dispose(const Napi::CallbackInfo&) { engine_.drop(*forward_, engine_.handles.forwards); }

}  // namespace vsgrpo
