// The norm of all gradients and the factor that clips them, on the device, so that a step waits for nothing. Definition:
// native/optim/adamw.cpp.
#include "kernels/device.cuh"

namespace vsgrpo::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kNormPiece = 1 << 16;  // gradients of one sum

template <typename Gradient>
__global__ void __launch_bounds__(kThreads) squared_norm(const Gradient* grad, int64_t count, double* sums) {
  constexpr int kWidth = kPieceWidth<Gradient>;
  __shared__ double scratch[kThreads / kWarp];
  const int64_t begin = blockIdx.x * kNormPiece, end = begin + kNormPiece < count ? begin + kNormPiece : count;
  double sum = 0;
  const auto add = [&](Gradient stored) {
    const double g = to_float(stored);
    sum += g * g;
  };
  int64_t i = begin + threadIdx.x * kWidth;
  for (; i + kWidth <= end; i += kThreads * kWidth) {
    const auto piece = load<Gradient, kWidth>(grad + i);
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

}  // namespace
}  // namespace vsgrpo::kernels

using namespace vsgrpo::kernels;

int64_t vsgrpo_squared_norm_sums(int64_t count) { return count > 0 ? divided_up(count, kNormPiece) : 0; }

int vsgrpo_squared_norm(const vsgrpo_squared_norm_args* args, void* stream) {
  if (const int status = opened("squared_norm", args)) return status;
  Arguments check("squared_norm");
  check.type("grad_type", args->grad_type).size("count", args->count);
  if (check.failed() || args->count == 0) return check.status();
  check.array("grad", args->grad).numbers("sums", args->sums);
  if (check.failed()) return check.status();
  const dim3 grid(static_cast<unsigned>(vsgrpo_squared_norm_sums(args->count)));
  return dispatch_type(args->grad_type, [&]<typename Gradient>() {
    return launch("squared_norm", squared_norm<Gradient>, grid, kThreads, stream, static_cast<const Gradient*>(args->grad), args->count, args->sums);
  });
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
