// The bfloat16 products against the same in fp32, on shapes with every kind of remainder.
#include "golden.h"
#include "ops/bf16_gemm.h"

namespace {

at::Tensor random(int64_t rows, int64_t columns) { return at::randn({rows, columns}).to(at::kBFloat16); }

// Rounded once, from sums in fp32: half a unit in the last place, and what the order of summing does.
void check_product(const std::string& what, const at::Tensor& actual, const at::Tensor& expected) {
  const double difference = golden::relative(actual.to(at::kFloat), expected);
  CHECK_MESSAGE(difference < 3e-3, what << ": relative difference " << difference);
}

at::Tensor product_nt(const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias) {
  at::Tensor out = at::full({a.size(0), b.size(0)}, NAN, a.options());
  vsgrpo::bf16::matmul_nt_into(out, a, b, bias);
  return out;
}

}  // namespace

TEST_CASE("bf16 products have every element right, whatever the remainders") {
  if (!vsgrpo::bf16::available()) SKIP("this processor has no AVX-512 bf16");
  at::manual_seed(3);
  const std::vector<std::array<int64_t, 3>> shapes = {{1, 64, 64},   {2, 70, 33},    {14, 512, 512},  {16, 100, 31}, {17, 64, 64},
                                                     {130, 65, 66}, {256, 192, 129}, {40, 130, 2050}, {3, 1, 1},     {200, 7, 1}};
  for (const auto& [m, n, k] : shapes) {
    const std::string what = std::to_string(m) + " x " + std::to_string(n) + " x " + std::to_string(k);
    const at::Tensor a = random(m, k), b = random(n, k), bias = at::randn({n}).to(at::kBFloat16);
    const at::Tensor a32 = a.to(at::kFloat), b32 = b.to(at::kFloat);
    check_product("nt " + what, product_nt(a, b, {}), at::mm(a32, b32.t()));
    check_product("nt with bias " + what, product_nt(a, b, bias), at::addmm(bias.to(at::kFloat), a32, b32.t()));
    check_product("nn " + what, vsgrpo::bf16::matmul_nn(a, b.t().contiguous()), at::mm(a32, b32.t()));
    at::Tensor sum = at::ones({m, n});
    vsgrpo::bf16::add_matmul_tn(sum, a.t().contiguous(), b.t().contiguous());
    CHECK_LE(golden::relative(sum, at::mm(a32, b32.t()) + 1), 1e-5);
    at::Tensor rounded = at::ones({m, n}, at::kBFloat16);
    vsgrpo::bf16::add_matmul_tn(rounded, a.t().contiguous(), b.t().contiguous());
    CHECK(at::equal(rounded, sum.to(at::kBFloat16)));
  }
}

TEST_CASE("bf16 products of a vocabulary's length are right too") {
  if (!vsgrpo::bf16::available()) SKIP("this processor has no AVX-512 bf16");
  const int64_t vocab = 16500;
  const at::Tensor hidden = random(70, 66), head = random(vocab, 66), d = random(70, vocab);
  check_product("nt", product_nt(hidden, head, {}), at::mm(hidden.to(at::kFloat), head.to(at::kFloat).t()));
  check_product("nn", vsgrpo::bf16::matmul_nn(d, head), at::mm(d.to(at::kFloat), head.to(at::kFloat)));
  at::Tensor sum = at::zeros({vocab, 66});
  vsgrpo::bf16::add_matmul_tn(sum, d, hidden);
  CHECK_LE(golden::relative(sum, at::mm(d.to(at::kFloat).t(), hidden.to(at::kFloat))), 1e-5);
}

TEST_CASE("bf16 products read views with wider rows") {
  if (!vsgrpo::bf16::available()) SKIP("this processor has no AVX-512 bf16");
  const at::Tensor wide = random(40, 300), b = random(64, 100);
  const at::Tensor a = wide.narrow(1, 50, 100);
  check_product("nt", product_nt(a, b, {}), at::mm(a.to(at::kFloat), b.to(at::kFloat).t()));
  at::Tensor sum = at::zeros({100, 300});
  vsgrpo::bf16::add_matmul_tn(sum, random(40, 100), wide);
  at::Tensor part = at::zeros({8, 300});
  vsgrpo::bf16::add_matmul_tn(part, wide.narrow(1, 10, 8), wide);
  CHECK_LE(golden::relative(part, at::mm(wide.narrow(1, 10, 8).t().to(at::kFloat), wide.to(at::kFloat))), 1e-5);
}
