#include "addon/process.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <cstdio>
#include <cstdlib>
#include <malloc.h>
#include <unistd.h>

#include "addon/engine.h"
#include "addon/functions.h"
#include "ops/bf16_gemm.h"

namespace vsgrpo {
namespace {

// libtorch's static objects must not be destroyed under the engine thread.
void leave_at_once_when_busy(int status, void*) {
  if (!Engine::busy()) return;
  std::fflush(nullptr);
  ::_exit(status);
}

}  // namespace

// Both are read once.
void set_up_memory() {
#ifdef __GLIBC__
  // The engine's threads take turns: in arenas of their own, memory that one frees would not serve the next.
  mallopt(M_ARENA_MAX, 2);
#endif
  // Weights and logits are read front to back: with pages of 2 MB the processor reads ahead past 4 KB. A user's own setting stays.
  ::setenv("THP_MEM_ALLOC_ENABLE", "1", /*overwrite=*/0);
}

// Handlers run last in, first out, and libtorch makes statics whenever it needs one: so ours is added when Node says 'exit'.
void guard_exit(Napi::Env env) {
  const auto process = env.Global().Get("process").As<Napi::Object>();
  const auto arm = Napi::Function::New(env, [](const Napi::CallbackInfo&) { ::on_exit(leave_at_once_when_busy, nullptr); });
  process.Get("once").As<Napi::Function>().Call(process, {Napi::String::New(env, "exit"), arm});
}

Napi::Value build_info(const Napi::CallbackInfo& info) {
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("libtorch", VSGRPO_TORCH_VERSION);
  out.Set("cpu", at::get_cpu_capability());
  out.Set("bfloat16", bf16::available());
  out.Set("threads", at::get_num_threads());
  return out;
}

}  // namespace vsgrpo
