// The M-RoPE kernels against the CPU's table and rotation, and where the cache append puts the rows.
#include "kernel_test.h"
#include "ops/rope.h"

namespace {

using namespace kernel_test;

struct Shape {
  int64_t heads, kv_heads, head_dim;
  std::vector<int64_t> sections;
};

const std::vector<Shape> kShapes = {{12, 2, 128, {16, 24, 24}}, {3, 1, 80, {10, 15, 15}}, {2, 2, 16, {2, 3, 3}}};
constexpr double kTheta = 1e6;

at::Tensor inverse_frequencies(int64_t dim) {
  return guarded(at::reciprocal(at::pow(at::scalar_tensor(kTheta, at::kFloat), at::arange(0, dim, 2, at::kFloat) / static_cast<double>(dim))));
}

// Text at the start, a frame's patches, text far behind.
at::Tensor positions_of(int64_t rows) { return guarded((at::rand({3, rows}) * 30000).to(at::kInt)); }

struct Angles {
  at::Tensor cos, sin;
};

Angles table(const at::Tensor& positions, const at::Tensor& offsets, const Shape& shape, bool rounds) {
  const int64_t rows = positions.size(1), half = shape.head_dim / 2;
  const at::Tensor frequencies = inverse_frequencies(shape.head_dim);
  Angles out{guarded({rows, half}, at::kFloat), guarded({rows, half}, at::kFloat)};
  vsgrpo_mrope_table_args args{};
  args.struct_size = sizeof(args), args.round_to_bfloat16 = rounds, args.rows = rows, args.head_dim = shape.head_dim;
  args.positions = positions.const_data_ptr<int>(), args.inverse_frequencies = frequencies.const_data_ptr<float>();
  args.offsets = offsets.defined() ? offsets.const_data_ptr<int>() : nullptr;
  for (size_t i = 0; i < 3; ++i) args.sections[i] = static_cast<int32_t>(shape.sections[i]);
  args.cos = out.cos.mutable_data_ptr<float>(), args.sin = out.sin.mutable_data_ptr<float>();
  run(vsgrpo_mrope_table(&args, nullptr));
  return out;
}

struct Cache {
  at::Tensor lengths, slots;  // undefined: a row for each token
  int64_t slot_count = 0, capacity = 0;
};

std::vector<at::Tensor> rotate(const at::Tensor& qkv, const Angles& angles, const Shape& s, bool rounds, const Cache& cache) {
  const int64_t rows = qkv.size(0), tokens = cache.lengths.defined() ? cache.slot_count * cache.capacity : rows;
  const at::Tensor q = guarded({rows, s.heads, s.head_dim}, qkv.scalar_type());
  const at::Tensor k = guarded({tokens, s.kv_heads, s.head_dim}, qkv.scalar_type()), v = guarded(k.sizes(), qkv.scalar_type());
  vsgrpo_mrope_args args{};
  args.struct_size = sizeof(args), args.type = type_of(qkv), args.round_products = rounds;
  args.rows = rows, args.heads = s.heads, args.kv_heads = s.kv_heads, args.head_dim = s.head_dim;
  args.qkv = qkv.data_ptr(), args.cos = angles.cos.const_data_ptr<float>(), args.sin = angles.sin.const_data_ptr<float>();
  args.q = q.data_ptr(), args.k = k.data_ptr(), args.v = v.data_ptr();
  if (cache.lengths.defined()) {
    args.lengths = cache.lengths.const_data_ptr<int>(), args.slots = cache.slots.const_data_ptr<int>();
    args.slot_count = cache.slot_count, args.capacity = cache.capacity;
  }
  run(vsgrpo_mrope(&args, nullptr));
  return {q, k, v};
}

at::Tensor rotate_back(const std::vector<at::Tensor>& d, const Angles& angles, const Shape& s) {
  const int64_t rows = d[0].size(0);
  const at::Tensor out = guarded({rows, (s.heads + 2 * s.kv_heads) * s.head_dim}, d[0].scalar_type());
  const vsgrpo_mrope_backward_args args{sizeof(args),
                                        type_of(out),
                                        rows,
                                        s.heads,
                                        s.kv_heads,
                                        s.head_dim,
                                        d[0].data_ptr(),
                                        d[1].data_ptr(),
                                        d[2].data_ptr(),
                                        angles.cos.const_data_ptr<float>(),
                                        angles.sin.const_data_ptr<float>(),
                                        out.data_ptr()};
  run(vsgrpo_mrope_backward(&args, nullptr));
  return out;
}

}  // namespace

