#include "glue/call.h"
#include "glue/cuda_gpu.h"

namespace vsgrpo::glue {

std::pair<at::Tensor, at::Tensor> CudaGpu::mrope_table(const at::Tensor& positions, const at::Tensor& offsets, const at::Tensor& frequencies,
                                                       const std::vector<int64_t>& sections, bool round_to_bfloat16) {
  const int64_t rows = positions.size(1), half = frequencies.size(0);
  at::Tensor cos = at::empty({rows, half}, frequencies.options()), sin = at::empty_like(cos);
  vsgrpo_mrope_table_args args{};
  args.round_to_bfloat16 = round_to_bfloat16;
  args.rows = rows, args.head_dim = 2 * half;
  args.positions = data<int32_t>(positions), args.offsets = data<int32_t>(offsets), args.inverse_frequencies = data<float>(frequencies);
  for (size_t i = 0; i < 3; ++i) args.sections[i] = static_cast<int32_t>(sections[i]);
  args.cos = data<float>(cos), args.sin = data<float>(sin);
  call(vsgrpo_mrope_table, args);
  return {cos, sin};
}

std::array<at::Tensor, 3> CudaGpu::split_and_rotate(const at::Tensor& qkv, const at::Tensor& cos, const at::Tensor& sin, bool round_products,
                                                    int64_t heads, int64_t kv_heads) {
  const int64_t rows = qkv.size(0), head_dim = 2 * cos.size(1);
  at::Tensor q = at::empty({rows, heads, head_dim}, qkv.options()), k = at::empty({rows, kv_heads, head_dim}, qkv.options()), v = at::empty_like(k);
  vsgrpo_mrope_args args{};
  args.type = kernel_type(qkv);
  args.round_products = round_products;
  args.rows = rows, args.heads = heads, args.kv_heads = kv_heads, args.head_dim = head_dim;
  args.qkv = data(qkv), args.cos = data<float>(cos), args.sin = data<float>(sin);
  args.q = data(q), args.k = data(k), args.v = data(v);
  call(vsgrpo_mrope, args);
  return {q, k, v};
}

at::Tensor CudaGpu::split_and_rotate_backward(const at::Tensor& dq, const at::Tensor& dk, const at::Tensor& dv, const at::Tensor& cos,
                                              const at::Tensor& sin) {
  const int64_t rows = dq.size(0), heads = dq.size(1), kv_heads = dk.size(1), head_dim = dq.size(2);
  at::Tensor dqkv = at::empty({rows, (heads + 2 * kv_heads) * head_dim}, dq.options());
  vsgrpo_mrope_backward_args args{};
  args.type = kernel_type(dq);
  args.rows = rows, args.heads = heads, args.kv_heads = kv_heads, args.head_dim = head_dim;
  args.dq = data(dq), args.dk = data(dk), args.dv = data(dv);
  args.cos = data<float>(cos), args.sin = data<float>(sin);
  args.dqkv = data(dqkv);
  call(vsgrpo_mrope_backward, args);
  return dqkv;
}

}  // namespace vsgrpo::glue
