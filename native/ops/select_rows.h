// Rows of a packed tensor by index, some of them more than once.
#pragma once
#include "core/pch.h"

namespace vsgrpo {

// x [N, H], rows int64 [K] on x's device -> [K, H]. On a GPU the gradients of equal rows are added in one order, where
// index_select's own backward would use atomic additions.
at::Tensor select_rows(const at::Tensor& x, const at::Tensor& rows);

// sum[rows[i]] += values[i] in one order, without waiting for the device; `sum` in values' type.
void add_rows(at::Tensor& sum, const at::Tensor& rows, const at::Tensor& values);

}  // namespace vsgrpo
