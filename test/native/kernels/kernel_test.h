// What the tests of the CUDA kernels share: tensors in memory that a kernel can read, comparisons with the CPU engine's ops.
#pragma once
#include <cstring>
#include <map>
#include <memory>

#include "golden.h"
#include "kernels/vsgrpo_kernels.h"
#include "machine.h"

namespace kernel_test {

// A tensor whose memory a kernel can read: NaN at first, or a copy.
inline at::Tensor guarded(at::IntArrayRef sizes, at::ScalarType dtype) {
  const auto array = std::make_shared<Memory>(static_cast<size_t>(c10::multiply_integers(sizes)) * c10::elementSize(dtype));
  return at::from_blob(array->data(), sizes, [array](void*) {}, at::TensorOptions(dtype));
}
inline at::Tensor guarded(const at::Tensor& values) { return guarded(values.sizes(), values.scalar_type()).copy_(values); }

inline int32_t type_of(const at::Tensor& tensor) { return tensor.scalar_type() == at::kFloat ? VSGRPO_FLOAT32 : VSGRPO_BFLOAT16; }

inline at::Tensor random(at::IntArrayRef sizes, at::ScalarType dtype = at::kFloat, double scale = 1) {
  return guarded((at::randn(sizes) * scale).to(dtype));
}

// Waits for a kernel whose launch must have been accepted.
inline void run(int status) {
  if (status != VSGRPO_OK) FAIL(vsgrpo_kernels_error());
  finish();
}

// Calls `compute` under every order of threads that the machine can be asked for; its tensors must not differ in a bit.
inline std::vector<at::Tensor> in_every_order(const std::function<std::vector<at::Tensor>()>& compute) {
  std::vector<at::Tensor> first;
  for (int order = 0; order < kOrders; ++order) {
    set_order(order);
    std::vector<at::Tensor> out = compute();
    for (size_t i = 0; i < first.size(); ++i) {
      const auto bytes = static_cast<size_t>(out[i].nbytes());
      CHECK_MESSAGE(std::memcmp(out[i].data_ptr(), first[i].data_ptr(), bytes) == 0, "result " << i << " depends on the order of the threads");
    }
    if (first.empty()) first = std::move(out);
  }
  set_order(0);
  return first;
}

// The largest difference of everything compared under one name; printed, a line for each name, at the end of a test case.
class Report {
 public:
  Report() { entries().clear(); }
  ~Report() {
    for (const auto& [what, e] : entries()) {
      MESSAGE(what << ": max |difference| " << e.difference << ", values up to " << e.largest << ", " << e.count << " comparisons");
    }
  }
  static void add(const std::string& what, double difference, double largest) {
    Entry& e = entries()[what];
    e = {std::max(e.difference, difference), std::max(e.largest, largest), e.count + 1};
  }

 private:
  struct Entry {
    double difference = 0, largest = 0;
    int count = 0;
  };
  static std::map<std::string, Entry>& entries() {
    static std::map<std::string, Entry> all;
    return all;
  }
};

// Fails unless every element is within absolute + relative |expected|.
inline void check_near(const std::string& what, const at::Tensor& actual, const at::Tensor& expected, double absolute, double relative = 0) {
  if (actual.sizes() != expected.sizes()) FAIL(what << ": shape " << actual.sizes() << ", expected " << expected.sizes());
  const at::Tensor a = actual.to(at::kDouble), b = expected.to(at::kDouble), difference = (a - b).abs();
  Report::add(what, difference.max().item<double>(), b.abs().max().item<double>());
  const double excess = (difference - relative * b.abs()).max().item<double>();
  CHECK_MESSAGE(excess <= absolute, what << " differs by " << excess << " more than " << relative << " of the value, allowed " << absolute);
}

// One unit in the last place of bfloat16, as a share of the value; fp32 sums in another order for float32.
inline double rounding(at::ScalarType dtype) { return dtype == at::kFloat ? 2e-6 : 1.0 / 128; }

inline std::string name_of(const std::string& op, at::ScalarType dtype) { return op + (dtype == at::kFloat ? " float32" : " bfloat16"); }

// A call must be refused with `status` and a message that holds `part`.
inline void check_refused(int actual, int status, const std::string& part) {
  const std::string message = vsgrpo_kernels_error();
  CHECK_EQ(actual, status);
  CHECK_MESSAGE(message.find(part) != std::string::npos, "the message '" << message << "' should hold '" << part << "'");
}

}  // namespace kernel_test