TEST_CASE("the rope kernels give the CPU's angles, rotated heads and gradients") {
  const Report report;
  at::manual_seed(3);
  const int64_t rows = 5;
  for (const auto dtype : {at::kFloat, at::kBFloat16}) {
    for (const Shape& shape : kShapes) {
      const bool rounds = dtype != at::kFloat;
      const at::Tensor positions = positions_of(rows);
      const vsgrpo::RopeTable expected = vsgrpo::mrope_table(positions, shape.head_dim, kTheta, shape.sections, dtype);
      const at::Tensor shift = guarded(at::arange(rows, at::kInt) + 7), earlier = guarded(positions - shift.unsqueeze(0));
      const auto angles = in_every_order([&] {
        const Angles a = table(positions, {}, shape, rounds), b = table(earlier, shift, shape, rounds);
        return std::vector{a.cos, a.sin, b.cos, b.sin};
      });
      const int64_t half = shape.head_dim / 2;
      check_near(name_of("mrope cos", dtype), angles[0], expected.cos.narrow(1, 0, half), 1e-6, rounds ? rounding(dtype) : 0);
      check_near(name_of("mrope sin", dtype), angles[1], expected.sin.narrow(1, 0, half), 1e-6, rounds ? rounding(dtype) : 0);
      CHECK(angles[2].equal(angles[0]) && angles[3].equal(angles[1]));

      // From here on with the CPU's own angles, so that the rotation stands alone: it must then be equal bit for bit.
      const Angles same{guarded(expected.cos.narrow(1, 0, half)), guarded(expected.sin.narrow(1, 0, half))};
      const at::Tensor qkv = random({rows, (shape.heads + 2 * shape.kv_heads) * shape.head_dim}, dtype);
      const at::Tensor leaf = qkv.clone().set_requires_grad(true);
      const vsgrpo::Qkv parts = vsgrpo::split_and_rotate(leaf, expected, shape.heads, shape.kv_heads);
      const auto out = in_every_order([&] { return rotate(qkv, same, shape, rounds, {}); });
      check_near(name_of("mrope q", dtype), out[0], parts.q.detach(), 3e-7, 2.4e-7);
      check_near(name_of("mrope k", dtype), out[1], parts.k.detach(), 3e-7, 2.4e-7);
      CHECK(out[2].equal(parts.v.detach()));

      const std::vector<at::Tensor> d = {random(parts.q.sizes(), dtype), random(parts.k.sizes(), dtype), random(parts.v.sizes(), dtype)};
      torch::autograd::backward({parts.q, parts.k, parts.v}, {d[0], d[1], d[2]});
      const auto gradient = in_every_order([&] { return std::vector{rotate_back(d, same, shape)}; });
      check_near(name_of("mrope gradient", dtype), gradient[0], leaf.grad(), 1e-6, rounds ? rounding(dtype) : 0);
    }
  }
}

TEST_CASE("the rope kernel writes keys and values to their slots, and padding rows nowhere") {
  const Report report;
  at::manual_seed(4);
  const Shape shape = kShapes[0];
  const at::Tensor positions = positions_of(6), qkv = random({6, 16 * 128}, at::kBFloat16);
  const Angles angles = table(positions, {}, shape, true);
  const auto dense = rotate(qkv, angles, shape, true, {});
  // Rows 0 and 3 append; the others have a length of 0, one past the end, or a slot that is not there.
  const Cache cache{guarded(golden::int_tensor({2, 0, 5, 4, 1, 1})), guarded(golden::int_tensor({1, 0, 0, 2, 3, -1})), 3, 4};
  const auto out = in_every_order([&] { return rotate(qkv, angles, shape, true, cache); });
  CHECK(out[0].equal(dense[0]));
  for (const size_t part : {1, 2}) {
    int64_t written = 0;
    for (int64_t token = 0; token < 12; ++token) written += !out[part][token].isnan().all().item<bool>();
    CHECK_EQ(written, 2);
    CHECK(out[part][1 * 4 + 1].equal(dense[part][0]));
    CHECK(out[part][2 * 4 + 3].equal(dense[part][3]));
  }
}
