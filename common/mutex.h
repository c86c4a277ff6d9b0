// std::mutex with the annotations that clang's thread-safety analysis reads.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define VOXBIT_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define VOXBIT_THREAD_ANNOTATION(x)
#endif

#define VOXBIT_CAPABILITY(x) VOXBIT_THREAD_ANNOTATION(capability(x))
#define VOXBIT_SCOPED_CAPABILITY VOXBIT_THREAD_ANNOTATION(scoped_lockable)
#define VOXBIT_GUARDED_BY(x) VOXBIT_THREAD_ANNOTATION(guarded_by(x))
#define VOXBIT_REQUIRES(...) VOXBIT_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define VOXBIT_ACQUIRE(...) VOXBIT_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define VOXBIT_RELEASE(...) VOXBIT_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
#define VOXBIT_EXCLUDES(...) VOXBIT_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
#define VOXBIT_NO_THREAD_SAFETY_ANALYSIS VOXBIT_THREAD_ANNOTATION(no_thread_safety_analysis)

namespace voxbit {

class VOXBIT_CAPABILITY("mutex") Mutex {
 public:
  void Lock() VOXBIT_ACQUIRE() { mutex_.lock(); }
  void Unlock() VOXBIT_RELEASE() { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class VOXBIT_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) VOXBIT_ACQUIRE(mutex) : mutex_(mutex) { mutex_.Lock(); }
  ~MutexLock() VOXBIT_RELEASE() { mutex_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

class CondVar {
 public:
  void Wait(Mutex& mutex) VOXBIT_REQUIRES(mutex) VOXBIT_NO_THREAD_SAFETY_ANALYSIS {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }
  // False when `span` passed without a notification.
  bool WaitFor(Mutex& mutex, std::chrono::milliseconds span)
      VOXBIT_REQUIRES(mutex) VOXBIT_NO_THREAD_SAFETY_ANALYSIS {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const bool notified = condition_.wait_for(lock, span) == std::cv_status::no_timeout;
    lock.release();
    return notified;
  }
  void NotifyAll() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace voxbit
