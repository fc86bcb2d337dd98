// Quick GELU of the vision MLP, forward and backward: elementwise over 16-byte pieces. Definition: native/ops/activation.cpp.
#include "kernels/device.cuh"

namespace vsgrpo::kernels {
namespace {

constexpr unsigned kThreads = 256;
constexpr float kQuickGelu = 1.702f;

// The place of the thread's piece.
template <typename T>
__device__ int64_t place() {
  return (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kPieceWidth<T>;
}

template <typename T>
__global__ void __launch_bounds__(kThreads) quick_gelu_forward(const vsgrpo_quick_gelu_args args) {
  constexpr int kWidth = kPieceWidth<T>;
  const int64_t at = place<T>();
  if (at >= args.count) return;
  const auto x = load<T, kWidth>(static_cast<const T*>(args.x) + at);
  Piece<T, kWidth> y;
#pragma unroll
  for (int j = 0; j < kWidth; ++j) {
    const float v = to_float(x.values[j]);
    y.values[j] = from_float<T>(v * round_to<T>(sigmoid(round_to<T>(kQuickGelu * v))));
  }
  store(static_cast<T*>(args.y) + at, y);
}

template <typename T>
__global__ void __launch_bounds__(kThreads) quick_gelu_backward(const vsgrpo_quick_gelu_backward_args args) {
  constexpr int kWidth = kPieceWidth<T>;
  const int64_t at = place<T>();
  if (at >= args.count) return;
  const auto x = load<T, kWidth>(static_cast<const T*>(args.x) + at), dy = load<T, kWidth>(static_cast<const T*>(args.dy) + at);
  Piece<T, kWidth> dx;
#pragma unroll
  for (int j = 0; j < kWidth; ++j) {
    const float v = to_float(x.values[j]), s = sigmoid(kQuickGelu * v);
    dx.values[j] = from_float<T>(to_float(dy.values[j]) * s * (1.0f + kQuickGelu * v * (1.0f - s)));
  }
  store(static_cast<T*>(args.dx) + at, dx);
}

int64_t piece_of(int32_t type) { return type == VSGRPO_FLOAT32 ? kPieceWidth<float> : kPieceWidth<bf16>; }

template <typename Struct>
Arguments checked_shape(const char* op, const Struct& args) {
  Arguments check(op);
  check.type("type", args.type).multiple("count", args.count, piece_of(args.type));
  check.within("count", divided_up(args.count, kThreads * piece_of(args.type)), 0, INT32_MAX);
  return check;
}

template <typename T>
dim3 grid_of(int64_t count) {
  return dim3(static_cast<unsigned>(divided_up(count, kThreads * kPieceWidth<T>)));
}

}  // namespace
}  // namespace vsgrpo::kernels

using namespace vsgrpo::kernels;

int vsgrpo_quick_gelu(const vsgrpo_quick_gelu_args* args, void* stream) {
  if (const int status = opened("quick_gelu", args)) return status;
  Arguments check = checked_shape("quick_gelu", *args);
  if (check.failed() || args->count == 0) return check.status();
  check.array("x", args->x).array("y", args->y);
  if (check.failed()) return check.status();
  return dispatch_type(args->type,
                       [&]<typename T>() { return launch("quick_gelu", quick_gelu_forward<T>, grid_of<T>(args->count), kThreads, stream, *args); });
}

int vsgrpo_quick_gelu_backward(const vsgrpo_quick_gelu_backward_args* args, void* stream) {
  if (const int status = opened("quick_gelu_backward", args)) return status;
  Arguments check = checked_shape("quick_gelu_backward", *args);
  if (check.failed() || args->count == 0) return check.status();
  check.array("dy", args->dy).array("x", args->x).array("dx", args->dx);
  if (check.failed()) return check.status();
  return dispatch_type(args->type, [&]<typename T>() {
    return launch("quick_gelu_backward", quick_gelu_backward<T>, grid_of<T>(args->count), kThreads, stream, *args);
  });
}
