// What the models and optimizers of a process hold, by part (src/native.ts, MemoryInUse).
#pragma once
#include <napi.h>

namespace vsgrpo {

Napi::Value memory_in_use(const Napi::CallbackInfo& info);
Napi::Value gpu_memory(const Napi::CallbackInfo& info);

}  // namespace vsgrpo
