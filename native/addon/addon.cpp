// Registration: the whole native surface at a glance. Typed in src/native.ts.
#include "addon/functions.h"
#include "addon/process.h"
#include "addon/wraps.h"

namespace vsgrpo {
namespace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
  set_up_memory();
  guard_exit(env);
  auto* engine = new Engine(env);
  env.SetInstanceData(engine);
  const auto define = [&](const char* name, Napi::Function constructor, Napi::FunctionReference& keep) {
    keep = Napi::Persistent(constructor);
    exports.Set(name, constructor);
  };
  define("Model", ModelWrap::define(env), engine->model_class);
  define("Forward", ForwardWrap::define(env), engine->forward_class);
  define("Optimizer", OptimizerWrap::define(env), engine->optimizer_class);
  exports.Set("patchify", Napi::Function::New<patchify_async>(env, "patchify"));
  exports.Set("grpoLoss", Napi::Function::New<grpo_loss_at>(env, "grpoLoss"));
  exports.Set("buildInfo", Napi::Function::New<build_info>(env, "buildInfo"));
  exports.Set("gpuMemory", Napi::Function::New<gpu_memory>(env, "gpuMemory"));
  exports.Set("memory", Napi::Function::New<memory_in_use>(env, "memory"));
  exports.Set("handles", Napi::Function::New<live_handles>(env, "handles"));
  return exports;
}

}  // namespace
}  // namespace vsgrpo

Napi::Object InitVsgrpo(Napi::Env env, Napi::Object exports) { return vsgrpo::init(env, exports); }

NODE_API_MODULE(vsgrpo, InitVsgrpo)
