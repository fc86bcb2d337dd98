// M-RoPE: the table of angles, the rotation of the fused projection's q and k with the append to the cache, and the way
// back. Definition: native/ops/rope.cpp.
#include "kernels/device.cuh"

namespace vsgrpo::kernels {
namespace {

constexpr unsigned kThreads = 128;
constexpr double kInversePi = 0.31830988618379067154;

__global__ void __launch_bounds__(kThreads) mrope_angles(const vsgrpo_mrope_table_args args) {
  const int64_t half = args.head_dim / 2, row = blockIdx.x;
  for (int64_t j = threadIdx.x; j < half; j += kThreads) {
    const int component = j < args.sections[0] ? 0 : j < args.sections[0] + args.sections[1] ? 1 : 2;
    const int32_t position = args.positions[component * args.rows + row] + (args.offsets ? args.offsets[row] : 0);
    // The product is rounded to float32 as the definition does. Only whole turns are taken off in float64: angles reach
    // tens of thousands, and the float32 functions would need their slow reduction.
    const double turns = static_cast<double>(static_cast<float>(position) * args.inverse_frequencies[j]) * kInversePi;
    const float rest = static_cast<float>(turns - 2.0 * rint(turns * 0.5));
    const float cos = cospif(rest), sin = sinpif(rest);
    args.cos[row * half + j] = args.round_to_bfloat16 ? round_to<bf16>(cos) : cos;
    args.sin[row * half + j] = args.round_to_bfloat16 ? round_to<bf16>(sin) : sin;
  }
}

// Piece `unit` of a row's work: the first half's piece and its partner in the second half of one head.
struct Unit {
  int64_t head;
  int column;
};

template <int kWidth>
__device__ Unit unit_of(int unit, int head_dim) {
  const int pieces = head_dim / 2 / kWidth;
  return {unit / pieces, unit % pieces * kWidth};
}

template <typename T, int kWidth>
struct Halves {
  Piece<T, kWidth> first, second;
};

template <typename T, int kWidth>
__device__ Halves<T, kWidth> load_halves(const T* head, int64_t half) {
  return {load<T, kWidth>(head), load<T, kWidth>(head + half)};
}

template <typename T, int kWidth>
__device__ void store_halves(T* head, int64_t half, const Halves<T, kWidth>& values) {
  store(head, values.first);
  store(head + half, values.second);
}

template <typename T>
__device__ float product(float a, float b, bool rounds) {
  return rounds ? round_to<T>(a * b) : a * b;
}

template <typename T, int kWidth>
__device__ Halves<T, kWidth> rotated(const Halves<T, kWidth>& x, const float* cos, const float* sin, bool rounds) {
  Halves<T, kWidth> y;
#pragma unroll
  for (int j = 0; j < kWidth; ++j) {
    const float a = to_float(x.first.values[j]), b = to_float(x.second.values[j]), c = cos[j], s = sin[j];
    y.first.values[j] = from_float<T>(product<T>(a, c, rounds) - product<T>(b, s, rounds));
    y.second.values[j] = from_float<T>(product<T>(b, c, rounds) + product<T>(a, s, rounds));
  }
  return y;
}

// Where row `row` goes in the caches, in tokens; -1: nowhere.
__device__ int64_t cache_token(const vsgrpo_mrope_args& args, int64_t row) {
  if (!args.lengths) return row;
  const int64_t slot = args.slots ? args.slots[row] : row, token = static_cast<int64_t>(args.lengths[row]) - 1;
  const bool fits = slot >= 0 && slot < args.slot_count && token >= 0 && token < args.capacity;
  return fits ? slot * args.capacity + token : -1;
}

template <typename T>
__global__ void __launch_bounds__(kThreads) mrope_rotate(const vsgrpo_mrope_args args) {
  constexpr int kWidth = kPieceWidth<T>;
  const int64_t row = blockIdx.x, dim = args.head_dim, half = dim / 2, all_heads = args.heads + 2 * args.kv_heads;
  const int unit = static_cast<int>(blockIdx.y * kThreads + threadIdx.x);
  const auto [head, column] = unit_of<kWidth>(unit, static_cast<int>(dim));
  if (head >= all_heads) return;
  auto x = load_halves<T, kWidth>(static_cast<const T*>(args.qkv) + (row * all_heads + head) * dim + column, half);
  if (head < args.heads + args.kv_heads) x = rotated(x, args.cos + row * half + column, args.sin + row * half + column, args.round_products);
  if (head < args.heads) return store_halves(static_cast<T*>(args.q) + (row * args.heads + head) * dim + column, half, x);
  const int64_t token = cache_token(args, row), kv_head = head - args.heads;
  if (token < 0) return;
  T* cache = static_cast<T*>(kv_head < args.kv_heads ? args.k : args.v);
  store_halves(cache + (token * args.kv_heads + kv_head % args.kv_heads) * dim + column, half, x);
}

template <typename T>
__global__ void __launch_bounds__(kThreads) mrope_rotate_back(const vsgrpo_mrope_backward_args args) {
  constexpr int kWidth = kPieceWidth<T>;
  const int64_t row = blockIdx.x, dim = args.head_dim, half = dim / 2, all_heads = args.heads + 2 * args.kv_heads;
  const int unit = static_cast<int>(blockIdx.y * kThreads + threadIdx.x);
  const auto [head, column] = unit_of<kWidth>(unit, static_cast<int>(dim));
  if (head >= all_heads) return;
  const int64_t kv_head = head - args.heads;
  const T* from = head < args.heads ? static_cast<const T*>(args.dq) + (row * args.heads + head) * dim
                                    : static_cast<const T*>(kv_head < args.kv_heads ? args.dk : args.dv) +
                                          (row * args.kv_heads + kv_head % args.kv_heads) * dim;
  auto d = load_halves<T, kWidth>(from + column, half);
  if (head < args.heads + args.kv_heads) {
    const float *cos = args.cos + row * half + column, *sin = args.sin + row * half + column;
#pragma unroll
    for (int j = 0; j < kWidth; ++j) {
      const float a = to_float(d.first.values[j]), b = to_float(d.second.values[j]), c = cos[j], s = sin[j];
      d.first.values[j] = from_float<T>(a * c + b * s);
      d.second.values[j] = from_float<T>(b * c - a * s);
    }
  }
  store_halves(static_cast<T*>(args.dqkv) + (row * all_heads + head) * dim + column, half, d);
}

template <typename Struct>
Arguments checked_shape(const char* op, const Struct& args) {
  Arguments check(op);
  check.type("type", args.type).rows(args.rows).within("heads", args.heads, 1, 1024).within("kv_heads", args.kv_heads, 1, 1024);
  check.within("head_dim", args.head_dim, 1, 1024);
  check.multiple("head_dim", args.head_dim, 2 * (args.type == VSGRPO_FLOAT32 ? kPieceWidth<float> : kPieceWidth<bf16>));
  return check;
}

template <typename T, typename Struct>
dim3 grid_of(const Struct& args) {
  const int64_t units = (args.heads + 2 * args.kv_heads) * (args.head_dim / 2 / kPieceWidth<T>);
  return dim3(static_cast<unsigned>(args.rows), static_cast<unsigned>(divided_up(units, kThreads)));
}

}  // namespace
}  // namespace vsgrpo::kernels

