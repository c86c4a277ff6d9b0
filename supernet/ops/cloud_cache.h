// What depends on the positions of one batch of clouds alone: levels of points, neighbours.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "common/mutex.h"

namespace voxbit::supernet {

// Values of one batch by key, made once, whatever number of networks runs on the batch.
// Thread-safe.
class CloudCache {
 public:
  // What `make` returned when `key` was asked for first; made without gradients, usable with them.
  // Requires: a key always stands for one T and one device.
  template <class T>
  std::shared_ptr<const T> Get(const std::string& key, const std::function<T()>& make) {
    return std::static_pointer_cast<const T>(
        Find(key, [&]() -> Value { return std::make_shared<const T>(make()); }));
  }

  size_t size() const;

 private:
  using Value = std::shared_ptr<const void>;
  Value Find(const std::string& key, const std::function<Value()>& make);

  mutable Mutex mutex_;
  std::map<std::string, Value> values_ VOXBIT_GUARDED_BY(mutex_);
};

}  // namespace voxbit::supernet
