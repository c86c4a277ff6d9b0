#include "common/rng.h"

#include <bit>
#include <cmath>

#include "common/check.h"

namespace voxbit {
namespace {

uint64_t SplitMix64(uint64_t& state) {
  uint64_t z = (state += 0x9E3779B97F4A7C15ULL);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

uint64_t Fnv1a(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  return hash;
}

}  // namespace

Rng::Rng(uint64_t seed) : seed_(seed), state_{} {
  uint64_t mix = seed;
  for (uint64_t& word : state_) word = SplitMix64(mix);
}

Rng Rng::Fork(std::string_view label, uint64_t index) const {
  uint64_t mix = seed_ ^ std::rotl(Fnv1a(label), 17);
  const uint64_t base = SplitMix64(mix);
  mix = base ^ (index * 0xD1342543DE82EF95ULL);
  return Rng(SplitMix64(mix));
}

uint64_t Rng::Next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

double Rng::Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

int64_t Rng::Below(int64_t count) {
  VOXBIT_CHECK(count > 0, "Below needs a positive count");
  const auto bound = static_cast<uint64_t>(count);
  const uint64_t threshold = (0 - bound) % bound;  // values below it would bias the remainder
  uint64_t draw = Next();
  while (draw < threshold) draw = Next();
  return static_cast<int64_t>(draw % bound);
}

double Rng::Normal() {
  while (true) {
    const double u = Uniform(-1, 1);
    const double v = Uniform(-1, 1);
    const double s = u * u + v * v;
    if (s > 0 && s < 1) return u * std::sqrt(-2 * std::log(s) / s);
  }
}

}  // namespace voxbit
