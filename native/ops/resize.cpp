#include "resize.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace vsgrpo {
namespace {

constexpr int kChannels = 3;

// Which inputs an output reads along one axis, and how much of each.
template <typename Weight>
struct Axis {
  std::vector<int> first;       // [out]
  std::vector<int> count;       // [out]
  std::vector<Weight> weights;  // [out, taps]
  int taps = 0;
};

// a * b + c rounded once, as libtorch's compiled kernels do; the product of two floats is exact in double.
float fused(float a, float b, float c) { return static_cast<float>(static_cast<double>(a) * b + c); }
double fused(double a, double b, double c) { return a * b + c; }

void add_fused(const float* s, float w, float* t, size_t n) {
  for (size_t i = 0; i < n; ++i) t[i] = fused(s[i], w, t[i]);
}

// The same rounded twice, whatever the compiler's flags allow it to fuse.
#if defined(__GNUC__) && !defined(__clang__)
__attribute__((optimize("fp-contract=off")))
#endif
void add_unfused(const float* s, float w, float* t, size_t n) {
#if defined(__clang__)
#pragma clang fp contract(off)
#endif
  for (size_t i = 0; i < n; ++i) {
    const float product = s[i] * w;
    t[i] += product;
  }
}

template <typename Real>
Real cubic(Real x) {
  constexpr Real a = -0.5;
  x = std::fabs(x);
  if (x < 1) return fused(fused(a + 2, x, -(a + 3)) * x, x, Real(1));
  if (x < 2) return fused(fused(fused(a, x, -5 * a), x, 8 * a), x, -4 * a);
  return 0;
}

// The filter widens with the scale when shrinking (antialias) and keeps its width when growing.
// The constants 0.5 are double on purpose: so are libtorch's, whichever type the weights have.
template <typename Real>
Axis<Real> plan_axis(int in, int out) {
  const Real scale = static_cast<Real>(in) / out;
  const Real inverse = scale >= 1 ? 1.0 / scale : 1.0;
  const Real support = scale >= 1 ? 2 * scale : 2;
  Axis<Real> axis;
  axis.taps = static_cast<int>(std::ceil(support)) * 2 + 1;
  axis.first.resize(out);
  axis.count.resize(out);
  axis.weights.assign(static_cast<size_t>(out) * axis.taps, 0);
  for (int o = 0; o < out; ++o) {
    const Real centre = scale * (o + 0.5);
    const int first = std::max(0, static_cast<int>(centre - support + 0.5));
    const int count = std::min({in, static_cast<int>(centre + support + 0.5), first + axis.taps}) - first;
    Real* w = &axis.weights[static_cast<size_t>(o) * axis.taps];
    Real total = 0;
    for (int j = 0; j < count; ++j) {
      w[j] = cubic(static_cast<Real>((j + first - centre + 0.5) * inverse));
      total += w[j];
    }
    for (int j = 0; j < count && total != 0; ++j) w[j] /= total;
    axis.first[o] = first;
    axis.count[o] = count;
  }
  return axis;
}

struct FixedAxis : Axis<int32_t> {
  int bits = 0;
};

// torchvision's weights are 16-bit: as many fraction bits as the largest weight leaves room for.
int fraction_bits(const Axis<double>& axis, Resize kind) {
  if (kind == Resize::kPillow) return 22;
  const double largest = *std::max_element(axis.weights.begin(), axis.weights.end());
  int bits = 0;
  while (bits < 22 && static_cast<int>(0.5 + largest * (1 << (bits + 1))) < (1 << 15)) ++bits;
  return bits;
}

FixedAxis plan_fixed_axis(int in, int out, Resize kind) {
  const Axis<double> real = plan_axis<double>(in, out);
  FixedAxis fixed;
  fixed.first = real.first;
  fixed.count = real.count;
  fixed.taps = real.taps;
  fixed.bits = fraction_bits(real, kind);
  fixed.weights.reserve(real.weights.size());
  for (const double w : real.weights) {
    fixed.weights.push_back(static_cast<int32_t>((w < 0 ? -0.5 : 0.5) + w * (1 << fixed.bits)));
  }
  return fixed;
}

// One pass over [outer, axis, inner]: horizontal has inner = 3, vertical has inner = width * 3.
struct Pass {
  size_t outer;
  int in, out;
  size_t inner;
};

void run_fixed(const FixedAxis& axis, const Pass& p, const uint8_t* source, uint8_t* target) {
  std::vector<int32_t> sums(p.inner);
  for (size_t row = 0; row < p.outer; ++row) {
    const uint8_t* line = source + row * p.in * p.inner;
    for (int o = 0; o < p.out; ++o) {
      const int32_t* w = &axis.weights[static_cast<size_t>(o) * axis.taps];
      std::fill(sums.begin(), sums.end(), 1 << (axis.bits - 1));
      for (int j = 0; j < axis.count[o]; ++j) {
        const uint8_t* s = line + static_cast<size_t>(axis.first[o] + j) * p.inner;
        for (size_t i = 0; i < p.inner; ++i) sums[i] += s[i] * w[j];
      }
      uint8_t* t = target + (row * p.out + o) * p.inner;
      for (size_t i = 0; i < p.inner; ++i) t[i] = static_cast<uint8_t>(std::clamp(sums[i] >> axis.bits, 0, 255));
    }
  }
}

// libtorch's compiled loop adds the first tap, then groups of four with separate roundings, then the rest fused: its
// wheels show this for AVX2 and AVX-512 alike, and only by doing the same do ties round the same way.
void run_float(const Axis<float>& axis, const Pass& p, const float* source, float* target) {
  for (size_t row = 0; row < p.outer; ++row) {
    const float* line = source + row * p.in * p.inner;
    for (int o = 0; o < p.out; ++o) {
      const float* w = &axis.weights[static_cast<size_t>(o) * axis.taps];
      const int grouped = axis.count[o] - (axis.count[o] - 1) % 4;
      float* t = target + (row * p.out + o) * p.inner;
      std::fill(t, t + p.inner, 0.0f);
      for (int j = 0; j < axis.count[o]; ++j) {
        const float* s = line + static_cast<size_t>(axis.first[o] + j) * p.inner;
        (j < grouped ? add_unfused : add_fused)(s, w[j], t, p.inner);
      }
    }
  }
}

uint8_t to_byte(float x) { return static_cast<uint8_t>(std::nearbyint(std::clamp(x, 0.0f, 255.0f))); }

}  // namespace

