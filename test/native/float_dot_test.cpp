// A few float32 rows times a matrix, against the product in double.
#include "ops/float_dot.h"

#include "golden.h"

namespace {

at::Tensor product(const at::Tensor& x, const at::Tensor& w, const at::Tensor& bias = {}) {
  at::Tensor out = at::full({x.size(0), w.size(0)}, NAN);
  vsgrpo::float_dot_rows(x, w, bias, out);
  return out;
}

}  // namespace

TEST_CASE("a few float32 rows times a matrix have every element right, whatever the remainders") {
  at::manual_seed(51);
  for (int64_t rows = 1; rows <= vsgrpo::kFloatDotRows; ++rows) {
    for (const int64_t columns : {1, 4, 7, 66}) {
      for (const int64_t inner : {1, 16, 53, 512}) {
        const at::Tensor x = at::randn({rows, inner}), w = at::randn({columns, inner}), bias = at::randn({columns});
        const at::Tensor exact = at::addmm(bias.to(at::kDouble), x.to(at::kDouble), w.to(at::kDouble).t());
        CHECK_LE((product(x, w, bias) - exact).abs().max().item<double>(), 1e-6 * static_cast<double>(inner));
      }
    }
  }
}

TEST_CASE("a float32 row's product does not depend on the other rows, and views with wider rows are read right") {
  at::manual_seed(52);
  const at::Tensor x = at::randn({14, 80}), w = at::randn({30, 90});
  const at::Tensor all = product(x.narrow(1, 0, 61), w.narrow(1, 0, 61));
  CHECK(all.equal(product(x.narrow(1, 0, 61).contiguous(), w.narrow(1, 0, 61).contiguous())));
  for (int64_t row = 0; row < 14; ++row) CHECK(product(x.narrow(0, row, 1).narrow(1, 0, 61), w.narrow(1, 0, 61)).equal(all.narrow(0, row, 1)));
}
