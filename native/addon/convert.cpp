#include "addon/convert.h"

#include <algorithm>
#include <cstring>

#include "core/check.h"

namespace vsgrpo {
namespace {

template <typename Array>
Array typed_array(const Napi::Object& from, const char* field, napi_typedarray_type type, const char* expected) {
  const Napi::Value value = from.Get(field);
  VS_CHECK(value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type, "BAD_ARGUMENT", "[", field, "] expected ", expected);
  return value.As<Array>();
}

template <typename T, typename Array>
at::Tensor copy_tensor(const Array& array, at::ScalarType dtype) {
  at::Tensor tensor = at::empty({static_cast<int64_t>(array.ElementLength())}, dtype);
  if (array.ElementLength() > 0) std::memcpy(tensor.mutable_data_ptr<T>(), array.Data(), array.ElementLength() * sizeof(T));
  return tensor;
}

template <typename Out>
std::vector<Out> int_vector(const Napi::Object& from, const char* field) {
  const auto array = typed_array<Napi::Int32Array>(from, field, napi_int32_array, "an Int32Array");
  return std::vector<Out>(array.Data(), array.Data() + array.ElementLength());
}

std::vector<std::string> text_list(const Napi::Object& from, const char* field) {
  const Napi::Value value = from.Get(field);
  VS_CHECK(value.IsArray(), "BAD_ARGUMENT", "[", field, "] expected an array of strings");
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> list;
  for (uint32_t i = 0; i < array.Length(); ++i) list.push_back(array.Get(i).ToString().Utf8Value());
  return list;
}

Napi::Object object_field(const Napi::Object& from, const char* field) {
  const Napi::Value value = from.Get(field);
  VS_CHECK(value.IsObject(), "BAD_ARGUMENT", "[", field, "] expected an object");
  return value.As<Napi::Object>();
}

at::ScalarType to_dtype(const std::string& name) {
  if (name == "float32") return at::kFloat;
  if (name == "bfloat16") return at::kBFloat16;
  fail("BAD_ARGUMENT", "[dtype] expected float32 or bfloat16, got ", name);
}

// Of moments: 'int8' are codes.
at::ScalarType to_state_dtype(const std::string& name) { return name == "int8" ? at::kByte : to_dtype(name); }

at::Device to_device(const std::string& name) {
  if (name == "cpu") return at::kCPU;
  if (name == "cuda") return {at::kCUDA, 0};
  fail("BAD_ARGUMENT", "[device] expected cpu or cuda, got ", name);
}

Surrogate to_surrogate(const std::string& name) {
  if (name == "clip") return Surrogate::kClip;
  if (name == "cispo") return Surrogate::kCispo;
  if (name == "sapo") return Surrogate::kSapo;
  if (name == "vespo") return Surrogate::kVespo;
  fail("BAD_ARGUMENT", "[surrogate] expected clip, cispo, sapo or vespo, got ", name);
}

KlEstimator to_kl_estimator(const std::string& name) {
  if (name == "k1") return KlEstimator::kK1;
  if (name == "k2") return KlEstimator::kK2;
  if (name == "k3") return KlEstimator::kK3;
  fail("BAD_ARGUMENT", "[klEstimator] expected k1, k2 or k3, got ", name);
}

Resize to_resize(const std::string& name) {
  if (name == "pillow") return Resize::kPillow;
  if (name == "torchvision-uint8") return Resize::kTorchvisionUint8;
  if (name == "torchvision-float") return Resize::kTorchvisionFloat;
  fail("BAD_ARGUMENT", "[resize] expected pillow, torchvision-uint8 or torchvision-float, got ", name);
}

}  // namespace

at::Tensor int_tensor(const Napi::Object& from, const char* field) {
  return copy_tensor<int32_t>(typed_array<Napi::Int32Array>(from, field, napi_int32_array, "an Int32Array"), at::kInt);
}

at::Tensor byte_tensor(const Napi::Object& from, const char* field) {
  return copy_tensor<uint8_t>(typed_array<Napi::Uint8Array>(from, field, napi_uint8_array, "a Uint8Array"), at::kByte);
}

at::Tensor float_tensor(const Napi::Object& from, const char* field) {
  return copy_tensor<float>(typed_array<Napi::Float32Array>(from, field, napi_float32_array, "a Float32Array"), at::kFloat);
}

bool has(const Napi::Object& from, const char* field) { return !from.Get(field).IsUndefined(); }

std::optional<at::Tensor> optional_float_tensor(const Napi::Object& from, const char* field) {
  if (!has(from, field)) return std::nullopt;
  return float_tensor(from, field);
}

double number(const Napi::Object& from, const char* field) {
  const Napi::Value value = from.Get(field);
  VS_CHECK(value.IsNumber() && std::isfinite(value.ToNumber().DoubleValue()), "BAD_ARGUMENT", "[", field, "] expected a finite number");
  return value.ToNumber().DoubleValue();
}

int64_t integer(const Napi::Object& from, const char* field) {
  const double value = number(from, field);
  VS_CHECK(value == std::floor(value) && std::abs(value) < 9e15, "BAD_ARGUMENT", "[", field, "] expected an integer, got ", value);
  return static_cast<int64_t>(value);
}

bool boolean(const Napi::Object& from, const char* field) {
  const Napi::Value value = from.Get(field);
  VS_CHECK(value.IsBoolean(), "BAD_ARGUMENT", "[", field, "] expected true or false");
  return value.ToBoolean().Value();
}

bool flag(const Napi::Object& from, const char* field) { return has(from, field) && boolean(from, field); }

std::string text(const Napi::Object& from, const char* field) {
  const Napi::Value value = from.Get(field);
  VS_CHECK(value.IsString(), "BAD_ARGUMENT", "[", field, "] expected a string");
  return value.ToString().Utf8Value();
}

std::string text_argument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  VS_CHECK(info[index].IsString(), "BAD_ARGUMENT", "[", name, "] expected a string");
  return info[index].ToString().Utf8Value();
}

