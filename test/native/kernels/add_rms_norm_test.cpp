// The kernels of residual addition and RMSNorm against the CPU's addition and norm.
#include "kernel_test.h"
#include "ops/norm.h"

namespace {

using namespace kernel_test;

constexpr double kEps = 1e-6;

struct Shape {
  int64_t rows, columns;
};

// Random rows, a weight, and what they give: the CPU ops' output, gradients in float64.
struct Problem {
  at::Tensor x, delta, dy, dsum;
  vsgrpo::Parameter weight;
  at::Tensor sum, y, rstd, dx, dweight;

  Problem(Shape s, at::ScalarType dtype, bool adds)
      : x(random({s.rows, s.columns}, dtype)),
        delta(random({s.rows, s.columns}, dtype)),
        dy(random({s.rows, s.columns}, dtype)),
        dsum(random({s.rows, s.columns}, dtype)),
        weight{random({s.columns}, dtype), {}} {
    sum = adds ? x + delta : x;
    y = vsgrpo::rms_norm(sum, weight, kEps);
    const at::Tensor exact = sum.to(at::kDouble), g = dy.to(at::kDouble) * weight.value.to(at::kDouble);
    rstd = (exact.square().mean(1, /*keepdim=*/true) + kEps).rsqrt();
    const at::Tensor xhat = exact * rstd;
    dx = rstd * (g - xhat * (g * xhat).mean(1, true)) + dsum.to(at::kDouble);
    dweight = (dy.to(at::kDouble) * xhat).sum(0);
  }
};

std::vector<at::Tensor> forward(const Problem& p, bool adds) {
  const at::Tensor sum = guarded(p.x.sizes(), p.x.scalar_type()), y = guarded(p.x.sizes(), p.x.scalar_type());
  const at::Tensor rstd = guarded({p.x.size(0)}, at::kFloat);
  vsgrpo_add_rms_norm_args args{};
  args.struct_size = sizeof(args), args.type = type_of(p.x), args.rows = p.x.size(0), args.columns = p.x.size(1);
  args.eps = kEps, args.x = p.x.data_ptr(), args.weight = p.weight.value.data_ptr(), args.y = y.data_ptr();
  args.rstd = rstd.mutable_data_ptr<float>();
  if (adds) args.delta = p.delta.data_ptr(), args.sum = sum.data_ptr();
  run(vsgrpo_add_rms_norm(&args, nullptr));
  return {adds ? sum : p.x, y, rstd};
}

std::vector<at::Tensor> backward(const Problem& p, const at::Tensor& rstd) {
  const int64_t rows = p.x.size(0), columns = p.x.size(1);
  const at::Tensor dx = guarded(p.x.sizes(), p.x.scalar_type()), dweight = guarded(at::ones({columns}));
  const at::Tensor sum = guarded(p.sum), workspace = guarded({vsgrpo_add_rms_norm_workspace(rows, columns)}, at::kFloat);
  vsgrpo_add_rms_norm_backward_args args{};
  args.struct_size = sizeof(args), args.type = type_of(p.x), args.rows = rows, args.columns = columns;
  args.dy = p.dy.data_ptr(), args.dsum = p.dsum.data_ptr(), args.sum = sum.data_ptr(), args.weight = p.weight.value.data_ptr();
  args.rstd = rstd.const_data_ptr<float>(), args.dx = dx.data_ptr(), args.dweight = dweight.mutable_data_ptr<float>();
  args.workspace = workspace.mutable_data_ptr<float>();
  run(vsgrpo_add_rms_norm_backward(&args, nullptr));
  return {dx, dweight - 1};
}

}  // namespace

TEST_CASE("the add and RMSNorm kernels give the CPU ops' output and the exact gradients") {
  const Report report;
  at::manual_seed(2);
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    // The widths fall into each of the compiled ones. 534 rows are more than there are blocks in the backward pass, and
    // 520 columns more than one warp has: so a block reduces more than once, with several warps to read the result.
    for (const Shape shape : {Shape{1, 64}, {3, 1536}, {2, 3584}, {534, 520}}) {
      for (const bool adds : {true, false}) {
        const Problem p(shape, dtype, adds);
        const auto out = in_every_order([&] { return forward(p, adds); });
        CHECK(out[0].equal(p.sum));
        check_near(name_of("add_rms_norm", dtype), out[1], p.y, 1e-6, rounding(dtype));
        check_near(name_of("rstd", dtype), out[2], p.rstd.squeeze(1), 0, 1e-6);
        const auto gradients = in_every_order([&] { return backward(p, guarded(out[2])); });
        check_near(name_of("add_rms_norm dx", dtype), gradients[0], p.dx, 5e-6, dtype == at::kFloat ? 0 : 1.0 / 256);
        check_near(name_of("add_rms_norm dweight", dtype), gradients[1], p.dweight, 3e-5);
      }
    }
  }
}
