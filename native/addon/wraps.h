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

class ModelWrap : public Napi::ObjectWrap<ModelWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit ModelWrap(const Napi::CallbackInfo& info);
  ~ModelWrap() override;
  std::shared_ptr<Qwen2VL> use() const;

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
  Napi::Value mix(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  Engine& engine_;
  std::shared_ptr<Qwen2VL> model_;
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
  std::shared_ptr<AdamW> use() const;
  Napi::Value step(const Napi::CallbackInfo& info);
  Napi::Value save(const Napi::CallbackInfo& info);
  Napi::Value load(const Napi::CallbackInfo& info);
  void dispose(const Napi::CallbackInfo& info);

  Engine& engine_;
  Handle<AdamW> optimizer_;
  std::weak_ptr<Qwen2VL> model_;
};

}  // namespace vsgrpo
