// The quick GELU kernels against the CPU op.
#include "kernel_test.h"
#include "ops/activation.h"

namespace {

using namespace kernel_test;

at::Tensor forward(const at::Tensor& x, const at::Tensor& out) {
  const vsgrpo_quick_gelu_args args{sizeof(args), type_of(x), x.numel(), x.data_ptr(), out.data_ptr()};
  run(vsgrpo_quick_gelu(&args, nullptr));
  return out;
}

at::Tensor backward(const at::Tensor& dy, const at::Tensor& x, const at::Tensor& out) {
  const vsgrpo_quick_gelu_backward_args args{sizeof(args), type_of(x), x.numel(), dy.data_ptr(), x.data_ptr(), out.data_ptr()};
  run(vsgrpo_quick_gelu_backward(&args, nullptr));
  return out;
}

}  // namespace

TEST_CASE("the quick GELU kernels give the CPU op's output and gradient, in place too") {
  const Report report;
  at::manual_seed(1);
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{1, 8}, {3, 1048}, {5, 160}}) {
      const at::Tensor x = random({rows, columns}, dtype, 3), dy = random({rows, columns}, dtype);
      const at::Tensor leaf = x.clone().set_requires_grad(true), y = vsgrpo::quick_gelu(leaf);
      y.backward(dy);
      const auto results = in_every_order([&] {
        const at::Tensor same = guarded(x), same_dy = guarded(dy);
        return std::vector{forward(x, guarded(x.sizes(), dtype)), forward(same, same), backward(dy, x, guarded(x.sizes(), dtype)),
                           backward(same_dy, x, same_dy)};
      });
      check_near(name_of("quick_gelu", dtype), results[0], y.detach(), 1e-6, rounding(dtype));
      check_near(name_of("quick_gelu gradient", dtype), results[2], leaf.grad(), 1e-6, rounding(dtype));
      CHECK(results[1].equal(results[0]));
      CHECK(results[3].equal(results[2]));
    }
  }
}
