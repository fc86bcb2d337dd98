// JavaScript values <-> tensors and option structs. Typed arrays are copied: the caller may reuse them at once.
// A value of the wrong kind throws Error("BAD_ARGUMENT") that names the field.
#pragma once
#include <napi.h>

#include "generate/generate.h"
#include "model/forward.h"
#include "optim/adamw.h"
#include "ops/patchify.h"

namespace vsgrpo {

at::Tensor int_tensor(const Napi::Object& from, const char* field);
at::Tensor byte_tensor(const Napi::Object& from, const char* field);
at::Tensor float_tensor(const Napi::Object& from, const char* field);
std::optional<at::Tensor> optional_float_tensor(const Napi::Object& from, const char* field);

// Whether an optional field is given: undefined counts as absent.
bool has(const Napi::Object& from, const char* field);

double number(const Napi::Object& from, const char* field);
int64_t integer(const Napi::Object& from, const char* field);
bool boolean(const Napi::Object& from, const char* field);
bool flag(const Napi::Object& from, const char* field);  // false unless given
std::string text(const Napi::Object& from, const char* field);
std::string text_argument(const Napi::CallbackInfo& info, size_t index, const char* name);
std::vector<int64_t> int_vector_argument(const Napi::CallbackInfo& info, size_t index, const char* name);
Napi::Object object_argument(const Napi::CallbackInfo& info, size_t index, const char* name);

Batch to_batch(const Napi::Object& from);
Targets to_targets(const Napi::Object& from);
Loss to_loss(const Napi::Object& from);
ModelOptions to_model_options(const Napi::Object& from);
AdamWOptions to_adamw_options(const Napi::Object& from);
GenerateOptions to_generate_options(const Napi::Object& from);
PatchifyOptions to_patchify_options(const Napi::Object& from);

Napi::Float32Array js_floats(Napi::Env env, const at::Tensor& tensor);
Napi::Uint8Array js_bytes(Napi::Env env, const at::Tensor& tensor);
Napi::Uint8Array js_bytes(Napi::Env env, const std::vector<uint8_t>& values);
Napi::Object js_stats(Napi::Env env, const TokenStats& stats);
Napi::Object js_completions(Napi::Env env, const std::vector<Completion>& completions);

}  // namespace vsgrpo
