// AdamW over one parameter in one pass, the norm of all gradients before it and the factor that clips them: all on the
// device, so that a step waits for nothing. Definition: native/optim/adamw.cpp.
#include "kernels/device.cuh"

namespace vsgrpo::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kWidth = 4;                // values of one thread at a time
constexpr int64_t kNormPiece = 1 << 16;  // gradients of one sum

__global__ void __launch_bounds__(kThreads) squared_norm(const float* grad, int64_t count, double* sums) {
  __shared__ double scratch[kThreads / kWarp];
  const int64_t begin = blockIdx.x * kNormPiece, end = begin + kNormPiece < count ? begin + kNormPiece : count;
  double sum = 0;
  const auto add = [&](float g) { sum += static_cast<double>(g) * g; };
  int64_t i = begin + threadIdx.x * kWidth;
  for (; i + kWidth <= end; i += kThreads * kWidth) {
    const auto piece = load<float, kWidth>(grad + i);
#pragma unroll
    for (int j = 0; j < kWidth; ++j) add(piece.values[j]);
  }
  for (; i < end; ++i) add(grad[i]);
  sum = block_reduce<kThreads>(sum, Sum(), scratch);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kThreads) clip(const double* sums, int64_t count, double max_norm, double* out) {
  __shared__ double scratch[kThreads / kWarp];
  double sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += kThreads) sum += sums[i];
  sum = block_reduce<kThreads>(sum, Sum(), scratch);
  if (threadIdx.x != 0) return;
  const double norm = sqrt(sum), wanted = max_norm / (norm + 1e-6);
  out[0] = norm;
  out[1] = !isfinite(norm) ? NAN : max_norm > 0 && wanted < 1.0 ? wanted : 1.0;
}

// A float32 weight is its own master; a bfloat16 one is the master rounded, ties away from zero, and `low` what is missing.
__device__ float joined(uint16_t high, int16_t low) {
  return __uint_as_float((static_cast<uint32_t>(high) << 16) + static_cast<uint32_t>(static_cast<int32_t>(low)));
}

__device__ void split(float master, uint16_t& high, int16_t& low) {
  const uint32_t bits = __float_as_uint(master), rounded = (bits + 0x8000u) >> 16;
  high = static_cast<uint16_t>(rounded);
  low = static_cast<int16_t>(bits - (rounded << 16));
}

// 32 random bits of a place in a step (murmur's finalizer).
__device__ uint32_t random_bits(uint32_t step, int64_t i) {
  uint32_t z = static_cast<uint32_t>(i) + step;
  z = (z ^ (z >> 16)) * 0x85ebca6bu;
  z = (z ^ (z >> 13)) * 0xc2b2ae35u;
  return z ^ (z >> 16);
}

template <typename Moment>
__device__ float moment(Moment stored) {
  if constexpr (std::is_same_v<Moment, float>) {
    return stored;
  } else {
    return joined(stored, 0);
  }
}

// A bfloat16 moment is rounded up with the probability of what is cut off.
template <typename Moment>
__device__ Moment stored(float value, uint32_t random) {
  if constexpr (std::is_same_v<Moment, float>) {
    return value;
  } else {
    return static_cast<uint16_t>((__float_as_uint(value) + (random & 0xffffu)) >> 16);
  }
}

// Some neighbouring values; kCount is 1 at the end of an array.
template <typename Weight, typename Moment, int kCount>
__device__ void update(const vsgrpo_adamw_args& args, float factor, int64_t at) {
  auto* weights = static_cast<Weight*>(args.weight) + at;
  auto *ms = static_cast<Moment*>(args.m) + at, *vs = static_cast<Moment*>(args.v) + at;
  auto w = load<Weight, kCount>(weights);
  auto m = load<Moment, kCount>(ms), v = load<Moment, kCount>(vs);
  const auto g = load<float, kCount>(args.grad + at);
  Piece<int16_t, kCount> low{};
  if constexpr (std::is_same_v<Weight, uint16_t>) low = load<int16_t, kCount>(args.low + at);
#pragma unroll
  for (int i = 0; i < kCount; ++i) {
    const float grad = g.values[i] * factor, m0 = moment(m.values[i]), m1 = m0 + args.gain1 * (grad - m0);
    const float v1 = args.beta2 * moment(v.values[i]) + args.gain2 * grad * grad;
    const float step = args.step * m1 / (sqrtf(v1) / args.root + args.epsilon);
    if constexpr (std::is_same_v<Weight, uint16_t>) {
      split(joined(w.values[i], low.values[i]) * args.keep - step, w.values[i], low.values[i]);
    } else {
      w.values[i] = w.values[i] * args.keep - step;
    }
    const uint32_t random = random_bits(args.random, at + i);
    m.values[i] = stored<Moment>(m1, random);
    v.values[i] = stored<Moment>(v1, random >> 16);
  }
  store(weights, w);
  store(ms, m);
  store(vs, v);
  if constexpr (std::is_same_v<Weight, uint16_t>) store(args.low + at, low);
}