std::vector<int64_t> int_vector_argument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  const Napi::Value value = info[index];
  VS_CHECK(value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_int32_array, "BAD_ARGUMENT", "[", name,
           "] expected an Int32Array");
  const auto array = value.As<Napi::Int32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

Napi::Object object_argument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  VS_CHECK(info[index].IsObject(), "BAD_ARGUMENT", "[", name, "] expected an object");
  return info[index].As<Napi::Object>();
}

Batch to_batch(const Napi::Object& from) {
  Batch batch;
  batch.forest = {int_vector<int64_t>(from, "offsets"), int_vector<int64_t>(from, "parents")};
  batch.ids = int_tensor(from, "ids");
  batch.patches = byte_tensor(from, "patches");
  batch.byte_values = float_tensor(from, "byteValues");
  const at::Tensor positions = int_tensor(from, "positions"), grids = int_tensor(from, "grids");
  VS_CHECK(positions.numel() == 3 * batch.ids.numel(), "BAD_SHAPE", "[positions] expected 3 x ", batch.ids.numel(), " values, got ",
           positions.numel());
  VS_CHECK(grids.numel() % 3 == 0, "BAD_SHAPE", "[grids] expected triples, got ", grids.numel(), " values");
  batch.positions = positions.view({3, -1});
  for (int64_t i = 0; i < grids.numel(); i += 3) {
    const int32_t* grid = grids.const_data_ptr<int32_t>() + i;
    VS_CHECK(std::max({grid[0], grid[1], grid[2]}) < (1 << 16), "BAD_SHAPE", "[grids] (", grid[0], ", ", grid[1], ", ", grid[2],
             ") is no media item");
    batch.grids.push_back({grid[0], grid[1], grid[2]});
  }
  if (has(from, "slots")) batch.slots = int_vector<int64_t>(from, "slots");
  return batch;
}

