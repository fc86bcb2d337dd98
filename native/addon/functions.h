// The functions that JavaScript sees, beside the classes in wraps.h (src/native.ts).
#pragma once
#include <napi.h>

namespace vsgrpo {

Napi::Value patchify_async(const Napi::CallbackInfo& info);
Napi::Value grpo_loss_at(const Napi::CallbackInfo& info);
Napi::Value build_info(const Napi::CallbackInfo& info);
// What the models and optimizers of a process hold, by part; what a GPU holds; how many handles are alive.
Napi::Value memory_in_use(const Napi::CallbackInfo& info);
Napi::Value gpu_memory(const Napi::CallbackInfo& info);
Napi::Value live_handles(const Napi::CallbackInfo& info);

}  // namespace vsgrpo
