// Parallel loops over rows. The result of a loop must not depend on how it is divided.
#pragma once

#include <tbb/blocked_range.h>
#include <tbb/parallel_for.h>

#include <cstdint>

namespace voxbit::supernet {

// body(begin, end) over [0, n) in pieces of about `grain`; small loops stay on this thread.
template <class Body>
void ParallelFor(int64_t n, int64_t grain, const Body& body) {
  if (n <= grain) {
    if (n > 0) body(int64_t{0}, n);
    return;
  }
  tbb::parallel_for(
      tbb::blocked_range<int64_t>(0, n, static_cast<size_t>(grain)),
      [&](const tbb::blocked_range<int64_t>& range) { body(range.begin(), range.end()); });
}

}  // namespace voxbit::supernet