namespace {

bool is_sequence_level(const std::string& level) {
  VS_CHECK(level == "token" || level == "sequence", "BAD_ARGUMENT", "[grpo_loss] importanceSamplingLevel: expected token or sequence, got ", level);
  return level == "sequence";
}

GrpoOptions to_grpo_options(const Napi::Object& from) {
  GrpoOptions o;
  o.surrogate = to_surrogate(text(from, "surrogate"));
  o.sequence_level = is_sequence_level(text(from, "importanceSamplingLevel"));
  o.epsilon_low = number(from, "epsilonLow");
  o.epsilon_high = number(from, "epsilonHigh");
  if (has(from, "delta")) o.delta = number(from, "delta");
  o.beta = number(from, "beta");
  o.kl = to_kl_estimator(text(from, "klEstimator"));
  o.bias_correction_kl = boolean(from, "useBiasCorrectionKl");
  o.sapo_temperature_pos = number(from, "sapoTemperaturePos");
  o.sapo_temperature_neg = number(from, "sapoTemperatureNeg");
  o.vespo_k_pos = number(from, "vespoKPos");
  o.vespo_lambda_pos = number(from, "vespoLambdaPos");
  o.vespo_k_neg = number(from, "vespoKNeg");
  o.vespo_lambda_neg = number(from, "vespoLambdaNeg");
  VS_CHECK(o.epsilon_low >= 0 && o.epsilon_high >= 0 && o.delta > 0, "BAD_ARGUMENT", "[grpo_loss] epsilonLow, epsilonHigh: expected numbers >= 0, delta: > 0");
  return o;
}

}  // namespace

Targets to_targets(const Napi::Object& from) { return {int_tensor(from, "rows").to(at::kLong), int_tensor(from, "ids")}; }

Loss to_loss(const Napi::Object& from) {
  const std::string kind = text(from, "loss");
  if (kind == "external") return ExternalLoss{float_tensor(from, "dlogps"), optional_float_tensor(from, "dentropy")};
  if (kind == "sft") return SftLoss{float_tensor(from, "weights")};
  VS_CHECK(kind == "grpo", "BAD_ARGUMENT", "[loss] expected external, sft or grpo, got ", kind);
  return GrpoInputs{float_tensor(from, "weights"),
                    float_tensor(from, "advantages"),
                    int_vector<int64_t>(from, "offsets"),
                    optional_float_tensor(from, "oldLogps"),
                    optional_float_tensor(from, "refLogps"),
                    optional_float_tensor(from, "policyMask"),
                    optional_float_tensor(from, "samplerRatios"),
                    optional_float_tensor(from, "entropyBonus"),
                    to_grpo_options(object_field(from, "options"))};
}

AdamWOptions to_adamw_options(const Napi::Object& from) {
  return {number(from, "beta1"), number(from, "beta2"), number(from, "epsilon"), number(from, "weightDecay"),
          has(from, "stateDtype") ? to_state_dtype(text(from, "stateDtype")) : at::kFloat,
          has(from, "gradDtype") ? to_dtype(text(from, "gradDtype")) : at::kFloat};
}

ModelOptions to_model_options(const Napi::Object& from) {
  ModelOptions options;
  options.dtype = to_dtype(text(from, "dtype"));
  if (has(from, "device")) options.device = to_device(text(from, "device"));
  options.trainable = boolean(from, "trainable");
  options.freeze_vision = boolean(from, "freezeVision");
  if (has(from, "lora")) {
    const Napi::Object lora = object_field(from, "lora");
    options.lora = LoraConfig{integer(lora, "r"), number(lora, "alpha"), text_list(lora, "targetModules"),
                              static_cast<uint64_t>(integer(lora, "seed"))};
  }
  if (has(from, "adapterDir")) options.adapter_dir = text(from, "adapterDir");
  return options;
}