template <typename Weight, typename Moment>
__global__ void __launch_bounds__(kThreads) adamw(const vsgrpo_adamw_args args) {
  const int64_t at = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kWidth;
  const float factor = args.clip ? static_cast<float>(args.clip[1]) : 1.0f;
  const int64_t end = at + kWidth < args.count ? at + kWidth : args.count;
  if (!isnan(factor)) {
    if (at + kWidth <= args.count) {
      update<Weight, Moment, kWidth>(args, factor, at);
    } else {
      for (int64_t i = at; i < end; ++i) update<Weight, Moment, 1>(args, factor, i);
    }
  }
  for (int64_t i = at; i < end; ++i) args.grad[i] = 0.0f;
}

int checked(const vsgrpo_adamw_args& args) {
  Arguments check("adamw");
  check.type("weight_type", args.weight_type).type("moment_type", args.moment_type).size("count", args.count);
  check.within("count", divided_up(args.count, kThreads * kWidth), 0, INT32_MAX);
  if (check.failed() || args.count == 0) return check.status();
  check.array("weight", args.weight).array("grad", args.grad).array("m", args.m).array("v", args.v).optional_numbers("clip", args.clip);
  if (args.weight_type == VSGRPO_BFLOAT16) check.array("low", args.low);
  return check.status();
}

// float or the bits of bfloat16, by type.
template <typename Body>
int dispatch_bits(int32_t type, const Body& body) {
  return type == VSGRPO_FLOAT32 ? body.template operator()<float>() : body.template operator()<uint16_t>();
}

}  // namespace
}  // namespace vsgrpo::kernels

using namespace vsgrpo::kernels;

int64_t vsgrpo_squared_norm_sums(int64_t count) { return count > 0 ? divided_up(count, kNormPiece) : 0; }

int vsgrpo_squared_norm(const vsgrpo_squared_norm_args* args, void* stream) {
  if (const int status = opened("squared_norm", args)) return status;
  Arguments check("squared_norm");
  check.size("count", args->count);
  if (check.failed() || args->count == 0) return check.status();
  check.array("grad", args->grad).numbers("sums", args->sums);
  if (check.failed()) return check.status();
  const dim3 grid(static_cast<unsigned>(vsgrpo_squared_norm_sums(args->count)));
  return launch("squared_norm", squared_norm, grid, kThreads, stream, args->grad, args->count, args->sums);
}

int vsgrpo_clip(const vsgrpo_clip_args* args, void* stream) {
  if (const int status = opened("clip", args)) return status;
  Arguments check("clip");
  check.size("count", args->count).require(args->max_norm >= 0, VSGRPO_BAD_VALUE, "max_norm: expected 0 or more");
  if (args->count > 0) check.numbers("sums", args->sums);
  check.numbers("clip", args->clip);
  if (check.failed()) return check.status();
  return launch("clip", clip, dim3(1), kThreads, stream, args->sums, args->count, args->max_norm, args->clip);
}

int vsgrpo_adamw(const vsgrpo_adamw_args* args, void* stream) {
  if (const int status = opened("adamw", args)) return status;
  if (const int status = checked(*args); status != VSGRPO_OK || args->count == 0) return status;
  const dim3 grid(static_cast<unsigned>(divided_up(args->count, kThreads * kWidth)));
  return dispatch_bits(args->weight_type, [&]<typename Weight>() {
    return dispatch_bits(args->moment_type, [&]<typename Moment>() { return launch("adamw", adamw<Weight, Moment>, grid, kThreads, stream, *args); });
  });
}
