#include "addon/convert.h"
#include "addon/errors.h"
#include "addon/load_gpu.h"
#include "addon/wraps.h"
#include "core/check.h"

#include <utility>

namespace vsgrpo {
namespace {

// Where `abort[0]` lives while a job runs. Shared memory, which the reference keeps: other memory could be transferred away.
struct AbortFlag {
  explicit AbortFlag(const Napi::Object& options) {
    if (!has(options, "abort")) return;
    const Napi::Value value = options.Get("abort");
    VS_CHECK(value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_int32_array &&
                 value.As<Napi::TypedArray>().ElementLength() > 0 && !value.As<Napi::TypedArray>().ArrayBuffer().IsArrayBuffer(),
             "BAD_ARGUMENT", "[abort] expected an Int32Array of length 1 over a SharedArrayBuffer");
    array = Napi::Persistent(value.As<Napi::Int32Array>());
    flag = reinterpret_cast<std::atomic<int>*>(value.As<Napi::Int32Array>().Data());
  }
  Napi::Reference<Napi::Int32Array> array;
  const std::atomic<int>* flag = nullptr;
};

constexpr napi_type_tag kModelTag = {0x6f0c4f0e5d1b4a27, 0x9d3a86e1c2f75b48};

void save_model(Qwen2VL& model, const std::string& dir, const std::string& what) {
  if (what == "model") return model.save_weights(dir);
  if (what == "merged") return model.save_merged(dir);
  VS_CHECK(what == "adapter", "BAD_ARGUMENT", "[save] expected model, merged or adapter, got ", what);
  model.save_adapter(dir);
}

}  // namespace

Napi::Function ModelWrap::define(Napi::Env env) {
  return DefineClass(env, "Model",
                     {StaticMethod<&ModelWrap::load>("load"), InstanceMethod<&ModelWrap::info>("info"),
                      InstanceMethod<&ModelWrap::generate>("generate"), InstanceMethod<&ModelWrap::forward>("forward"),
                      InstanceMethod<&ModelWrap::save>("save"), InstanceMethod<&ModelWrap::drop_features>("dropFeatures"),
                      InstanceMethod<&ModelWrap::load_reference_adapter>("loadReferenceAdapter"),
                      InstanceMethod<&ModelWrap::mix>("mix"), InstanceMethod<&ModelWrap::dispose>("dispose")});
}

ModelWrap::ModelWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ModelWrap>(info), engine_(Engine::of(info.Env())) {
  model_ = engine_.made<Qwen2VL>(info, "[Model] use Model.load(dir, options)");
  info.This().As<Napi::Object>().TypeTag(&kModelTag);
  engine_.models.add(model_);
  memory_.report(info.Env(), model_->parameter_count() * static_cast<int64_t>(at::elementSize(model_->options().dtype)));
  ++engine_.handles.models;
}

ModelWrap::~ModelWrap() { engine_.drop(model_, engine_.handles.models); }

ModelWrap& ModelWrap::of(const Napi::Object& value, const char* where) {
  // Not InstanceOf: a prototype can be changed.
  VS_CHECK(value.CheckTypeTag(&kModelTag), "BAD_ARGUMENT", "[", where, "] expected a Model");
  return *ModelWrap::Unwrap(value);
}

std::shared_ptr<Qwen2VL> ModelWrap::use() const {
  VS_CHECK(model_, "DISPOSED", "[Model] used after dispose()");
  return model_;
}

Napi::Value ModelWrap::load(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::string dir = text_argument(info, 0, "Model.load: dir");
    const ModelOptions options = to_model_options(object_argument(info, 1, "Model.load: options"));
    Engine& engine = Engine::of(info.Env());
    return engine.run<std::shared_ptr<Qwen2VL>>(
        info.Env(),
        [=] {
          options.device.is_cuda() ? load_gpu() : prepare_gpu();
          return Qwen2VL::load(dir, options);
        },
        [&engine](Napi::Env, std::shared_ptr<Qwen2VL>& model) -> Napi::Value { return engine.make(engine.model_class, model); });
  });
}