GenerateOptions to_generate_options(const Napi::Object& from) {
  GenerateOptions options;
  options.leaves = int_vector<int64_t>(from, "leaves");
  options.next_positions = int_vector<int64_t>(from, "nextPositions");
  const auto seeds = typed_array<Napi::BigUint64Array>(from, "seeds", napi_biguint64_array, "a BigUint64Array");
  options.seeds.assign(seeds.Data(), seeds.Data() + seeds.ElementLength());
  options.eos_ids = int_vector<int32_t>(from, "eosIds");
  options.num_generations = integer(from, "numGenerations");
  options.max_new_tokens = integer(from, "maxNewTokens");
  options.sampling = {static_cast<float>(number(from, "temperature")), integer(from, "topK"), static_cast<float>(number(from, "topP")),
                      static_cast<float>(number(from, "minP")), static_cast<float>(number(from, "repetitionPenalty"))};
  options.keep_prompts = flag(from, "keepPrompts");
  const float temperature = options.sampling.temperature;
  VS_CHECK(temperature == 0 || (temperature >= 1e-3f && temperature <= 1e6f), "BAD_ARGUMENT",
           "[temperature] expected 0 (greedy) or 0.001 to 1e6, got ", temperature);
  VS_CHECK(options.sampling.repetition_penalty > 0, "BAD_ARGUMENT", "[repetitionPenalty] must be above 0");
  return options;
}

PatchifyOptions to_patchify_options(const Napi::Object& from) {
  const auto size = [&](const char* field) {
    const int64_t value = integer(from, field);
    VS_CHECK(value > 0 && value <= 1 << 20, "BAD_ARGUMENT", "[", field, "] expected 1 to 1048576, got ", value);
    return static_cast<int>(value);
  };
  PatchifyOptions options;
  options.frames = size("frames");
  options.height = size("height");
  options.width = size("width");
  options.resized_height = size("resizedHeight");
  options.resized_width = size("resizedWidth");
  options.resize = to_resize(text(from, "resize"));
  options.patch_size = size("patchSize");
  options.temporal_patch_size = size("temporalPatchSize");
  options.merge_size = size("mergeSize");
  return options;
}

Napi::Float32Array js_floats(Napi::Env env, const at::Tensor& tensor) {
  auto array = Napi::Float32Array::New(env, static_cast<size_t>(tensor.numel()));
  if (tensor.numel() > 0) std::memcpy(array.Data(), tensor.const_data_ptr<float>(), tensor.nbytes());
  return array;
}

Napi::Uint8Array js_bytes(Napi::Env env, const std::vector<uint8_t>& values) {
  auto array = Napi::Uint8Array::New(env, values.size());
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size());
  return array;
}

Napi::Uint8Array js_bytes(Napi::Env env, const at::Tensor& tensor) {
  auto array = Napi::Uint8Array::New(env, static_cast<size_t>(tensor.numel()));
  if (tensor.numel() > 0) std::memcpy(array.Data(), tensor.const_data_ptr<uint8_t>(), tensor.nbytes());
  return array;
}

Napi::Object js_stats(Napi::Env env, const TokenStats& stats) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("logps", js_floats(env, stats.logps));
  out.Set("entropy", js_floats(env, stats.entropy));
  out.Set("correct", js_bytes(env, stats.correct));
  if (stats.logit_mean.defined()) out.Set("logitMean", js_floats(env, stats.logit_mean));
  return out;
}

Napi::Object js_completions(Napi::Env env, const std::vector<Completion>& completions) {
  size_t tokens = 0;
  for (const Completion& c : completions) tokens += c.ids.size();
  auto ids = Napi::Int32Array::New(env, tokens);
  auto logps = Napi::Float32Array::New(env, tokens);
  auto offsets = Napi::Int32Array::New(env, completions.size() + 1);
  auto stopped = Napi::Uint8Array::New(env, completions.size());
  size_t at = 0;
  offsets[0u] = 0;
  for (size_t i = 0; i < completions.size(); ++i) {
    std::copy(completions[i].ids.begin(), completions[i].ids.end(), ids.Data() + at);
    std::copy(completions[i].logps.begin(), completions[i].logps.end(), logps.Data() + at);
    at += completions[i].ids.size();
    offsets[i + 1] = static_cast<int32_t>(at);
    stopped[i] = completions[i].stopped ? 1 : 0;
  }
  Napi::Object out = Napi::Object::New(env);
  out.Set("ids", ids);
  out.Set("offsets", offsets);
  out.Set("logps", logps);
  out.Set("stopped", stopped);
  return out;
}

}  // namespace vsgrpo
