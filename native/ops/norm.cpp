#include "ops/norm.h"

#include "core/gpu.h"
#include "ops/rows.h"

namespace vsgrpo {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// y = w * round(x * r), r = rsqrt(mean(x^2) + eps)
template <typename T>
void rms_norm_forward(const at::Tensor& x, const at::Tensor& w, double eps, at::Tensor& y, at::Tensor& rstd) {
  const int64_t n = x.size(0), h = x.size(1);
  const T* xs = x.const_data_ptr<T>();
  const T* ws = w.const_data_ptr<T>();
  T* ys = y.mutable_data_ptr<T>();
  float* rs = rstd.mutable_data_ptr<float>();
  parallel_rows(n, h, [&](int64_t i) {
    const T* row = xs + i * h;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < h; ++j) sum += static_cast<float>(row[j]) * static_cast<float>(row[j]);
    const float r = 1.0f / std::sqrt(sum / static_cast<float>(h) + static_cast<float>(eps));
    rs[i] = r;
    for (int64_t j = 0; j < h; ++j) {
      ys[i * h + j] = static_cast<T>(static_cast<float>(ws[j]) * round_to<T>(static_cast<float>(row[j]) * r));
    }
  });
}

// dx = r (g - xhat mean(g xhat)) with g = dy w, xhat = x r
template <typename T>
void rms_norm_backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& w, const at::Tensor& rstd, at::Tensor& dx) {
  const int64_t n = x.size(0), h = x.size(1);
  const T* dys = dy.const_data_ptr<T>();
  const T* xs = x.const_data_ptr<T>();
  const T* ws = w.const_data_ptr<T>();
  const float* rs = rstd.const_data_ptr<float>();
  T* dxs = dx.mutable_data_ptr<T>();
  parallel_rows(n, h, [&](int64_t i) {
    const T *g = dys + i * h, *row = xs + i * h;
    float dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int64_t j = 0; j < h; ++j) dot += static_cast<float>(g[j]) * static_cast<float>(ws[j]) * static_cast<float>(row[j]);
    const float r = rs[i], scale = dot * r * r / static_cast<float>(h);
    for (int64_t j = 0; j < h; ++j) {
      dxs[i * h + j] = static_cast<T>(r * (static_cast<float>(g[j]) * static_cast<float>(ws[j]) - static_cast<float>(row[j]) * scale));
    }
  });
}

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static Variable forward(AutogradContext* ctx, const Variable& x, Parameter* weight, double eps) {
    at::Tensor y, rstd;
    if (on_gpu(x)) {
      std::tie(y, rstd) = gpu().rms_norm(x, weight->value, eps);
    } else {
      y = at::empty_like(x), rstd = at::empty({x.size(0)}, at::kFloat);
      dispatch_float(x, [&]<typename T>() { rms_norm_forward<T>(x, weight->value, eps, y, rstd); });
    }
    ctx->save_for_backward({x});
    ctx->saved_data["rstd"] = rstd;
    keep_parameter(ctx, "weight", weight);
    return y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const at::Tensor dy = grads[0].contiguous(), x = ctx->get_saved_variables()[0], rstd = ctx->saved_data["rstd"].toTensor();
    auto* weight = kept_parameter(ctx, "weight");
    if (on_gpu(x)) return {gpu().rms_norm_backward(dy, x, weight->value, rstd, weight->grad), Variable(), Variable()};
    at::Tensor dx = at::empty_like(x);
    dispatch_float(x, [&]<typename T>() { rms_norm_backward<T>(dy, x, weight->value, rstd, dx); });
    if (weight->trainable()) {
      const at::Tensor xhat = x.to(at::kFloat) * rstd.unsqueeze(1);
      weight->grad.add_(xhat.mul_(dy).sum(0));
    }
    return {dx, Variable(), Variable()};
  }
};

struct LayerNorm : torch::autograd::Function<LayerNorm> {
  static Variable forward(AutogradContext* ctx, const Variable& x, Parameter* weight, Parameter* bias, double eps) {
    auto [y, mean, rstd] = at::native_layer_norm(x, {x.size(1)}, weight->value, bias->value, eps);
    ctx->save_for_backward({x});
    ctx->saved_data["mean"] = mean;
    ctx->saved_data["rstd"] = rstd;
    keep_parameter(ctx, "weight", weight);
    keep_parameter(ctx, "bias", bias);
    return y;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const at::Tensor x = ctx->get_saved_variables()[0];
    auto* weight = kept_parameter(ctx, "weight");
    auto* bias = kept_parameter(ctx, "bias");
    auto [dx, dw, db] = at::native_layer_norm_backward(grads[0].contiguous(), x, {x.size(1)}, ctx->saved_data["mean"].toTensor(),
                                                       ctx->saved_data["rstd"].toTensor(), weight->value, bias->value,
                                                       {true, weight->trainable(), bias->trainable()});
    if (weight->trainable()) weight->grad.add_(dw);
    if (bias->trainable()) bias->grad.add_(db);
    return {dx, Variable(), Variable(), Variable()};
  }
};

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, Parameter& weight, double eps) { return RmsNorm::apply(x, &weight, eps); }

at::Tensor layer_norm(const at::Tensor& x, Parameter& weight, Parameter& bias, double eps) {
  return LayerNorm::apply(x, &weight, &bias, eps);
}

}  // namespace vsgrpo
