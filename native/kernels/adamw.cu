// AdamW over one parameter in one pass, which also clears the gradient. Definition: native/optim/adamw_step.cpp.
#include <cfloat>

#include "kernels/device.cuh"
#include "optim/dynamic_code.h"

namespace vsgrpo::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int kWidth = 4;  // values of one thread at a time
constexpr int kRounds = VSGRPO_CODED_BLOCK / (static_cast<int>(kWarp) * kWidth);  // in which a warp has a block of codes

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

// Moves the moments m and v of one value, then its weight.
template <typename Weight>
__device__ void advance(const vsgrpo_adamw_args& args, float grad, float& m, float& v, Weight& weight, int16_t& low) {
  m += args.gain1 * (grad - m);
  v = args.beta2 * v + args.gain2 * grad * grad;
  const float step = args.step * m / (sqrtf(v) / args.root + args.epsilon);
  if constexpr (std::is_same_v<Weight, uint16_t>) {
    split(joined(weight, low) * args.keep - step, weight, low);
  } else {
    weight = weight * args.keep - step;
  }
}

// Weights and gradients of some neighbouring values; kCount is 1 at the end of an array.
template <typename Weight, typename Gradient, int kCount>
struct Values {
  Piece<Weight, kCount> weight;
  Piece<Gradient, kCount> grad;
  Piece<int16_t, kCount> low;

  __device__ Values(const vsgrpo_adamw_args& args, int64_t at)
      : weight(load<Weight, kCount>(static_cast<const Weight*>(args.weight) + at)),
        grad(load<Gradient, kCount>(static_cast<const Gradient*>(args.grad) + at)),
        low{} {
    if constexpr (std::is_same_v<Weight, uint16_t>) low = load<int16_t, kCount>(args.low + at);
  }

  __device__ void advance_one(const vsgrpo_adamw_args& args, float factor, int i, float& m, float& v) {
    advance(args, to_float(grad.values[i]) * factor, m, v, weight.values[i], low.values[i]);
  }

  __device__ void write(const vsgrpo_adamw_args& args, int64_t at) const {
    store(static_cast<Weight*>(args.weight) + at, weight);
    if constexpr (std::is_same_v<Weight, uint16_t>) store(args.low + at, low);
  }
};

template <typename Gradient, int kCount>
__device__ void clear(const vsgrpo_adamw_args& args, int64_t at) {
  store(static_cast<Gradient*>(args.grad) + at, Piece<Gradient, kCount>{});
}

template <typename Weight, typename Gradient, typename Moment, int kCount>
__device__ void update(const vsgrpo_adamw_args& args, float factor, int64_t at) {
  if (!isnan(factor)) {
    Values<Weight, Gradient, kCount> values(args, at);
    auto *ms = static_cast<Moment*>(args.m) + at, *vs = static_cast<Moment*>(args.v) + at;
    auto m = load<Moment, kCount>(ms), v = load<Moment, kCount>(vs);
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      float m1 = moment(m.values[i]), v1 = moment(v.values[i]);
      values.advance_one(args, factor, i, m1, v1);
      const uint32_t random = random_bits(args.random, at + i);
      m.values[i] = stored<Moment>(m1, random);
      v.values[i] = stored<Moment>(v1, random >> 16);
    }
    values.write(args, at);
    store(ms, m);
    store(vs, v);
  }
  clear<Gradient, kCount>(args, at);
}

__device__ float factor_of(const vsgrpo_adamw_args& args) { return args.clip ? static_cast<float>(args.clip[1]) : 1.0f; }

template <typename Weight, typename Gradient, typename Moment>
__global__ void __launch_bounds__(kThreads) adamw(const vsgrpo_adamw_args args) {
  const int64_t at = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kWidth;
  const float factor = factor_of(args);
  if (at + kWidth <= args.count) {
    update<Weight, Gradient, Moment, kWidth>(args, factor, at);
  } else {
    for (int64_t i = at; i < args.count; ++i) update<Weight, Gradient, Moment, 1>(args, factor, i);
  }
}

// What a lane has of a block of codes: its values of one moment.
using Lane = float[kRounds][kWidth];

__device__ int64_t place_of(int64_t block, int round) {
  return block * VSGRPO_CODED_BLOCK + (round * static_cast<int>(kWarp) + static_cast<int>(threadIdx.x % kWarp)) * kWidth;
}

// The largest size of all values of a block; every lane calls it.
__device__ float largest_of(const Lane& values) {
  float own = 0;
#pragma unroll
  for (int r = 0; r < kRounds; ++r) {
#pragma unroll
    for (int i = 0; i < kWidth; ++i) own = fmaxf(own, fabsf(values[r][i]));
  }
  return warp_reduce(own, Larger());
}

// The first `left` of them.
__device__ void store_first(uint8_t* to, const Piece<uint8_t, kWidth>& codes, int64_t left) {
  if (left >= kWidth) return store(to, codes);
#pragma unroll
  for (int i = 0; i < kWidth; ++i) {
    if (i < left) to[i] = codes.values[i];
  }
}

