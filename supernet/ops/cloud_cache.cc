#include "supernet/ops/cloud_cache.h"

#include <torch/torch.h>

namespace voxbit::supernet {

size_t CloudCache::size() const {
  const MutexLock lock(mutex_);
  return values_.size();
}

CloudCache::Value CloudCache::Find(const std::string& key, const std::function<Value()>& make) {
  const MutexLock lock(mutex_);
  Value& value = values_[key];
  if (value == nullptr) {
    const c10::InferenceMode no_inference(false);  // the value outlives an inference-mode caller
    const at::NoGradGuard no_grad;
    value = make();
  }
  return value;
}

}  // namespace voxbit::supernet
