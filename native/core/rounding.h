// Whole numbers rounded up: pieces that cover a range, and sizes in whole steps.
#pragma once
#include <cstdint>

#include "core/host_device.h"

namespace vsgrpo {

VSGRPO_HD constexpr int64_t divided_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

VSGRPO_HD constexpr int64_t rounded_up(int64_t n, int64_t step) { return divided_up(n, step) * step; }

}  // namespace vsgrpo
