// The SwiGLU kernels against the CPU op.
#include "kernel_test.h"
#include "ops/activation.h"

namespace {

using namespace kernel_test;

at::Tensor forward(const at::Tensor& gate_up) {
  const int64_t rows = gate_up.size(0), columns = gate_up.size(1) / 2;
  const at::Tensor y = guarded({rows, columns}, gate_up.scalar_type());
  const vsgrpo_swiglu_args args{sizeof(args), type_of(gate_up), rows, columns, gate_up.data_ptr(), y.data_ptr()};
  run(vsgrpo_swiglu(&args, nullptr));
  return y;
}

at::Tensor backward(const at::Tensor& dy, const at::Tensor& gate_up, const at::Tensor& out) {
  const vsgrpo_swiglu_backward_args args{sizeof(args),     type_of(gate_up), dy.size(0), dy.size(1), dy.data_ptr(), gate_up.data_ptr(),
                                         out.data_ptr()};
  run(vsgrpo_swiglu_backward(&args, nullptr));
  return out;
}

}  // namespace

TEST_CASE("the swiglu kernels give the CPU op's output and gradient") {
  const Report report;
  at::manual_seed(1);
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{1, 8}, {3, 1048}, {5, 160}}) {
      const at::Tensor gate_up = random({rows, 2 * columns}, dtype, 3), dy = random({rows, columns}, dtype);
      const at::Tensor x = gate_up.clone().set_requires_grad(true), y = vsgrpo::swiglu(x);
      y.backward(dy);
      const auto results = in_every_order([&] {
        const at::Tensor in_place = guarded(gate_up);
        return std::vector{forward(gate_up), backward(dy, gate_up, guarded({rows, 2 * columns}, dtype)), backward(dy, in_place, in_place)};
      });
      check_near(name_of("swiglu", dtype), results[0], y.detach(), 1e-6, rounding(dtype));
      check_near(name_of("swiglu gradient", dtype), results[1], x.grad(), 1e-6, rounding(dtype));
      CHECK(results[2].equal(results[1]));
    }
  }
}
