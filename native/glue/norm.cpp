#include "glue/call.h"
#include "glue/cuda_gpu.h"

namespace vsgrpo::glue {

std::pair<at::Tensor, at::Tensor> CudaGpu::rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  at::Tensor y = at::empty_like(x), rstd = at::empty({x.size(0)}, x.options().dtype(at::kFloat));
  vsgrpo_add_rms_norm_args args{};
  args.type = kernel_type(x);
  args.rows = x.size(0), args.columns = x.size(1);
  args.eps = static_cast<float>(eps);
  args.x = data(x), args.weight = data(weight);
  args.y = data(y), args.rstd = data<float>(rstd);
  call(vsgrpo_add_rms_norm, args);
  return {y, rstd};
}

at::Tensor CudaGpu::rms_norm_backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& rstd,
                                      const at::Tensor& dweight) {
  const int64_t rows = x.size(0), columns = x.size(1);
  at::Tensor dx = at::empty_like(x), workspace, sum = dweight;
  if (dweight.defined()) workspace = at::empty({vsgrpo_add_rms_norm_workspace(rows, columns)}, rstd.options());
  // The kernel adds in float32: a bfloat16 gradient is rounded once.
  const bool rounded = dweight.defined() && dweight.scalar_type() != at::kFloat;
  if (rounded) sum = at::zeros({columns}, rstd.options());
  vsgrpo_add_rms_norm_backward_args args{};
  args.type = kernel_type(x);
  args.rows = rows, args.columns = columns;
  args.dy = data(dy), args.sum = data(x), args.weight = data(weight), args.rstd = data<float>(rstd);
  args.dx = data(dx), args.dweight = data<float>(sum), args.workspace = data<float>(workspace);
  call(vsgrpo_add_rms_norm_backward, args);
  if (rounded) dweight.add_(sum);
  return dx;
}

}  // namespace vsgrpo::glue
