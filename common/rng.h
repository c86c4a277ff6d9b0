// Seeded random numbers that are the same on every platform and standard library.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace voxbit {

// xoshiro256** (Blackman and Vigna, 2018), seeded through splitmix64. The distributions are our
// own, because those of the standard library differ between implementations.
class Rng {
 public:
  explicit Rng(uint64_t seed);

  // An independent stream that depends only on this generator's seed, the label and the index,
  // never on how many numbers were drawn.
  Rng Fork(std::string_view label, uint64_t index = 0) const;

  // The seed, to hand to another generator (torch's, say).
  uint64_t seed() const { return seed_; }

  uint64_t Next();
  // Uniform in [0, 1), 53 bits.
  double Uniform();
  double Uniform(double low, double high) { return low + (high - low) * Uniform(); }
  // Uniform integer in [0, count). Requires: count > 0. Unbiased.
  int64_t Below(int64_t count);
  // Standard normal, by the polar method.
  double Normal();
  bool Bernoulli(double probability) { return Uniform() < probability; }

 private:
  uint64_t seed_;
  std::array<uint64_t, 4> state_;
};

}  // namespace voxbit
