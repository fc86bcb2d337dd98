#include "addon/engine.h"
#include "addon/functions.h"
#include "addon/load_gpu.h"
#include "core/gpu.h"
#include "generate/gpu_batch.h"
#include "optim/adamw.h"

namespace vsgrpo {
namespace {

struct MemoryInUse {
  int64_t weights = 0, reference = 0, gradients = 0, optimizer = 0, features = 0, decoding = 0;
  std::optional<GpuMemory> gpu;
};

int64_t bytes_of(const NamedWeights& weights) {
  int64_t bytes = 0;
  for (const NamedWeight& weight : weights) bytes += static_cast<int64_t>(weight.view().nbytes());
  return bytes;
}

void add(MemoryInUse& memory, Qwen2VL& model) {
  (model.options().trainable ? memory.weights : memory.reference) += bytes_of(model.weights()) + bytes_of(model.adapter_weights());
  memory.reference += bytes_of(model.reference_adapter_weights());
  for (const auto& [name, parameter] : model.trainable()) memory.gradients += static_cast<int64_t>(parameter->grad.nbytes());
  memory.features += model.features().bytes();
  if (model.gpu_batch()) memory.decoding += model.gpu_batch()->bytes();
}

Napi::Object js_bytes(Napi::Env env, std::initializer_list<std::pair<const char*, int64_t>> parts) {
  Napi::Object out = Napi::Object::New(env);
  for (const auto& [name, bytes] : parts) out.Set(name, static_cast<double>(bytes));
  return out;
}

Napi::Object js_memory(Napi::Env env, const GpuMemory& memory) {
  return js_bytes(env, {{"totalBytes", memory.device_total},
                        {"freeBytes", memory.device_free},
                        {"allocatedBytes", memory.allocated},
                        {"peakBytes", memory.peak},
                        {"reservedBytes", memory.reserved}});
}

Napi::Object js_memory(Napi::Env env, const MemoryInUse& memory) {
  Napi::Object out = js_bytes(env, {{"weights", memory.weights},
                                    {"reference", memory.reference},
                                    {"gradients", memory.gradients},
                                    {"optimizer", memory.optimizer},
                                    {"features", memory.features},
                                    {"decoding", memory.decoding}});
  if (memory.gpu) out.Set("gpu", js_memory(env, *memory.gpu));
  return out;
}

}  // namespace

Napi::Value memory_in_use(const Napi::CallbackInfo& info) {
  Engine& engine = Engine::of(info.Env());
  return engine.run<MemoryInUse>(
      info.Env(),
      [models = engine.models.all(), optimizers = engine.optimizers.all()] {
        MemoryInUse memory;
        for (const auto& model : models) add(memory, *model);
        for (const auto& optimizer : optimizers) memory.optimizer += optimizer->bytes();
        if (has_gpu()) memory.gpu = gpu().memory();
        return memory;
      },
      [](Napi::Env env, MemoryInUse& memory) -> Napi::Value { return js_memory(env, memory); });
}

Napi::Value gpu_memory(const Napi::CallbackInfo& info) {
  return Engine::of(info.Env())
      .run<GpuMemory>(
          info.Env(),
          [] {
            load_gpu();
            return gpu().memory();
          },
          [](Napi::Env env, GpuMemory& memory) -> Napi::Value { return js_memory(env, memory); });
}

Napi::Value live_handles(const Napi::CallbackInfo& info) {
  const Engine::Handles& handles = Engine::of(info.Env()).handles;
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("models", handles.models);
  out.Set("forwards", handles.forwards);
  out.Set("optimizers", handles.optimizers);
  return out;
}

}  // namespace vsgrpo