using namespace vsgrpo::kernels;

int vsgrpo_mrope_table(const vsgrpo_mrope_table_args* args, void* stream) {
  if (const int status = opened("mrope_table", args)) return status;
  Arguments check("mrope_table");
  check.rows(args->rows).within("head_dim", args->head_dim, 2, 1024).multiple("head_dim", args->head_dim, 2);
  for (const int32_t section : args->sections) check.size("sections", section);
  check.require(int64_t{args->sections[0]} + args->sections[1] + args->sections[2] == args->head_dim / 2, VSGRPO_BAD_SIZE,
                "sections: expected three numbers with the sum head_dim / 2");
  if (check.failed() || args->rows == 0) return check.status();
  check.numbers("positions", args->positions).optional_numbers("offsets", args->offsets).numbers("inverse_frequencies", args->inverse_frequencies);
  check.numbers("cos", args->cos).numbers("sin", args->sin);
  if (check.failed()) return check.status();
  return launch("mrope_table", mrope_angles, dim3(static_cast<unsigned>(args->rows)), kThreads, stream, *args);
}

int vsgrpo_mrope(const vsgrpo_mrope_args* args, void* stream) {
  if (const int status = opened("mrope", args)) return status;
  Arguments check = checked_shape("mrope", *args);
  check.size("capacity", args->capacity).size("slot_count", args->slot_count);
  if (check.failed() || args->rows == 0) return check.status();
  check.array("qkv", args->qkv).numbers("cos", args->cos).numbers("sin", args->sin).array("q", args->q).array("k", args->k).array("v", args->v);
  check.optional_numbers("lengths", args->lengths).optional_numbers("slots", args->slots);
  if (check.failed()) return check.status();
  return dispatch_type(args->type, [&]<typename T>() { return launch("mrope", mrope_rotate<T>, grid_of<T>(*args), kThreads, stream, *args); });
}

int vsgrpo_mrope_backward(const vsgrpo_mrope_backward_args* args, void* stream) {
  if (const int status = opened("mrope_backward", args)) return status;
  Arguments check = checked_shape("mrope_backward", *args);
  if (check.failed() || args->rows == 0) return check.status();
  check.array("dq", args->dq).array("dk", args->dk).array("dv", args->dv).numbers("cos", args->cos).numbers("sin", args->sin);
  check.array("dqkv", args->dqkv);
  if (check.failed()) return check.status();
  return dispatch_type(args->type, [&]<typename T>() {
    return launch("mrope_backward", mrope_rotate_back<T>, grid_of<T>(*args), kThreads, stream, *args);
  });
}