// Codes the values of a block anew; every lane calls it.
template <bool kSigned>
__device__ void write_codes(const vsgrpo_adamw_codes& codes, void* to, int64_t block, int64_t count, const Lane& values) {
  const float largest = largest_of(values);
  // What has no finite reciprocal is nothing beside epsilon.
  const bool counts = largest >= FLT_MIN;
  const float scale = counts ? 1.0f / largest : 0.0f;
  if (threadIdx.x % kWarp == 0) codes.absmax[block] = counts ? largest : 0.0f;
#pragma unroll
  for (int r = 0; r < kRounds; ++r) {
    Piece<uint8_t, kWidth> coded;
#pragma unroll
    for (int i = 0; i < kWidth; ++i) coded.values[i] = nearest_code<kSigned>(__float_as_uint(values[r][i] * scale), codes.cells);
    const int64_t at = place_of(block, r);
    store_first(static_cast<uint8_t*>(to) + at, coded, count - at);
  }
}

// kCount values at once; m and v begin with the first of them.
template <typename Weight, typename Gradient, int kCount>
__device__ void update_coded(const vsgrpo_adamw_args& args, float factor, int64_t at, float* m, float* v) {
  if (!isnan(factor)) {
    Values<Weight, Gradient, kCount> values(args, at);
    const auto m_codes = load<uint8_t, kCount>(static_cast<const uint8_t*>(args.m) + at);
    const auto v_codes = load<uint8_t, kCount>(static_cast<const uint8_t*>(args.v) + at);
    const float m_scale = args.m_codes.absmax[at / VSGRPO_CODED_BLOCK], v_scale = args.v_codes.absmax[at / VSGRPO_CODED_BLOCK];
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      m[i] = args.m_codes.values[m_codes.values[i]] * m_scale;
      v[i] = args.v_codes.values[v_codes.values[i]] * v_scale;
      values.advance_one(args, factor, i, m[i], v[i]);
    }
    values.write(args, at);
  }
  clear<Gradient, kCount>(args, at);
}

// A warp for every block of codes.
template <typename Weight, typename Gradient>
__global__ void __launch_bounds__(kThreads) adamw_coded(const vsgrpo_adamw_args args) {
  const int64_t block = static_cast<int64_t>(blockIdx.x) * (kThreads / kWarp) + threadIdx.x / kWarp;
  const float factor = factor_of(args);
  Lane m = {}, v = {};
#pragma unroll
  for (int r = 0; r < kRounds; ++r) {
    const int64_t at = place_of(block, r), left = args.count - at;
    if (left >= kWidth) {
      update_coded<Weight, Gradient, kWidth>(args, factor, at, m[r], v[r]);
    } else {
#pragma unroll
      for (int i = 0; i < kWidth; ++i) {
        if (i < left) update_coded<Weight, Gradient, 1>(args, factor, at + i, &m[r][i], &v[r][i]);
      }
    }
  }
  if (isnan(factor) || block * VSGRPO_CODED_BLOCK >= args.count) return;
  __syncwarp();  // all lanes have read what is overwritten now
  write_codes<true>(args.m_codes, args.m, block, args.count, m);
  write_codes<false>(args.v_codes, args.v, block, args.count, v);
}

void check_codes(Arguments& check, const char* name, const vsgrpo_adamw_codes& codes) {
  check.numbers(name, codes.values).numbers(name, codes.cells).numbers(name, codes.absmax);
}

int checked(const vsgrpo_adamw_args& args) {
  const bool coded = args.moment_type == VSGRPO_CODED;
  Arguments check("adamw");
  check.type("weight_type", args.weight_type).type("grad_type", args.grad_type);
  if (!coded) check.type("moment_type", args.moment_type);
  check.size("count", args.count).within("count", divided_up(args.count, kThreads * kWidth), 0, INT32_MAX);
  if (check.failed() || args.count == 0) return check.status();
  check.array("weight", args.weight).array("grad", args.grad).array("m", args.m).array("v", args.v).optional_numbers("clip", args.clip);
  if (args.weight_type == VSGRPO_BFLOAT16) check.array("low", args.low);
  if (coded) check_codes(check, "m_codes", args.m_codes), check_codes(check, "v_codes", args.v_codes);
  return check.status();
}

// float or the bits of bfloat16, by type.
template <typename Body>
int dispatch_bits(int32_t type, const Body& body) {
  return type == VSGRPO_FLOAT32 ? body.template operator()<float>() : body.template operator()<uint16_t>();
}

template <typename Weight, typename Gradient>
int launch_adamw(const vsgrpo_adamw_args& args, void* stream) {
  // Either kernel has kWidth values for a thread and round.
  const int64_t rounds = args.moment_type == VSGRPO_CODED ? kRounds : 1;
  const dim3 grid(static_cast<unsigned>(divided_up(args.count, kThreads * kWidth * rounds)));
  if (args.moment_type == VSGRPO_CODED) return launch("adamw", adamw_coded<Weight, Gradient>, grid, kThreads, stream, args);
  return dispatch_bits(args.moment_type,
                       [&]<typename Moment>() { return launch("adamw", adamw<Weight, Gradient, Moment>, grid, kThreads, stream, args); });
}

}  // namespace
}  // namespace vsgrpo::kernels

using namespace vsgrpo::kernels;

int vsgrpo_adamw(const vsgrpo_adamw_args* args, void* stream) {
  if (const int status = opened("adamw", args)) return status;
  if (const int status = checked(*args); status != VSGRPO_OK || args->count == 0) return status;
  return dispatch_bits(args->weight_type, [&]<typename Weight>() {
    return dispatch_type(args->grad_type, [&]<typename Gradient>() { return launch_adamw<Weight, Gradient>(*args, stream); });
  });
}
