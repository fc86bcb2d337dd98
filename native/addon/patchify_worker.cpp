#include "addon/convert.h"
#include "addon/errors.h"
#include "addon/functions.h"
#include "core/check.h"

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

}  // namespace

Napi::Value patchify_async(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    VS_CHECK(info[0].IsTypedArray() && info[0].As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array, "BAD_ARGUMENT",
             "[patchify] expected a Uint8Array of RGB bytes");
    // First: a getter among them may run code that takes the bytes away.
    const PatchifyOptions options = to_patchify_options(object_argument(info, 1, "patchify: options"));
    const auto rgb = info[0].As<Napi::Uint8Array>();
    const auto expected = static_cast<size_t>(options.frames) * options.height * options.width * 3;
    VS_CHECK(options.frames > 0 && options.height > 0 && options.width > 0 && rgb.ElementLength() == expected, "BAD_SHAPE",
             "[patchify] expected ", expected, " bytes, got ", rgb.ElementLength());
    auto* worker = new PatchifyWorker(info.Env(), {rgb.Data(), rgb.Data() + rgb.ElementLength()}, options);
    worker->Queue();
    return Napi::Value(worker->promise());
  });
}

}  // namespace vsgrpo