Napi::Value ModelWrap::info(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto model = use();
    int64_t trainable = 0;
    for (const auto& [name, parameter] : model->trainable()) trainable += parameter->value.numel();
    Napi::Object out = Napi::Object::New(info.Env());
    out.Set("parameters", static_cast<double>(model->parameter_count()));
    out.Set("trainable", static_cast<double>(trainable));
    out.Set("dtype", model->options().dtype == at::kFloat ? "float32" : "bfloat16");
    return Napi::Value(out);
  });
}

Napi::Value ModelWrap::generate(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto model = use();
    const Napi::Object js_options = object_argument(info, 1, "generate: options");
    const Batch batch = to_batch(object_argument(info, 0, "generate: batch"));
    const GenerateOptions options = to_generate_options(js_options);
    // Released on Node's thread, with the converter that holds it.
    auto abort = std::make_shared<AbortFlag>(js_options);
    return engine_.run<std::vector<Completion>>(
        info.Env(), [=, flag = abort->flag] { return vsgrpo::generate(*model, batch, options, flag); },
        [abort](Napi::Env env, std::vector<Completion>& completions) -> Napi::Value { return js_completions(env, completions); });
  });
}

Napi::Value ModelWrap::forward(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto model = use();
    const Batch batch = to_batch(object_argument(info, 0, "forward: batch"));
    const Targets targets = to_targets(object_argument(info, 1, "forward: targets"));
    const Napi::Object js_options = object_argument(info, 2, "forward: options");
    const ForwardOptions options{boolean(js_options, "grad"), boolean(js_options, "adapter"), number(js_options, "temperature"),
                                 flag(js_options, "gradientCheckpointing"), flag(js_options, "logitMean")};
    auto self = std::make_shared<Napi::ObjectReference>(Napi::Persistent(info.This().As<Napi::Object>()));
    return engine_.run<std::shared_ptr<Forward>>(
        info.Env(), [=] { return std::make_shared<Forward>(model, batch, targets, options); },
        [this, self](Napi::Env, std::shared_ptr<Forward>& forward) -> Napi::Value {
          if (!model_) engine_.retire(std::exchange(forward, nullptr));
          VS_CHECK(model_, "DISPOSED", "[forward] the model was disposed of before the pass had run");
          const Napi::Object out = engine_.make(engine_.forward_class, forward);
          forwards.add(ForwardWrap::Unwrap(out)->handle());
          return out;
        });
  });
}

Napi::Value ModelWrap::save(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto model = use();
    const std::string dir = text_argument(info, 0, "save: dir"), what = text_argument(info, 1, "save: what");
    return engine_.run(info.Env(), [=] { save_model(*model, dir, what); });
  });
}

Napi::Value ModelWrap::drop_features(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto model = use();
    return engine_.run(info.Env(), [=, slots = int_vector_argument(info, 0, "dropFeatures: slots")] {
      model->forget_prompts();  // they know media by their slots
      model->features().drop(slots);
    });
  });
}

Napi::Value ModelWrap::load_reference_adapter(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto model = use();
    const std::string dir = text_argument(info, 0, "loadReferenceAdapter: dir");
    return engine_.run(info.Env(), [=] { model->load_reference_adapter(dir); });
  });
}

Napi::Value ModelWrap::mix(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const auto model = use();
    const auto target = ModelWrap::of(object_argument(info, 0, "mix: other"), "mix").use();
    VS_CHECK(target != model, "BAD_ARGUMENT", "[mix] expected another model, got the same one");
    VS_CHECK(info[1].IsNumber() && std::isfinite(info[1].ToNumber().DoubleValue()), "BAD_ARGUMENT", "[mix] alpha: expected a finite number");
    const double alpha = info[1].ToNumber().DoubleValue();
    return engine_.run(info.Env(), [=] { model->mix(*target, alpha); });
  });
}

void ModelWrap::dispose(const Napi::CallbackInfo&) {
  for (const auto& handle : forwards.all()) engine_.drop(*handle, engine_.handles.forwards);
  for (const auto& handle : optimizers.all()) engine_.drop(*handle, engine_.handles.optimizers);
  engine_.drop(model_, engine_.handles.models);
}

}  // namespace vsgrpo
