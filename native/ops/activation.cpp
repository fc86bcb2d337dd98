#include "ops/activation.h"

#include "core/fast_math.h"
#include "core/gpu.h"
#include "ops/rows.h"

namespace vsgrpo {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

constexpr float kQuickGelu = 1.702f;

template <typename T>
void swiglu_forward(const at::Tensor& x, at::Tensor& y) {
  const int64_t width = y.size(1);
  const T* xs = x.const_data_ptr<T>();
  T* ys = y.mutable_data_ptr<T>();
  parallel_rows(y.size(0), width, [&](int64_t i) {
    const T *gate = xs + i * 2 * width, *up = gate + width;
    for (int64_t j = 0; j < width; ++j) {
      const float g = static_cast<float>(gate[j]);
      ys[i * width + j] = static_cast<T>(round_to<T>(g * sigmoid(g)) * static_cast<float>(up[j]));
    }
  });
}

template <typename T>
void swiglu_backward_row(const T* __restrict d, const T* __restrict gate, const T* __restrict up, T* __restrict dgate, T* __restrict dup,
                         int64_t width) {
  for (int64_t j = 0; j < width; ++j) {
    const float g = static_cast<float>(gate[j]), s = sigmoid(g), dj = static_cast<float>(d[j]);
    dgate[j] = static_cast<T>(dj * static_cast<float>(up[j]) * s * (1.0f + g * (1.0f - s)));
    dup[j] = static_cast<T>(dj * g * s);
  }
}

template <typename T>
void swiglu_backward(const at::Tensor& dy, const at::Tensor& x, at::Tensor& dx) {
  const int64_t width = dy.size(1);
  const T *dys = dy.const_data_ptr<T>(), *xs = x.const_data_ptr<T>();
  T* dxs = dx.mutable_data_ptr<T>();
  parallel_rows(dy.size(0), width, [&](int64_t i) {
    const T* gate = xs + i * 2 * width;
    T* dgate = dxs + i * 2 * width;
    swiglu_backward_row(dys + i * width, gate, gate + width, dgate, dgate + width, width);
  });
}

struct SwiGlu : torch::autograd::Function<SwiGlu> {
  static Variable forward(AutogradContext* ctx, const Variable& x) {
    ctx->save_for_backward({x});
    if (on_gpu(x)) return gpu().swiglu(x);
    at::Tensor y = at::empty({x.size(0), x.size(1) / 2}, x.options());
    dispatch_float(x, [&]<typename T>() { swiglu_forward<T>(x, y); });
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const at::Tensor x = ctx->get_saved_variables()[0], dy = grads[0].contiguous();
    if (on_gpu(x)) return {gpu().swiglu_backward(dy, x)};
    at::Tensor dx = at::empty_like(x);
    dispatch_float(x, [&]<typename T>() { swiglu_backward<T>(dy, x, dx); });
    return {dx};
  }
};

struct QuickGelu : torch::autograd::Function<QuickGelu> {
  static Variable forward(AutogradContext* ctx, const Variable& x) {
    ctx->save_for_backward({x});
    if (on_gpu(x)) return gpu().quick_gelu(x);
    at::Tensor y = at::empty_like(x);
    dispatch_float(x, [&]<typename T>() {
      const T* xs = x.const_data_ptr<T>();
      T* ys = y.mutable_data_ptr<T>();
      const int64_t width = x.size(1);
      parallel_rows(x.size(0), width, [&](int64_t row) {
        for (int64_t i = row * width; i < (row + 1) * width; ++i) {
          const float v = static_cast<float>(xs[i]);
          ys[i] = static_cast<T>(v * round_to<T>(sigmoid(round_to<T>(kQuickGelu * v))));
        }
      });
    });
    return y;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const at::Tensor x = ctx->get_saved_variables()[0], dy = grads[0].contiguous();
    if (on_gpu(x)) return {gpu().quick_gelu_backward(dy, x)};
    at::Tensor dx = at::empty_like(x);
    dispatch_float(x, [&]<typename T>() {
      const T *xs = x.const_data_ptr<T>(), *dys = dy.const_data_ptr<T>();
      T* dxs = dx.mutable_data_ptr<T>();
      const int64_t width = x.size(1);
      parallel_rows(x.size(0), width, [&](int64_t row) {
        for (int64_t i = row * width; i < (row + 1) * width; ++i) {
          const float v = static_cast<float>(xs[i]), s = sigmoid(kQuickGelu * v);
          dxs[i] = static_cast<T>(static_cast<float>(dys[i]) * s * (1.0f + kQuickGelu * v * (1.0f - s)));
        }
      });
    });
    return {dx};
  }
};

}  // namespace

at::Tensor swiglu(const at::Tensor& gate_up) { return SwiGlu::apply(gate_up); }
at::Tensor quick_gelu(const at::Tensor& x) { return QuickGelu::apply(x); }

}  // namespace vsgrpo
