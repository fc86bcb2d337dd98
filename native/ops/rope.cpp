#include "ops/rope.h"

#include "core/gpu.h"
#include "ops/rows.h"

namespace vsgrpo {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

constexpr double kVisionTheta = 10000.0;

RopeTable table_from_angles(const at::Tensor& angles, at::ScalarType dtype) {
  const at::Tensor both = on_gpu(angles) ? angles : at::cat({angles, angles}, 1);
  return {both.cos().to(dtype).to(at::kFloat), both.sin().to(dtype).to(at::kFloat), dtype != at::kFloat};
}

template <typename T>
void rotate(const T* x, const float* cos, const float* sin, T* y, int64_t dim, bool round_products) {
  const int64_t half = dim / 2;
  const auto product = [&](float a, float b) { return round_products ? round_to<T>(a * b) : a * b; };
  for (int64_t j = 0; j < half; ++j) {
    const float a = static_cast<float>(x[j]), b = static_cast<float>(x[j + half]);
    y[j] = static_cast<T>(product(a, cos[j]) - product(b, sin[j]));
    y[j + half] = static_cast<T>(product(b, cos[j + half]) + product(a, sin[j + half]));
  }
}

// The transpose of `rotate`: turns the gradient back.
template <typename T>
void rotate_back(const T* dy, const float* cos, const float* sin, T* dx, int64_t dim) {
  const int64_t half = dim / 2;
  for (int64_t j = 0; j < half; ++j) {
    const float a = static_cast<float>(dy[j]), b = static_cast<float>(dy[j + half]);
    dx[j] = static_cast<T>(a * cos[j] + b * sin[j + half]);
    dx[j + half] = static_cast<T>(b * cos[j + half] - a * sin[j]);
  }
}

struct SplitAndRotate : torch::autograd::Function<SplitAndRotate> {
  static variable_list forward(AutogradContext* ctx, const Variable& qkv, const Variable& cos, const Variable& sin, bool round_products,
                               int64_t heads, int64_t kv_heads) {
    ctx->save_for_backward({cos, sin});
    if (on_gpu(qkv)) {
      const auto [q, k, v] = gpu().split_and_rotate(qkv, cos, sin, round_products, heads, kv_heads);
      return {q, k, v};
    }
    const int64_t n = qkv.size(0), dim = cos.size(1), width = qkv.size(1);
    at::Tensor q = at::empty({n, heads, dim}, qkv.options()), k = at::empty({n, kv_heads, dim}, qkv.options());
    at::Tensor v = qkv.narrow(1, (heads + kv_heads) * dim, kv_heads * dim).reshape({n, kv_heads, dim}).contiguous();
    dispatch_float(qkv, [&]<typename T>() {
      const T* xs = qkv.const_data_ptr<T>();
      T *qs = q.mutable_data_ptr<T>(), *ks = k.mutable_data_ptr<T>();
      const float *cs = cos.const_data_ptr<float>(), *ss = sin.const_data_ptr<float>();
      parallel_rows(n, width, [&](int64_t i) {
        const T* row = xs + i * width;
        for (int64_t head = 0; head < heads + kv_heads; ++head) {
          T* out = head < heads ? qs + (i * heads + head) * dim : ks + (i * kv_heads + head - heads) * dim;
          rotate(row + head * dim, cs + i * dim, ss + i * dim, out, dim, round_products);
        }
      });
    });
    return {q, k, v};
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const at::Tensor &cos = saved[0], &sin = saved[1];
    const at::Tensor dq = grads[0].contiguous(), dk = grads[1].contiguous();
    if (on_gpu(dq)) {
      const at::Tensor dqkv = gpu().split_and_rotate_backward(dq, dk, grads[2].contiguous(), cos, sin);
      return {dqkv, Variable(), Variable(), Variable(), Variable(), Variable()};
    }
    const int64_t n = dq.size(0), heads = dq.size(1), kv_heads = dk.size(1), dim = dq.size(2), width = (heads + 2 * kv_heads) * dim;
    at::Tensor dqkv = at::empty({n, width}, dq.options());
    dqkv.narrow(1, (heads + kv_heads) * dim, kv_heads * dim).copy_(grads[2].reshape({n, kv_heads * dim}));
    dispatch_float(dq, [&]<typename T>() {
      const T *dqs = dq.const_data_ptr<T>(), *dks = dk.const_data_ptr<T>();
      T* out = dqkv.mutable_data_ptr<T>();
      const float *cs = cos.const_data_ptr<float>(), *ss = sin.const_data_ptr<float>();
      parallel_rows(n, width, [&](int64_t i) {
        for (int64_t head = 0; head < heads + kv_heads; ++head) {
          const T* in = head < heads ? dqs + (i * heads + head) * dim : dks + (i * kv_heads + head - heads) * dim;
          rotate_back(in, cs + i * dim, ss + i * dim, out + i * width + head * dim, dim);
        }
      });
    });
    return {dqkv, Variable(), Variable(), Variable(), Variable(), Variable()};
  }
};

}  // namespace

at::Tensor inverse_frequencies(int64_t dim, double theta) {
  const at::Tensor exponent = at::arange(0, dim, 2, at::kFloat) / static_cast<double>(dim);
  return at::reciprocal(at::pow(at::scalar_tensor(theta, at::kFloat), exponent));
}

RopeTable mrope_table(const at::Tensor& positions, int64_t head_dim, double theta, const std::vector<int64_t>& sections,
                      at::ScalarType dtype) {
  const at::Tensor frequencies = upload(inverse_frequencies(head_dim, theta), positions.device());
  if (on_gpu(positions)) {
    const auto [cos, sin] = gpu().mrope_table(positions.to(at::kInt).contiguous(), {}, frequencies, sections, dtype != at::kFloat);
    return {cos, sin, dtype != at::kFloat};
  }
  std::vector<at::Tensor> angles;
  int64_t first = 0;
  for (int64_t component = 0; component < 3; ++component) {
    const int64_t count = sections[static_cast<size_t>(component)];
    const at::Tensor turned = positions[component].to(at::kFloat).unsqueeze(1);
    angles.push_back(turned * frequencies.narrow(0, first, count).unsqueeze(0));
    first += count;
  }
  return table_from_angles(at::cat(angles, 1), dtype);
}

RopeTable vision_rope_table(const at::Tensor& rows, const at::Tensor& cols, int64_t head_dim) {
  const at::Tensor frequencies = upload(inverse_frequencies(head_dim / 2, kVisionTheta), rows.device()).unsqueeze(0);
  return table_from_angles(at::cat({rows.unsqueeze(1) * frequencies, cols.unsqueeze(1) * frequencies}, 1), at::kFloat);
}

Qkv split_and_rotate(const at::Tensor& qkv, const RopeTable& rope, int64_t heads, int64_t kv_heads) {
  auto parts = SplitAndRotate::apply(qkv, rope.cos, rope.sin, rope.round_products, heads, kv_heads);
  return {parts[0], parts[1], parts[2]};
}

}  // namespace vsgrpo
