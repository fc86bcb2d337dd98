#include "glue/cuda_gpu.h"

namespace vsgrpo::glue {
namespace {

constexpr int64_t kTileRows = 8192;

at::Tensor float_product(const at::Tensor& a, const at::Tensor& b) {
#ifdef VSGRPO_EMULATED_GPU
  return at::mm(a.to(at::kFloat), b.to(at::kFloat));  // on the CPU, libtorch's mm has no type of its own for the result
#else
  return at::mm(a, b, at::kFloat);
#endif
}

#ifndef VSGRPO_EMULATED_GPU
void add_product(const at::Tensor& c, const at::Tensor& a, const at::Tensor& b) {
  at::Tensor out = c;
  at::addmm_out(out, c, a, b, at::kFloat, /*beta=*/1, /*alpha=*/1);
}

// Whether this libtorch adds a product of bfloat16 matrices to a float32 sum in one call: asked once, by trying, because
// versions differ in which types they let pass.
bool adds_in_place(const at::Tensor& like) {
  static const bool works = [&] {
    try {
      at::Tensor sum = at::ones({16, 16}, like.options().dtype(at::kFloat)), ones = at::ones({16, 16}, like.options());
      add_product(sum, ones, ones);
      return sum.eq(17).all().item<bool>();
    } catch (const c10::Error&) {
      return false;
    }
  }();
  return works;
}
#endif

}  // namespace

void CudaGpu::add_matmul_tn(const at::Tensor& c, const at::Tensor& a, const at::Tensor& b) {
  if (a.scalar_type() == c.scalar_type()) {
    c.addmm_(a.t(), b);
    return;
  }
#ifndef VSGRPO_EMULATED_GPU
  if (adds_in_place(a)) return add_product(c, a.t(), b);
#endif
  // A tile of rows at a time: the product is never whole beside the sum.
  for (int64_t first = 0; first < c.size(0); first += kTileRows) {
    const int64_t count = std::min(kTileRows, c.size(0) - first);
    c.narrow(0, first, count).add_(float_product(a.narrow(1, first, count).t(), b));
  }
}

}  // namespace vsgrpo::glue
