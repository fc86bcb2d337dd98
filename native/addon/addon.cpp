// Registration: the whole native surface at a glance. Typed in src/native.ts.
#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

#include <malloc.h>

#include "addon/convert.h"
#include "addon/errors.h"
#include "addon/memory.h"
#include "addon/wraps.h"
#include "core/check.h"
#include "ops/bf16_gemm.h"

namespace vsgrpo {
namespace {

// Image work needs no tensors: it runs on libuv's pool, beside the engine thread.
class PatchifyWorker : public Napi::AsyncWorker {
 public:
  PatchifyWorker(Napi::Env env, std::vector<uint8_t> rgb, const PatchifyOptions& options)
      : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)), rgb_(std::move(rgb)), options_(options) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override { patches_ = patchify(rgb_.data(), options_); }
  void OnOK() override { deferred_.Resolve(js_bytes(Env(), patches_)); }
  void OnError(const Napi::Error& error) override { deferred_.Reject(js_error(Env(), "BAD_ARGUMENT", error.Message())); }

 private:
  Napi::Promise::Deferred deferred_;
  std::vector<uint8_t> rgb_;
  PatchifyOptions options_;
  std::vector<uint8_t> patches_;
};

Napi::Value patchify_async(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    VS_CHECK(info[0].IsTypedArray() && info[0].As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array, "BAD_ARGUMENT",
             "[patchify] expected a Uint8Array of RGB bytes");
    const auto rgb = info[0].As<Napi::Uint8Array>();
    const PatchifyOptions options = to_patchify_options(object_argument(info, 1, "patchify: options"));
    const auto expected = static_cast<size_t>(options.frames) * options.height * options.width * 3;
    VS_CHECK(options.frames > 0 && options.height > 0 && options.width > 0 && rgb.ElementLength() == expected, "BAD_SHAPE",
             "[patchify] expected ", expected, " bytes, got ", rgb.ElementLength());
    auto* worker = new PatchifyWorker(info.Env(), {rgb.Data(), rgb.Data() + rgb.ElementLength()}, options);
    worker->Queue();
    return Napi::Value(worker->promise());
  });
}

Napi::Value grpo_loss_at(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Napi::Object stats = object_argument(info, 0, "grpoLoss: stats");
    const TokenStats at{float_tensor(stats, "logps"), float_tensor(stats, "entropy"), {}};
    const Loss loss = to_loss(object_argument(info, 1, "grpoLoss: args"));
    VS_CHECK(std::holds_alternative<GrpoInputs>(loss) && at.logps.numel() == at.entropy.numel(), "BAD_ARGUMENT",
             "[grpoLoss] expected the arguments of a grpo loss, and as many entropies as logps");
    return Engine::of(info.Env()).run<GrpoValue>(
        info.Env(), [=] { return grpo_gradients(std::get<GrpoInputs>(loss), at); },
        [](Napi::Env env, GrpoValue& value) -> Napi::Value {
          Napi::Object out = Napi::Object::New(env);
          out.Set("loss", value.loss);
          out.Set("dlogps", js_floats(env, value.dlogps));
          return out;
        });
  });
}

Napi::Value build_info(const Napi::CallbackInfo& info) {
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("libtorch", VSGRPO_TORCH_VERSION);
  out.Set("cpu", at::get_cpu_capability());
  out.Set("bfloat16", bf16::available());
  out.Set("threads", at::get_num_threads());
  return out;
}

Napi::Value live_handles(const Napi::CallbackInfo& info) {
  const Engine::Handles& handles = Engine::of(info.Env()).handles;
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("models", handles.models);
  out.Set("forwards", handles.forwards);
  out.Set("optimizers", handles.optimizers);
  return out;
}

// The process ends in the middle of a job: libtorch's static objects must not be destroyed under the engine thread.
void leave_at_once_when_busy(int status, void*) {
  if (!Engine::busy()) return;
  std::fflush(nullptr);
  ::_exit(status);
}

// Handlers run last in, first out, and libtorch makes statics whenever it needs one: so ours is added when Node says 'exit'.
void guard_exit(Napi::Env env) {
  const auto process = env.Global().Get("process").As<Napi::Object>();
  const auto arm = Napi::Function::New(env, [](const Napi::CallbackInfo&) { ::on_exit(leave_at_once_when_busy, nullptr); });
  process.Get("once").As<Napi::Function>().Call(process, {Napi::String::New(env, "exit"), arm});
}

// Before the first tensor: both are read once.
void set_up_memory() {
#ifdef __GLIBC__
  // The engine's threads take turns: in arenas of their own, memory that one frees would not serve the next.
  mallopt(M_ARENA_MAX, 2);
#endif
  // Weights and logits are read front to back: with pages of 2 MB the processor reads ahead past 4 KB. A user's own setting stays.
  ::setenv("THP_MEM_ALLOC_ENABLE", "1", /*overwrite=*/0);
}

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
