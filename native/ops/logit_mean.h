// The mean of a token's logits over the vocabulary, without the logits: their weights' mean row times the hidden state.
#pragma once
#include "core/pch.h"

namespace vsgrpo {

// hidden [K, H] (already normed), weight [V, H]; float32 [K], before any temperature, summed in float32.
at::Tensor logit_mean(const at::Tensor& hidden, const at::Tensor& weight);

}  // namespace vsgrpo
