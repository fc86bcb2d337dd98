// The float32 products against the same in double, on shapes with every kind of remainder.
#include "golden.h"
#include "ops/float_gemm.h"

namespace {

at::Tensor product(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias = {}) {
  at::Tensor out = at::full({a.size(0), b.size(0)}, NAN);
  vsgrpo::float_gemm::matmul_nt_into(out, a, b, bias);
  return out;
}

at::Tensor exact(const at::Tensor& a, const at::Tensor& b) { return at::mm(a.to(at::kDouble), b.to(at::kDouble).t()); }

void check_close(const std::string& what, const at::Tensor& actual, const at::Tensor& expected) {
  const double difference = golden::relative(actual.to(at::kDouble), expected);
  CHECK_MESSAGE(difference < 1e-6, what << ": relative difference " << difference);
}

}  // namespace

TEST_CASE("float32 products have every element right, whatever the remainders and the order of the operands") {
  at::manual_seed(61);
  const std::vector<std::array<int64_t, 3>> shapes = {{17, 64, 64}, {2, 70, 33}, {64, 32, 512}, {130, 65, 66}, {256, 192, 129}, {40, 130, 1100}, {3, 1, 1}, {200, 7, 1}};
  for (const auto& [m, n, k] : shapes) {
    const std::string what = std::to_string(m) + " x " + std::to_string(n) + " x " + std::to_string(k);
    const at::Tensor a = at::randn({m, k}), b = at::randn({n, k}), bias = at::randn({n}), expected = exact(a, b);
    const at::Tensor a_t = a.t().contiguous(), b_t = b.t().contiguous();
    check_close("nt " + what, product(a, b), expected);
    check_close("nt with bias " + what, product(a, b, bias), expected + bias);
    check_close("nn " + what, product(a, b_t.t()), expected);
    check_close("tn " + what, product(a_t.t(), b_t.t()), expected);
    at::Tensor sum = at::ones({m, n});
    vsgrpo::float_gemm::add_matmul_tn(sum, a_t, b_t);
    check_close("added " + what, sum, expected + 1);
  }
}

TEST_CASE("a row of a float32 product does not depend on the other rows") {
  at::manual_seed(62);
  for (const int64_t inner : {48, 700}) {
    const at::Tensor a = at::randn({150, inner}), b = at::randn({90, inner}), bias = at::randn({90}), all = product(a, b, bias);
    for (const int64_t count : {1, 9, 64, 65, 149}) CHECK(product(a.narrow(0, 1, count), b, bias).equal(all.narrow(0, 1, count)));
  }
}

TEST_CASE("float32 products read and write views with wider rows, and take nothing from empty ones") {
  at::manual_seed(63);
  const at::Tensor wide = at::randn({40, 300}), b = at::randn({64, 100}), a = wide.narrow(1, 50, 100);
  check_close("nt", product(a, b), exact(a, b));
  at::Tensor out = at::full({40, 200}, 7.0f);
  vsgrpo::float_gemm::matmul_nt_into(out.narrow(1, 100, 64), a, b, {});
  check_close("into a view", out.narrow(1, 100, 64), exact(a, b));
  CHECK(out.narrow(1, 0, 100).eq(7).all().item<bool>());
  CHECK(out.narrow(1, 164, 36).eq(7).all().item<bool>());
  at::Tensor part = at::zeros({8, 300});
  vsgrpo::float_gemm::add_matmul_tn(part, wide.narrow(1, 10, 8), wide);
  check_close("tn", part, exact(wide.narrow(1, 10, 8).t(), wide.t()));
  const at::Tensor bias = at::randn({3});
  CHECK(product(at::empty({2, 0}), at::empty({3, 0}), bias).equal(bias.expand({2, 3})));
  CHECK(product(at::empty({2, 0}), at::empty({3, 0})).eq(0).all().item<bool>());
  CHECK(product(at::empty({0, 5}), at::randn({3, 5})).size(0) == 0);
}
