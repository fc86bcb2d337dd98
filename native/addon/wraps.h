// The classes that JavaScript sees (src/native.ts). A wrap unwraps, converts, calls and wraps: no logic of its own.
#pragma once
#include <napi.h>

#include "addon/engine.h"
#include "model/forward.h"
#include "optim/adamw.h"

namespace vsgrpo {

// A native object that JavaScript holds. Jobs in flight keep their own reference; after dispose() every call throws DISPOSED.
template <typename T>
using Handle = std::shared_ptr<std::shared_ptr<T>>;

// Tells the collector of memory that it cannot see, while it lasts: objects that nobody disposes of are then collected in time.
class ExternalMemory {
 public:
  ExternalMemory() = default;
  ExternalMemory(const ExternalMemory&) = delete;
  ~ExternalMemory() {
    if (bytes_ != 0) Napi::MemoryManagement::AdjustExternalMemory(env_, -bytes_);
  }
  void report(Napi::Env env, int64_t bytes) {
    env_ = env, bytes_ = bytes;
    Napi::MemoryManagement::AdjustExternalMemory(env, bytes);
  }

 private:
  Napi::Env env_ = nullptr;
  int64_t bytes_ = 0;
};

class ModelWrap : public Napi::ObjectWrap<ModelWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit ModelWrap(const Napi::CallbackInfo& info);
  ~ModelWrap() override;
  // Throws Error("BAD_ARGUMENT") for what is no Model.
  static ModelWrap& of(const Napi::Object& value, const char* where);
  std::shared_ptr<Qwen2VL> use() const;
  bool is_disposed() const { return !model_; }

  // Disposed of with the model.
  Live<std::shared_ptr<Forward>> forwards;
  Live<std::shared_ptr<AdamW>> optimizers;

 private:
  static Napi::Value load(const Napi::CallbackInfo& info);
  Napi::Value info(const Napi::CallbackInfo& info);
  Napi::Value generate(const Napi::CallbackInfo& info);
  Napi::Value forward(const Napi::CallbackInfo& info);
  Napi::Value save(const Napi::CallbackInfo& info);
  Napi::Value drop_features(const Napi::CallbackInfo& info);
  Napi::Value load_reference_adapter(const Napi::CallbackInfo& info);
  Napi::Value mix(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  Engine& engine_;
  std::shared_ptr<Qwen2VL> model_;
  ExternalMemory memory_;
};

class ForwardWrap : public Napi::ObjectWrap<ForwardWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit ForwardWrap(const Napi::CallbackInfo& info);
  ~ForwardWrap() override;
  const Handle<Forward>& handle() const { return forward_; }

 private:
  std::shared_ptr<Forward> use() const;
  Napi::Value logps(const Napi::CallbackInfo& info);
  Napi::Value backward(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  Engine& engine_;
  Handle<Forward> forward_;
};

class OptimizerWrap : public Napi::ObjectWrap<OptimizerWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit OptimizerWrap(const Napi::CallbackInfo& info);
  ~OptimizerWrap() override;

 private:
  static Napi::Value create(const Napi::CallbackInfo& info);
  std::shared_ptr<AdamW> use() const;
  Napi::Value step(const Napi::CallbackInfo& info);
  Napi::Value save(const Napi::CallbackInfo& info);
  Napi::Value load(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  Engine& engine_;
  Handle<AdamW> optimizer_;
  std::weak_ptr<Qwen2VL> model_;
  ExternalMemory memory_;
};

}  // namespace vsgrpo
