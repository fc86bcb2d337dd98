#include "glue/call.h"
#include "glue/cuda_gpu.h"

namespace vsgrpo::glue {

at::Tensor CudaGpu::swiglu(const at::Tensor& gate_up) {
  at::Tensor y = at::empty({gate_up.size(0), gate_up.size(1) / 2}, gate_up.options());
  vsgrpo_swiglu_args args{};
  args.type = kernel_type(y);
  args.rows = y.size(0), args.columns = y.size(1);
  args.gate_up = data(gate_up), args.y = data(y);
  call(vsgrpo_swiglu, args);
  return y;
}

at::Tensor CudaGpu::swiglu_backward(const at::Tensor& dy, const at::Tensor& gate_up) {
  at::Tensor dgate_up = at::empty_like(gate_up);
  vsgrpo_swiglu_backward_args args{};
  args.type = kernel_type(dy);
  args.rows = dy.size(0), args.columns = dy.size(1);
  args.dy = data(dy), args.gate_up = data(gate_up), args.dgate_up = data(dgate_up);
  call(vsgrpo_swiglu_backward, args);
  return dgate_up;
}

at::Tensor CudaGpu::quick_gelu(const at::Tensor& x) {
  at::Tensor y = at::empty_like(x);
  vsgrpo_quick_gelu_args args{};
  args.type = kernel_type(x), args.count = x.numel();
  args.x = data(x), args.y = data(y);
  call(vsgrpo_quick_gelu, args);
  return y;
}

at::Tensor CudaGpu::quick_gelu_backward(const at::Tensor& dy, const at::Tensor& x) {
  at::Tensor dx = at::empty_like(x);
  vsgrpo_quick_gelu_backward_args args{};
  args.type = kernel_type(x), args.count = x.numel();
  args.dy = data(dy), args.x = data(x), args.dx = data(dx);
  call(vsgrpo_quick_gelu_backward, args);
  return dx;
}

}  // namespace vsgrpo::glue
