// SwiGLU of the text MLP, forward and backward: elementwise over 16-byte pieces. Definition: native/ops/activation.cpp.
#include "kernels/device.cuh"

namespace vsgrpo::kernels {
namespace {

constexpr unsigned kThreads = 128;

template <typename T>
__global__ void __launch_bounds__(kThreads) swiglu_forward(const vsgrpo_swiglu_args args) {
  constexpr int kWidth = kPieceWidth<T>;
  const int64_t row = blockIdx.x, column = (static_cast<int64_t>(blockIdx.y) * kThreads + threadIdx.x) * kWidth;
  if (column >= args.columns) return;
  const T* gate = static_cast<const T*>(args.gate_up) + row * 2 * args.columns + column;
  const auto g = load<T, kWidth>(gate), up = load<T, kWidth>(gate + args.columns);
  Piece<T, kWidth> y;
#pragma unroll
  for (int j = 0; j < kWidth; ++j) {
    const float v = to_float(g.values[j]);
    y.values[j] = from_float<T>(round_to<T>(v * sigmoid(v)) * to_float(up.values[j]));
  }
  store(static_cast<T*>(args.y) + row * args.columns + column, y);
}

template <typename T>
__global__ void __launch_bounds__(kThreads) swiglu_backward(const vsgrpo_swiglu_backward_args args) {
  constexpr int kWidth = kPieceWidth<T>;
  const int64_t row = blockIdx.x, column = (static_cast<int64_t>(blockIdx.y) * kThreads + threadIdx.x) * kWidth;
  if (column >= args.columns) return;
  const int64_t at = row * 2 * args.columns + column;
  const T* gate = static_cast<const T*>(args.gate_up) + at;
  const auto g = load<T, kWidth>(gate), up = load<T, kWidth>(gate + args.columns);
  const auto dy = load<T, kWidth>(static_cast<const T*>(args.dy) + row * args.columns + column);
  Piece<T, kWidth> dgate, dup;
#pragma unroll
  for (int j = 0; j < kWidth; ++j) {
    const float v = to_float(g.values[j]), s = sigmoid(v), d = to_float(dy.values[j]);
    dgate.values[j] = from_float<T>(d * to_float(up.values[j]) * s * (1.0f + v * (1.0f - s)));
    dup.values[j] = from_float<T>(d * v * s);
  }
  T* out = static_cast<T*>(args.dgate_up) + at;
  store(out, dgate);
  store(out + args.columns, dup);
}

template <typename Struct>
Arguments checked_shape(const char* op, const Struct& args) {
  Arguments check(op);
  check.type("type", args.type).rows(args.rows).within("columns", args.columns, 0, 1 << 24);
  check.multiple("columns", args.columns, args.type == VSGRPO_FLOAT32 ? kPieceWidth<float> : kPieceWidth<bf16>);
  return check;
}

template <typename T>
dim3 grid_of(int64_t rows, int64_t columns) {
  return dim3(static_cast<unsigned>(rows), static_cast<unsigned>(divided_up(columns, kThreads * kPieceWidth<T>)));
}

}  // namespace
}  // namespace vsgrpo::kernels

using namespace vsgrpo::kernels;

int vsgrpo_swiglu(const vsgrpo_swiglu_args* args, void* stream) {
  if (const int status = opened("swiglu", args)) return status;
  Arguments check = checked_shape("swiglu", *args);
  if (check.failed() || args->rows * args->columns == 0) return check.status();
  check.array("gate_up", args->gate_up).array("y", args->y);
  if (check.failed()) return check.status();
  return dispatch_type(args->type, [&]<typename T>() {
    return launch("swiglu", swiglu_forward<T>, grid_of<T>(args->rows, args->columns), kThreads, stream, *args);
  });
}

int vsgrpo_swiglu_backward(const vsgrpo_swiglu_backward_args* args, void* stream) {
  if (const int status = opened("swiglu_backward", args)) return status;
  Arguments check = checked_shape("swiglu_backward", *args);
  if (check.failed() || args->rows * args->columns == 0) return check.status();
  check.array("dy", args->dy).array("gate_up", args->gate_up).array("dgate_up", args->dgate_up);
  if (check.failed()) return check.status();
  return dispatch_type(args->type, [&]<typename T>() {
    return launch("swiglu_backward", swiglu_backward<T>, grid_of<T>(args->rows, args->columns), kThreads, stream, *args);
  });
}
