// What the tests may ask of the emulation.
#pragma once

namespace emulation {

// In which order blocks, warps and lanes run between two barriers. A result that depends on it is a race.
enum class Order { forward, reverse, shuffled };

void set_order(Order order);

}  // namespace emulation
