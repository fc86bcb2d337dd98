#include "addon/convert.h"
#include "addon/engine.h"
#include "addon/errors.h"
#include "addon/functions.h"
#include "core/check.h"

namespace vsgrpo {

Napi::Value grpo_loss_at(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const Napi::Object stats = object_argument(info, 0, "grpoLoss: stats");
    const TokenStats at{float_tensor(stats, "logps"), float_tensor(stats, "entropy"), {}};
    const Loss loss = to_loss(object_argument(info, 1, "grpoLoss: args"));
    VS_CHECK(std::holds_alternative<GrpoInputs>(loss) && at.logps.numel() == at.entropy.numel(), "BAD_ARGUMENT",
             "[grpoLoss] expected the arguments of a grpo loss, and as many entropies as logps");
    return Engine::of(info.Env()).run<GrpoValue>(
        info.Env(), [=] { return grpo_gradients(std::get<GrpoInputs>(loss), at); },
        [](Napi::Env env, GrpoValue& value) -> Napi::Value {
          Napi::Object out = Napi::Object::New(env);
          out.Set("loss", value.loss);
          out.Set("dlogps", js_floats(env, value.dlogps));
          return out;
        });
  });
}

}  // namespace vsgrpo
