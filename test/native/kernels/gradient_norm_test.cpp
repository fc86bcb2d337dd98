// The norm of all gradients and the factor that clips them, against their definition.
#include "kernel_test.h"

namespace {

using namespace kernel_test;

// {norm, factor} of all gradients.
at::Tensor clip(const std::vector<at::Tensor>& grads, double max_norm) {
  int64_t count = 0;
  for (const at::Tensor& grad : grads) count += vsgrpo_squared_norm_sums(grad.numel());
  const at::Tensor sums = guarded({count}, at::kDouble), out = guarded({2}, at::kDouble);
  double* at = sums.mutable_data_ptr<double>();
  for (const at::Tensor& grad : grads) {
    const vsgrpo_squared_norm_args args{sizeof(args), type_of(grad), grad.numel(), grad.const_data_ptr(), at};
    run(vsgrpo_squared_norm(&args, nullptr));
    at += vsgrpo_squared_norm_sums(grad.numel());
  }
  const vsgrpo_clip_args args{sizeof(args), count, sums.const_data_ptr<double>(), max_norm, out.mutable_data_ptr<double>()};
  run(vsgrpo_clip(&args, nullptr));
  return out;
}

}  // namespace

TEST_CASE("the norm of float32 and bfloat16 gradients is that of all their values, and clips to the limit") {
  const Report report;
  at::manual_seed(15);
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    // More than one piece; lengths that leave a rest of any width.
    const std::vector<at::Tensor> grads{random({300, 301}, dtype), random({7}, dtype), random({1, 2}, dtype)};
    double sum = 0;
    for (const at::Tensor& grad : grads) sum += grad.to(at::kDouble).square().sum().item<double>();
    const auto result = in_every_order([&] { return std::vector<at::Tensor>{clip(grads, 1.0)}; }).front();
    check_near(name_of("norm", dtype), result[0], at::scalar_tensor(std::sqrt(sum), at::kDouble), 0, 1e-12);
    check_near(name_of("factor", dtype), result[1], at::scalar_tensor(1.0 / (std::sqrt(sum) + 1e-6), at::kDouble), 0, 1e-12);
  }
}

TEST_CASE("a gradient that is not finite gives a factor of NaN") {
  for (const float bad : {INFINITY, NAN}) {
    const at::Tensor grad = guarded(at::ones({5, 5}));
    grad[2][2] = bad;
    const at::Tensor result = clip({grad}, 0);
    CHECK(std::isinf(bad) ? std::isinf(result[0].item<double>()) : std::isnan(result[0].item<double>()));
    CHECK(std::isnan(result[1].item<double>()));
  }
}

TEST_CASE("without a limit, and below it, gradients keep their size") {
  const at::Tensor grad = guarded(at::full({4}, 0.25f));
  for (const double limit : {0.0, 0.6}) CHECK_EQ(clip({grad}, limit)[1].item<double>(), 1.0);
  CHECK_LE(std::abs(clip({grad}, 0.25)[1].item<double>() - 0.5), 1e-5);
}