std::vector<uint8_t> resize_rgb(const uint8_t* rgb, int frames, int height, int width, int out_height, int out_width, Resize kind) {
  const Pass horizontal{static_cast<size_t>(frames) * height, width, out_width, kChannels};
  const Pass vertical{static_cast<size_t>(frames), height, out_height, static_cast<size_t>(out_width) * kChannels};
  const size_t size = static_cast<size_t>(frames) * height * width * kChannels;
  const size_t wide_size = horizontal.outer * out_width * kChannels;
  const size_t out_size = vertical.outer * out_height * vertical.inner;

  const auto passes = [&](auto data, auto plan, auto run) {
    if (width != out_width) {
      decltype(data) wide(wide_size);
      run(plan(width, out_width), horizontal, data.data(), wide.data());
      data = std::move(wide);
    }
    if (height != out_height) {
      decltype(data) out(out_size);
      run(plan(height, out_height), vertical, data.data(), out.data());
      data = std::move(out);
    }
    return data;
  };

  if (kind != Resize::kTorchvisionFloat) {
    return passes(std::vector<uint8_t>(rgb, rgb + size), [&](int in, int out) { return plan_fixed_axis(in, out, kind); }, run_fixed);
  }
  const std::vector<float> real = passes(std::vector<float>(rgb, rgb + size), plan_axis<float>, run_float);
  std::vector<uint8_t> bytes(real.size());
  std::transform(real.begin(), real.end(), bytes.begin(), to_byte);
  return bytes;
}

}  // namespace vsgrpo
